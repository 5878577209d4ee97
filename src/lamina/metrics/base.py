"""What a metric is, and the metrics that are averages.

Everything is gathered on the device; only reading `value` waits for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.tensor.tree import find_bs

__all__ = [
    "AvgLoss",
    "AvgMetric",
    "CountMetric",
    "CountThen",
    "MeanMetric",
    "Metric",
    "MetricFunc",
    "Summed",
    "UpdateCompute",
    "ValueMetric",
    "detached",
    "exact",
    "flatten_check",
    "mk_metric",
    "state_of",
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

    @property
    def loss_func(self) -> Any:
        """The loss function."""
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

    def state(self) -> dict[str, Tensor]:
        """Return what was gathered, to send it to another process.

        Raises:
            ContractError: this metric cannot be combined.
        """
        raise ContractError(
            f"{self.name}: what several processes gathered cannot be combined, as "
            f"{type(self).__name__} has no state() and merge()."
        )

    def merge(self, other: "Metric | Mapping[str, Tensor]") -> None:
        """Take in what another metric of this kind gathered, or its `state()`."""
        raise ContractError(f"{type(self).__name__} has no merge().")


class Summed(Metric):
    """A metric that gathers sums; a subclass names the attributes that hold them.

    Example:
        >>> class Count(Summed):
        ...     sums = ("n",)
        ...     def update(self, pred, *targs): self.n = self.n + len(pred)
        >>> a, b = Count(), Count()
        >>> for metric in (a, b):
        ...     metric.reset()
        ...     metric.update(torch.zeros(3))
        >>> a.merge(b)
        >>> a.state()
        {'n': tensor(6)}
    """

    sums: ClassVar[tuple[str, ...]] = ()

    def reset(self) -> None:
        """Start anew."""
        for name in self.sums:
            setattr(self, name, 0)

    def state(self) -> dict[str, Tensor]:
        """Return the sums as tensors."""
        return {name: torch.as_tensor(getattr(self, name)) for name in self.sums}

    def merge(self, other: Metric | Mapping[str, Tensor]) -> None:
        """Add the sums of another metric of this kind, or of its `state()`."""
        for name, theirs in state_of(other).items():
            mine = getattr(self, name)
            on = theirs.to(mine.device) if isinstance(mine, Tensor) else theirs
            setattr(self, name, mine + on)


class MeanMetric(Summed):
    """The mean of what is added, each value counted by its batch's size."""

    sums = ("total", "count")
    total: Any
    count: Any

    def __init__(self, finish: Callable[[Tensor], Tensor] | None = None) -> None:
        self.finish = finish
        self.reset()

    def _add(self, mean: Any, n: int) -> None:
        self.total = self.total + detached(mean) * n
        self.count += n

    @property
    def value(self) -> float | None:
        """The mean over all that was taken in; None if that was nothing."""
        if self.count == 0:
            return None
        mean = self.total / self.count
        return float(self.finish(torch.as_tensor(mean)) if self.finish else mean)


class AvgMetric(MeanMetric):
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


class AvgLoss(MeanMetric):
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

    def state(self) -> dict[str, Tensor]:
        """Return nothing: every process works the value out."""
        return {}

    def merge(self, other: Metric | Mapping[str, Tensor]) -> None:
        """Take in nothing."""

    @property
    def value(self) -> Any:
        """What the function returns now."""
        return self.func()

    @property
    def name(self) -> str:
        """The name that is shown."""
        return self.metric_name or getattr(self.func, "__name__", "value")


