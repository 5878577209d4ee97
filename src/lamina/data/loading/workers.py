"""Batches from this process or from worker processes, in the same order and with the same content.

PyTorch's loader runs the processes and hands over their results in turn: worker `w` of `n` makes
batches `w`, `w + n`, and so on. A batch whose items were all skipped is handed over as None, so
that the turn is kept. An error travels as a value, with its notes, and is raised by the parent.
"""

import pickle
import traceback
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.multiprocessing
from torch.utils.data import DataLoader as TorchLoader
from torch.utils.data import IterableDataset, get_worker_info

from lamina.data.loading.plan import Plan, Skipped
from lamina.foundation.errors import ContractError, DataError
from lamina.foundation.seeding import derive

if TYPE_CHECKING:
    from lamina.data.loader import DataLoader

__all__ = ["Crew", "Made", "produce"]

_GONE = (
    "num_workers=0 shows an error in the data's code, or the item that hangs. If memory ran out, "
    "take fewer workers or a smaller bs; if an item only takes long, give a longer timeout."
)


@dataclass(slots=True)
class Failure:
    """An error on its way to the parent process."""

    error: Exception
    notes: list[str]

    @classmethod
    def of(cls, error: Exception, worker: int) -> "Failure":
        """Pack an error, or, if it cannot be sent, a `DataError` with its text."""
        trace = "".join(traceback.format_exception(error))
        notes = [*getattr(error, "__notes__", ()), f"in worker process {worker}:\n{trace}"]
        try:
            pickle.loads(pickle.dumps(error))  # our own bytes
        except Exception:  # whatever hinders sending it
            error = DataError(f"{type(error).__name__}: {error}")
        return cls(error.with_traceback(None), notes)

    def unpack(self) -> Exception:
        """Return the error with its notes."""
        self.error.__dict__.pop("__notes__", None)
        for note in self.notes:
            self.error.add_note(note)
        return self.error


class Made(NamedTuple):
    """One batch as a worker hands it over; a tuple, so that PyTorch finds the tensors to pin.

    Args:
        number: its number in the pass.
        batch: its content; None if all of its items were skipped.
        skipped: the items skipped on the way.
    """

    number: int
    batch: Any
    skipped: list[Skipped]


def produce(loader: "DataLoader", plan: Plan) -> Generator[Made]:
    """Make the batches of one worker's share."""
    loader.plan = plan
    for k, batch in enumerate(loader.create_batches(loader.sample())):
        skipped, plan.skipped = plan.skipped, []
        yield Made(plan.number(k), batch, skipped)


class Crew:
    """The worker processes of a loader; persistent ones serve one pass after another."""

    def __init__(self, loader: "DataLoader") -> None:
        options = loader.options
        self.persistent: bool = bool(options.get("persistent_workers"))
        self._plan: Plan | None = None  # the pass that goes on
        self._feed = _Feed(loader, loader.num_workers if self.persistent else 0)
        self._generator = torch.Generator()
        self._processes = TorchLoader(
            self._feed,
            batch_size=None,
            collate_fn=_same,
            num_workers=loader.num_workers,
            pin_memory=bool(options.get("pin_memory")) and torch.accelerator.is_available(),
            timeout=options.get("timeout") or 0.0,
            worker_init_fn=_start_process,
            prefetch_factor=options.get("prefetch_factor"),
            persistent_workers=self.persistent,
            generator=self._generator,
        )

    def produce(self, plan: Plan) -> Generator[Made]:
        """Let the processes make the batches of one pass, and give them in order."""
        self._generator.manual_seed(derive(plan.seed, "workers", plan.epoch) >> 1)
        self._feed.assign(plan)
        self._plan = plan
        for made in self._received():
            if self._plan is not plan:
                raise ContractError(
                    f"{type(self._feed.loader).__name__}: another pass has begun, and persistent "
                    "workers serve one at a time. Leave out persistent_workers, or use dl.new()."
                )
            if isinstance(made, Failure):
                raise made.unpack()
            yield made

    def _received(self) -> Generator[Any]:
        try:
            yield from self._processes
        except RuntimeError as error:  # of PyTorch: those of the processes come as values
            raise DataError(f"{type(self._feed.loader).__name__}: {error}. {_GONE}") from error


class _Feed(IterableDataset[Any]):
    """What runs inside a worker process: carries out its share of the plan."""

    def __init__(self, loader: "DataLoader", n_mailboxes: int) -> None:
        self.loader = loader
        self.plan: Plan | None = None
        context = torch.multiprocessing.get_context()
        # Processes that outlive a pass get the next plan by mail; others are born with it.
        self.mailboxes = [context.Queue() for _ in range(n_mailboxes)]
        for box in self.mailboxes:
            box.cancel_join_thread()

    def assign(self, plan: Plan) -> None:
        self.plan = None if self.mailboxes else plan
        for box in self.mailboxes:
            box.put(plan)

    def __iter__(self) -> Iterator[Made | Failure]:
        info: Any = get_worker_info()
        plan: Any = self.mailboxes[info.id].get() if self.mailboxes else self.plan
        try:
            share = replace(plan, worker=info.id, n_workers=info.num_workers, skipped=[])
            yield from produce(self.loader, share)
        except Exception as error:  # the parent raises it
            yield Failure.of(error, info.id)


def _start_process(_worker: int) -> None:
    info: Any = get_worker_info()
    info.dataset.loader.wif()


def _same(x: Any) -> Any:
    return x
