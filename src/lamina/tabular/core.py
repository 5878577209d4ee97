"""`Tabular`: a table turned once into contiguous tensors of codes, numbers and targets."""

import warnings
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np
import torch
from torch import Tensor

from lamina.data.loaders import LoadersArgs
from lamina.data.loading.resample import weighted
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, DataError
from lamina.foundation.signatures import strict
from lamina.tabular.encoding.columns import Columns
from lamina.tabular.encoding.frames import as_frame
from lamina.tabular.encoding.rows import EncodedRows
from lamina.tabular.features import cont_cat_split
from lamina.tabular.procs import Categorify, FillMissing, Normalize
from lamina.tabular.recipe import TabularRecipe, names_of
from lamina.tabular.show import rows_table, target_columns
from lamina.tensor.device import parse_device
from lamina.viz.tables import Table

__all__ = ["Tabular", "TabularPandas"]


@strict
class Tabular(EncodedRows):
    """A data set of rows, made from a frame by procs that learn from the training rows.

    An item is `(cats, conts, y)`, the codes of categories, numbers, and the target; without targets
    the first two, with several targets one tensor each. The frame is never changed.

    Args:
        df: a frame of pandas, polars, Arrow or cuDF, a dict of columns or a list of dicts.
        procs: procs, their classes, or functions of a `Columns`; None takes `Categorify`,
            `FillMissing` and `Normalize`. Where there are categories, `Categorify` is added.
        cat_names: the columns of categories. With neither these nor `cont_names`,
            `cont_cat_split` decides.
        cont_names: the columns of numbers; None takes those that are left, in the frame's order.
        y_names: the column to predict, several, or none.
        y_block: what the target is, such as `CategoryBlock()`, or a list of one per column; None
            follows the rule of `lamina.tabular.encoding.infer_target`.
        splits: for each split the positions of its rows, training first; or a splitter, called
            with the frame. None trains on all rows.
        do_setup: whether to process now; otherwise `process` does.
        device: where the tensors are kept.
        inplace: whether to put the processed columns into the (pandas) frame as well.
        reduce_memory: whether to forget the frame once it is processed.

    Attributes:
        recipe: what turns rows into these tensors, and back; see `TabularRecipe`.
        tensors: codes of shape (n, n_cat), int64; numbers of shape (n, n_cont), float32; targets.
        splits: the positions of each split.

    Raises:
        DataError: a column is missing or holds what it should not; the message names it.

    Example:
        >>> df = {"job": ["cook", "poet", "cook"], "age": [30, 40, 50], "rich": ["no", "no", "yes"]}
        >>> to = Tabular(df, cat_names="job", cont_names="age", y_names="rich")
        >>> to[0]
        (tensor([1]), tensor([-1.2247]), tensor(0))
        >>> to.classes["job"], to.vocab
        (['#na#', 'cook', 'poet'], ['no', 'yes'])

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Tabular".
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the known signature
        self,
        df: Any,
        procs: Any = None,
        cat_names: Any = None,
        cont_names: Any = None,
        y_names: Any = None,
        y_block: Any = None,
        splits: Sequence[Any] | Callable[[Any], Sequence[Any]] | None = None,
        do_setup: bool = True,  # noqa: FBT001 - the known signature
        device: torch.device | str | None = None,
        inplace: bool = False,  # noqa: FBT001 - the known signature
        reduce_memory: bool = True,  # noqa: FBT001 - the known signature
    ) -> None:
        frame = as_frame(df)
        found = splits(df) if callable(splits) else splits
        self.splits = [_positions(part, len(frame)) for part in found or [range(len(frame))]]
        ys = names_of(y_names)
        cats, conts = _choose(frame, cat_names, cont_names, ys)
        procs = [Categorify, FillMissing, Normalize] if procs is None else procs
        self.recipe = TabularRecipe(_listed(procs), cats, conts, ys)
        self.device = None if device is None else parse_device(device)
        self.origin: tuple[list[int], int] | None = None
        self._subsets: dict[int, Tabular] = {}
        self._source: Any = frame
        self._y_block, self._options = y_block, (inplace, reduce_memory)
        if do_setup:
            self.process()

    def process(self) -> Self:
        """Learn from the training rows and make the tensors, unless that is done; return self."""
        if hasattr(self, "tensors"):
            return self
        rows = None if _is_all(self.splits[0], len(self._source)) else self.splits[0].sort().values
        to = self.recipe.fit(self._source, rows, self._y_block)
        self._take(to, with_targets=True)
        inplace, reduce_memory = self._options
        if inplace:
            for name, column in self.items.items():
                self._source.native[name] = column.to_numpy()
        self._source = None if reduce_memory else self._source
        return self

    def new(self, df: Any, *, with_labels: bool | None = None) -> "Tabular":
        """Return new rows, processed as these were.

        Args:
            df: the rows; see `encode_rows`.
            with_labels: whether to make targets; None does if the columns are there.
        """
        if isinstance(df, list | dict) and not with_labels:
            return self._like(self.recipe.encode(df))
        frame = as_frame(df)
        ys = self.recipe.y_names
        new = self._like(())
        wanted = bool(ys) and all(y in frame for y in ys) if with_labels is None else with_labels
        new._take(self.recipe.apply(frame), with_targets=wanted)
        return new

    def test_set(self, items: Any, *, with_labels: bool = False, rm_tfms: Any = None) -> "Tabular":
        """Return new rows; what `DataLoaders.test_dl` calls."""
        return self.new(items, with_labels=with_labels)

    # What is in it

    cats = property(lambda self: _frame(self.tensors[0], self.cat_names), doc="A frame of codes.")
    conts = property(lambda self: _frame(self.tensors[1], self.cont_names), doc="One of numbers.")
    xs = property(lambda self: self.cats.join(self.conts), doc="A frame of codes and numbers.")

    @property
    def ys(self) -> Any:
        """The targets as a model gets them, as a pandas frame."""
        import pandas as pd

        pairs = zip(self.recipe.targets, self.tensors[2:], strict=False)
        frames = [_frame(t.reshape(len(t), -1), target.names) for target, t in pairs]
        return pd.concat(frames, axis=1) if frames else pd.DataFrame(index=range(len(self)))

    y = property(lambda self: self.ys.iloc[:, 0], doc="The first target, as a pandas column.")
    items = property(lambda self: self.xs.join(self.ys), doc="A frame of all that a model gets.")

    def decode(self) -> Any:
        """Return all rows as they were, as a pandas frame."""
        cats, conts, *ys = self.tensors
        to = self.recipe.decode(cats, conts)
        frame = to.table([*to.cat_names, *to.cont_names])
        return frame.assign(**target_columns(self.recipe, ys))

    def decode_row(self, row: int | Sequence[Tensor]) -> Any:
        """Return one row as it was, as a pandas column.

        Args:
            row: its number, or an item.
        """
        parts = self[row] if isinstance(row, int) else row
        return self._like(tuple(part[None] for part in parts)).decode().iloc[0]

    def show(self, max_n: int = 10) -> Table:
        """Return the first rows as they were."""
        return rows_table(self.recipe, self.tensors, max_n)

    # Loaders

    def dataloaders(self, path: str | Path = ".", **options: Unpack[LoadersArgs]) -> Any:
        """Make loaders of all splits; see `DataLoaders.from_dsets` for the options."""
        from lamina.tabular.loaders import TabularDataLoaders

        if self.device is not None:
            options.setdefault("device", self.device)
        parts = [self.subset(i) for i in range(self.n_subsets)]
        return TabularDataLoaders.from_dsets(*parts, path=path, **options)

    def weighted_dataloaders(
        self, wgts: Any = "balanced", path: str | Path = ".", **options: Unpack[LoadersArgs]
    ) -> Any:
        """Make loaders of which the first draws rows with replacement, by their weights.

        Args:
            wgts: a weight per training row or per row; "balanced" draws all labels equally often.
            path: a folder for what belongs to these data.
            options: those of `dataloaders`.
        """
        if isinstance(wgts, str):
            labels = (*self.train.tensors[2:], self.train.tensors[1])[0].cpu()
            if wgts != "balanced" or labels.is_floating_point():
                what = f"Tabular: wgts={wgts!r}"
                raise ContractError(f"{what}. Give weights, or 'balanced' for a target of labels.")
            wgts = 1.0 / labels.bincount().clamp(min=1)[labels].double()
        return weighted(self.dataloaders(path, **options), wgts)

    def __repr__(self) -> str:
        size = f"{len(self):,} rows" if hasattr(self, "tensors") else "not processed"
        cats, conts = len(self.cat_names), len(self.cont_names)
        return f"{type(self).__name__}({size}, {cats} categories, {conts} numbers, {self.y_names})"

    def _take(self, to: Columns, *, with_targets: bool) -> None:
        made = self.recipe.tensors(to)
        if with_targets:
            made = (*made, *self.recipe.target_tensors(to))
        self.tensors = made if self.device is None else tuple(t.to(self.device) for t in made)


class TabularPandas(Tabular):
    """`Tabular` by the paper's name; it takes any frame."""


