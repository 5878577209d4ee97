"""One worker's share of a pass: from samples to batches, through a loader's stages."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from lamina.data.kernels.describe import describe as describe_value
from lamina.data.loading.plan import Order, Plan, Skipped, chunked, shuffled
from lamina.foundation.errors import ContractError, SkipItem
from lamina.foundation.seeding import using
from lamina.tensor.tree import to_device

if TYPE_CHECKING:
    from lamina.data.loading.stages import Stages

__all__ = ["Share", "blocks", "describe", "fetcher", "note", "rank_of", "samples_of"]

_SHOWN = 200  # letters of an item in a message


class Share:
    """Makes a worker's batches.

    Args:
        loader: whose stages to use.
        plan: the pass, and whose share of it.
    """

    def __init__(self, loader: "Stages", plan: Plan) -> None:
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


_BLOCK = 1 << 19  # bytes of rows to take at once; they stay in the processor's cache
_MAKING = (
    "sample",
    "create_batches",
    "do_item",
    "create_item",
    "after_item",
    "do_batch",
    "before_batch",
    "create_batch",
    "retain",
)
_ON_ITEMS = ("after_item", "do_batch", "before_batch", "create_batch", "retain")


def fetcher(loader: "Stages") -> Callable[[Any], Any] | None:
    """Return what fetches a whole batch in one call, if the data set and the stages allow it."""
    is_plain = loader._is_default("create_item") and loader._is_default("do_item")
    if not (loader.bs and loader.indexed and is_plain):
        return None
    if (tensors := _rows(loader.dataset)) is not None:
        return lambda idxs: tuple(_take(t, idxs) for t in tensors)
    fetch = getattr(loader.dataset, "__getitems__", None)
    return fetch and (lambda idxs: fetch(idxs if isinstance(idxs, range) else list(idxs)))


def blocks(loader: "Stages", plan: Plan) -> Iterator[Any] | None:
    """Return all batches of rows of tensors, taken many at a time, if nothing else is asked for.

    Rows in their own order that no transform will touch come as views, as slicing gives them.
    """
    tensors = _rows(loader.dataset)
    if tensors is None or not (plan.bs and plan.idxs) or not all(map(loader._is_default, _MAKING)):
        return None
    is_kept = isinstance(plan.idxs, range) and loader._is_default("after_batch")
    return _blocks(tensors, _view if is_kept else _take, plan, loader.device)


def _blocks(tensors: Sequence[Tensor], take: Any, plan: Plan, device: Any) -> Iterator[Any]:
    idxs: Any = plan.idxs
    n_bytes = sum(t[:1].nbytes for t in tensors) * plan.size
    stays = take is _view and (device is None or all(t.device == device for t in tensors))
    size = len(idxs) if stays else plan.size * max(1, _BLOCK // max(1, n_bytes))
    for i in range(plan.first * plan.size, len(idxs), size):
        block = tuple(take(t, idxs[i : i + size]) for t in tensors)
        block = block if device is None else to_device(block, device)
        yield from zip(*(t.split(plan.size) for t in block), strict=True)


def samples_of(loader: "Stages", plan: Plan) -> Iterable[Any]:
    """Return a worker's share of the samples: those of every batch that is its turn."""
    if plan.idxs is None:
        elements = _elements(loader, plan)
        if plan.n_workers == 1 and not plan.first:
            return elements
        return (x for i, x in enumerate(elements) if plan.is_turn(i))
    if plan.n_workers == 1:
        return plan.idxs[plan.first * plan.size :]
    runs = islice(chunked(plan.idxs, plan.size), plan.number(0), None, plan.n_workers)
    return [s for run in runs for s in run]


def _elements(loader: "Stages", plan: Plan) -> Iterator[Any]:
    """Give what this process's part of a stream holds, in the order of the pass."""
    elements = islice(iter(loader.dataset), loader.options.get("n"))
    if plan.world > 1:
        elements = islice(elements, plan.rank, None, plan.world)
    if not loader.shuffle:
        return elements
    return shuffled(elements, loader.options["buffer"], plan.randomness("buffer").python)


def rank_of(loader: "Stages") -> tuple[int, int]:
    """Return the rank and the number of the processes that share a stream.

    Raises:
        ContractError: the rank is beyond their number.
    """
    names = (("rank", "RANK", 0), ("world_size", "WORLD_SIZE", 1))
    given = (loader.options.get(name, os.environ.get(env, none)) for name, env, none in names)
    rank, world = map(int, given)
    if not 0 <= rank < world:
        raise ContractError(
            f"{type(loader).__name__}: rank={rank} of world_size={world}. Ranks count from 0; give "
            "both, or set RANK and WORLD_SIZE."
        )
    return rank, world


def describe(loader: "Stages", s: Any) -> str:
    """Name a sample in a message: its index, and what the item is made from."""
    source = _source_of(loader, s)
    if not loader.indexed:
        return source
    return f"{s!r} ({source})" if source else repr(s)


def note(loader: "Stages", error: Exception, text: str) -> None:
    """Say on an error where it happened, unless an earlier note has."""
    start = f"{type(loader).__name__}: "
    notes = getattr(error, "__notes__", ())
    if not isinstance(error, SkipItem) and not any(n.startswith(start) for n in notes):
        error.add_note(start + text)


def _rows(dataset: Any) -> tuple[Tensor, ...] | None:
    """Return the tensors whose rows a data set gives, if that is what it does."""
    is_plain = getattr(type(dataset), "__getitem__", None) is TensorDataset.__getitem__
    return dataset.tensors if is_plain else None


def _view(t: Tensor, idxs: range) -> Tensor:
    return t[idxs.start : idxs.stop : idxs.step]


def _take(t: Tensor, idxs: Sequence[int]) -> Tensor:
    """Copy rows of a tensor: what is done to a batch must not reach the data set."""
    if isinstance(idxs, range):
        return _view(t, idxs).clone()
    rows = idxs.tensor if isinstance(idxs, Order) else torch.tensor(idxs)
    return t.index_select(0, rows.to(t.device))


def _source_of(loader: "Stages", s: Any) -> str:
    """Say what an item is made from, if the data set tells."""
    if not loader.indexed:
        return repr(s)[:_SHOWN]
    items = getattr(loader.dataset, "items", None)
    if items is None or isinstance(items, Mapping) or not hasattr(items, "__getitem__"):
        return ""
    try:
        text = repr(items[s])
        return describe_value(items[s]) if "\n" in text else text[:_SHOWN]
    except Exception:  # only for a message
        return ""
