"""What the doctor looks at: every value of every item, seen once and remembered for all probes."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from lamina.data.items import TfmdLists, get_item
from lamina.data.loading.plain import PlainLoader
from lamina.data.task import Boxes, MultiLabel, SingleLabel
from lamina.foundation.collections import L
from lamina.foundation.dispatch import TypeTable
from lamina.foundation.errors import SkipItem
from lamina.foundation.parallel import parallel
from lamina.foundation.seeding import Randomness, base_seed, derive, using

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


@dataclass(frozen=True)
class Split:
    """The data set of one loader.

    Args:
        name: "train", "valid", "valid 2" and so on.
        dataset: the data set.
        lists: its pipelines, one per element of a tuple; empty if it makes items in another way.
        n_inp: how many elements are inputs; None is all but the last.
        idxs: the items to look at.
        others: the items of which only the labels are read.
        path: the folder that names of files are relative to.
    """

    name: str
    dataset: Any
    lists: Sequence[TfmdLists]
    n_inp: int | None
    idxs: Sequence[int]
    others: Sequence[int]
    path: Path

    def look(self, i: int) -> list[Seen]:
        """Look at all elements of an item.

        Args:
            i: the number of the item.
        """
        with using(Randomness(derive(base_seed(), "item", i))):
            if self.lists:
                return self._named([self._follow(place, i) for place in range(len(self.lists))])
            return self._named(self._fetch(i))

    def look_at_labels(self, i: int) -> list[Seen]:
        """Look at the labels of an item only."""
        with using(Randomness(derive(base_seed(), "item", i))):
            places = range(self.n_inp or 1, len(self.lists))
            return self._named([self._follow(place, i) for place in places])

    def _follow(self, place: int, i: int) -> Seen:
        """Follow an item through its pipeline and note what it is on the way."""
        tl = self.lists[place]
        seen = Seen(self.name, i, place, is_target=place >= (self.n_inp or 1))
        source: Any = None
        try:
            x = get_item(tl.items, i)
            for tfm in tl.tfms:
                is_label = seen.is_target and isinstance(getattr(tfm, "task", None), _LABELS)
                if is_label and seen.labels is None:
                    seen.labels = _labels(x)
                source = source if is_label else _better_source(source, x)
                x = tfm(x, tl.split_idx)
            self._take(seen, x, _better_source(source, x))
        except SkipItem:
            pass
        except Exception as error:  # whatever a user's transform raises is a finding
            seen.error = str(error) or type(error).__name__
            self._name_after(seen, source)
        return seen

    def _fetch(self, i: int) -> list[Seen]:
        """Look at an item of a data set that is no pipeline."""
        try:
            item = self.dataset[i]
        except SkipItem:
            return []
        except Exception as error:  # as above
            return [Seen(self.name, i, 0, is_target=False, error=str(error) or repr(error))]
        parts = list(item.values() if isinstance(item, dict) else _as_tuple(item))
        n_inp = max(1, len(parts) - 1) if self.n_inp is None else self.n_inp
        seen = [Seen(self.name, i, k, is_target=k >= n_inp) for k in range(len(parts))]
        for one, part in zip(seen, parts, strict=True):
            self._take(one, part, _better_source(None, part))
        return seen

    def _take(self, seen: Seen, x: Any, source: Any) -> None:
        self._name_after(seen, source)
        if not seen.is_target:
            seen.digest = _digest(source)
        elif seen.labels is None and _is_class(x):
            seen.labels = (x.item() if hasattr(x, "item") else x,)
        look = LOOKERS.find(type(x))
        seen.facts = None if look is None else look(x)

    def _name_after(self, seen: Seen, source: Any) -> None:
        if isinstance(source, str | Path) and os.path.isfile(source):  # noqa: PTH113 - takes any text
            file = Path(source)
            inside = file.is_relative_to(self.path)
            seen.name = (file.relative_to(self.path) if inside else file).as_posix()
            seen.is_file = True

    def _named(self, seen: list[Seen]) -> list[Seen]:
        """Name what no file names after the item's first file, or its place in the data set."""
        files = [one.name for one in seen if one.is_file]
        for one in seen:
            one.name = one.name or (files[0] if files else f"{self.name}[{one.index}]")
        return seen