def _is_all(rows: Tensor, n: int) -> bool:
    """Tell whether these are all rows, in their order."""
    return len(rows) == n and bool((rows.diff() == 1).all())


def _choose(frame: Any, cats: Any, conts: Any, ys: list[Any]) -> tuple[list[Any], list[Any]]:
    """Complete what the caller says about columns, in the order of the frame."""
    if cats is None and conts is None:
        found_conts, found_cats = cont_cat_split(frame, dep_var=ys)
        if dates := [name for name in found_cats if frame.kind(name) == "M"]:
            what = f"Tabular: each date in {', '.join(map(repr, dates))} is taken as a category"
            warnings.warn(f"{what}. Pass date_names= to from_df for parts of dates.", stacklevel=2)
        return found_cats, found_conts
    cats = names_of(cats)
    if conts is None:
        taken = {*cats, *ys}
        conts = [n for n in frame.names if n not in taken and frame.kind(n) in "biuf"]
    conts = names_of(conts)
    frame.require([*cats, *conts, *ys], "Tabular")
    named = [*cats, *conts, *ys]
    if twice := [name for name in dict.fromkeys(named) if named.count(name) > 1]:
        raise DataError(
            f"Tabular: {', '.join(map(repr, twice))} is named twice in cat_names, cont_names and "
            "y_names. A column is one of these, once."
        )
    return cats, conts


def _positions(part: Any, n: int) -> Tensor:
    rows = torch.as_tensor(_integers(part))
    if rows.dtype == torch.bool and len(rows) != n:
        raise DataError(f"Tabular: a mask in splits has {len(rows)} values for {n} rows.")
    rows = rows.nonzero()[:, 0] if rows.dtype == torch.bool else rows.long()
    low, high = map(int, rows.aminmax()) if len(rows) else (0, -1)
    if low < -n or high >= n:
        what = f"Tabular: splits name row {high if high >= n else low} of {n} rows"
        raise DataError(f"{what}. Give positions in the frame.")
    return rows % n if low < 0 else rows


def _integers(part: Any) -> np.ndarray:
    """Return positions or truth values as an array; a list of integers takes a shorter way."""
    if isinstance(part, list) and part and type(part[0]) is int:
        try:
            return np.frombuffer(array("q", part), np.int64)
        except TypeError:  # not all are integers
            pass
    return np.asarray(part)


def _frame(tensor: Tensor, names: list[Any]) -> Any:
    import pandas as pd

    return pd.DataFrame(tensor.cpu().numpy(), columns=names)


def _listed(procs: Any) -> list[Any]:
    return list(procs) if isinstance(procs, list | tuple | L) else [procs]
