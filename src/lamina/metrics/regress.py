"""Metrics for numbers. Predictions and targets are flattened and need the same size."""

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from lamina.metrics.base import MeanThen, flatten_check

__all__ = ["exp_rmspe", "mae", "mse", "msle", "rmse"]


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


def _mspe_of_exp(inp: Tensor, targ: Tensor) -> Tensor:
    """Return the mean squared relative error of values whose logarithms are given."""
    inp, targ = flatten_check(inp, targ)
    return (1 - (inp - targ).exp()).square().mean()


rmse = MeanThen(mse, torch.sqrt, "rmse")
"""The root of the mean squared error over all batches."""

exp_rmspe = MeanThen(_mspe_of_exp, torch.sqrt, "exp_rmspe")
"""The root of the mean squared relative error, for predictions and targets that are logarithms."""
