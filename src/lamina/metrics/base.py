"""What a metric is, and the metrics that are averages.

Everything is gathered on the device; only reading `value` waits for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.tensor.tree import find_bs

__all__ = [
    "AvgLoss",
    "AvgMetric",
    "AvgSmoothLoss",
    "MeanThen",
    "Metric",
    "MetricFunc",
    "ValueMetric",
    "flatten_check",
    "mk_metric",
]

MetricFunc = Callable[..., Any]


class Batch(Protocol):
    """What a metric reads of a learner after a batch."""

    @property
    def pred(self) -> Any:
        """The model's output."""
        ...

    @property
    def y(self) -> Any:
        """The target, or a tuple of targets."""
        ...

    @property
    def loss(self) -> Any:
        """The mean loss of the batch."""
        ...


class Metric:
    """A quantity gathered over batches.

    A subclass has `reset`, `accumulate` and `value`. One that needs only predictions and targets
    can have `update(pred, targ)` in place of `accumulate`.

    Example:
        >>> class Count(Metric):
        ...     def reset(self): self.n = 0
        ...     def update(self, pred, targ): self.n += len(targ)
        ...     @property
        ...     def value(self): return self.n
        >>> count = Count()
        >>> count.reset()
        >>> count.update(torch.zeros(3, 2), torch.zeros(3))
        >>> count.name, count.value
        ('count', 3)

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, generic metrics.
    """

    def reset(self) -> None:
        """Start anew; called before each phase."""
        raise NotImplementedError(f"{type(self).__name__} has no reset().")

    def accumulate(self, learn: Batch) -> None:
        """Take in the batch that a learner has just done."""
        self.update(learn.pred, *_targets(learn.y))

    def update(self, pred: Any, *targs: Any) -> None:
        """Take in one batch of predictions and targets."""
        raise NotImplementedError(f"{type(self).__name__} has no update() and no accumulate().")

    @property
    def value(self) -> Any:
        """The value for all that was taken in; None if that was nothing."""
        raise NotImplementedError(f"{type(self).__name__} has no value.")

    @property
    def name(self) -> str:
        """The name that is shown."""
        return _snake(type(self).__name__)


class _Mean(Metric):
    """The mean of what is added, each value counted by its batch's size."""

    def __init__(self, finish: Callable[[Tensor], Tensor] | None = None) -> None:
        self.finish = finish
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.total: Any = 0.0
        self.count = 0

    def _add(self, mean: Any, n: int) -> None:
        self.total = self.total + _detached(mean) * n
        self.count += n

    @property
    def value(self) -> float | None:
        """The mean over all that was taken in; None if that was nothing."""
        if self.count == 0:
            return None
        mean = self.total / self.count
        return float(self.finish(torch.as_tensor(mean)) if self.finish else mean)


