"""Normalisation layers by name, with the starts that residual networks want."""

from enum import Enum

from torch import Tensor, nn

from lamina.foundation.registry import savable

__all__ = ["BatchNorm", "BatchNorm1dFlat", "InstanceNorm", "NormType"]

_BATCH = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_INSTANCE = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}


@savable("lamina.nn:NormType")
class NormType(Enum):
    """Which normalisation a `ConvLayer` carries; `*Zero` starts with a scale of 0."""

    Batch = "batch"
    BatchZero = "batch_zero"
    Weight = "weight"
    Spectral = "spectral"
    Instance = "instance"
    InstanceZero = "instance_zero"


def _start(layer: nn.Module, *, zero: bool) -> None:
    if getattr(layer, "affine", False):
        nn.init.constant_(layer.bias, 1e-3)  # pyright: ignore[reportArgumentType]  # affine: a parameter
        nn.init.constant_(layer.weight, 0.0 if zero else 1.0)  # pyright: ignore[reportArgumentType]  # as above


def BatchNorm(  # noqa: N802  # a constructor, named like the layer that it makes
    nf: int, ndim: int = 2, norm_type: NormType = NormType.Batch
) -> nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d:
    """Batch norm over `nf` channels of `ndim` spatial dimensions, bias 0.001, scale 1 (or 0).

    A scale of 0 in the last norm of a residual block makes the block start as the identity.

    Example:
        >>> BatchNorm(4, norm_type=NormType.BatchZero).weight.sum().item()
        0.0

    Source: Ioffe & Szegedy 2015; zero scale: Goyal et al. 2017, sec. 5.1.
    """
    layer = _BATCH[ndim](nf)
    _start(layer, zero=norm_type is NormType.BatchZero)
    return layer


def InstanceNorm(  # noqa: N802  # as BatchNorm
    nf: int, ndim: int = 2, norm_type: NormType = NormType.Instance, *, affine: bool = True
) -> nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d:
    """Instance norm over `nf` channels of `ndim` spatial dimensions.

    Source: Ulyanov et al. 2016.
    """
    layer = _INSTANCE[ndim](nf, affine=affine)
    _start(layer, zero=norm_type is NormType.InstanceZero)
    return layer


class BatchNorm1dFlat(nn.BatchNorm1d):
    """Batch norm of the last dimension, over all others: `(*, n)` to the same.

    Example:
        >>> import torch
        >>> BatchNorm1dFlat(4)(torch.zeros(2, 3, 4)).shape
        torch.Size([2, 3, 4])
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in PyTorch
        """Normalise."""
        return super().forward(input.reshape(-1, input.shape[-1])).reshape(input.shape)
