"""Pooling layers by number of dimensions, and the concatenated average-and-maximum pool."""

from collections.abc import Callable
from enum import Enum

import torch
from torch import Tensor, nn

__all__ = [
    "AdaptiveAvgPool",
    "AdaptiveConcatPool1d",
    "AdaptiveConcatPool2d",
    "AvgPool",
    "MaxPool",
    "PoolFlatten",
    "PoolType",
    "adaptive_pool",
]

_AVG = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
_MAX = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
_ADAPTIVE = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


def AvgPool(ks: int = 2, ndim: int = 2, *, ceil_mode: bool = False) -> nn.Module:  # noqa: N802  # a constructor
    """Average pooling with window and stride `ks` over `ndim` dimensions."""
    return _AVG[ndim](ks, ceil_mode=ceil_mode)


def MaxPool(ks: int = 2, stride: int | None = None, padding: int = 0, ndim: int = 2) -> nn.Module:  # noqa: N802  # a constructor
    """Maximum pooling over `ndim` dimensions; `stride` is `ks` when not given."""
    return _MAX[ndim](ks, stride=stride, padding=padding)


def AdaptiveAvgPool(size: int = 1, ndim: int = 2) -> nn.Module:  # noqa: N802  # a constructor
    """Average pooling to `size` cells in each of `ndim` dimensions."""
    return _ADAPTIVE[ndim](size)


class AdaptiveConcatPool1d(nn.Module):
    """Maximum and average pool beside each other: `(b, c, n)` to `(b, 2c, size)`."""

    def __init__(self, size: int | None = None) -> None:
        super().__init__()
        self.mp, self.ap = nn.AdaptiveMaxPool1d(size or 1), nn.AdaptiveAvgPool1d(size or 1)

    def forward(self, x: Tensor) -> Tensor:
        """Pool `x` both ways and concatenate the channels."""
        return torch.cat([self.mp(x), self.ap(x)], dim=1)


class AdaptiveConcatPool2d(nn.Module):
    """Maximum and average pool beside each other: `(b, c, h, w)` to `(b, 2c, size, size)`.

    Example:
        >>> AdaptiveConcatPool2d()(torch.zeros(2, 8, 5, 5)).shape
        torch.Size([2, 16, 1, 1])
    """

    def __init__(self, size: int | None = None) -> None:
        super().__init__()
        self.mp, self.ap = nn.AdaptiveMaxPool2d(size or 1), nn.AdaptiveAvgPool2d(size or 1)

    def forward(self, x: Tensor) -> Tensor:
        """Pool `x` both ways and concatenate the channels."""
        return torch.cat([self.mp(x), self.ap(x)], dim=1)


class PoolType(Enum):
    """How the spatial dimensions are removed before a head."""

    Avg = "Avg"
    Max = "Max"
    Cat = "Cat"


_POOLS: dict[PoolType, Callable[[int], nn.Module]] = {
    PoolType.Avg: nn.AdaptiveAvgPool2d,
    PoolType.Max: nn.AdaptiveMaxPool2d,
    PoolType.Cat: AdaptiveConcatPool2d,
}


def adaptive_pool(pool_type: PoolType | str) -> Callable[[int], nn.Module]:
    """The 2-d adaptive pooling layer class of `pool_type`."""
    return _POOLS[PoolType(pool_type)]


class PoolFlatten(nn.Sequential):
    """Pool each channel to one number and flatten: `(b, c, h, w)` to `(b, c)` (`2c` for Cat)."""

    def __init__(self, pool_type: PoolType | str = PoolType.Avg) -> None:
        super().__init__(adaptive_pool(pool_type)(1), nn.Flatten())
