"""Batches from worker threads: for work that lets go of Python's lock, such as reading files."""

import queue
import threading
from collections.abc import Generator
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lamina.data.items import Subsets
from lamina.data.loading.plan import Plan
from lamina.data.loading.stages import Stages
from lamina.data.loading.workers import Made, produce
from lamina.data.pipeline import Pipeline
from lamina.data.transform import Transform
from lamina.foundation.errors import DataError
from lamina.tensor.tree import map_tree

if TYPE_CHECKING:
    from lamina.data.loader import DataLoader

__all__ = ["Threads", "apart"]

_LEAVE_S = 5.0  # how long to wait for a thread that is still making a batch


class Threads:
    """The worker threads of a loader, started for each pass.

    They share the data set, and each has transforms of its own: a random one keeps what it drew
    for an item on itself.
    """

    persistent = True  # nothing has to be built anew for another pass

    def __init__(self, loader: "DataLoader") -> None:
        self._loader = loader

    def produce(self, plan: Plan) -> Generator[Made]:
        """Let the threads make the batches of one pass, and give them in order."""
        n = self._loader.num_workers
        crew = [_Worker(self._loader, replace(plan, worker=w, n_workers=n)) for w in range(n)]
        timeout = self._loader.options.get("timeout") or None
        try:
            turn = 0
            while (made := crew[turn].next(timeout)) is not None:
                yield made
                turn = (turn + 1) % n
        finally:
            for worker in crew:
                worker.stop()
            for worker in crew:
                worker.thread.join(_LEAVE_S)


class _Worker:
    """A thread that makes its share of the batches, at most so many ahead."""

    def __init__(self, loader: "DataLoader", plan: Plan) -> None:
        self.loader = apart(loader)
        self.plan = replace(plan, skipped=[])
        self.ahead = threading.Semaphore(loader.options.get("prefetch_factor") or 2)
        self.made: queue.SimpleQueue[Made | Exception | None] = queue.SimpleQueue()
        self.stopped = False
        self.thread = threading.Thread(target=self._work, daemon=True, name=f"loader-{plan.worker}")
        self.thread.start()

    def next(self, timeout: float | None) -> Made | None:
        """Wait for the next batch; None if there is no more."""
        try:
            made = self.made.get(timeout=timeout)
        except queue.Empty:
            raise DataError(
                f"{type(self.loader).__name__}: worker thread {self.plan.worker} made no batch in "
                f"{timeout:g} seconds. Give a longer timeout, or look for an item that hangs."
            ) from None
        if isinstance(made, Exception):
            raise made
        self.ahead.release()
        return made

    def stop(self) -> None:
        self.stopped = True
        self.ahead.release()

    def _work(self) -> None:
        try:
            self.loader.wif()
            pin = self.loader.options.get("pin_memory") and torch.accelerator.is_available()
            batches = produce(self.loader, self.plan)
            while self._may_go_on() and (made := next(batches, None)) is not None:
                self.made.put(map_tree(Tensor.pin_memory, made) if pin else made)
        except Exception as error:  # the consumer raises it
            error.add_note(f"in worker thread {self.plan.worker}")
            self.made.put(error)
        finally:
            self.made.put(None)

    def _may_go_on(self) -> bool:
        self.ahead.acquire()
        return not self.stopped


def apart(x: Any, copies: dict[int, Any] | None = None) -> Any:
    """Copy a loader, data set or pipeline down to its transforms; the items stay shared.

    Args:
        x: what to copy; anything else is returned as it is.
        copies: the copies made so far by the identity of what they are copies of.
    """
    copies = {} if copies is None else copies
    if id(x) in copies:
        return copies[id(x)]
    if type(x) in (list, tuple) and x and isinstance(x[0], _OWN):
        return type(x)(apart(part, copies) for part in x)
    if type(x) is dict and x and isinstance(next(iter(x.values())), _OWN):
        return {key: apart(part, copies) for key, part in x.items()}
    if not isinstance(x, _OWN):
        return x
    made = copies[id(x)] = copy(x)
    vars(made).update({k: apart(v, copies) for k, v in vars(made).items() if k != "items"})
    return made


_OWN = (Transform, Pipeline, Subsets, Stages)
