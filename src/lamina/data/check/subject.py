"""What the doctor looks at: every value of every item, seen once and remembered for all probes."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from lamina.data.items import TfmdLists, get_item
from lamina.data.task import Boxes, MultiLabel, SingleLabel
from lamina.foundation.collections import L
from lamina.foundation.dispatch import TypeTable
from lamina.foundation.errors import SkipItem
from lamina.foundation.parallel import parallel
from lamina.foundation.seeding import Randomness, base_seed, derive, using
from lamina.foundation.sequences import chunked, concat

__all__ = ["LOOKERS", "Seen", "Split", "Subject"]

LOOKERS: TypeTable[Callable[[Any], Any]] = TypeTable()
"""How to look closely at a value of a type: a function from the value to facts for the probes.

An application adds its own with `LOOKERS.add(type, function)`. An error that the function raises
counts as an unreadable item.
"""

_LABELS = (SingleLabel, MultiLabel, Boxes)  # tasks of transforms that are given labels
_RUN = 32  # items that a thread takes at a time


@dataclass(slots=True)
class Seen:
    """What there is to know of one value: one element of one item's tuple.

    Args:
        split: the name of the split.
        index: the item's number in it.
        place: the number of the element.
        is_target: whether it is a target.
        name: a name for reports: the file, or the place in the data set.
        is_file: whether the value comes from a file of its own.
        digest: a hash of the content, for inputs.
        labels: the labels, for a target that has labels; empty if the item has none.
        facts: what the function in `LOOKERS` for the value's type said.
        error: the message of the error that making or looking at the value raised.
    """

    split: str
    index: int
    place: int
    is_target: bool
    name: str = ""
    is_file: bool = False
    digest: bytes | None = None
    labels: tuple[Any, ...] | None = None
    facts: Any = None
    error: str | None = None

    @property
    def item(self) -> tuple[str, int]:
        """What is the same for all elements of an item."""
        return self.split, self.index


class Split:
    """The data set of one loader, and the items of it that the doctor looks at.

    Args:
        dls: the loaders.
        k: the number of the loader.
        n: how many items to look at, drawn at random; None is all.

    Attributes:
        name: "train", "valid", "valid 2" and so on.
        dataset: the data set.
        lists: its pipelines, one per element of a tuple; empty if it makes items in another way.
        n_inp: how many elements are inputs; None is all but the last.
        path: the folder that names of files are relative to.
        idxs: the items to look at.
        others: the items of which only the labels are read.
    """

    def __init__(self, dls: Any, k: int, n: int | None = None) -> None:
        self.name = ("train", "valid")[k] if k < 2 else f"valid {k}"
        self.dataset = ds = dls[k].dataset
        self.lists: Sequence[TfmdLists] = (
            [ds] if isinstance(ds, TfmdLists) else getattr(ds, "tls", [])
        )
        self.n_inp: int | None = getattr(ds, "n_inp", 1 if self.lists else None)
        self.path = Path(dls.path)
        is_batches = getattr(dls[k], "source", None) is ds
        has_items = hasattr(ds, "__getitem__") and hasattr(ds, "__len__") and not is_batches
        every = range(len(ds) if has_items else 0)
        self.idxs = Random(derive(0, "check", k)).sample(every, min(n or len(every), len(every)))
        has_classes = self.lists and isinstance(dls.task, SingleLabel | MultiLabel)
        self.others = set(every).difference(self.idxs) if has_classes else ()

    def look(self, i: int, *, only_labels: bool = False) -> list[Seen]:
        """Look at the elements of an item.

        Args:
            i: the number of the item.
            only_labels: whether to leave the inputs out.
        """
        with using(Randomness(derive(base_seed(), "item", i))):
            try:
                parts = self._parts(i)
                n_inp = self.n_inp or max(1, len(parts) - 1)
                seen = [
                    self._follow(Seen(self.name, i, k, k >= n_inp), *part)
                    for k, part in enumerate(parts)
                    if k >= n_inp or not only_labels
                ]
            except SkipItem:
                return []
            except Exception as error:  # whatever a user's data set raises is a finding
                seen = [Seen(self.name, i, 0, is_target=False, error=_words(error))]
        files = [one.name for one in seen if one.is_file]
        for one in seen:  # what no file names is named after the item's first, or its place
            one.name = one.name or (files or [f"{self.name}[{i}]"])[0]
        return seen

    def _parts(self, i: int) -> list[tuple[Any, Iterable[Any], int | None]]:
        """Return the elements of an item, each with the transforms that are before it."""
        if self.lists:
            return [(get_item(tl.items, i), tl.tfms, tl.split_idx) for tl in self.lists]
        item = self.dataset[i]
        item = list(item.values()) if isinstance(item, dict) else item
        return [(x, (), None) for x in (item if isinstance(item, tuple | list) else [item])]

    def _follow(self, seen: Seen, x: Any, tfms: Iterable[Any], split_idx: int | None) -> Seen:
        """Follow an element through its transforms and note what it is on the way."""
        first, source = x, None
        try:
            for tfm in tfms:
                is_label = seen.is_target and isinstance(getattr(tfm, "task", None), _LABELS)
                if is_label and seen.labels is None:
                    seen.labels = _labels(x)
                source = source if is_label else _better_source(source, x)
                x = tfm(x, split_idx)
            source = _better_source(source, x)
            if not seen.is_target:
                seen.digest = _digest(source)
            elif seen.labels is None and _is_class(x):
                seen.labels = (x.item() if hasattr(x, "item") else x,)
            look = LOOKERS.find(type(x))
            seen.facts = None if look is None else look(x)
        except SkipItem:
            raise
        except Exception as error:  # whatever a user's transform raises is a finding
            seen.error = _words(error)
        if (found := next(filter(_is_file, (source, first)), None)) is not None:
            file, seen.is_file = Path(found), True
            inside = file.is_relative_to(self.path)
            seen.name = (file.relative_to(self.path) if inside else file).as_posix()
        return seen


@dataclass
class Subject:
    """The loaders under examination, and everything that was seen of their items.

    Args:
        dls: the loaders.
        n: how many items of each split to look at, drawn at random; None is all.
        model: a model or learner whose speed is compared with the loader's.
        seconds: how long a measurement of speed may take.
        progress: whether to show a progress bar.
    """

    dls: Any
    n: int | None = None
    _: KW_ONLY
    model: Any = None
    seconds: float = 2.0
    progress: bool = False

    @cached_property
    def splits(self) -> list[Split]:
        """The data set of each loader."""
        return [Split(self.dls, k, self.n) for k in range(len(self.dls))]

    @cached_property
    def seen(self) -> list[Seen]:
        """Every value of the items to look at, and the labels of all others."""
        runs = [
            (split, some, only_labels)
            for split in self.splits
            for idxs, only_labels in ((split.idxs, False), (split.others, True))
            for some in chunked(sorted(idxs), _RUN)
        ]
        return concat(*parallel(look_at_items, runs, threadpool=True, progress=self.progress))

    @property
    def inputs(self) -> list[Seen]:
        """What was seen of inputs."""
        return [seen for seen in self.seen if not seen.is_target]

    @property
    def targets(self) -> list[Seen]:
        """What was seen of targets."""
        return [seen for seen in self.seen if seen.is_target]

    def facts(self, kind: type) -> list[Seen]:
        """Return the values whose facts are of a type.

        Args:
            kind: what the function in `LOOKERS` made.
        """
        return [seen for seen in self.seen if isinstance(seen.facts, kind)]

    @cached_property
    def batches(self) -> list[Any]:
        """The first batch of each loader, or the error that making it raised."""
        return [_first_batch(loader) for loader in self.dls]


def look_at_items(run: tuple[Split, Iterable[int], bool]) -> list[Seen]:
    """Look at some items of a split; what a thread does, and what the progress bar says."""
    split, idxs, only_labels = run
    return [seen for i in idxs for seen in split.look(i, only_labels=only_labels)]


def _first_batch(loader: Any) -> Any:
    try:
        return loader.one_batch()
    except Exception as error:  # whatever a user's transform raises is a finding
        return error


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _is_file(source: Any) -> bool:
    return isinstance(source, str | Path) and os.path.isfile(source)  # noqa: PTH113 - takes any text


def _better_source(source: Any, x: Any) -> Any:
    """Prefer the last text, path or bytes on the way; without any, the first array."""
    if isinstance(x, str | Path | bytes):
        return x
    return x if source is None and isinstance(x, np.ndarray | torch.Tensor) else source


def _digest(source: Any) -> bytes | None:
    """Hash a content: that of a file, a text, or an array; None if it is something else."""
    if isinstance(source, torch.Tensor):
        source = source.detach().cpu().numpy()
    if isinstance(source, np.ndarray):
        content = repr(source.tolist()).encode() if source.dtype == object else source.tobytes()
        source = f"{source.shape}{source.dtype}".encode() + content
    elif isinstance(source, str | Path):
        source = Path(source).read_bytes() if _is_file(source) else str(source).encode()
    return None if source is None else hashlib.blake2b(source, digest_size=16).digest()


def _labels(x: Any) -> tuple[Any, ...]:
    """Return the labels of an item; missing ones are left out."""
    many = x if isinstance(x, list | tuple | set | L) else (x,)
    return tuple(label for label in many if label is not None and label == label and label != "")  # noqa: PLR0124 - NaN is not equal to itself


def _is_class(x: Any) -> bool:
    """Tell whether a target is a class by itself: a text, or one whole number."""
    if isinstance(x, torch.Tensor | np.ndarray | np.generic):
        return x.ndim == 0 and not torch.as_tensor(x).is_floating_point()
    return isinstance(x, str | int)


def _look_at_numbers(x: Any) -> np.ndarray | None:
    """Return the numbers of a vector of floats; of anything larger, a NaN if it has one."""
    values = torch.as_tensor(x) if getattr(x.dtype, "kind", "f") == "f" else None
    if values is None or not values.is_floating_point():
        return None
    if values.ndim <= 1:
        return np.atleast_1d(values.detach().cpu().double().numpy())
    return None if bool(values.isfinite().all()) else np.array([np.nan])


LOOKERS.add(np.ndarray | torch.Tensor, _look_at_numbers)
LOOKERS.add(float, lambda x: np.array([x]))
