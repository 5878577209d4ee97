"""Items with one pipeline: a lazy collection that transforms what it is asked for."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lamina.data.kernels import describe
from lamina.data.loading.plan import Late
from lamina.data.loading.resample import partial, weighted
from lamina.data.pipeline import Pipeline
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, DataError, ItemError, SkipItem
from lamina.foundation.seeding import base_seed, is_active, using
from lamina.foundation.sequences import is_array, is_indexer, mask2idxs
from lamina.foundation.signatures import strict

if TYPE_CHECKING:
    from lamina.data.loaders import DataLoaders

__all__ = ["Subsets", "TfmdLists", "as_items", "get_item", "take_items"]


class Subsets:
    """What collections with splits share: items by position, parts by number or name, loaders."""

    splits: list[list[int]]

    def subset(self, i: int) -> Self:
        """Return the items of one split; its transforms are those of the whole.

        Args:
            i: the number of the split: 0 train, 1 valid, more if the splitter made more.
        """
        raise NotImplementedError(f"{type(self).__name__} must define subset.")

    @property
    def n_subsets(self) -> int:
        """The number of splits; without any, all items train and none validate."""
        return len(self.splits)

    @property
    def train(self) -> Self:
        """The items of split 0."""
        return self.subset(0)

    @property
    def valid(self) -> Self:
        """The items of split 1."""
        return self.subset(1)

    def overlapping_splits(self) -> L[int]:
        """Return the indices that are in more than one split."""
        found = Counter(i for split in self.splits for i in set(split))
        return L(sorted(i for i, n in found.items() if n > 1))

    def at(self, i: int) -> Any:
        """Make item `i` with whatever randomness is active.

        Args:
            i: a position from 0.
        """
        raise NotImplementedError(f"{type(self).__name__} must define at.")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__.")

    def position(self, idx: Any) -> int:
        """Return the position that an index picks, counted from the front.

        Raises:
            IndexError: it is out of range.
        """
        i, n = index(idx), len(self)
        if not -n <= i < n:
            raise IndexError(f"{type(self).__name__}: there is no item {i} among {n}")
        return i % n

    def positions(self, idx: Any) -> list[int]:
        """Return the positions that a slice, list, array or mask picks."""
        if isinstance(idx, slice):
            return list(range(*idx.indices(len(self))))
        return [self.position(i) for i in mask2idxs(idx)]

    def __getitem__(self, idx: Any) -> Any:
        if type(idx) is not int and not is_indexer(idx):
            return L([self[i] for i in self.positions(idx)])
        i = self.position(idx)
        if is_active():
            return self.at(i)
        with using(Late(base_seed(), "item", i)):
            return self.at(i)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def dataloaders(self, bs: int = 64, **options: Any) -> "DataLoaders":
        """Make a loader per split: the first shuffled, the others in order.

        Args:
            bs: the number of items in a batch.
            options: those of `DataLoaders.from_dsets`, which refuses unknown ones.
        """
        from lamina.data.loaders import DataLoaders

        return DataLoaders.from_dsets(*map(self.subset, range(self.n_subsets)), bs=bs, **options)

    def weighted_dataloaders(self, wgts: Any, bs: int = 64, **options: Any) -> "DataLoaders":
        """Make loaders of which the first draws items with replacement, by their weights.

        Args:
            wgts: a weight per training item, or per item of the whole.
            bs: the number of items in a batch.
            options: those of `dataloaders`.

        Raises:
            DataError: the weights do not fit the items.

        Example:
            >>> dls = TfmdLists(range(4), []).weighted_dataloaders([0, 0, 1, 0], bs=3)
            >>> dls.one_batch()
            tensor([2, 2, 2])
        """
        return weighted(self.dataloaders(bs, **options), wgts)

    def partial_dataloaders(self, partial_n: int, bs: int = 64, **options: Any) -> "DataLoaders":
        """Make loaders of which the first uses only some items per pass, other ones each time.

        Args:
            partial_n: how many items a pass uses.
            bs: the number of items in a batch.
            options: those of `dataloaders`.

        Example:
            >>> dls = TfmdLists(range(100), []).partial_dataloaders(10, bs=5)
            >>> len(dls.train), dls.train.n
            (2, 10)
        """
        return partial(self.dataloaders(bs, **options), partial_n)


@strict
class TfmdLists(Subsets):
    """A collection whose items run through a pipeline when they are asked for.

    Outside a loader, item `i` draws its randomness from the process's seed and `i`.

    Args:
        items: a list, array, data frame (whose rows are the items) or any iterable.
        tfms: a pipeline or what makes one.
        splits: the indices of each split; None puts all items into the first.
        split_idx: the split that all items belong to; set by `subset`.
        do_setup: whether to set the pipeline up.
        train_setup: whether it is set up with the first split only.

    Attributes:
        items: the items as they were given.
        tfms: the pipeline, shared by all subsets.
        origin: of a subset, the indices of its items in the whole, and the size of that.

    Example:
        >>> tl = TfmdLists([1, 2, 3, 4], [lambda x: x * 10], splits=[[0, 2], [1, 3]])
        >>> list(tl), list(tl.valid)
        ([10, 20, 30, 40], [20, 40])
    """

    def __init__(
        self,
        items: Any,
        tfms: Any = None,
        *,
        splits: Sequence[Any] | None = None,
        split_idx: int | None = None,
        do_setup: bool = True,
        train_setup: bool = True,
    ) -> None:
        self.items = as_items(items)
        self.tfms = tfms if isinstance(tfms, Pipeline) else Pipeline(tfms)
        self.splits = _checked_splits(splits, len(self.items))
        self.split_idx = split_idx
        self.origin: tuple[list[int], int] | None = None
        self._types: list[type] | None = None
        if do_setup:
            self.setup(train_setup=train_setup)

    def setup(self, *, train_setup: bool = True) -> None:
        """Set the pipeline up, one transform at a time, each with the items of those before.

        Args:
            train_setup: whether to use the first split only.
        """
        self.tfms.setup(self, train_setup)

    def subset(self, i: int) -> Self:
        """Return the items of one split, with the same pipeline."""
        if not 0 <= i < len(self.splits):
            raise ContractError(
                f"{type(self).__name__}.subset: there is no split {i}, only 0 to "
                f"{len(self.splits) - 1}. Let the splitter return more lists."
            )
        made = self._with_items(take_items(self.items, self.splits[i]), i)
        made.origin = self.splits[i], len(self)
        return made

    def decode(self, x: Any, full: bool = True) -> Any:  # noqa: FBT001 - as Pipeline.decode
        """Run a transformed item backwards; see `Pipeline.decode`."""
        return self.tfms.decode(x, full, self.split_idx)

    def show(self, x: Any, ax: Any = None, **options: Any) -> Any:
        """Draw a transformed item and return the axes; see `Pipeline.show`."""
        return self.tfms.show(x, ax, **options)

    @property
    def types(self) -> list[type]:
        """The type that each transform is given for the first item, and at the end the result's."""
        if self._types is None:
            self._types = self._record_types() if len(self) else []
        return self._types

    def infer_idx(self, x: Any) -> int:
        """Return the number of the first transform that takes a value like `x`.

        That is one that was given such a value in training; else one whose annotation names its
        type; else the first, if it takes anything.

        Args:
            x: an item as it comes, or at any stage of the pipeline.

        Raises:
            DataError: no transform does.
        """
        for i, cls in enumerate(self.types):
            if isinstance(x, cls) or (isinstance(x, _NAMES) and issubclass(cls, _NAMES)):
                return i
        for i, tfm in enumerate(self.tfms):
            if tfm.accepts(type(x)):
                return i
        if not self.tfms or self.tfms[0].accepts(object):
            return 0
        known = ", ".join(dict.fromkeys(cls.__name__ for cls in self.types))
        raise DataError(
            f"{self.tfms!r}: got {describe(x)}, which no step takes. Give an item as the training "
            f"items were, or at a later stage: {known}."
        )

    def infer(self, x: Any) -> Any:
        """Transform a new value, starting at the first transform that takes its type."""
        return self.tfms[self.infer_idx(x) :](x, self.split_idx)

    def gather(self, name: str, default: Any = None) -> Any:
        """Look an attribute up in the transforms; see `Pipeline.gather`."""
        return self.tfms.gather(name, default)

    def new_empty(self) -> Self:
        """Return a copy without items, which still transforms, infers and decodes."""
        types = self.types
        new = self._with_items([], self.split_idx)
        new._types = types
        return new

    def at(self, i: int) -> Any:
        """Transform item `i` with whatever randomness is active."""
        item = get_item(self.items, i)
        try:
            return self.tfms(item, self.split_idx)
        except SkipItem:
            raise
        except Exception as error:
            if isinstance(error, ItemError) and error.item is None:
                error.item = item
            error.add_note(f"while making item {i}: {describe(item)}")
            raise

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} items, {self.tfms!r})"

    def _with_items(self, items: Any, split_idx: int | None) -> Self:
        new = copy(self)
        new.items, new.split_idx = items, split_idx
        new.splits = _checked_splits(None, len(items))
        return new

    def _record_types(self) -> list[type]:
        x = get_item(self.items, 0)
        types = [type(x)]
        with using(Late(base_seed(), "item", 0)):
            for tfm in self.tfms:
                x = tfm(x, self.split_idx)
                types.append(type(x))
        return types


