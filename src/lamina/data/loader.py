"""The loader: from a data set to batches, in fifteen stages that can each be replaced.

A pass runs through `STAGES` in this order; replace a stage by giving the constructor a function
under its name, or by overriding the method in a subclass:

| stage | default | where |
|---|---|---|
| `before_iter()` | nothing | parent process, first |
| `get_idxs()` | all indices, shuffled if asked | parent process |
| `shuffle_fn(idxs)` | a permutation | inside `get_idxs` |
| `wif()` | nothing | each worker process, once |
| `sample()` | this worker's share of the samples | worker |
| `create_batches(samps)` | makes all batches of the share | worker |
| `do_item(s)` | `after_item(create_item(s))` | worker, per item |
| `create_item(s)` | `dataset[s]`; in a stream, the element itself | worker, per item |
| `after_item(item)` | unchanged | worker, per item |
| `do_batch(items)` | `retain(create_batch(before_batch(items)), items)` | worker, per batch |
| `before_batch(items)` | unchanged | worker, per batch |
| `create_batch(items)` | `collate` | worker, per batch |
| `retain(batch, items)` | gives the batch the semantic types of the items | worker, per batch |
| `after_batch(batch)` | unchanged; the batch is on its device | parent process, per batch |
| `after_iter()` | nothing | parent process, at the end |

Without worker processes everything happens in the parent, except `wif`, which is not called.
"""

import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Self, Unpack

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from lamina.data.loading.options import OPTIONS, STAGES, LoaderOptions
from lamina.data.loading.plan import Plan, Skipped, count_repeats, n_batches
from lamina.data.loading.share import Share, describe, note, samples_of
from lamina.data.loading.workers import Crew, Made, produce
from lamina.foundation.errors import ContractError, DataError, refuse_unknown
from lamina.foundation.seeding import base_seed, using
from lamina.foundation.signatures import signature_names
from lamina.tensor.collate import collate
from lamina.tensor.device import parse_device
from lamina.tensor.random import generator
from lamina.tensor.tree import map_tree, to_device
from lamina.tensor.types import TensorBase

__all__ = ["STAGES", "DataLoader", "retype"]


