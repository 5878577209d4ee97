"""The fifteen stages of a loader, as they are unless replaced; `lamina.data.loader` lists them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lamina.data.loading.plan import Order, Plan
from lamina.data.loading.share import Share, describe, note, samples_of
from lamina.tensor.collate import collate
from lamina.tensor.random import generator
from lamina.tensor.types import TensorBase

__all__ = ["Stages", "retype"]


class Stages:
    """What a `DataLoader` does in its fifteen stages, in order."""

    dataset: Any
    bs: int | None
    shuffle: bool
    drop_last: bool
    indexed: bool
    device: torch.device | None
    options: dict[str, Any]
    plan: Plan | None

    @property
    def n(self) -> int | None:
        """The number of items of a pass; None for a stream of unknown length."""
        raise NotImplementedError(f"{type(self).__name__} must define n.")

    def _current_plan(self) -> Plan:
        raise NotImplementedError(f"{type(self).__name__} must define _current_plan.")

    def before_iter(self) -> None:
        """Prepare a pass."""

    def get_idxs(self) -> Sequence[Any] | None:
        """Return the samples of a pass in order, or None for a stream."""
        if not self.indexed:
            return None
        idxs = range(self.n or 0)
        return self.shuffle_fn(idxs) if self.shuffle else idxs

    def shuffle_fn(self, idxs: Sequence[Any]) -> Sequence[Any]:
        """Return the samples in a random order."""
        order = Order(torch.randperm(len(idxs), generator=generator()))
        return order if idxs == range(len(idxs)) else [idxs[i] for i in order]

    def wif(self) -> None:
        """Prepare a new worker process."""

    def sample(self) -> Iterable[Any]:
        """Return this worker's share of the samples: every batch that is its turn."""
        return samples_of(self, self._current_plan())

    def create_batches(self, samps: Iterable[Any]) -> Iterator[Any]:
        """Make the batches of some samples; None stands for a batch with all items skipped."""
        return Share(self, self._current_plan()).batches(samps)

    def do_item(self, s: Any) -> Any:
        """Make an item ready for its batch."""
        stage = "create_item"
        try:
            item = self.create_item(s)
            stage = "after_item"
            return self.after_item(item)
        except Exception as error:
            note(self, error, f"stage {stage!r} failed on item {describe(self, s)}")
            raise

    def create_item(self, s: Any) -> Any:
        """Fetch an item."""
        return self.dataset[s] if self.indexed else s

    def after_item(self, item: Any) -> Any:
        """Transform an item."""
        return item

    def do_batch(self, items: list[Any]) -> Any:
        """Make a batch of items."""
        stage = "before_batch"
        try:
            ready = self.before_batch(items)
            stage = "create_batch"
            batch = self.create_batch(ready)
            stage = "retain"
            return self.retain(batch, ready)
        except Exception as error:
            note(self, error, f"stage {stage!r} failed")
            raise

    def before_batch(self, items: list[Any]) -> Any:
        """Transform a batch's items together, for example pad them to one length."""
        return items

    def create_batch(self, items: Any) -> Any:
        """Put the items of a batch together."""
        return items[0] if self.bs is None else collate(items)

    def retain(self, batch: Any, items: Any) -> Any:
        """Give the parts of a batch the semantic types that the items' parts have."""
        return retype(batch, items[0]) if isinstance(items, list) and items else batch

    def after_batch(self, batch: Any) -> Any:
        """Transform a batch that is on its device."""
        return batch

    def after_iter(self) -> None:
        """Clean up after a pass, also one that was left early."""

    def _is_default(self, stage: str) -> bool:
        """Tell whether a stage does what it does in this module.

        Args:
            stage: its name.
        """
        return stage not in vars(self) and getattr(type(self), stage) is vars(Stages)[stage]


def retype(batch: Any, item: Any) -> Any:
    """Give the tensors of a batch the semantic types that an item has in their places.

    Args:
        batch: a tensor, or a tuple or list of them.
        item: what it is made of; its other parts do not matter.
    """
    if isinstance(item, TensorBase):
        lost = isinstance(batch, Tensor) and not isinstance(batch, TensorBase)
        return type(item).wrap(batch, like=item) if lost else batch
    if isinstance(item, tuple) and type(batch) in (tuple, list) and len(batch) == len(item):
        return type(batch)(map(retype, batch, item))
    return batch
