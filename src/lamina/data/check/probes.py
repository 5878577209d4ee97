"""The probes of the data doctor that need to know nothing of what the data are.

A probe is a function from a `Subject` to what it found: problems, and tables that describe the
data. `PROBES` holds them by name; an application or a user adds more with `@PROBES.register(name)`.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from lamina.data.check.report import Problem, flag
from lamina.data.check.subject import Seen, Subject
from lamina.foundation.parallel import num_cpus
from lamina.foundation.registry import Registry
from lamina.foundation.sequences import groupby, partition, uniqueify
from lamina.tensor.tree import find_bs, find_device, leaves
from lamina.tensor.types import plain
from lamina.viz.tables import Table

__all__ = ["PROBES", "Finding", "Probe", "joined", "names_of"]

Finding: TypeAlias = Problem | Table
Probe: TypeAlias = Callable[[Subject], Iterable[Finding]]
Counts: TypeAlias = dict[str, Counter[Any]]  # items of each split, per label

PROBES: Registry[Probe] = Registry("probe")

_RARE = 10  # training items below which a class is rare
_UNEVEN = 20  # times the smallest class that make the largest one too large
_CLASSES = 12  # classes in the table
_STRATIFY = "Let the split keep the shares: StratifiedSplitter(label)."

_FOUND = {
    "unreadable": "These inputs cannot be made. The first: {first}",
    "wrong target": "These targets cannot be made. The first: {first}",
    "leak": "The same content is in another split too: validation looks better than it is.",
    "duplicate": "The same content is in the split more than once.",
    "contradiction": "The same content has different labels.",
    "unlabelled": "These have no label.",
    "label only in validation": "No training item has {labels}: the model cannot learn this.",
    "empty class": "The vocabulary has labels that no item has.",
    "rare class": f"Classes with fewer than {_RARE} training items.",
    "label only in training": "No validation item has these: how well they do stays unknown.",
    "uneven classes": "The largest class has {ratio:.0f} times the items of the smallest.",
    "missing numbers": "Columns with NaN, infinite or missing values: the loss becomes NaN.",
    "constant column": "Columns with the same value everywhere: nothing can be learnt from them.",
    "empty split": "Nothing is held out here: no epoch tells how well new items do.",
    "NaN in batch": "The first batch has NaN or infinite values.",
    "slow loader": "The loader is the bottleneck: the model would wait for it.",
}
_ADVICE = {
    "unreadable": "Remove or replace the files, or mend the function that fails on them.",
    "wrong target": "Mend the labels, or the function that reads them, or leave the items out.",
    "leak": "Keep one of each, or split by groups so that copies stay together.",
    "duplicate": "Keep one of each, unless weighting them is what you want.",
    "contradiction": "Find out which label is right.",
    "unlabelled": "Label or leave them out; CategoryBlock(add_na=True) makes them a class.",
    "label only in validation": f"Training needs every label. {_STRATIFY}",
    "empty class": "Leave them out of vocab=..., or find their items.",
    "rare class": f"Find more of them, or join them with others. {_STRATIFY}",
    "label only in training": _STRATIFY,
    "uneven classes": "Look at figures per class, not accuracy alone; weight loss or items.",
    "missing numbers": "Fill them in (a table: FillMissing among its procs) or leave the rows out.",
    "constant column": "Leave them out.",
    "empty split": "Hold out some items: RandomSplitter(0.2), or more items.",
    "NaN in batch": "Look for them in the items, and for divisions by zero in the transforms.",
    "slow loader": "Use more workers ({cpus} CPUs here, num_workers={workers} now), make files "
    "smaller beforehand, or move transforms to batch_tfms.",
}


@PROBES.register("unreadable")
def _find_unreadable(subject: Subject) -> Iterator[Finding]:
    """Report items that cannot be made: missing, damaged or foreign files, failing code."""
    for kind, seen in (("unreadable", subject.inputs), ("wrong target", subject.targets)):
        bad = [one for one in seen if one.error is not None and one.labels is None]
        yield from _flag("error", kind, names_of(bad), first=bad[0].error if bad else "")


@PROBES.register("duplicates")
def _find_duplicates(subject: Subject) -> Iterator[Finding]:
    """Report items with the same content: across the split, within a split, with other labels."""
    items = groupby(subject.inputs, "item").values()
    whole = [seen for seen in items if all(one.digest for one in seen)]
    groups = groupby(whole, lambda seen: tuple(one.digest for one in seen), 0)
    same = [group for group in groups.values() if len(group) > 1]
    across, within = partition(same, lambda group: len(groupby(group, "split")) > 1)
    labels = {one.item: one.labels for one in subject.targets if one.labels}
    labelled = [[one for one in group if one.item in labels] for group in same]
    differing = [group for group in labelled if len({labels[one.item] for one in group}) > 1]
    is_file = any(group[0].is_file for group in same)
    yield from _flag("error" if is_file else "warning", "leak", joined(" = ", across))
    yield from _flag("note", "duplicate", joined(" = ", within))
    yield from _flag("warning", "contradiction", joined(" = ", differing))


@PROBES.register("labels")
def _find_bad_labels(subject: Subject) -> Iterator[Finding]:
    """Report missing, unknown and rare labels, and show how items spread over the classes."""
    known = [one for one in subject.targets if one.labels is not None]
    for place, seen in groupby(known, "place").items():
        counts: Counts = {split.name: Counter() for split in subject.splits}
        for one in seen:
            counts[one.split].update(one.labels)
        yield from _flag("warning", "unlabelled", names_of(one for one in seen if not one.labels))
        lists = subject.splits[0].lists
        yield from _unseen_labels(seen, counts, lists[place].gather("vocab") if lists else None)
        yield from _uneven_classes(subject, counts)
        yield _class_table(counts)


def _unseen_labels(seen: list[Seen], counts: Counts, vocab: Any) -> Iterator[Finding]:
    every = set[Any]().union(*counts.values())
    unseen = every.difference(counts["train"])
    is_unknown = vocab is not None and any(label not in vocab for label in unseen)
    names = names_of(one for one in seen if unseen.intersection(one.labels or ()))
    severity = "error" if is_unknown else "warning"
    yield from _flag(severity, "label only in validation", names, labels=_listed(unseen))
    empty = sorted(map(str, set(vocab or ()) - {"#na#", *every}))
    yield from _flag("warning", "empty class", empty)


def _uneven_classes(subject: Subject, counts: Counts) -> Iterator[Finding]:
    sizes, *others = counts.values()
    rare = [f"{x}: {sizes[x]}" for x in sorted(sizes, key=sizes.__getitem__) if sizes[x] < _RARE]
    yield from _flag("warning", "rare class", rare)
    is_held_out = any(split.idxs for split in subject.splits[1:])
    alone = [label for label in sizes if not any(label in count for count in others)]
    yield from _flag("warning", "label only in training", map(str, alone if is_held_out else ()))
    (largest, most), *_ = sizes.most_common(1) or [(None, 1)]
    ratio = most / min(sizes.values(), default=1)
    large = [f"{largest}: {most}"] if ratio > _UNEVEN else []
    yield from _flag("note", "uneven classes", large, ratio=ratio)


def _class_table(counts: Counts) -> Table:
    every = set[Any]().union(*counts.values())
    order = sorted(every, key=lambda label: (-counts["train"][label], str(label)))
    rows = [[label, *(count[label] for count in counts.values())] for label in order]
    if len(rows) > _CLASSES:
        rows[_CLASSES // 2 : -_CLASSES // 2] = [["..."] * len(rows[0])]
    return Table(["label", *counts], rows, f"Items per class ({len(order)} classes)")


@PROBES.register("columns")
def _find_bad_columns(subject: Subject) -> Iterator[Finding]:
    """Report columns of numbers or of a data frame that have gaps or never change."""
    gaps, same = list[str](), list[str]()
    for frame, is_target in _frames(subject):
        n_gaps = (frame.isna() | frame.isin([np.inf, -np.inf])).sum()
        gaps += [f"{name}: {n:,}" for name, n in n_gaps.items() if n]
        if len(frame) > 1 and not is_target:
            same += [str(name) for name in frame if frame[name].astype(str).nunique() == 1]
    severity = "error" if subject.facts(np.ndarray) else "warning"
    yield from _flag(severity, "missing numbers", gaps)
    yield from _flag("warning", "constant column", same)


def _frames(subject: Subject) -> Iterator[tuple[Any, bool]]:
    """Give the items' vectors, and the data frame that the items are the rows of, as frames."""
    kinds = groupby(
        subject.facts(np.ndarray), lambda one: (one.place, one.is_target, len(one.facts)), "facts"
    )
    rows: list[Any] = [getattr(split.dataset, "items", None) for split in subject.splits]
    frames = [some for some in rows if hasattr(some, "iloc") and hasattr(some, "columns")]
    if not (kinds or frames):
        return
    import pandas as pd  # only where there are columns: it takes a while to load

    for (place, is_target, _), vectors in sorted(kinds.items()):
        yield pd.DataFrame(vectors).add_prefix(f"element {place}, column "), is_target
    if frames:
        yield pd.concat(frames), False