class DataLoader:
    """Batches of a data set, the same ones for a seed whatever the number of worker processes.

    All randomness is counted: shuffling follows from (seed, epoch), what a transform draws for an
    item from (seed, epoch, index), for a batch from (seed, epoch, number of the batch). No global
    random state is read or changed. Items whose transforms raise `SkipItem` are left out of their
    batch and listed in `skipped`.

    A data set is anything with `len` and `[i]`, or any iterable (a stream; every worker reads all
    of it and makes its share of the batches). If it has `__getitems__(indices)`, a batch is fetched
    in one call: a returned list is taken as items, anything else as the finished batch.

    Args:
        dataset: where items come from.
        bs: items per batch; None if every item is already a batch.
        shuffle: whether each pass has its own random order.
        drop_last: leave out an incomplete last batch, unless it is the only one.
        num_workers: worker processes; 0 works in this one.
        seed: where randomness starts; None follows `set_seed`.
        device: where batches go before `after_batch`; None leaves them.
        options: see `LoaderOptions`; the fifteen stages are described at the top of the module.

    Attributes:
        epoch: the number of the next pass; it advances when a pass starts.
        skipped: what the current or latest pass skipped, and why.
        indexed: whether items are fetched by index.
        plan: the pass that is going on, for stages that want to know.

    Raises:
        UnknownArgumentError: an option is not known.
        ContractError: the settings contradict each other.

    Example:
        >>> dl = DataLoader([(float(i), i % 2) for i in range(5)], bs=2)
        >>> list(dl)[-1]
        (tensor([4.]), tensor([0]))
        >>> list(DataLoader(range(4), bs=2, after_item=lambda x: x * 10))
        [tensor([ 0, 10]), tensor([20, 30])]

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Data loading".
    """

    def __init__(
        self,
        dataset: Any,
        bs: int | None = 64,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        num_workers: int = 0,
        seed: int | None = None,
        device: torch.device | str | None = None,
        **options: Unpack[LoaderOptions],
    ) -> None:
        known = [*signature_names(type(self)), *OPTIONS]
        refuse_unknown(type(self).__name__, options, known)
        self.dataset = dataset
        self.bs = bs
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.seed = seed
        self.device = None if device is None else parse_device(device)
        self.options: dict[str, Any] = {k: v for k, v in options.items() if v is not None}
        self.epoch = 0
        self.skipped: list[Skipped] = []
        self.plan: Plan | None = None
        self._crew: Crew | None = None
        is_stream = isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__")
        self.indexed: bool = self.options.get("indexed", not is_stream)
        self._replace_stages()
        self._check()

    # The fifteen stages, in order.

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
        order = torch.randperm(len(idxs), generator=generator()).tolist()
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

    # Use.

    def __iter__(self) -> Iterator[Any]:
        epoch = self.epoch
        self.epoch += 1
        return self._run(epoch, self.num_workers)

    def __len__(self) -> int:
        if self.n is None:
            raise TypeError(
                f"{type(self).__name__}: a stream has no length. Give n= for the number of items."
            )
        return n_batches(self.n, self.bs, drop_last=self.drop_last)

    @property
    def n(self) -> int | None:
        """The number of items of a pass; None for a stream of unknown length."""
        most = self.options.get("n")
        size = len(self.dataset) if hasattr(self.dataset, "__len__") else None
        return min((x for x in (most, size) if x is not None), default=None)

    def one_batch(self) -> Any:
        """Return the first batch of the next pass, made in this process; the epoch stays.

        Raises:
            DataError: there is no item.
        """
        batches = self._run(self.epoch, 0)
        try:
            return next(batches)
        except StopIteration:
            raise DataError(self._nothing()) from None
        finally:
            batches.close()

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next pass.

        Args:
            epoch: the number, from 0.
        """
        self.epoch = epoch

    def to(self, device: torch.device | str) -> Self:
        """Send batches to another device from now on.

        Args:
            device: a device or its name.
        """
        self.device = parse_device(device)
        return self

    def new(self, dataset: Any = None, cls: type | None = None, **overrides: Any) -> Any:
        """Make a loader with the same settings and stages, except for what is given.

        Args:
            dataset: another data set.
            cls: another class of loader.
            overrides: settings that differ.

        Raises:
            UnknownArgumentError: a setting is not known.
        """
        cls = cls or type(self)
        known = {*signature_names(cls), *OPTIONS}
        settings = {k: v for k, v in self._settings().items() if k in known}
        return cls(self.dataset if dataset is None else dataset, **{**settings, **overrides})

    def __repr__(self) -> str:
        size = "stream" if self.n is None else f"{self.n:,} items"
        kind = type(self.dataset).__name__
        return f"{type(self).__name__}({kind}: {size}, bs={self.bs}, shuffle={self.shuffle})"

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_crew": None}

    # One pass.

    def _run(self, epoch: int, n_workers: int) -> Generator[Any]:
        plan = self._make_plan(epoch)
        source = self._hire().produce(plan) if n_workers else produce(self, plan)
        self.skipped = []
        n_made = 0
        try:
            for made in source:
                self.skipped += made.skipped
                if made.batch is not None:
                    n_made += 1
                    yield self._finish(made, plan)
            if self.shuffle and not n_made:
                raise DataError(self._nothing())
        finally:
            self.after_iter()

    def _make_plan(self, epoch: int) -> Plan:
        seed = base_seed() if self.seed is None else self.seed
        plan = Plan(seed, epoch, None, self.bs)
        with using(plan.randomness("shuffle")):
            self.before_iter()
            plan.idxs = self.get_idxs()
        if plan.idxs is not None and not self._is_default("get_idxs"):
            plan.idxs = plan.idxs if isinstance(plan.idxs, Sequence) else list(plan.idxs)
            plan.repeats = count_repeats(plan.idxs)
        if plan.idxs is not None and self.drop_last:
            plan.idxs = plan.idxs[: n_batches(len(plan.idxs), self.bs, drop_last=True) * plan.size]
        return plan

    def _finish(self, made: Made, plan: Plan) -> Any:
        """Do what is left for the parent process: the device, and `after_batch`."""
        batch = made.batch
        pin = self.options.get("pin_memory", False) and torch.accelerator.is_available()
        if pin and not self.num_workers:
            batch = map_tree(Tensor.pin_memory, batch)
        if self.device is not None:
            batch = to_device(batch, self.device, non_blocking=pin)
        try:
            with using(plan.randomness("batch", made.number)):
                return self.after_batch(batch)
        except Exception as error:
            note(self, error, f"stage 'after_batch' failed on batch {made.number}")
            raise

    # Helpers.

    def _replace_stages(self) -> None:
        for name in STAGES:
            if (stage := self.options.get(name)) is None:
                continue
            if not callable(stage):
                raise ContractError(
                    f"{type(self).__name__}: {name}={stage!r} is not a function. "
                    "Give one that takes what the stage takes."
                )
            setattr(self, name, stage)

    def _check(self) -> None:
        where = type(self).__name__
        if self.bs is not None and self.bs < 1:
            raise ContractError(f"{where}: bs={self.bs}. Give 1 or more, or None for no batching.")
        if self.num_workers < 0:
            raise ContractError(f"{where}: num_workers={self.num_workers}. Give 0 or more.")
        if not (self.indexed or hasattr(self.dataset, "__iter__")):
            raise ContractError(
                f"{where}: a {type(self.dataset).__name__} is no data set. "
                "Give something with len() and [i], or an iterable."
            )
        if self.shuffle and not self.indexed:
            raise ContractError(f"{where}: a stream cannot be shuffled. Leave out shuffle=True.")
        n = self.n
        if self.drop_last and n and self.bs is not None and n < self.bs:
            warnings.warn(
                f"{where}: bs={self.bs} is larger than the data set ({n} items). The only batch "
                f"is kept although drop_last is set; give a bs of at most {n}.",
                stacklevel=3,
            )

    def _is_default(self, stage: str) -> bool:
        """Tell whether a stage does what it does in this module.

        Args:
            stage: its name.
        """
        return stage not in vars(self) and getattr(type(self), stage) is vars(DataLoader)[stage]

    def _settings(self) -> dict[str, Any]:
        """Return the arguments, besides the data set, that make a loader like this one."""
        own = [n for n in signature_names(type(self)) if n != "dataset" and hasattr(self, n)]
        return {name: getattr(self, name) for name in own} | self.options

    def _hire(self) -> Crew:
        if self._crew is None or not self._crew.persistent:
            self._crew = Crew(self)
        return self._crew

    def _current_plan(self) -> Plan:
        if self.plan is None:
            self.plan = self._make_plan(self.epoch)
        return self.plan

    def _nothing(self) -> str:
        where = type(self).__name__
        if self.skipped:
            first = self.skipped[0].reason or "no reason given"
            return f"{where}: all {len(self.skipped)} items were skipped ({first})."
        kind = type(self.dataset).__name__
        return (
            f"{where}: the data set ({kind}) is empty. Check where its items come from and how "
            "they were split."
        )


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