_NAMES = (str, Path)  # a file may be named by either


def get_item(items: Any, i: int) -> Any:
    """Return one item of a collection; of a data frame, a row."""
    return items.iloc[i] if hasattr(items, "iloc") else items[i]


def take_items(items: Any, idxs: list[int]) -> Any:
    """Return some items as the same kind of collection.

    Example:
        >>> take_items(["a", "b", "c"], [2, 0])
        ['c', 'a']
    """
    if hasattr(items, "iloc"):
        return items.iloc[idxs]
    if is_array(items) or isinstance(items, L):
        return items[idxs]
    return [items[i] for i in idxs]


def as_items(items: Any) -> Any:
    """Keep what can be indexed by position; list the rest.

    Raises:
        DataError: it is a single text or path, or cannot be gone through.

    Example:
        >>> as_items({1: "a", 2: "b"}), as_items(range(2))
        ([1, 2], range(0, 2))
    """
    is_many = hasattr(items, "__iter__") or hasattr(items, "__getitem__")
    if isinstance(items, str) or not is_many:
        raise DataError(
            f"{describe(items)} is no collection of items. Give a list; a DataBlock finds the "
            "files below a path with get_items=..., such as get_items=get_image_files."
        )
    if is_array(items) or isinstance(items, list | tuple | L):
        return items
    if hasattr(items, "__getitem__") and hasattr(items, "__len__") and not hasattr(items, "keys"):
        return items
    return list(items)


def _checked_splits(splits: Iterable[Any] | None, n: int) -> list[list[int]]:
    """Turn the splits, which may be masks or arrays, into lists of valid indices."""
    if splits is None:
        return [list(range(n)), []]
    try:
        made = [mask2idxs(split) for split in splits]
    except TypeError as error:
        raise DataError(
            f"TfmdLists: the splits are {describe(splits)}. Expected lists of positions, the first "
            "for training; to hold out a fraction, use RandomSplitter(0.2)."
        ) from error
    wrong = [i for split in made for i in split if not 0 <= i < n]
    if wrong:
        raise DataError(
            f"TfmdLists: the splits name index {wrong[0]}, but there are {n} items. A splitter "
            "must return positions in the items that it was given."
        )
    return made