@PROBES.register("batches")
def _find_bad_batches(subject: Subject) -> Iterator[Finding]:
    """Describe the first training batch, and report batches that fail or hold NaN."""
    bad: list[str] = []
    for split, batch in zip(subject.splits, subject.batches, strict=True):
        if not isinstance(batch, Exception):
            wrong = [type(t).__name__ for t in leaves(batch) if not _is_finite(t)]
            bad += [f"{split.name}: {name}" for name in wrong]
        elif split.name == "train" or split.idxs:
            yield _no_batch(f"The first batch of {split.name}", batch)
        else:
            yield from _flag("warning", "empty split", [split.name])
    yield from _flag("error", "NaN in batch", bad)
    if not isinstance(subject.batches[0], Exception):
        header = ["tensor", "shape", "dtype", "device", "MiB", "values"]
        rows = [_describe(t) for t in leaves(subject.batches[0])]
        yield Table(header, rows, "First training batch")


def _no_batch(what: str, error: Exception) -> Problem:
    where = "".join(getattr(error, "__notes__", [])[-1:])
    return Problem("no batch", "error", f"{what} cannot be made: {error}", advice=where)


def _is_finite(t: Tensor) -> bool:
    return not t.is_floating_point() or bool(t.isfinite().all())


def _describe(t: Tensor) -> list[str]:
    shape, dtype = "x".join(map(str, t.shape)), str(t.dtype).removeprefix("torch.")
    values = f"{float(t.min()):.4g} to {float(t.max()):.4g}" if t.numel() else ""
    return [type(t).__name__, shape, dtype, str(t.device), f"{t.nbytes / 2**20:,.2f}", values]


