"""Loaders over the tensors of a table: a batch is a slice, whatever frame the table came from."""

from typing import Any, Self

import torch

from lamina.data.tfmd_loader import TfmdDL
from lamina.foundation.collections import L
from lamina.tabular.show import results_table, rows_table
from lamina.tensor.device import parse_device
from lamina.viz.tables import Table

__all__ = ["TabDataLoader", "TabularDataLoader"]


class TabularDataLoader(TfmdDL):
    """Batches `(cats, conts, y)` of a `Tabular`, taken whole from its tensors.

    It is a `TfmdDL` in everything; shuffling is counted as there. On another device than the CPU
    the tensors are moved there once, if at most half of its free memory is needed for them.

    Example:
        >>> from lamina.tabular.core import Tabular
        >>> to = Tabular({"a": [1.0, 2.0, 3.0]}, cont_names="a", procs=[])
        >>> TabularDataLoader(to, bs=2).one_batch()
        (tensor([], size=(2, 0), dtype=torch.int64), tensor([[1.],
                [2.]]))
    """

    def to(self, device: torch.device | str) -> Self:
        """Send batches, and where it fits the whole table, to a device."""
        place = parse_device(device)
        if hasattr(self.dataset, "to") and _fits(self.dataset, place):
            self.dataset = self.dataset.to(place)
        return super().to(place)

    def decode_batch(self, b: Any, max_n: int = 9, *, full: bool = True) -> L[Any]:
        """Return the first rows as `(categories, numbers, *targets)`: two dicts, and values.

        Args:
            b: a batch; targets may be missing.
            max_n: how many rows at most.
            full: as in `TfmdDL`; rows are always decoded fully.
        """
        recipe = self.dataset.recipe
        cats, conts, *ys = [part[:max_n].cpu() for part in self.decode(b)]
        to = recipe.decode(cats, conts)
        columns = [{name: to[name].tolist() for name in ns} for ns in (to.cat_names, to.cont_names)]
        pairs = list(zip(recipe.targets, ys, strict=False))
        return L(
            (
                *({name: values[i] for name, values in part.items()} for part in columns),
                *(target.decode(values[i]) for target, values in pairs),
            )
            for i in range(len(cats))
        )

    def show_batch(
        self, b: Any = None, max_n: int = 10, *, unique: bool = False, **options: Any
    ) -> Table:
        """Return the first rows of a batch as a table of what they were made from.

        Args:
            b: a batch; None makes the next one.
            max_n: how many rows at most.
            unique: not for tables: rows have no augmentations.
            options: `title` of the table.
        """
        b = self.one_batch() if b is None else b
        return rows_table(self.dataset.recipe, b, max_n, **options)

    def show_results(self, b: Any, preds: Any, max_n: int = 10, **options: Any) -> Table:
        """Return the first rows of a batch, decoded, with what was predicted for them.

        Args:
            b: the batch.
            preds: a prediction in the form of the targets, or a tuple of them.
            max_n: how many rows at most.
            options: `title` of the table.
        """
        return results_table(self.dataset.recipe, b, preds, max_n, **options)


TabDataLoader = TabularDataLoader


def _fits(dataset: Any, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return sum(t.nbytes for t in dataset.tensors) < free / 2
