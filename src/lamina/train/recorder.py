# ruff: noqa: D102 - the events are documented in lamina.train.events
"""What happened in a fit: losses, metrics, learning rates, and their curves.

Nothing here waits for the device during a step: losses are kept where they are and read together,
when the display refreshes, when someone asks, or at the end of an epoch.
"""

import time
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from lamina.metrics.base import AvgLoss, Metric
from lamina.tensor.tree import map_tree
from lamina.train.callback import Callback
from lamina.train.callbacks.schedule import ParamScheduler
from lamina.train.loop import validation_sets
from lamina.viz import curves

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["LossTrack", "Meter", "Recorder"]

_FOLD = 1024  # losses kept as separate tensors before they are joined on the device


class LossTrack:
    """Losses of the batches, kept on the device and smoothed when they are read.

    Args:
        beta: The weight of the past in the moving average.

    Example:
        >>> track = LossTrack(beta=0.5)
        >>> track.add(torch.tensor(1.0))
        >>> track.add(torch.tensor(4.0))
        >>> track.smoothed()
        [1.0, 3.0]
    """

    def __init__(self, beta: float = 0.98) -> None:
        self.beta = beta
        self._waiting: list[Tensor] = []
        self._joined: list[Tensor] = []
        self._smoothed: list[float] = []
        self._mean = 0.0

    def add(self, loss: Any) -> None:
        """Keep the loss of a batch; no value is read."""
        value = loss.detach() if type(loss) is Tensor else torch.as_tensor(loss)
        self._waiting.append(value.mean() if value.ndim else value)
        if len(self._waiting) >= _FOLD:
            self._join()

    def smoothed(self) -> list[float]:
        """Read the moving averages, corrected for their start at zero."""
        self._join()
        for chunk in self._joined:
            for loss in chunk.tolist():
                self._mean = self.beta * self._mean + (1 - self.beta) * loss
                correction = 1 - self.beta ** (len(self._smoothed) + 1)
                self._smoothed.append(self._mean / correction)
        self._joined = []
        return self._smoothed

    def _join(self) -> None:
        if self._waiting:
            self._joined.append(torch.stack(self._waiting))
            self._waiting = []


class Meter:
    """The loss and the metrics of one pass over a set.

    Args:
        metrics: The metrics beside the loss.
    """

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.metrics: list[Metric] = [AvgLoss(), *metrics]

    def reset(self) -> None:
        """Start a pass."""
        for metric in self.metrics:
            metric.reset()

    def accumulate(self, learn: "Learner") -> None:
        """Take in the batch that the learner has at hand."""
        if learn.pred is None or learn.loss is None:
            return
        for metric in self.metrics:
            try:
                metric.accumulate(learn)
            except Exception as error:
                error.add_note(f"In metric {metric.name}.")
                raise

    def values(self) -> list[Any]:
        """Read the values; this waits for the device.

        Numbers are floats, not a number if there is none; a metric that gives a list, a tuple or a
        dict keeps it.
        """
        return [_read(metric.value) for metric in self.metrics]