@PROBES.register("speed")
def _measure_speed(subject: Subject) -> Iterator[Finding]:
    """Measure how fast the loader gives items and, if there is a model, how fast it takes them."""
    batch, loader, rates = subject.batches[0], subject.dls.train, dict[str, float]()
    if isinstance(batch, Exception) or not any(True for _ in leaves(batch)):
        return
    try:
        epoch = getattr(loader, "epoch", None)
        rates["loader"] = _rate(map(find_bs, loader), subject.seconds)
        if epoch is not None:
            loader.set_epoch(epoch)  # a check does not count as a pass
        if subject.model is not None:
            rates["model"] = _rate(_model_steps(subject, batch), subject.seconds)
    except Exception as error:  # whatever the user's transforms or model raise is a finding
        if not rates:
            yield _no_batch("A training batch", error)
            return
        advice = "Compare the shapes of the batch with what model and loss expect."
        yield Problem("model fails", "error", f"It cannot take a batch: {error}", advice=advice)
    n = getattr(loader, "n", None) or len(subject.splits[0].idxs)
    rows = [[name, f"{rate:,.0f}", f"{n / rate:,.1f}"] for name, rate in rates.items()]
    yield Table(["what", "items per second", "seconds per epoch"], rows, "Speed of training")
    waiting = 1 - rates["loader"] / rates.get("model", rates["loader"])
    slow = [f"{waiting:.0%} of the time"] if waiting > 0 else []
    workers = getattr(loader, "num_workers", 0)
    yield from _flag("note", "slow loader", slow, cpus=num_cpus(), workers=workers)


def _rate(steps: Iterable[int], seconds: float) -> float:
    """Return items per second of steps that say how many they took, without the slower first one.

    Args:
        steps: as many as there are, or as fit into the time; a single one counts.
        seconds: the time.
    """
    sizes, times = list[int](), [time.perf_counter()]
    for size in steps:
        sizes.append(size)
        times.append(time.perf_counter())
        if times[-1] - times[1] > seconds:
            break
    first = int(len(sizes) > 1)
    return sum(sizes[first:]) / (times[-1] - times[first])


def _model_steps(subject: Subject, batch: Any) -> Iterator[int]:
    """Take a copy of the model forward and backward for ever, and say of how many items."""
    device = find_device(batch)
    model = deepcopy(getattr(subject.model, "model", subject.model)).to(device).train()
    loss_func = getattr(subject.model, "loss_func", None)
    parts = plain(tuple(batch) if isinstance(batch, tuple | list) else (batch,))
    n_inp = subject.dls.n_inp or max(1, len(parts) - 1)
    while True:
        out = model(*parts[:n_inp])
        loss = _any_loss(out) if loss_func is None else loss_func(out, *parts[n_inp:])
        loss.backward()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        yield find_bs(batch)


def _any_loss(out: Any) -> Tensor:
    """Make a number of whatever a model gives, so that there is something to differentiate."""
    return torch.stack([t.float().mean() for t in leaves(out)]).sum()


def names_of(seen: Iterable[Seen]) -> list[str]:
    """Return the names of what was seen, each once, in order."""
    return uniqueify(one.name for one in seen)


def joined(sign: str, groups: Iterable[list[Seen]]) -> list[str]:
    """Name each group of like items in one line, with the split of each.

    Args:
        sign: what stands between two.
        groups: the groups.
    """
    return [sign.join(f"{one.name} ({one.split})" for one in group) for group in groups]


def _flag(severity: str, kind: str, items: Iterable[str], **facts: Any) -> Iterator[Problem]:
    """Give a problem of a kind in the tables above, if there are items that have it."""
    message, advice = (texts[kind].format(**facts) for texts in (_FOUND, _ADVICE))
    return flag(severity, kind, items, message, advice)


def _listed(labels: Iterable[Any]) -> str:
    names = sorted(map(repr, labels))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more labels" if len(names) > 4 else "")
