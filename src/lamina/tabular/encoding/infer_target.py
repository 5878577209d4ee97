"""Targets of a table: what a column to predict is, its tensor, and back.

The rule, when no block says it: texts, truth values and categories are labels; fractions are
numbers to predict (a warning says so if all, at most `MAX_LABELS` different ones, are whole, as
0.0); whole numbers are labels if training has at most `MAX_LABELS` different ones, else numbers,
and a warning says which it was. Several columns are several numbers if all are numbers (a warning
says so if all are whole), several labels at once if all are truth values, else one target each.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lamina.data.block import CategoryBlock, MultiCategoryBlock, RegressionBlock, TransformBlock
from lamina.data.category import Categorize, EncodedMultiCategorize, RegressionSetup
from lamina.data.items import TfmdLists
from lamina.data.pipeline import Pipeline
from lamina.data.task import Task
from lamina.foundation.errors import ContractError, DataError
from lamina.foundation.registry import savable
from lamina.tabular.encoding.columns import Columns
from lamina.tabular.encoding.frames import seen_levels
from lamina.tensor.types import TensorMultiCategory

__all__ = ["MAX_LABELS", "Target", "infer_block", "make_targets"]

MAX_LABELS = 20
_OR_LABELS = "or MultiCategoryBlock(encoded=True, vocab=[...]) for labels."


@savable("lamina:tabular.Target")
@dataclass
class Target:
    """One target: its columns, and the transforms that make its values.

    Args:
        names: the columns.
        tfms: the transforms of a `TransformBlock`, in order.
    """

    names: list[Any]
    tfms: list[Any]

    @property
    def task(self) -> Task | None:
        """What the target is, once set up."""
        return Pipeline(self.tfms).gather("task")

    @property
    def vocab(self) -> Any:
        """The labels, None for numbers."""
        return Pipeline(self.tfms).gather("vocab")

    def setup(self, to: Columns) -> None:
        """Learn the labels from the training rows.

        Raises:
            ContractError: the block is for another number of columns.
        """
        first, n = self.tfms[0], len(self.names)
        if isinstance(first, RegressionSetup | EncodedMultiCategorize) and first.c not in (None, n):
            what = f"tabular: y_block is of {first.c} labels or numbers, y_names of {n} columns"
            raise ContractError(f"{what} {self.names}. Give one for each column.")
        if isinstance(first, Categorize):
            if first.vocab is None:
                first.setup(_labels(to.train, self.names[0], first.sort))
        elif isinstance(first, RegressionSetup):
            first.c = n
        else:
            rows = [self._row(to.train, i) for i in range(len(to.train))]
            self.tfms = list(TfmdLists(rows, self.tfms).tfms)

    def encode(self, to: Columns) -> Tensor:
        """Return the values of all rows.

        Shapes: `(n,)` of int64 for labels, `(n,)` or `(n, k)` of float32 for numbers, `(n, k)` of
        zeros and ones for several labels.

        Raises:
            DataError: values are missing.
        """
        first = self.tfms[0]
        if isinstance(first, Categorize):
            return self._encode_labels(first, to)
        if isinstance(first, RegressionSetup | EncodedMultiCategorize):
            columns = [_without_gaps(to.numbers(name), name) for name in self.names]
            out = torch.stack(columns, 1).float()
            is_one = len(columns) == 1 and isinstance(first, RegressionSetup)
            return out[:, 0].contiguous() if is_one else out
        pipeline = Pipeline(self.tfms)
        return torch.stack([pipeline(self._row(to, i)).as_subclass(Tensor) for i in range(len(to))])

    def decode(self, value: Tensor) -> Any:
        """Return what one value means: a label, several, or a number (or several)."""
        first = self.tfms[0]
        if isinstance(first, Categorize):
            return first.decode(int(value))
        if isinstance(first, RegressionSetup):
            return value.tolist()
        return Pipeline(self.tfms).decode(TensorMultiCategory(value.float()))

    def _encode_labels(self, tfm: Categorize, to: Columns) -> Tensor:
        codes, levels = to.factorize(self.names[0])
        vocab: Any = tfm.vocab
        if not vocab.add_na:
            _refuse_gaps(codes < 0, self.names[0])
        found = [vocab.index_of(level, f"target {self.names[0]!r}") for level in levels]
        lookup = torch.tensor([0, *found], dtype=torch.int64, device=codes.device)
        return lookup.index_select(0, codes + 1)

    def _row(self, to: Columns, i: int) -> Any:
        values = [to[name][i] for name in self.names]
        return values[0] if len(values) == 1 else values


def infer_block(to: Columns, names: Sequence[Any]) -> Any:
    """Return the block, or blocks, that the rule at the top of this module gives for columns.

    Args:
        to: the table.
        names: the columns to predict.

    Example:
        >>> to = Columns({"y": [0.5, 1.5]})
        >>> infer_block(to, ["y"]).type_tfms
        RegressionSetup(c=None)
    """
    kinds = [to.frame.kind(name) for name in names]
    if len(names) > 1:
        if all(kind == "b" for kind in kinds):
            return MultiCategoryBlock(encoded=True, vocab=list(names))
        if all(kind in "iuf" for kind in kinds):
            if all(_few_whole(to, name) for name in names if to.frame.kind(name) == "f"):
                what = f"tabular: {list(names)} hold whole numbers, and are taken as numbers"
                warnings.warn(f"{what} to predict. Say so by y_block=, {_OR_LABELS}", stacklevel=2)
            return RegressionBlock()
        return [infer_block(to, [name]) for name in names]
    if kinds[0] in "iu" and not to.is_ordered(names[0]):
        return _of_whole_numbers(to, names[0])
    if kinds[0] == "f" and _few_whole(to, names[0]):
        what = f"tabular: the target {names[0]!r} holds only whole numbers, as 1.0"
        how = "Say so with y_block=RegressionBlock(), or CategoryBlock() for labels"
        warnings.warn(f"{what}: they are taken as numbers to predict. {how}.", stacklevel=2)
    return RegressionBlock() if kinds[0] == "f" else CategoryBlock()


def make_targets(to: Columns, names: Sequence[Any], y_block: Any = None) -> list[Target]:
    """Return the targets of columns, set up.

    Args:
        to: the table.
        names: the columns to predict; none is fine.
        y_block: a block for all columns together, or a list with one per column; None infers it.

    Raises:
        ContractError: the blocks do not fit the columns.
    """
    if not names:
        return []
    to.frame.require(names, "tabular: y_names")
    block = infer_block(to, names) if y_block is None else y_block
    if isinstance(block, list | tuple):
        if len(block) != len(names):
            what = f"tabular: y_block has {len(block)} blocks for {len(names)} columns in y_names"
            raise ContractError(f"{what}. Give one for each, or a single block for all.")
        groups = [([name], _tfms(one)) for name, one in zip(names, block, strict=True)]
    elif len(names) > 1 and isinstance(_tfms(block)[0], Categorize):
        groups = [([name], _tfms(block)) for name in names]
    else:
        groups = [(list(names), _tfms(block))]
    targets = [Target(*group) for group in groups]
    for target in targets:
        target.setup(to)
    return targets


def _few_whole(to: Columns, name: Any) -> bool:
    """Tell whether the numbers of training are whole, and at most `MAX_LABELS` different ones."""
    values = to.train.numbers(name)
    return bool((values == values.round()).all()) and len(values.unique()) <= MAX_LABELS


def _of_whole_numbers(to: Columns, name: Any) -> TransformBlock:
    n = len(to.train.numbers(name).unique())
    what = f"tabular: the target {name!r} holds whole numbers, {n} different ones in training"
    is_label = n <= MAX_LABELS
    taken = "labels (at most" if is_label else "numbers to predict (more than"
    other = "RegressionBlock() if they are numbers" if is_label else "CategoryBlock() for labels"
    text = f"{what}: they are taken as {taken} {MAX_LABELS}). Say so with y_block=, or {other}."
    warnings.warn(text, stacklevel=2)
    return CategoryBlock() if is_label else RegressionBlock()


def _tfms(block: TransformBlock | Callable[[], TransformBlock]) -> list[Any]:
    made: Any = block() if callable(block) else block
    if not isinstance(made, TransformBlock):
        what = f"tabular: y_block={block!r} is no block. Give CategoryBlock(), RegressionBlock()"
        raise ContractError(f"{what} or MultiCategoryBlock(encoded=True, vocab=[...]).")
    return list(Pipeline(made.type_tfms))


def _labels(to: Columns, name: Any, sort: bool) -> Any:  # noqa: FBT001 - private
    codes, levels = to.factorize(name)
    if to.is_ordered(name) or not sort:
        return levels
    return seen_levels(codes, levels)


def _without_gaps(values: Tensor, name: Any) -> Tensor:
    if not bool(values.sum().isfinite()):
        _refuse_gaps(~values.isfinite(), name, "missing or infinite")
    return values


def _refuse_gaps(gaps: Tensor, name: Any, what: str = "missing") -> None:
    if bool(gaps.any()):
        first = int(gaps.nonzero()[0])
        raise DataError(
            f"tabular: the target {name!r} is {what} in {int(gaps.sum()):,} rows, first in row "
            f"{first}. Leave these rows out, or use CategoryBlock(add_na=True) for labels."
        )