class CountMetric(Summed):
    """A score of counts (or other sums) that are added over batches, such as a confusion matrix.

    A subclass has `count`, which gives the counts of one batch, and `score`, which makes the value
    of all; `shown` is the name.

    Example:
        >>> class Positives(CountMetric):
        ...     shown = "positives"
        ...     def count(self, pred, *targs):
        ...         return torch.stack([(pred > 0).sum(), torch.tensor(len(pred))])
        ...     def score(self, counts):
        ...         return counts[0] / counts[1]
        >>> positives = Positives()
        >>> positives.update(torch.tensor([1.0, -1.0]))
        >>> positives.update(torch.tensor([1.0, 1.0]))
        >>> positives.value
        0.75
    """

    sums = ("counts",)
    shown: ClassVar[str] = ""
    counts: Any

    def __init__(self) -> None:
        self.reset()

    def count(self, pred: Any, *targs: Any) -> Tensor:
        """Return the counts of one batch, on its device."""
        raise NotImplementedError(f"{type(self).__name__} has no count().")

    def score(self, counts: Tensor) -> Tensor:
        """Return the value for the counts of all batches, given in double precision.

        Not a number says that there is no value, as nothing was counted.
        """
        raise NotImplementedError(f"{type(self).__name__} has no score().")

    def update(self, pred: Any, *targs: Any) -> None:
        """Take in one batch of predictions and targets."""
        self.counts = self.counts + self.count(pred, *targs).detach()

    @property
    def value(self) -> float | list[float] | None:
        """The score of all that was taken in; None if there is none."""
        if not isinstance(self.counts, Tensor):
            return None
        score = self.score(self.counts.cpu().double()).tolist()
        return None if score != score else score  # noqa: PLR0124 - true of no number only

    @property
    def name(self) -> str:
        """The name that is shown."""
        return self.shown or _snake(type(self).__name__)


@dataclass(frozen=True)
class CountThen:
    """A metric function that is a score of counts, so that batches cannot be averaged.

    Called, it gives the value for one batch; `mk_metric` adds the counts and then applies `finish`.

    Args:
        func: `func(pred, targ)` gives counts, as one tensor.
        finish: gives the value for the counts of all.
        name: the name that is shown.
    """

    func: MetricFunc
    finish: Callable[[Tensor], Tensor]
    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, pred: Any, *targs: Any, **bound: Any) -> Tensor:
        """Return the value for one batch; keywords go to `func`."""
        return self.finish(self.func(pred, *targs, **bound))


class _Counted(CountMetric):
    """The metric of a `CountThen`."""

    def __init__(self, spec: CountThen, **bound: Any) -> None:
        super().__init__()
        self.spec, self.bound = spec, bound

    def count(self, pred: Any, *targs: Any) -> Tensor:
        return self.spec.func(pred, *targs, **self.bound)

    def score(self, counts: Tensor) -> Tensor:
        return self.spec.finish(counts)

    @property
    def name(self) -> str:
        return self.spec.name


class UpdateCompute(Metric):
    """A metric of another library that has `update`, `compute` and `reset`, as torchmetrics has.

    Such metrics combine processes by themselves, in `compute`.

    Args:
        metric: the other library's metric; it follows the predictions' device.
    """

    def __init__(self, metric: Any) -> None:
        self.metric = metric
        self.seen = False

    def reset(self) -> None:
        """Start anew."""
        self.metric.reset()
        self.seen = False

    def update(self, pred: Any, *targs: Any) -> None:
        """Take in one batch of predictions and targets."""
        if not self.seen and isinstance(pred, Tensor) and hasattr(self.metric, "to"):
            self.metric.to(pred.device)
        self.seen = True
        self.metric.update(detached(pred), *targs)

    @property
    def value(self) -> Any:
        """What `compute` returns, numbers as such; None before the first batch."""
        value = self.metric.compute() if self.seen else None
        return value.tolist() if isinstance(value, Tensor) else value

    @property
    def name(self) -> str:
        """The name of the metric's class."""
        return _snake(type(self.metric).__name__)


def mk_metric(metric: Metric | type[Metric] | MetricFunc) -> Metric:
    """Make a `Metric` of what a user passes: a metric (also of torchmetrics), a class, a function.

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
    if all(callable(getattr(metric, name, None)) for name in ("update", "compute", "reset")):
        return UpdateCompute(metric)
    spec, bound = (metric.func, metric.keywords) if isinstance(metric, partial) else (metric, {})
    if isinstance(spec, CountThen):
        return _Counted(spec, **bound)
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


def exact(x: Tensor) -> Tensor:
    """Return a tensor in double precision, or in single where the device has no other."""
    return x.float() if x.device.type == "mps" else x.double()


def state_of(other: Metric | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the state of a metric, or the state itself."""
    return other.state() if isinstance(other, Metric) else other


def _targets(y: Any) -> tuple[Any, ...]:
    return y if isinstance(y, tuple) else (y,)


def detached(value: Any) -> Any:
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
