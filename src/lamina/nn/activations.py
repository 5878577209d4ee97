"""Activation functions beside those of PyTorch, and short names for some of its own."""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from lamina.foundation.registry import Registry

__all__ = [
    "ACTIVATIONS",
    "Mish",
    "Swish",
    "inplace_relu",
    "mish",
    "sigmoid",
    "sigmoid_",
    "swish",
    "vleaky_relu",
]

Swish = nn.SiLU
"""`swish` as a layer."""

Mish = nn.Mish
"""`mish` as a layer."""

ACTIVATIONS: Registry[Callable[[], nn.Module]] = Registry("activation")
"""Activations that can be given, and saved, by the name of their class."""

for _layer in (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish):
    ACTIVATIONS.register(_layer.__name__)(_layer)

inplace_relu = partial(nn.ReLU, inplace=True)
"""Makes a ReLU that overwrites its input, as `act_cls=inplace_relu`."""


def swish(x: Tensor, *, inplace: bool = False) -> Tensor:
    """`x · sigmoid(x)`.

    Example:
        >>> import torch
        >>> round(swish(torch.tensor(1.0)).item(), 4)
        0.7311

    Source: Ramachandran et al. 2017, "Searching for activation functions".
    """
    return F.silu(x, inplace=inplace)


def mish(x: Tensor, *, inplace: bool = False) -> Tensor:
    """`x · tanh(softplus(x))`.

    Example:
        >>> import torch
        >>> round(mish(torch.tensor(1.0)).item(), 4)
        0.8651

    Source: Misra 2019, "Mish: a self regularized non-monotonic activation function".
    """
    return F.mish(x, inplace=inplace)


def sigmoid(x: Tensor, eps: float = 1e-7) -> Tensor:
    """A sigmoid kept away from 0 and 1 by `eps`, so that its logarithms are finite.

    Example:
        >>> import torch
        >>> sigmoid(torch.tensor(-1000.0)).item() > 0
        True
    """
    return x.sigmoid().clamp(eps, 1 - eps)


def sigmoid_(x: Tensor, eps: float = 1e-7) -> Tensor:
    """`sigmoid` that overwrites its input."""
    return x.sigmoid_().clamp_(eps, 1 - eps)


def vleaky_relu(x: Tensor, *, inplace: bool = True) -> Tensor:
    """A ReLU that lets 0.3 of what is below zero through.

    Example:
        >>> import torch
        >>> vleaky_relu(torch.tensor([-1.0, 2.0]))
        tensor([-0.3000,  2.0000])

    Source: Maas et al. 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    return F.leaky_relu(x, 0.3, inplace=inplace)
