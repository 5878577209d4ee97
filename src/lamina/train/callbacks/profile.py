"""Where the time and the memory of training go."""

import sys
import time
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from lamina.foundation.errors import ContractError
from lamina.tensor.tree import find_bs
from lamina.train.callback import Callback
from lamina.viz.canvas import new_axes
from lamina.viz.tables import Table

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["Profile"]

PARTS = ("data", "forward", "loss", "backward", "step", "rest")


class Profile(Callback):
    """Measure how long each part of a training batch takes, and how much memory is used.

    "data" is the wait for the loader, "rest" is zeroing gradients and what callbacks do at the end
    of a batch; what they do elsewhere counts to the part that follows. On a GPU the times of the
    host and those of the device are measured side by side, without waiting in the step: where the
    device has the longer ones, the host runs ahead and the device decides the speed.

    Args:
        skip: Batches left out at the start, in which kernels are chosen and caches filled.

    Attributes:
        seconds: Per part, the host's time in each batch.
        device_seconds: The same, of the GPU; empty on the CPU.
        n_items: Items in the batches measured.
        peak_bytes: The most memory that was in use: of the GPU's, else of the process.

    Example:
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.ones(4, 2), torch.ones(4, 1))] * 3
        >>> profile = Profile()
        >>> learn = Learner((batches, batches), torch.nn.Linear(2, 1), torch.nn.MSELoss())
        >>> with learn.no_bar():
        ...     learn.fit(1, cbs=profile)
        >>> [row[0] for row in profile.table().rows]
        ['data', 'forward', 'loss', 'backward', 'step', 'rest', 'batch']
    """

    order: ClassVar[int] = -1000
    only_fit: ClassVar[bool] = True
    run_valid = False

    def __init__(self, skip: int = 1) -> None:
        super().__init__()
        self.skip = skip
        self._end = _EndOfBatch(self)
        self._clear()

    def _clear(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.device_seconds: dict[str, list[float]] = defaultdict(list)
        self.n_items, self.peak_bytes = 0, 0
        self._left = self.skip
        self._is_cuda = False
        self._last, self._last_event = 0.0, None
        self._events: list[tuple[str, Any, Any]] = []

    def before_fit(self, learn: "Learner") -> None:
        self._clear()
        device = torch.device(getattr(learn.dls, "device", None) or "cpu")
        self._is_cuda = device.type == "cuda"
        if self._is_cuda:
            torch.cuda.reset_peak_memory_stats()
        learn.add_cb(self._end)

    def before_train(self, learn: "Learner") -> None:
        self._start()

    def before_batch(self, learn: "Learner") -> None:
        self._mark("data")
        if not self._left:
            self.n_items += find_bs(learn.xb)

    def after_pred(self, learn: "Learner") -> None:
        self._mark("forward")

    def after_loss(self, learn: "Learner") -> None:
        self._mark("loss")

    def after_backward(self, learn: "Learner") -> None:
        self._mark("backward")

    def after_step(self, learn: "Learner") -> None:
        self._mark("step")

    def end_batch(self) -> None:
        """Close a batch; called after all other callbacks."""
        self._mark("rest")
        self._left -= self._left > 0

    def after_train(self, learn: "Learner") -> None:
        if self._is_cuda:
            torch.cuda.synchronize()
            for part, first, second in self._events:
                self.device_seconds[part].append(first.elapsed_time(second) / 1e3)
            self._events = []
            self.peak_bytes = torch.cuda.max_memory_allocated()
        else:
            self.peak_bytes = max(self.peak_bytes, _process_bytes())

    def after_fit(self, learn: "Learner") -> None:
        learn.remove_cb(self._end)

    def _start(self) -> None:
        self._last_event = _recorded_event() if self._is_cuda else None
        self._last = time.perf_counter()

    def _mark(self, part: str) -> None:
        """Give the time since the last mark to a part."""
        now = time.perf_counter()
        if not self._left:
            self.seconds[part].append(now - self._last)
        self._last = now
        if self._is_cuda:
            event = _recorded_event()
            if not self._left:
                self._events.append((part, self._last_event, event))
            self._last_event = event

    @property
    def items_per_second(self) -> float:
        """Items trained per second, the wait for data included."""
        total = sum(map(sum, self.seconds.values()))
        return self.n_items / total if total else 0.0

    def table(self) -> Table:
        """Return a row per part: milliseconds of a batch (median) and share of the time.

        Raises:
            ContractError: Nothing was measured.
        """
        medians, shares = self._medians(self.seconds), self._shares()
        device = self._medians(self.device_seconds)
        header = ["part", "ms", "%", *(["device ms"] if device else [])]
        rows = [
            [part, 1e3 * medians[part], 100 * shares[part], *_cell(device, part)]
            for part in PARTS
            if part in medians
        ]
        total = [sum(medians.values()), *([sum(device.values())] if device else [])]
        rows.append(["batch", 1e3 * total[0], 100.0, *(1e3 * t for t in total[1:])])
        return Table(header, rows, title=self._title())

    def plot(self, ax: Any = None) -> Any:
        """Draw the share of each part as one bar; return the axes.

        Args:
            ax: Where to draw; None opens a new figure.
        """
        ax = new_axes((8, 2.2)) if ax is None else ax
        left = 0.0
        for part, share in self._shares().items():
            ax.barh(0, share * 100, left=left, label=f"{part} {share:.0%}")
            left += share * 100
        ax.set_yticks([])
        ax.set_xlim(0, 100)
        ax.set_xlabel("% of the time of a batch")
        ax.set_title(self._title(), fontsize="medium")
        ax.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.35), fontsize="small")
        ax.figure.set_layout_engine("constrained")
        return ax

    def _medians(self, seconds: dict[str, list[float]]) -> dict[str, float]:
        return {part: median(values) for part, values in seconds.items()}

    def _shares(self) -> dict[str, float]:
        totals = {part: sum(self.seconds[part]) for part in PARTS if part in self.seconds}
        if not totals:
            raise ContractError(
                f"Profile: nothing was measured. Fit with this callback, for more than {self.skip} "
                "batches."
            )
        return {part: value / sum(totals.values()) for part, value in totals.items()}

    def _title(self) -> str:
        where = "GPU" if self._is_cuda else "process"
        return f"{self.items_per_second:,.0f} items/s, {where}: {self.peak_bytes / 2**20:,.0f} MiB"


class _EndOfBatch(Callback):
    """Close the batch of a profile after all other callbacks."""

    order: ClassVar[int] = 100_000
    run_valid = False

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.profile = profile

    def after_batch(self, learn: "Learner") -> None:
        self.profile.end_batch()


def _cell(values: dict[str, float], part: str) -> list[float]:
    return [1e3 * values[part]] if part in values else []


def _recorded_event() -> Any:
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _process_bytes() -> int:
    """The most memory that this process has had; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