class Subject:
    """The loaders under examination, and everything that was seen of their items.

    Args:
        dls: the loaders.
        n: how many items of each split to look at, drawn at random; None is all.
        model: a model or learner whose speed is compared with the loader's.
        seconds: how long a measurement of speed may take.
        progress: whether to show a progress bar.

    Attributes:
        splits: the data set of each loader.
    """

    def __init__(
        self,
        dls: Any,
        n: int | None = None,
        *,
        model: Any = None,
        seconds: float = 2.0,
        progress: bool = False,
    ) -> None:
        self.dls = dls
        self.model = model
        self.seconds = seconds
        self.splits = [_split(dls, k, n) for k in range(len(dls))]
        self._progress = progress

    @cached_property
    def seen(self) -> list[Seen]:
        """Every value of the items to look at, and the labels of all others."""
        runs = [
            (look, idxs[at : at + _RUN])
            for split in self.splits
            for look, idxs in ((split.look, split.idxs), (split.look_at_labels, split.others))
            for at in range(0, len(idxs), _RUN)
        ]
        found = parallel(look_at_items, runs, threadpool=True, progress=self._progress)
        return [seen for some in found for seen in some]

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


def look_at_items(run: tuple[Callable[[int], list[Seen]], Iterable[int]]) -> list[Seen]:
    """Look at some items with a function; what a thread does, and what the progress bar says."""
    look, idxs = run
    return [seen for i in idxs for seen in look(i)]


def _split(dls: Any, k: int, n: int | None) -> Split:
    """Take the data set of loader `k`, and choose the items to look at."""
    loader, ds = dls[k], dls[k].dataset
    lists = [ds] if isinstance(ds, TfmdLists) else getattr(ds, "tls", [])
    is_batches = isinstance(loader, PlainLoader) and ds is loader.source
    has_items = hasattr(ds, "__getitem__") and hasattr(ds, "__len__") and not is_batches
    size = len(ds) if has_items else 0
    idxs = list(range(size))
    if n is not None and n < size:
        idxs = sorted(Random(derive(0, "check", k)).sample(range(size), n))
    has_classes = isinstance(dls.task, SingleLabel | MultiLabel)
    rest = set(range(size)) - set(idxs) if lists and has_classes else set()
    name = "train" if k == 0 else "valid" if k == 1 else f"valid {k}"
    n_inp = getattr(ds, "n_inp", 1 if lists else None)
    return Split(name, ds, lists, n_inp, idxs, sorted(rest), Path(dls.path))


def _first_batch(loader: Any) -> Any:
    try:
        return loader.one_batch()
    except Exception as error:  # whatever a user's transform raises is a finding
        return error


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
        content = f"{source.shape}{source.dtype}".encode() + content
    elif isinstance(source, str | Path):
        is_file = os.path.isfile(source)  # noqa: PTH113 - takes any text
        content = Path(source).read_bytes() if is_file else str(source).encode()
    else:
        content = source
    return None if content is None else hashlib.blake2b(content, digest_size=16).digest()


def _labels(x: Any) -> tuple[Any, ...]:
    """Return the labels of an item; missing ones are left out."""
    many = x if isinstance(x, list | tuple | set | L) else (x,)
    return tuple(label for label in many if label is not None and label == label and label != "")  # noqa: PLR0124 - NaN is not equal to itself


def _is_class(x: Any) -> bool:
    """Tell whether a target is a class by itself: a text, or one whole number."""
    if isinstance(x, torch.Tensor | np.ndarray | np.generic):
        return x.ndim == 0 and not torch.as_tensor(x).is_floating_point()
    return isinstance(x, str | int)


def _as_tuple(item: Any) -> tuple[Any, ...]:
    return tuple(item) if isinstance(item, tuple | list) else (item,)


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
