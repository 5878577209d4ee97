"""The probes of the data doctor that need to know nothing of what the data are.

A probe is a function from a `Subject` to what it found: problems, and tables that describe the
data. `PROBES` holds them by name; an application or a user adds more with `@PROBES.register(name)`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from lamina.data.check.report import Problem, flag
from lamina.data.check.subject import Seen, Subject
from lamina.foundation.registry import Registry
from lamina.foundation.sequences import groupby, partition
from lamina.viz.tables import Table

__all__ = ["PROBES", "Finding", "Probe", "joined", "names_of"]

Finding: TypeAlias = Problem | Table
Probe: TypeAlias = Callable[[Subject], Iterable[Finding]]
Counts: TypeAlias = dict[Any, Counter[str]]  # items per label and split

PROBES: Registry[Probe] = Registry("probe")

_RARE = 10  # training items below which a class is rare
_UNEVEN = 20  # times the smallest class that make the largest one too large
_CLASSES = 12  # classes in the table
_STRATIFY = "Let the split keep the shares: StratifiedSplitter(label)."

_FOUND = {
    "unreadable": "These cannot be made. The first: {first}",
    "wrong target": "These cannot be made. The first: {first}",
    "leak": "The same content is in another split too: validation looks too good.",
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
}
_ADVICE = {
    "unreadable": "Remove or replace the files, or mend the function that fails on them.",
    "wrong target": "Remove or replace the files, or mend the function that fails on them.",
    "leak": "Keep one of each, or split by groups so that copies stay together.",
    "duplicate": "Keep one of each, unless weighting them is what you want.",
    "contradiction": "Find out which label is right.",
    "unlabelled": "Label or leave them out; CategoryBlock(add_na=True) makes them a class.",
    "label only in validation": f"Training needs every label. {_STRATIFY}",
    "empty class": "Leave them out of vocab=..., or find their items.",
    "rare class": f"Find more of them, or join them with others. {_STRATIFY}",
    "label only in training": _STRATIFY,
    "uneven classes": "Look at figures per class, not accuracy alone; weight loss or items.",
    "missing numbers": "Fill them in or leave the rows out.",
    "constant column": "Leave them out.",
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
        counts: Counts = defaultdict(Counter)
        for one in seen:
            for label in one.labels:
                counts[label][one.split] += 1
        yield from _flag("warning", "unlabelled", names_of(one for one in seen if not one.labels))
        lists = subject.splits[0].lists
        yield from _unseen_labels(seen, counts, lists[place].gather("vocab") if lists else None)
        yield from _uneven_classes(subject, counts)
        yield _class_table([split.name for split in subject.splits], counts)


def _unseen_labels(seen: list[Seen], counts: Counts, vocab: Any) -> Iterator[Finding]:
    unseen = {label for label, count in counts.items() if not count["train"]}
    is_unknown = vocab is not None and any(label not in vocab for label in unseen)
    names = names_of(one for one in seen if unseen.intersection(one.labels or ()))
    severity = "error" if is_unknown else "warning"
    yield from _flag(severity, "label only in validation", names, labels=_listed(unseen))
    empty = sorted(map(str, set(vocab or ()) - {"#na#", *counts}))
    yield from _flag("warning", "empty class", empty)


def _uneven_classes(subject: Subject, counts: Counts) -> Iterator[Finding]:
    sizes = {label: count["train"] for label, count in counts.items() if count["train"]}
    rare = sorted((label for label, n in sizes.items() if n < _RARE), key=lambda x: sizes[x])
    yield from _flag("warning", "rare class", [f"{label}: {sizes[label]}" for label in rare])
    is_held_out = any(split.idxs for split in subject.splits[1:])
    alone = [label for label in sizes if is_held_out and counts[label].total() == sizes[label]]
    yield from _flag("warning", "label only in training", map(str, alone))
    largest = max(sizes, key=lambda x: sizes[x], default=None)
    ratio = sizes.get(largest, 1) / min(sizes.values(), default=1)
    large = [f"{largest}: {sizes[largest]}"] if ratio > _UNEVEN else []
    yield from _flag("note", "uneven classes", large, ratio=ratio)


def _class_table(splits: list[str], counts: Counts) -> Table:
    order = sorted(counts, key=lambda label: (-counts[label]["train"], str(label)))
    rows = [[label, *(counts[label][name] for name in splits)] for label in order]
    if len(rows) > _CLASSES:
        rows[_CLASSES // 2 : -_CLASSES // 2] = [["..."] * (len(splits) + 1)]
    return Table(["label", *splits], rows, f"Items per class ({len(order)} classes)")


@PROBES.register("columns")
def _find_bad_columns(subject: Subject) -> Iterator[Finding]:
    """Report columns of numbers or of a data frame that have gaps or never change."""
    columns = [*_vector_columns(subject), *_frame_columns(subject)]
    severity = "error" if subject.facts(np.ndarray) else "warning"
    gaps = [f"{name}: {n:,}" for name, n, _ in columns if n]
    yield from _flag(severity, "missing numbers", gaps)
    yield from _flag("warning", "constant column", [name for name, _, same in columns if same])


def _vector_columns(subject: Subject) -> Iterator[tuple[str, int, bool]]:
    """Tell of each column of the items' vectors its name, its gaps, and whether it is constant."""
    kinds = groupby(
        subject.facts(np.ndarray), lambda one: (one.place, one.is_target, len(one.facts))
    )
    for (place, is_target, _), seen in sorted(kinds.items()):
        matrix = np.stack([one.facts for one in seen])
        n_gaps = (~np.isfinite(matrix)).sum(0)
        is_constant = (matrix == matrix[0]).all(0) & (len(matrix) > 1 and not is_target)
        for k in np.flatnonzero((n_gaps > 0) | is_constant):
            yield f"element {place}, column {k}", int(n_gaps[k]), bool(is_constant[k])


def _frame_columns(subject: Subject) -> Iterator[tuple[str, int, bool]]:
    """Do the same for the data frame that the items are the rows of."""
    frames = [getattr(split.dataset, "items", None) for split in subject.splits]
    frames = [frame for frame in frames if hasattr(frame, "iloc") and hasattr(frame, "columns")]
    for name in frames[0].columns if frames else ():
        columns = [frame[name] for frame in frames if len(frame)]
        n_gaps = sum(int(column.isna().sum()) for column in columns)
        values = {text for column in columns for text in column.astype(str).unique()}
        yield str(name), n_gaps, len(values) == 1 and sum(map(len, columns)) > 1


def names_of(seen: Iterable[Seen]) -> list[str]:
    """Return the names of what was seen, each once, in order."""
    return list(dict.fromkeys(one.name for one in seen))


def joined(sign: str, groups: Iterable[list[Seen]]) -> list[str]:
    """Name each group of like items in one line, with the split of each.

    Args:
        sign: what stands between two.
        groups: the groups.
    """
    return [sign.join(f"{one.name} ({one.split})" for one in group) for group in groups]


def _flag(severity: str, kind: str, items: Iterable[str], **facts: Any) -> Iterator[Problem]:
    """Give a problem of a kind in the tables above, if there are items that have it."""
    return flag(severity, kind, items, _FOUND[kind].format(**facts), _ADVICE[kind])


def _listed(labels: Iterable[Any]) -> str:
    names = sorted(map(repr, labels))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more labels" if len(names) > 4 else "")
