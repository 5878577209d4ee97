"""Metrics for numbers. Predictions and targets are flattened and need the same size."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from lamina.metrics.base import CountThen, Metric, exact, flatten_check, state_of
from lamina.metrics.gather import AccumMetric

__all__ = [
    "ExplainedVariance",
    "Moments",
    "PearsonCorrCoef",
    "R2Score",
    "SpearmanCorrCoef",
    "exp_rmspe",
    "mae",
    "mse",
    "msle",
    "rmse",
]


def mse(inp: Tensor, targ: Tensor) -> Tensor:
    """Return the mean squared error.

    Example:
        >>> mse(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0]))
        tensor(2.)
    """
    return mse_loss(*flatten_check(inp, targ))


def mae(inp: Tensor, targ: Tensor) -> Tensor:
    """Return the mean absolute error.

    Example:
        >>> mae(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0]))
        tensor(1.)
    """
    return l1_loss(*flatten_check(inp, targ))


def msle(inp: Tensor, targ: Tensor) -> Tensor:
    """Return the mean squared error of `log(1 + x)`.

    Example:
        >>> msle(torch.tensor([0.0]), torch.tensor([0.0]))
        tensor(0.)
    """
    inp, targ = flatten_check(inp, targ)
    return mse_loss(inp.log1p(), targ.log1p())


def _squares(inp: Tensor, targ: Tensor) -> Tensor:
    """Return the sum of the squared errors, and of how many."""
    inp, targ = flatten_check(inp, targ)
    total = exact(inp - targ).square().sum()
    return torch.stack([total, total.new_tensor(inp.numel())])


def _relative_squares(inp: Tensor, targ: Tensor) -> Tensor:
    """Return the sum of the squared relative errors of values whose logarithms are given."""
    inp, targ = flatten_check(inp, targ)
    return _squares((inp - targ).exp(), torch.ones_like(inp))


def _root_of_mean(counts: Tensor) -> Tensor:
    return (counts[0] / counts[1]).sqrt()


rmse = CountThen(_squares, _root_of_mean, "rmse")
"""The root of the mean squared error over all batches."""

exp_rmspe = CountThen(_relative_squares, _root_of_mean, "exp_rmspe")
"""The root of the mean squared relative error, for predictions and targets that are logarithms."""


class Moments(Metric):
    """What is worked out from means and covariances, gathered batch by batch without loss.

    A subclass has `value`.

    Attributes:
        count: the number of pairs.
        mean: the means of predictions, targets and errors (target - prediction), `(3,)`.
        scatter: the sums of products of their deviations from the means, `(3, 3)`.

    Source: Chan, Golub & LeVeque, "Algorithms for Computing the Sample Variance", 1983 (how
    batches are joined).
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.count: Any = 0
        self.mean = torch.zeros(3)
        self.scatter = torch.zeros(3, 3)

    def update(self, pred: Any, *targs: Any) -> None:
        """Take in one batch of predictions and targets."""
        pred, targ = flatten_check(pred.detach(), *targs)
        if pred.numel() == 0:
            return
        pred, targ = exact(pred), exact(targ)
        rows = torch.stack([pred, targ, targ - pred])
        mean = rows.mean(1)
        rows = rows - mean[:, None]
        self.merge({"count": torch.tensor(pred.numel()), "mean": mean, "scatter": rows @ rows.T})

    def state(self) -> dict[str, Tensor]:
        """Return count, means and scatter."""
        return {"count": torch.as_tensor(self.count), "mean": self.mean, "scatter": self.scatter}

    def merge(self, other: Metric | Mapping[str, Tensor]) -> None:
        """Join what another metric of this kind gathered, or its `state()`."""
        theirs = state_of(other)
        n = int(theirs["count"])
        if n == 0:
            return
        mean, scatter = theirs["mean"], theirs["scatter"]
        mine, old = self.mean.to(mean), self.scatter.to(scatter)
        apart = mean - mine
        total = self.count + n
        self.scatter = old + scatter + torch.outer(apart, apart) * (self.count * n / total)
        self.mean = mine + apart * (n / total)
        self.count = total


class R2Score(Moments):
    """The part of the targets' variance that the predictions explain, errors of the mean included.

    Example:
        >>> metric = R2Score()
        >>> metric.update(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1.0, 2.0, 3.0]))
        >>> metric.value
        0.5
    """

    @property
    def value(self) -> float | None:
        """1 - squared errors / squared deviations; None without targets that differ."""
        squared = self.scatter[2, 2] + self.count * self.mean[2] ** 2
        return _one_minus(squared, self.scatter[1, 1])

    @property
    def name(self) -> str:
        """The name that is shown."""
        return "r2_score"


class ExplainedVariance(Moments):
    """The part of the targets' variance that the predictions explain, but for a constant.

    Example:
        >>> metric = ExplainedVariance()
        >>> metric.update(torch.tensor([2.0, 3.0, 4.0]), torch.tensor([1.0, 2.0, 3.0]))
        >>> metric.value
        1.0
    """

    @property
    def value(self) -> float | None:
        """1 - variance of errors / variance of targets; None without targets that differ."""
        return _one_minus(self.scatter[2, 2], self.scatter[1, 1])


class PearsonCorrCoef(Moments):
    """The linear correlation of predictions and targets.

    Example:
        >>> metric = PearsonCorrCoef()
        >>> metric.update(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([3.0, 2.0, 1.0]))
        >>> round(metric.value, 6)
        -1.0
    """

    @property
    def value(self) -> float | None:
        """The correlation; None when predictions or targets do not differ."""
        squares = self.scatter[0, 0] * self.scatter[1, 1]
        return float(self.scatter[0, 1] / squares.sqrt()) if squares > 0 else None


class SpearmanCorrCoef(AccumMetric):
    """The correlation of the ranks of predictions and targets, equal values sharing a rank.

    Example:
        >>> metric = SpearmanCorrCoef()
        >>> metric.update(torch.tensor([1.0, 2.0, 30.0]), torch.tensor([1.0, 2.0, 3.0]))
        >>> round(metric.value, 6)
        1.0
    """

    def __init__(self) -> None:
        super().__init__(_correlation_of_ranks, name="spearman_corr_coef")


def _correlation_of_ranks(pred: Tensor, targ: Tensor) -> float | None:
    pearson = PearsonCorrCoef()
    pearson.update(_ranks(pred), _ranks(targ))
    return pearson.value


def _ranks(x: Tensor) -> Tensor:
    """Return the rank of each value, from 1; equal values have the mean of theirs."""
    _, place, counts = x.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts - 1) / 2)[place]


def _one_minus(errors: Tensor, spread: Tensor) -> float | None:
    return float(1 - errors / spread) if spread > 0 else None
