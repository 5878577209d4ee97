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
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from numbers import Integral
from typing import Any, Self, Unpack

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from lamina.data.loading.options import OPTIONS, STAGES, LoaderOptions, check_options
from lamina.data.loading.plan import Plan, SkipReport, count_repeats, n_batches
from lamina.data.loading.share import blocks, note, rank_of
from lamina.data.loading.stages import Stages
from lamina.data.loading.threads import Threads
from lamina.data.loading.workers import Crew, Made, produce
from lamina.foundation.errors import ContractError, DataError, refuse_unknown
from lamina.foundation.seeding import base_seed, derive, using
from lamina.foundation.signatures import signature_names
from lamina.tensor.device import parse_device
from lamina.tensor.tree import map_tree, to_device

__all__ = ["STAGES", "DataLoader"]


class DataLoader(Stages):
    """Batches of a data set, the same ones for a seed whatever the number of worker processes.

    All randomness is counted: shuffling follows from (seed, epoch), what a transform draws for an
    item from (seed, epoch, index), for a batch from (seed, epoch, number of the batch). No global
    random state is read or changed. Items whose transforms raise `SkipItem` are left out of their
    batch and listed in `skipped`.

    A data set is anything with `len` and `[i]`, or any iterable (a stream). If it has
    `__getitems__(indices)`, a batch is fetched in one call: a returned list is taken as items,
    anything else as the finished batch. Every worker and every rank reads all of a stream and
    uses its share, so the stream must not divide itself.

    Args:
        dataset: where items come from.
        bs: items per batch; None if every item is already a batch.
        shuffle: whether each pass has its own random order.
        drop_last: leave out an incomplete last batch, unless it is the only one.
        num_workers: worker processes or threads; 0 works in this one.
        seed: where randomness starts; None follows `set_seed`.
        device: where batches go before `after_batch`; None leaves them.
        options: see `LoaderOptions`; the fifteen stages are described at the top of the module.

    Attributes:
        epoch: the number of the next pass; it advances when a pass starts.
        skipped: what the current or latest pass skipped, and why; prints counts.
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
        self.skipped = SkipReport()
        self.plan: Plan | None = None
        self._crew: Crew | Threads | None = None
        self._first = 0  # the batch that the next pass begins with
        self._place: tuple[int, int] | None = None  # the pass that goes on, and its next batch
        is_stream = isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__")
        self.indexed: bool = self.options.get("indexed", not is_stream)
        self._replace_stages()
        self._check()

    # Use.

    def __iter__(self) -> Iterator[Any]:
        self._place = epoch, first = self.epoch, self._first
        self.epoch, self._first = epoch + 1, 0
        return self._started(epoch, first)

    def _started(self, epoch: int, first: int) -> Iterator[Any]:
        yield from self._run(self._make_plan(epoch, first), self.num_workers, keeps_place=True)

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
        n = min((x for x in (most, size) if x is not None), default=None)
        if n is None or self.indexed:
            return n
        rank, world = rank_of(self)
        return len(range(rank, n, world))

    def one_batch(self) -> Any:
        """Return the first batch of the next pass, made in this process; the epoch stays.

        Raises:
            DataError: there is no item.
        """
        batches = self._run(self._make_plan(self.epoch), 0)
        try:
            return next(batches)
        except StopIteration:
            raise DataError(self._nothing()) from None
        finally:
            batches.close()

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next pass.

        Args:
            epoch: the number, from 0. If it is the number of a pass that `load_state_dict` left
                half done, that pass goes on where it was.
        """
        self._first = self._first if epoch == self.epoch else 0
        self.epoch, self._place = epoch, None

    def state_dict(self) -> dict[str, int]:
        """Return where the loader is: the seed, the pass, and how many of its batches were given.

        A pass that was left early counts as going on, until the next one starts.
        """
        epoch, batch = self._place or (self.epoch, self._first)
        seed = base_seed() if self.seed is None else self.seed
        return {"seed": seed, "epoch": epoch, "batch": batch}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from a state: the next pass gives the batches that were still to come.

        The order and what transforms draw are those of the pass as it would have gone on, with
        any number of workers.

        Args:
            state: what `state_dict` returned, with the same data set and batch size.

        Raises:
            DataError: it is not such a state.
        """
        if set(state) != {"seed", "epoch", "batch"}:
            raise DataError(
                f"{type(self).__name__}.load_state_dict: got {sorted(state)}. Expected what "
                "state_dict returned: the keys 'seed', 'epoch' and 'batch'."
            )
        self.seed, self.epoch, self._first = state["seed"], state["epoch"], state["batch"]
        self._place = None

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

    def _run(self, plan: Plan, n_workers: int, *, keeps_place: bool = False) -> Generator[Any]:
        self.skipped = SkipReport()
        is_empty = True
        source = self._finished(plan, n_workers)
        try:
            for number, batch in source:
                if keeps_place:
                    self._place = (plan.epoch, number + 1)
                if batch is not None:
                    is_empty = False
                    yield batch
            if self.shuffle and is_empty and not plan.first:
                raise DataError(self._nothing())
            if keeps_place:
                self._place = None
        finally:
            source.close()
            self.after_iter()

    def _make_plan(self, epoch: int, first: int = 0) -> Plan:
        seed = base_seed() if self.seed is None else self.seed
        plan = Plan(seed, epoch, None, self.bs, first=first)
        if not self.indexed:
            plan.rank, plan.world = rank_of(self)
            plan.seed = derive(seed, "rank", plan.rank) if plan.world > 1 else seed
        with using(plan.randomness("shuffle")):
            self.before_iter()
            plan.idxs = self.get_idxs()
        if plan.idxs is not None and not self._is_default("get_idxs"):
            plan.idxs = plan.idxs if isinstance(plan.idxs, Sequence) else list(plan.idxs)
            plan.repeats = count_repeats(plan.idxs)
        if plan.idxs is not None and self.drop_last:
            plan.idxs = plan.idxs[: n_batches(len(plan.idxs), self.bs, drop_last=True) * plan.size]
        return plan

    def _finished(self, plan: Plan, n_workers: int) -> Generator[tuple[int, Any]]:
        """Give number and content of every batch, None for one whose items were all skipped."""
        stays = self._is_default("after_batch")
        pins = bool(self.options.get("pin_memory")) and torch.accelerator.is_available()
        rows = None if n_workers or pins else blocks(self, plan)
        if rows is not None and stays:
            yield from enumerate(rows, plan.first)
            return
        if rows is not None:
            source = (Made(k, batch, []) for k, batch in enumerate(rows, plan.first))
        else:
            source = self._hire().produce(plan) if n_workers else produce(self, plan)
        with closing(source):
            for made in source:
                self.skipped += made.skipped
                batch = made.batch
                if batch is not None and rows is None:
                    batch = self._sent(batch, pins=pins and not n_workers)
                yield made.number, batch if stays else self._transformed(made, batch, plan)

    def _sent(self, batch: Any, *, pins: bool) -> Any:
        """Send a batch to its device."""
        batch = map_tree(Tensor.pin_memory, batch) if pins else batch
        if self.device is None:
            return batch
        is_pinned = bool(self.options.get("pin_memory"))
        return to_device(batch, self.device, non_blocking=is_pinned)

    def _transformed(self, made: Made, batch: Any, plan: Plan) -> Any:
        """Do what is left for the parent process."""
        if batch is None:
            return None
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
        bs = self.bs
        if bs is not None and not (isinstance(bs, Integral) and bs >= 1):
            raise ContractError(f"{where}: bs={bs!r}. Give 1 or more, or None for no batching.")
        check_options(where, self.num_workers, self.options)
        once = isinstance(self.dataset, Iterator)
        if once or not (self.indexed or hasattr(self.dataset, "__iter__")):
            raise ContractError(
                f"{where}: a {type(self.dataset).__name__} is no data set. Give something with "
                "len() and [i], or an iterable that can be gone through again for each pass."
            )
        if self.shuffle and not self.indexed and not self.options.get("buffer"):
            what = f"{where}: a stream can be shuffled only within a buffer"
            raise ContractError(f"{what}. Give buffer=1000 to choose among so many at a time.")
        n = self.n
        if self.drop_last and n and bs is not None and n < bs:
            warnings.warn(
                f"{where}: bs={bs} is larger than the data set ({n} items). The only batch "
                f"is kept although drop_last is set; give a bs of at most {n}.",
                stacklevel=3,
            )

    def _settings(self) -> dict[str, Any]:
        """Return the arguments, besides the data set, that make a loader like this one."""
        own = [n for n in signature_names(type(self)) if n != "dataset" and hasattr(self, n)]
        return {name: getattr(self, name) for name in own} | self.options

    def _hire(self) -> Crew | Threads:
        if self._crew is None or not self._crew.persistent:
            threaded = self.options.get("worker_type") == "thread"
            self._crew = Threads(self) if threaded else Crew(self)
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
        what = f"{where}: the data set ({type(self.dataset).__name__}) is empty"
        return f"{what}. Check where its items come from and how they were split."
