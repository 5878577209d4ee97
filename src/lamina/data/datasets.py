"""Data sets: several pipelines over the same items, giving tuples of inputs and targets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from lamina.data.items import Subsets, TfmdLists, as_items, get_item
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict

__all__ = ["Datasets", "decode_at", "show_at"]


@strict
class Datasets(Subsets):
    """Tuples made lazily from items, one element per pipeline.

    Args:
        items: a list, array, data frame or any iterable.
        tfms: a list with one pipeline (or list of transforms) per element of the tuple.
        splits: the indices of each split; None puts all items into the first.
        n_inp: how many elements are inputs; None is all but the last, at least one.
        do_setup: whether to set the pipelines up.
        train_setup: whether they are set up with the first split only.
        lists: ready `TfmdLists` instead of items and tfms.

    Attributes:
        tls: one `TfmdLists` per element of the tuple.

    Example:
        >>> ds = Datasets([1, 2, 3], [[lambda x: x * 10], [str]], splits=[[0, 1], [2]])
        >>> ds[0], ds.valid[0]
        ((10, '1'), (30, '3'))

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Datasets".
    """

    def __init__(
        self,
        items: Any = None,
        tfms: Sequence[Any] | None = None,
        *,
        splits: Sequence[Any] | None = None,
        n_inp: int | None = None,
        do_setup: bool = True,
        train_setup: bool = True,
        lists: Sequence[TfmdLists] | None = None,
    ) -> None:
        if lists is None:
            items = as_items(items)
            lists = [
                TfmdLists(items, t, splits=splits, do_setup=do_setup, train_setup=train_setup)
                for t in _each_pipeline(tfms)
            ]
        self.tls: list[TfmdLists] = list(lists)
        self.n_inp = max(1, len(self.tls) - 1) if n_inp is None else n_inp
        if not 1 <= self.n_inp <= len(self.tls):
            raise ContractError(
                f"Datasets: n_inp={n_inp} does not fit {len(self.tls)} pipelines. At least one "
                "must be an input."
            )

    @property
    def items(self) -> Any:
        """The items as they were given."""
        return self.tls[0].items

    @property
    def splits(self) -> list[list[int]]:  # pyright: ignore[reportIncompatibleVariableOverride] - all pipelines have the same
        """The indices of each split."""
        return self.tls[0].splits

    @property
    def split_idx(self) -> int | None:
        """The split that all items belong to."""
        return self.tls[0].split_idx

    @property
    def origin(self) -> tuple[list[int], int] | None:
        """Of a subset, the indices of its items in the whole, and the size of that."""
        return self.tls[0].origin

    def subset(self, i: int) -> Self:
        """Return the items of one split, with the same pipelines."""
        return self._with([tl.subset(i) for tl in self.tls])

    def decode(self, x: Sequence[Any], full: bool = True) -> tuple[Any, ...]:  # noqa: FBT001 - as Pipeline.decode
        """Run a tuple backwards, each element through its own pipeline.

        Args:
            x: the elements; fewer than there are pipelines is fine.
            full: see `Pipeline.decode`.
        """
        return tuple(tl.decode(part, full) for part, tl in zip(x, self.tls, strict=False))

    def show(self, x: Sequence[Any], ax: Any = None, **options: Any) -> Any:
        """Draw all elements of a tuple on the same axes and return the axes.

        Args:
            x: the elements.
            ax: where to draw; None opens a new figure.
            options: see `Pipeline.show`.
        """
        for part, tl in zip(x, self.tls, strict=False):
            ax = tl.show(part, ax, **options)
        return ax

    def infer(self, x: Any) -> tuple[Any, ...]:
        """Transform a new value into the inputs, each from the first transform that takes it."""
        return tuple(tl.infer(x) for tl in self.tls[: self.n_inp])

    @strict
    def test_set(
        self, items: Any, *, with_labels: bool = False, rm_tfms: int | None = None
    ) -> "Datasets":
        """Make a data set of new items with the pipelines as they are set up.

        Args:
            items: the new items, as the training items were or at a later stage.
            with_labels: whether the items have targets too; otherwise only the inputs are made.
            rm_tfms: how many transforms to leave out at the front of each pipeline; None finds
                out from the type of the first item.
        """
        items = as_items(items)
        tls = self.tls if with_labels else self.tls[: self.n_inp]
        made: list[TfmdLists] = []
        for tl in tls:
            skip = rm_tfms
            if skip is None:
                skip = tl.infer_idx(get_item(items, 0)) if len(items) else 0
            made.append(TfmdLists(items, tl.tfms[skip:], split_idx=1, do_setup=False))
        return Datasets(lists=made, n_inp=self.n_inp)

    def gather(self, name: str, default: Any = None) -> Any:
        """Look an attribute up in the transforms of all pipelines.

        Args:
            name: the attribute, such as `vocab`; the `task` is looked up in those of targets.
            default: returned if no transform has it.

        Returns:
            The value; an `L` if several pipelines have one.
        """
        tls = self.tls[self.n_inp if name == "task" else 0 :] or self.tls
        found = [value for tl in tls if (value := tl.gather(name)) is not None]
        return default if not found else found[0] if len(found) == 1 else L(found)

    def new_empty(self) -> Self:
        """Return a copy without items, which still transforms, infers and decodes."""
        return self._with([tl.new_empty() for tl in self.tls])

    @contextmanager
    def set_split_idx(self, i: int | None) -> Iterator[Self]:
        """Let the items count as those of another split inside a `with` block.

        Args:
            i: the split, such as 0 for the augmentations of training.
        """
        before = [tl.split_idx for tl in self.tls]
        for tl in self.tls:
            tl.split_idx = i
        try:
            yield self
        finally:
            for tl, old in zip(self.tls, before, strict=True):
                tl.split_idx = old

    def at(self, i: int) -> tuple[Any, ...]:
        """Make tuple `i` with whatever randomness is active."""
        return tuple([tl.at(i) for tl in self.tls])

    def __len__(self) -> int:
        return len(self.tls[0])

    def __repr__(self) -> str:
        pipelines = "; ".join(repr(tl.tfms) for tl in self.tls)
        return f"Datasets({len(self)} items, {self.n_inp} of {len(self.tls)} inputs, {pipelines})"

    def _with(self, tls: list[TfmdLists]) -> Self:
        return type(self)(lists=tls, n_inp=self.n_inp)


def decode_at(ds: Datasets | TfmdLists, i: int) -> Any:
    """Return item `i` transformed and decoded again."""
    return ds.decode(ds[i])


def show_at(ds: Datasets | TfmdLists, i: int, ax: Any = None, **options: Any) -> Any:
    """Draw item `i` as it comes out of the pipelines and return the axes.

    Args:
        ds: the data set.
        i: the item.
        ax: where to draw; None opens a new figure.
        options: see `Pipeline.show`.
    """
    return ds.show(ds[i], ax, **options)


def _each_pipeline(tfms: Sequence[Any] | None) -> Sequence[Any]:
    if tfms is None:
        return [None]
    if callable(tfms) or not tfms:
        raise ContractError(
            f"Datasets: got tfms={tfms!r}. Expected a list with one list of transforms per element "
            "of the tuple, such as [[PILImage.create], [parent_label, Categorize()]]."
        )
    return tfms
