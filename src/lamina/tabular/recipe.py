"""`TabularRecipe`: what turns rows into tensors and back, without the rows.

It is fitted once, on a table with its training rows, and kept with the model: an exported learner
holds it.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lamina.data.transform import Transform, mk_transform
from lamina.foundation.errors import DataError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.tabular.encoding.columns import Columns
from lamina.tabular.encoding.frames import as_dict, as_frame, is_gap
from lamina.tabular.encoding.infer_target import Target, make_targets
from lamina.tabular.procs import Categorify, Row, has_row_kernel

__all__ = ["TabularRecipe", "encode_rows"]

_FEW = 8  # rows up to which one dict at a time is faster than columns


@savable("lamina:TabularRecipe")
@dataclass
class TabularRecipe:
    """The procs and targets of a table, in the order of their columns.

    Args:
        procs: transforms of `Columns`, or functions of one; copied, and sorted by `order`.
        cat_names: the columns of categories that a frame must have.
        cont_names: the columns of numbers, likewise.
        y_names: the columns to predict.

    Attributes:
        cats: the columns of `cats` tensors: those asked for, and those that procs added.
        conts: the columns of `conts` tensors, likewise.
        targets: how each target is made.
    """

    procs: list[Any]
    cat_names: list[Any]
    cont_names: list[Any]
    y_names: list[Any]
    cats: list[Any] = field(default_factory=list, init=False)
    conts: list[Any] = field(default_factory=list, init=False)
    targets: list[Target] = field(default_factory=list, init=False)
    _by_row: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        made = [copy(mk_transform(proc)) for proc in self.procs]  # other tables keep their own
        if self.cat_names and not any(isinstance(proc, Categorify) for proc in made):
            made.append(Categorify())
        self.procs = sorted(made, key=lambda proc: proc.order)
        self._by_row = all(map(has_row_kernel, self.procs))

    def fit(self, frame: Any, rows: Tensor | None, y_block: Any = None) -> Columns:
        """Learn from the training rows, and return the whole table as it was transformed.

        Args:
            frame: the table.
            rows: the training rows; None is all.
            y_block: the block of the targets; None infers it.
        """
        to = self.columns(frame, rows)
        if self.cat_names + self.cont_names and not len(to.train):
            raise DataError("tabular: there are no training rows. Check the frame and its splits.")
        for proc in self.procs:
            proc.setup(to)
            proc(to)
        self.cats, self.conts = to.cat_names, to.cont_names
        names = [*self.cats, *self.conts]
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise DataError(f"tabular: a proc adds {twice}, which the frame has. Rename columns.")
        self.targets = make_targets(to, self.y_names, y_block)
        return to

    def columns(self, frame: Any, rows: Tensor | None = None) -> Columns:
        """Return the columns of a frame before any proc.

        Raises:
            DataError: a column is missing; the message says which name is closest.
        """
        found = as_frame(frame)
        found.require([*self.cat_names, *self.cont_names], "tabular")
        found.prepare([*self.cat_names, *self.y_names])
        return Columns(found, self.cat_names, self.cont_names, rows)

    def apply(self, frame: Any) -> Columns:
        """Run the procs over a new frame; its columns may come in any order."""
        to = self.columns(frame)
        for proc in self.procs:
            proc(to)
        return to

    def tensors(self, to: Columns) -> tuple[Tensor, Tensor]:
        """Return a transformed table as codes `(n, n_cat)` and numbers `(n, n_cont)`."""
        codes = [to[name] for name in self.cats]
        numbers = [to.numbers(name) for name in self.conts]
        place = (codes + numbers)[0].device if codes or numbers else None
        cats = torch.empty(len(to), len(codes), dtype=torch.int64, device=place)
        conts = torch.empty(len(to), len(numbers), device=place)
        for table, columns in ((cats, codes), (conts, numbers)):
            for j, column in enumerate(columns):
                table[:, j] = column
        return cats, conts

    def target_tensors(self, to: Columns) -> tuple[Tensor, ...]:
        """Return the targets of a table, one tensor each."""
        to.frame.require(self.y_names, "tabular")
        return tuple(target.encode(to) for target in self.targets)

    def encode(self, rows: Any) -> tuple[Tensor, Tensor]:
        """Return `(cats, conts)` of rows; see `encode_rows`."""
        if isinstance(rows, Mapping) or (hasattr(rows, "to_dict") and not hasattr(rows, "columns")):
            rows = as_dict(rows)
            if not any(_is_many(value) for value in rows.values()):
                rows = [rows]
        names = [*self.cat_names, *self.cont_names]
        if not isinstance(rows, list):
            frame = as_frame(rows)
            frame.require(names, "tabular")
            if not (self._by_row and 0 < len(frame) <= _FEW):
                return self.tensors(self.apply(frame))
            rows = frame.rows(names)
        rows = [as_dict(row) for row in rows]
        for row in rows:
            if not all(name in row for name in names):
                as_frame([row]).require(names, "tabular")
        if not (self._by_row and 0 < len(rows) <= _FEW):
            return self.tensors(self.apply(rows))
        return self._encode_each([self._row(row) for row in rows])

    def decode(self, cats: Tensor, conts: Tensor) -> Columns:
        """Return codes and numbers as the columns that they came from."""
        cats, conts = cats.cpu(), conts.cpu().double()
        frame = as_frame({})
        frame.size = len(cats)
        to = Columns(frame, self.cats, self.conts)
        for j, name in enumerate(self.cats):
            to[name] = cats[:, j]
        for j, name in enumerate(self.conts):
            to[name] = conts[:, j].clone()
        for proc in reversed(self.procs):
            proc.decode(to)
        return to

    @property
    def classes(self) -> dict[Any, Any]:
        """The levels of each column of categories, `#na#` first."""
        return next((p.classes for p in self.procs if isinstance(p, Categorify)), {})

    def to_state(self) -> dict[str, Any]:
        """Return what a saved file holds."""
        state = {name: getattr(self, name) for name in self.__dataclass_fields__ if name[0] != "_"}
        return {**state, "procs": [_function_of(proc) for proc in self.procs]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "TabularRecipe":
        """Rebuild it from what a file holds."""
        first = ("procs", "cat_names", "cont_names", "y_names")
        made = cls(*(state[name] for name in first))
        for name in ("cats", "conts", "targets"):
            setattr(made, name, state[name])
        return made

    def _row(self, row: dict[Any, Any]) -> Row:
        for name in self.cont_names:
            value = row[name]
            if type(value) is not float:
                row[name] = _number(name, value)
        for name in self.cat_names:
            row[name] = None if is_gap(row[name]) else row[name]
        return Row(row)

    def _encode_each(self, rows: list[Row]) -> tuple[Tensor, Tensor]:
        for proc in self.procs:
            for row in rows:
                proc(row)
        cats = torch.tensor([[row[name] for name in self.cats] for row in rows], dtype=torch.int64)
        conts = torch.tensor([[row[n] for n in self.conts] for row in rows], dtype=torch.float32)
        return cats.reshape(len(rows), -1), conts.reshape(len(rows), -1)


@strict
def encode_rows(source: Any, rows: Any) -> tuple[Tensor, Tensor]:
    """Return rows as the codes and numbers that a model takes, on the CPU.

    What training did not have gets code 0; gaps are filled; columns may come in any order, and
    further ones are ignored.

    Args:
        source: what was fitted: loaders, a `Tabular`, or a `TabularRecipe`.
        rows: a dict, a row of a pandas frame, a list of either, or a frame.

    Returns:
        `cats` of shape (n, n_cat), int64, and `conts` of shape (n, n_cont), float32.

    Raises:
        DataError: a column is missing, or holds texts where training had numbers or the reverse.
    """
    recipe = source if isinstance(source, TabularRecipe) else source.recipe
    return recipe.encode(rows)


def _is_many(value: Any) -> bool:
    return isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0


def _number(name: Any, value: Any) -> float:
    if isinstance(value, str) or not (hasattr(value, "__float__") or is_gap(value)):
        what = f"tabular: column {name!r} holds {value!r} where a number was expected"
        raise DataError(f"{what}. Convert it with float().")
    return float("nan") if is_gap(value) else float(value)


def _function_of(proc: Transform) -> Any:
    functions = proc._functions
    return functions[0].fn if type(proc) is Transform and len(functions) == 1 else proc


def names_of(given: Any) -> list[Any]:
    """Return one name, several, or None as a list; a set, which has no order, is no list."""
    if given is None:
        return []
    given = given.tolist() if hasattr(given, "tolist") else given
    is_many = hasattr(given, "__iter__") and not isinstance(given, str | set)
    return list(given) if is_many else [given]
