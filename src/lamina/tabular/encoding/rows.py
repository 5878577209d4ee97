"""Rows as tensors: the data set that loaders slice, its splits, and what an export keeps of it."""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.tabular.recipe import TabularRecipe
from lamina.tensor.device import parse_device

__all__ = ["EncodedRows", "TabularState"]


class EncodedRows(TensorDataset):
    """Rows as `(cats, conts, *targets)`, with the recipe that made them; see `Tabular`.

    As a `TensorDataset` it lets loaders take whole batches from its tensors.
    """

    n_inp = 2
    recipe: TabularRecipe
    splits: list[Tensor]
    device: torch.device | None
    origin: tuple[list[int], int] | None
    _subsets: dict[int, Any]

    @property
    def train(self) -> Self:
        """The rows for training."""
        return self.subset(0)

    @property
    def valid(self) -> Self:
        """The rows of the first validation set."""
        return self.subset(1)

    def subset(self, i: int) -> Self:
        """Return the rows of one split."""
        if i not in self._subsets:
            if not -len(self.splits) <= i < len(self.splits):
                raise ContractError(
                    f"Tabular: there is no split {i}, only {len(self.splits)}. Give splits=... "
                    "with the positions of training and validation."
                )
            rows = self.splits[i]
            is_run = len(rows) and bool((rows.diff() == 1).all())
            at = slice(int(rows[0]), int(rows[-1]) + 1) if is_run else rows
            part = self._like(tuple(t[at] for t in self.tensors))
            part.origin = (rows.tolist(), len(self))
            self._subsets[i] = part
        return self._subsets[i]

    def new_empty(self) -> Self:
        """Return the same without rows."""
        return self._like(tuple(t[:0] for t in self.tensors))

    def export_state(self, bs: int | None) -> "TabularState":
        """Return what an exported learner keeps of its data."""
        return TabularState(self.recipe, bs)

    def to(self, device: torch.device | str) -> Self:
        """Return the same with its tensors on a device."""
        place = parse_device(device)
        if all(t.device == place for t in self.tensors):
            return self
        part = self._like(tuple(t.to(place) for t in self.tensors))
        part.origin = self.origin
        return part

    n_subsets = property(lambda self: len(self.splits), doc="How many splits there are.")
    targets = property(lambda self: self.tensors[-1], doc="The last target of all rows, a tensor.")
    cat_names = property(lambda self: self.recipe.cats, doc="The columns of codes.")
    cont_names = property(lambda self: self.recipe.conts, doc="The columns of numbers.")
    y_names = property(lambda self: self.recipe.y_names, doc="The columns to predict.")
    classes = property(lambda self: self.recipe.classes, doc="The levels of each category.")

    @property
    def task(self) -> Any:
        """What the target is; an `L` if there are several targets."""
        return _alone([target.task for target in self.recipe.targets])

    @property
    def vocab(self) -> Any:
        """The labels of the target; an `L` if there are several targets."""
        return _alone([target.vocab for target in self.recipe.targets])

    def gather(self, name: str, default: Any = None) -> Any:
        """Look an attribute up, such as `task`."""
        return getattr(self, name, default)

    def _like(self, tensors: tuple[Tensor, ...]) -> Self:
        """Return rows with the same recipe, all in one split."""
        part = object.__new__(type(self))
        part.__dict__.update(recipe=self.recipe, device=None, origin=None, tensors=tensors)
        n = len(tensors[0]) if tensors else 0
        part.__dict__.update(splits=[torch.arange(n)], _subsets={}, _source=None)
        return part


@savable("lamina:TabularState")
@dataclass(frozen=True)
class TabularState:
    """What an exported learner keeps of its data.

    Args:
        recipe: how rows are processed.
        bs: rows per batch.
    """

    recipe: TabularRecipe
    bs: int | None

    def dataloaders(self, device: torch.device | str) -> Any:
        """Make loaders without rows, which still process new ones."""
        from lamina.tabular.core import Tabular
        from lamina.tabular.loaders import TabularDataLoaders

        made = Tabular({}, (), (), ())
        made.recipe = self.recipe
        sizes = len(self.recipe.cats), len(self.recipe.conts)
        empty = made._like((torch.zeros(0, sizes[0]).long(), torch.zeros(0, sizes[1])))
        return TabularDataLoaders.from_dsets(empty, empty, bs=self.bs, shuffle=False, device=device)


def _alone(found: list[Any]) -> Any:
    return None if not found else found[0] if len(found) == 1 else L(found)