class AvgMetric(_Mean):
    """The mean of a function of predictions and targets, each batch counted by its size.

    Args:
        func: `func(pred, targ)` gives the mean over the batch.
        finish: applied to the mean of all, such as a root.

    Example:
        >>> metric = AvgMetric(lambda pred, targ: (pred - targ).abs().mean())
        >>> metric.update(torch.ones(3), torch.zeros(3))
        >>> metric.update(torch.zeros(1), torch.zeros(1))
        >>> metric.value
        0.75
    """

    def __init__(self, func: MetricFunc, finish: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__(finish)
        self.func = func

    def update(self, pred: Any, *targs: Any) -> None:
        """Take in one batch of predictions and targets."""
        self._add(self.func(pred, *targs), find_bs(targs or pred))

    @property
    def name(self) -> str:
        """The function's name."""
        func = self.func.func if isinstance(self.func, partial) else self.func
        return getattr(func, "__name__", _snake(type(func).__name__))


class AvgLoss(_Mean):
    """The mean of the loss, each batch counted by its size.

    Args:
        finish: applied to the mean of all, such as `torch.exp` for the perplexity.
    """

    def accumulate(self, learn: Batch) -> None:
        """Take in the loss of the batch that a learner has just done."""
        self._add(learn.loss.mean(), find_bs(learn.y))

    @property
    def name(self) -> str:
        """The name that is shown."""
        return "loss"


class AvgSmoothLoss(Metric):
    """The running average of the loss, corrected for its start at zero.

    Args:
        beta: how much of the average is kept per batch.
    """

    def __init__(self, beta: float = 0.98) -> None:
        self.beta = beta
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.avg: Any = 0.0
        self.count = 0

    def accumulate(self, learn: Batch) -> None:
        """Take in the loss of the batch that a learner has just done."""
        self.avg = self.beta * self.avg + (1 - self.beta) * _detached(learn.loss.mean())
        self.count += 1

    @property
    def value(self) -> float | None:
        """The running average; None before the first batch."""
        if self.count == 0:
            return None
        return float(self.avg / (1 - self.beta**self.count))

    @property
    def name(self) -> str:
        """The name that is shown."""
        return "loss"


class ValueMetric(Metric):
    """A value that something else works out, such as a callback.

    Args:
        func: returns the value.
        metric_name: the name that is shown; by default the function's.

    Example:
        >>> ValueMetric(lambda: 0.5, "half").value
        0.5
    """

    def __init__(self, func: Callable[[], Any], metric_name: str | None = None) -> None:
        self.func = func
        self.metric_name = metric_name

    def reset(self) -> None:
        """Keep nothing."""

    def accumulate(self, learn: Batch) -> None:
        """Take in nothing."""

    @property
    def value(self) -> Any:
        """What the function returns now."""
        return self.func()

    @property
    def name(self) -> str:
        """The name that is shown."""
        return self.metric_name or getattr(self.func, "__name__", "value")


@dataclass(frozen=True)
class MeanThen:
    """A metric function that is a function of a mean, so that batches cannot be averaged.

    Called, it gives the value for one batch; `mk_metric` averages `func` and then applies
    `finish`.

    Args:
        func: `func(pred, targ)` gives a mean over the batch.
        finish: what is applied to the mean of all.
        name: the name that is shown.
    """

    func: MetricFunc
    finish: Callable[[Tensor], Tensor]
    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, pred: Any, *targs: Any) -> Tensor:
        """Return the value for one batch."""
        return self.finish(self.func(pred, *targs))


class _FinishedAvg(AvgMetric):
    """The metric of a `MeanThen`."""

    def __init__(self, spec: MeanThen) -> None:
        super().__init__(spec.func, spec.finish)
        self.spec = spec

    @property
    def name(self) -> str:
        return self.spec.name


def mk_metric(metric: Metric | type[Metric] | MetricFunc) -> Metric:
    """Make a `Metric` of what a user passes: a metric, its class, or a function.

    Raises:
        ContractError: it is none of these.

    Example:
        >>> from lamina.metrics.classify import accuracy
        >>> mk_metric(accuracy).name
        'accuracy'
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric()
    if isinstance(metric, MeanThen):
        return _FinishedAvg(metric)
    if not callable(metric):
        raise ContractError(
            f"{metric!r} is no metric. Pass a function of predictions and targets, or a Metric."
        )
    return AvgMetric(metric)


def flatten_check(pred: Tensor, targ: Tensor) -> tuple[Tensor, Tensor]:
    """Flatten both, and check that they have the same number of elements.

    Raises:
        ContractError: they do not.

    Example:
        >>> flatten_check(torch.zeros(2, 1), torch.zeros(2))[0].shape
        torch.Size([2])
    """
    if pred.numel() != targ.numel():
        raise ContractError(
            f"Predictions of shape {tuple(pred.shape)} do not fit targets of shape "
            f"{tuple(targ.shape)}. Check the axis of the classes and the size of the output."
        )
    return pred.reshape(-1), targ.reshape(-1)


def _targets(y: Any) -> tuple[Any, ...]:
    return y if isinstance(y, tuple) else (y,)


def _detached(value: Any) -> Any:
    """Take a value out of the graph, in at least single precision."""
    if not isinstance(value, Tensor):
        return value
    value = value.detach()
    return value if value.dtype == torch.float64 else value.float()


def _snake(name: str) -> str:
    """Write a class name in lower case, with underscores between its words."""
    spaced = "".join(
        f"_{c}" if c.isupper() and before.islower() else c
        for before, c in zip(f" {name}", name, strict=False)
    )
    return spaced.lower()
