"""The batch size finder: how many items fit, and how fast they go through."""

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.train.callback import Callback
from lamina.train.events import CancelFit, CancelValid
from lamina.train.lr_finder import unchanged

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["BatchSizes", "find_bs"]

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@dataclass(frozen=True)
class BatchSizes:
    """The batch sizes that were tried, and why it ended.

    Attributes:
        sizes: The sizes that worked.
        seconds: The time of one step at each.
        why: Why no larger one was tried.

    Example:
        >>> BatchSizes([8, 16, 32], [0.1, 0.1, 0.4], "max_bs").fastest
        16
    """

    sizes: list[int]
    seconds: list[float]
    why: str

    @property
    def largest(self) -> int:
        """The largest that worked."""
        return self.sizes[-1]

    @property
    def fastest(self) -> int:
        """The one with the most items per second."""
        rates = [bs / s for bs, s in zip(self.sizes, self.seconds, strict=True)]
        return self.sizes[rates.index(max(rates))]


class _StepTimer(Callback):
    """Time some training steps, then end the fit."""

    order: ClassVar[int] = 100

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n, self.seconds, self._start = n, float("inf"), 0.0

    def before_batch(self, learn: "Learner") -> None:
        self._start = time.perf_counter()

    def after_batch(self, learn: "Learner") -> None:
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        self.seconds = min(self.seconds, time.perf_counter() - self._start)
        if learn.exc is None and learn.train_iter + 1 >= self.n:
            raise CancelFit

    def before_validate(self, learn: "Learner") -> None:
        raise CancelValid


@strict
def find_bs(
    learn: "Learner",
    start: int = 2,
    max_bs: int = 65536,
    *,
    max_seconds: float = 10.0,
    n_steps: int = 2,
) -> BatchSizes:
    """Double the batch size until memory, time or the training set is at its end.

    Each size takes some training steps with all callbacks. Afterwards learner and random streams
    are as before; set the size by making the loaders with `bs=...`.

    Args:
        learn: The learner.
        start: The first size.
        max_bs: The largest size to try.
        max_seconds: No larger size is tried when a step takes longer.
        n_steps: Steps per size, of which the fastest counts.

    Raises:
        ContractError: The training loader cannot be made with another size, or not even the first
            size fits.
    """
    if not hasattr(learn.dls.train, "new") or getattr(learn.dls.train, "bs", None) is None:
        raise ContractError("find_bs: the training loader has no batch size that could be changed.")
    found = BatchSizes([], [], "max_bs")
    bs, end = start, min(max_bs, learn.dls.train.n or max_bs)
    with unchanged(learn):
        while bs <= end and found.why == "max_bs":
            found = _with_next(found, bs, _seconds_per_step(learn, bs, n_steps), max_seconds)
            bs *= 2
    if not found.sizes:
        raise ContractError(f"find_bs: a batch of {start} does not fit in memory. Start lower.")
    return found


def _with_next(found: BatchSizes, bs: int, seconds: float | None, max_seconds: float) -> BatchSizes:
    if seconds is None:
        return replace(found, why="memory")
    why = "max_seconds" if seconds > max_seconds else found.why
    return BatchSizes([*found.sizes, bs], [*found.seconds, seconds], why)


def _seconds_per_step(learn: "Learner", bs: int, n_steps: int) -> float | None:
    """Time a step at a batch size; None if it does not fit in memory."""
    timer = _StepTimer(n_steps)
    train: Any = learn.dls.loaders[0]
    learn.dls.loaders[0] = train.new(bs=bs, drop_last=True)
    try:
        with learn.added_cbs(timer):
            if learn.opt is None:
                learn.create_opt()
            learn.run_fit(n_steps, purpose="find")  # an epoch has a batch at least
    except RuntimeError as error:
        if not _is_no_memory(error):
            raise
        return None
    finally:
        learn.dls.loaders[0] = train
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return timer.seconds


def _is_no_memory(error: RuntimeError) -> bool:
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(sign in text for sign in _NO_MEMORY)
