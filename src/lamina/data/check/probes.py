"""The probes of the data doctor that need to know nothing of what the data are.

A probe is a function from a `Subject` to what it found: problems, and tables that describe the
data. `PROBES` holds them by name; an application or a user adds more with `@PROBES.register(name)`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from lamina.data.check.report import Problem, flag
from lamina.data.check.subject import Seen, Subject
from lamina.foundation.registry import Registry
from lamina.viz.tables import Table

__all__ = [
    "PROBES",
    "Finding",
    "Probe",
    "find_bad_columns",
    "find_bad_labels",
    "find_duplicates",
    "find_unreadable",
    "joined",
    "names_of",
]

Finding: TypeAlias = Problem | Table
Probe: TypeAlias = Callable[[Subject], Iterable[Finding]]
Counts: TypeAlias = dict[Any, Counter[str]]  # items per label and split

PROBES: Registry[Probe] = Registry("probe")

_RARE = 10  # training items below which a class is rare
_UNEVEN = 20  # times the smallest class that make the largest one too large
_CLASSES = 12  # classes in the table
_STRATIFY = "Let the split keep the shares: StratifiedSplitter(label)."


@PROBES.register("unreadable")
def find_unreadable(subject: Subject) -> Iterator[Finding]:
    """Report items that cannot be made: missing, empty, truncated or foreign files, failing code.

    Args:
        subject: what to look at.
    """
    for kind, seen in (("unreadable", subject.inputs), ("wrong target", subject.targets)):
        bad = [one for one in seen if one.error is not None and one.labels is None]
        yield from flag(
            "error",
            kind,
            names_of(bad),
            f"These cannot be made. The first: {bad[0].error if bad else ''}",
            "Remove or replace the files, or mend the function that fails on them.",
        )


@PROBES.register("duplicates")
def find_duplicates(subject: Subject) -> Iterator[Finding]:
    """Report items with the same content: across the split, within a split, with other labels.

    Args:
        subject: what to look at.
    """
    contents: dict[tuple[str, int], list[Seen]] = defaultdict(list)
    for seen in subject.inputs:
        contents[seen.split, seen.index].append(seen)
    groups: dict[tuple[Any, ...], list[Seen]] = defaultdict(list)
    for parts in contents.values():
        if all(part.digest is not None for part in parts):
            groups[tuple(part.digest for part in parts)].append(parts[0])
    same = [group for group in groups.values() if len(group) > 1]
    labels = {(one.split, one.index): one.labels for one in subject.targets if one.labels}

    def differ(group: list[Seen], key: Callable[[Seen], Hashable]) -> bool:
        return len({key(one) for one in group}) > 1

    yield from flag(
        "error" if any(group[0].is_file for group in same) else "warning",
        "leak",
        joined(" = ", [group for group in same if differ(group, lambda one: one.split)]),
        "The same content is in another split too: validation looks too good.",
        "Keep one of each, or split by groups so that copies stay together.",
    )
    yield from flag(
        "note",
        "duplicate",
        joined(" = ", [group for group in same if not differ(group, lambda one: one.split)]),
        "The same content is in the split more than once.",
        "Keep one of each, unless weighting them is what you want.",
    )
    labelled = [[one for one in group if (one.split, one.index) in labels] for group in same]
    yield from flag(
        "warning",
        "contradiction",
        joined(" = ", [g for g in labelled if differ(g, lambda one: labels[one.split, one.index])]),
        "The same content has different labels.",
        "Find out which label is right.",
    )


@PROBES.register("labels")
def find_bad_labels(subject: Subject) -> Iterator[Finding]:
    """Report missing, unknown and rare labels, and show how items spread over the classes.

    Args:
        subject: what to look at.
    """
    for place in sorted({seen.place for seen in subject.targets if seen.labels is not None}):
        seen = [one for one in subject.targets if one.place == place and one.labels is not None]
        counts: Counts = defaultdict(Counter)
        for one in seen:
            for label in one.labels or ():
                counts[label][one.split] += 1
        yield from flag(
            "warning",
            "unlabelled",
            names_of(one for one in seen if not one.labels),
            "These have no label.",
            "Label them or leave them out; CategoryBlock(add_na=True) makes them a class.",
        )
        lists = subject.splits[0].lists
        yield from _unseen_labels(seen, counts, lists[place].gather("vocab") if lists else None)
        yield from _uneven_classes(subject, counts)
        yield _class_table([split.name for split in subject.splits], counts)


def _unseen_labels(seen: list[Seen], counts: Counts, vocab: Any) -> Iterator[Finding]:
    unseen = {label for label, count in counts.items() if not count["train"]}
    is_unknown = vocab is not None and any(label not in vocab for label in unseen)
    yield from flag(
        "error" if is_unknown else "warning",
        "label only in validation",
        names_of(one for one in seen if unseen.intersection(one.labels or ())),
        f"No training item has {_listed(unseen)}: the model cannot learn this.",
        f"Training needs every label. {_STRATIFY}",
    )
    yield from flag(
        "warning",
        "empty class",
        sorted(map(str, set(vocab or ()) - {"#na#", *counts})),
        "The vocabulary has labels that no item has.",
        "Leave them out of vocab=..., or find their items.",
    )


def _uneven_classes(subject: Subject, counts: Counts) -> Iterator[Finding]:
    sizes = {label: count["train"] for label, count in counts.items() if count["train"]}
    rare = sorted((label for label, n in sizes.items() if n < _RARE), key=lambda x: sizes[x])
    yield from flag(
        "warning",
        "rare class",
        [f"{label}: {sizes[label]}" for label in rare],
        f"Classes with fewer than {_RARE} training items.",
        f"Find more of them, or join them with others. {_STRATIFY}",
    )
    is_held_out = any(split.idxs for split in subject.splits[1:])
    alone = [label for label in sizes if is_held_out and counts[label].total() == sizes[label]]
    yield from flag(
        "warning",
        "label only in training",
        map(str, alone),
        "No validation item has these labels: how well they do stays unknown.",
        _STRATIFY,
    )
    ratio = max(sizes.values(), default=1) / min(sizes.values(), default=1)
    yield from flag(
        "note",
        "uneven classes",
        [f"{max(sizes, key=sizes.__getitem__)}: {max(sizes.values())}"] if ratio > _UNEVEN else [],
        f"The largest class has {ratio:.0f} times the items of the smallest.",
        "Look at figures per class, not accuracy alone; weight loss or items.",
    )


def _class_table(splits: list[str], counts: Counts) -> Table:
    order = sorted(counts, key=lambda label: (-counts[label]["train"], str(label)))
    rows = [[label, *(counts[label][name] for name in splits)] for label in order]
    if len(rows) > _CLASSES:
        rows[_CLASSES // 2 : -_CLASSES // 2] = [["..."] * (len(splits) + 1)]
    return Table(["label", *splits], rows, f"Items per class ({len(order)} classes)")


@PROBES.register("columns")
def find_bad_columns(subject: Subject) -> Iterator[Finding]:
    """Report columns of numbers or of a data frame that have gaps or never change.

    Args:
        subject: what to look at.
    """
    columns = [*_vector_columns(subject), *_frame_columns(subject)]
    yield from flag(
        "error" if subject.facts(np.ndarray) else "warning",
        "missing numbers",
        [f"{name}: {n_gaps:,}" for name, n_gaps, _ in columns if n_gaps],
        "Columns with NaN, infinite or missing values; these turn the loss into NaN.",
        "Fill them in or leave the rows out.",
    )
    yield from flag(
        "warning",
        "constant column",
        [name for name, _, is_constant in columns if is_constant],
        "Columns with the same value everywhere: nothing can be learnt from them.",
        "Leave them out.",
    )


def _vector_columns(subject: Subject) -> Iterator[tuple[str, int, bool]]:
    """Tell of each column of the items' vectors its name, its gaps, and whether it is constant."""
    groups: dict[tuple[int, bool, int], list[np.ndarray]] = defaultdict(list)
    for seen in subject.facts(np.ndarray):
        groups[seen.place, seen.is_target, len(seen.facts)].append(seen.facts)
    for (place, is_target, _), vectors in sorted(groups.items()):
        matrix = np.stack(vectors)
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


def _listed(labels: Iterable[Any]) -> str:
    names = sorted(map(repr, labels))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more labels" if len(names) > 4 else "")