class Recorder(Callback):
    """Keep the losses, metrics and hyper-parameters of a fit; it starts anew with every fit.

    Args:
        add_time: Whether the record of an epoch ends with its duration in seconds.
        train_metrics: Whether the metrics are also measured on the training set.
        valid_metrics: Whether the validation sets are measured.
        beta: The smoothing of the training loss.

    Attributes:
        metric_names: The names of the columns of `values`.
        values: One record per epoch.
        log: The record of the epoch at hand.
        lrs: The learning rate of the last group, per training batch.
        hps: The hyper-parameters that a schedule set, per training batch.
        iters: The number of training batches done at the end of each epoch.
    """

    order: ClassVar[int] = 50
    only_fit: ClassVar[bool] = True

    def __init__(
        self,
        *,
        add_time: bool = True,
        train_metrics: bool = False,
        valid_metrics: bool = True,
        beta: float = 0.98,
    ) -> None:
        super().__init__()
        self.add_time, self.beta = add_time, beta
        self.train_metrics, self.valid_metrics = train_metrics, valid_metrics
        self.run_valid = valid_metrics
        self._clear()

    def _clear(self) -> None:
        self.track = LossTrack(self.beta)
        self.metric_names: list[str] = []
        self.values: list[list[Any]] = []
        self.log: list[Any] = []
        self.lrs: list[float] = []
        self.iters: list[int] = []
        self.hps: dict[str, list[float]] = {}
        self._meter = Meter(())
        self._started = 0.0

    @property
    def losses(self) -> list[float]:
        """The smoothed training loss, per batch; reading it waits for the device."""
        return self.track.smoothed()

    @property
    def smooth_loss(self) -> float:
        """The smoothed training loss of the last batch; `nan` before the first."""
        losses = self.losses
        return losses[-1] if losses else float("nan")

    def before_fit(self, learn: "Learner") -> None:
        self._clear()
        self._meter = Meter(learn.metrics)
        self.metric_names = self._names(learn)

    def _names(self, learn: "Learner") -> list[str]:
        metrics = [metric.name for metric in learn.metrics]
        names = ["epoch", "train_loss"]
        if self.train_metrics:
            names += [f"train_{name}" for name in metrics]
        for i in validation_sets(learn.dls) if self.valid_metrics else []:
            suffix = "" if i == 1 else f"_{i}"
            names += [f"{name}{suffix}" for name in ("valid_loss", *metrics)]
        return [*names, "time"] if self.add_time else names

    def before_epoch(self, learn: "Learner") -> None:
        self._started = time.perf_counter()
        self.log = [learn.epoch]

    def before_train(self, learn: "Learner") -> None:
        self._meter.reset()

    def before_validate(self, learn: "Learner") -> None:
        self._meter.reset()

    def after_batch(self, learn: "Learner") -> None:
        if not learn.training:
            self._meter.accumulate(learn)
        elif learn.loss is not None:
            self.track.add(learn.loss)
            self.lrs.append(learn.opt.hypers[-1]["lr"])
            if self.train_metrics:
                self._meter.accumulate(learn)

    def after_train(self, learn: "Learner") -> None:
        self.iters.append(len(self.lrs))
        self.log.append(self.smooth_loss)
        if self.train_metrics:
            self.log += self._meter.values()[1:]

    def after_validate(self, learn: "Learner") -> None:
        if self.valid_metrics:
            self.log += self._meter.values()

    def after_epoch(self, learn: "Learner") -> None:
        missing = len(self.metric_names) - len(self.log) - self.add_time
        self.log += [float("nan")] * missing
        if self.add_time:
            self.log.append(time.perf_counter() - self._started)
        self.values.append(self.log)

    def after_fit(self, learn: "Learner") -> None:
        for cb in learn.cbs:
            if isinstance(cb, ParamScheduler):
                self.hps.update(cb.hps)

    def last(self, name: str) -> Any:
        """Return the newest value of a column of the record."""
        return dict(zip(self.metric_names, self.log, strict=False))[name]

    def plot_loss(
        self, skip_start: int = 5, *, with_valid: bool = True, log: bool = False, ax: Any = None
    ) -> Any:
        """Draw the smoothed training loss and the validation loss; return the axes.

        Args:
            skip_start: Batches left out at the start.
            with_valid: Whether to draw the validation loss.
            log: Whether the loss axis is logarithmic.
            ax: Where to draw; None opens a new figure.
        """
        valid = self._column("valid_loss") if with_valid else []
        steps = self.iters[: len(valid)]
        skip = min(skip_start, max(0, len(self.losses) - 1))
        return curves.plot_loss(
            self.losses, valid, valid_steps=steps, skip_start=skip, log=log, ax=ax
        )

    def plot_sched(self, keys: Sequence[str] | None = None) -> Any:
        """Draw the scheduled hyper-parameters over the fit; return the axes.

        Args:
            keys: Which; None draws all that a schedule set, else the learning rate.
        """
        hps = self.hps or {"lr": self.lrs}
        return curves.plot_sched({key: hps[key] for key in keys or hps})

    def _column(self, name: str) -> list[float]:
        at = self.metric_names.index(name) if name in self.metric_names else None
        return [] if at is None else [row[at] for row in self.values]

    def __repr__(self) -> str:
        return f"Recorder({len(self.values)} epochs)"


def _read(value: Any) -> Any:
    value = map_tree(Tensor.tolist, value)
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if value is None:
        return float("nan")
    return float(value) if isinstance(value, Real) else value
