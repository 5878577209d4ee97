"""One worker's share of a pass: from samples to batches, through a loader's stages."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from lamina.data.loading.plan import Plan, Skipped, chunked
from lamina.foundation.errors import SkipItem
from lamina.foundation.seeding import using

if TYPE_CHECKING:
    from lamina.data.loader import DataLoader

__all__ = ["Share", "describe", "fetcher", "note", "samples_of"]

_SHOWN = 200  # letters of an item in a message


class Share:
    """Makes a worker's batches.

    Args:
        loader: whose stages to use.
        plan: the pass, and whose share of it.
    """

    def __init__(self, loader: "DataLoader", plan: Plan) -> None:
        self.loader = loader
        self.plan = plan
        self.fetch = fetcher(loader)

    def batches(self, samples: Iterable[Any]) -> Iterator[Any]:
        """Make the batches of samples; None stands for a batch whose items were all skipped."""
        plan = self.plan
        is_stream = plan.idxs is None
        for k, chunk in enumerate(chunked(samples, plan.size)):
            self.loader.plan = plan  # another pass may have run in between
            number = plan.number(k)
            if is_stream and self.loader.drop_last and number and len(chunk) < plan.size:
                return
            yield self._batch(chunk, number)

    def _batch(self, chunk: Sequence[Any], number: int) -> Any:
        fetched = None
        if self.fetch is not None:
            with using(self.plan.randomness("items", number)):
                fetched = self._fetched(self.fetch, chunk)
            if fetched is not None and not isinstance(fetched, list):
                return fetched
        items = self._items(chunk, number * self.plan.size, fetched)
        if not items:
            return None
        try:
            with using(self.plan.randomness("collate", number)):
                return self.loader.do_batch(items)
        except Exception as error:
            names = ", ".join(describe(self.loader, s) for s in chunk[:3])
            more = f" and {len(chunk) - 3} more" if len(chunk) > 3 else ""
            error.add_note(f"in batch {number}, of items {names}{more}")
            raise

    def _items(self, chunk: Sequence[Any], start: int, fetched: list[Any] | None) -> list[Any]:
        loader, plan = self.loader, self.plan
        items: list[Any] = []
        for j, s in enumerate(chunk):
            try:
                with using(plan.item_randomness(s, start + j)):
                    items.append(loader.do_item(s) if fetched is None else fetched[j])
            except SkipItem as reason:
                index = start + j if plan.idxs is None else s
                plan.skipped.append(Skipped(index, _source_of(loader, s), str(reason)))
            except Exception as error:
                note(loader, error, f"stage 'do_item' failed on item {describe(loader, s)}")
                raise
        return items

    def _fetched(self, fetch: Callable[[Any], Any], chunk: Sequence[Any]) -> Any:
        """Fetch a batch in one call; None if its items have to be made one by one after all."""
        try:
            fetched = fetch(chunk)
        except Exception as error:
            first, last = describe(self.loader, chunk[0]), describe(self.loader, chunk[-1])
            note(self.loader, error, f"could not fetch the batch of items {first} to {last}")
            raise
        stages = ("after_item",) if isinstance(fetched, list) else _ON_ITEMS
        if all(map(self.loader._is_default, stages)):
            return fetched
        self.fetch = None
        return None


_ON_ITEMS = ("after_item", "do_batch", "before_batch", "create_batch", "retain")


def fetcher(loader: "DataLoader") -> Callable[[Any], Any] | None:
    """Return what fetches a whole batch in one call, if the data set and the stages allow it."""
    is_plain = loader._is_default("create_item") and loader._is_default("do_item")
    if not (loader.bs and loader.indexed and is_plain):
        return None
    if isinstance(loader.dataset, TensorDataset):
        return _TensorRows(loader.dataset.tensors)
    return getattr(loader.dataset, "__getitems__", None)


def samples_of(loader: "DataLoader", plan: Plan) -> Iterable[Any]:
    """Return a worker's share of the samples: those of every batch that is its turn."""
    if plan.idxs is None:
        elements = islice(iter(loader.dataset), loader.options.get("n"))
        if plan.n_workers == 1:
            return elements
        return (x for i, x in enumerate(elements) if plan.is_turn(i))
    if plan.n_workers == 1:
        return plan.idxs
    runs = islice(chunked(plan.idxs, plan.size), plan.worker, None, plan.n_workers)
    return [s for run in runs for s in run]


def describe(loader: "DataLoader", s: Any) -> str:
    """Name a sample in a message: its index, and what the item is made from."""
    source = _source_of(loader, s)
    if not loader.indexed:
        return source
    return f"{s!r} ({source})" if source else repr(s)


def note(loader: "DataLoader", error: Exception, text: str) -> None:
    """Say on an error where it happened, unless an earlier note has."""
    start = f"{type(loader).__name__}: "
    notes = getattr(error, "__notes__", ())
    if not isinstance(error, SkipItem) and not any(n.startswith(start) for n in notes):
        error.add_note(start + text)


class _TensorRows:
    """Fetches rows of tensors in one go."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors

    def __call__(self, idxs: Sequence[int]) -> tuple[Tensor, ...]:
        where = slice(idxs.start, idxs.stop) if isinstance(idxs, range) else torch.tensor(idxs)
        return tuple(t[where] for t in self.tensors)


def _source_of(loader: "DataLoader", s: Any) -> str:
    """Say what an item is made from, if the data set tells."""
    if not loader.indexed:
        return repr(s)[:_SHOWN]
    items = getattr(loader.dataset, "items", None)
    if items is None or isinstance(items, Mapping) or not hasattr(items, "__getitem__"):
        return ""
    try:
        return repr(items[s])[:_SHOWN]
    except Exception:  # only for a message
        return ""
