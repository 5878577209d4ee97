"""Upsampling by pixel shuffle, without the checkerboard."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from lamina.foundation.errors import ContractError
from lamina.nn.conv import ActCls, ConvLayer
from lamina.nn.norm import NormType

__all__ = ["PixelShuffle_ICNR", "icnr_init"]


def icnr_init(
    x: Tensor, scale: int = 2, init: Callable[[Tensor], Tensor] = nn.init.kaiming_normal_
) -> Tensor:
    """A start like `x`, `(nf·scale², ni, h, w)`, with which `PixelShuffle` repeats its pixels.

    Args:
        x: The weight of the convolution before the shuffle; it is not changed.
        scale: How much the shuffle enlarges.
        init: Fills one of each `scale²` equal filters.

    Raises:
        ContractError: The filters cannot be divided by `scale²`.

    Source: Aitken et al. 2017, "Checkerboard artifact free sub-pixel convolution".
    """
    copies = scale**2
    if x.shape[0] % copies:
        raise ContractError(
            f"icnr_init: {x.shape[0]} filters cannot be divided into groups of {copies}. Give the "
            f"convolution {copies} filters for each channel after the shuffle."
        )
    few = init(torch.empty(x.shape[0] // copies, *x.shape[1:], dtype=x.dtype, device=x.device))
    return few.repeat_interleave(copies, dim=0)


class PixelShuffle_ICNR(nn.Sequential):  # noqa: N801 - the name in the literature
    """Enlarge an image `scale` times: `(b, ni, h, w)` to `(b, nf, h·scale, w·scale)`.

    Args:
        ni: Channels in.
        nf: Channels out; `ni` when not given.
        scale: How much to enlarge.
        blur: Average each pixel with its neighbours above and to the left.
        norm_type: The norm of the convolution.
        act_cls: Makes the activation.

    Example:
        >>> PixelShuffle_ICNR(4)(torch.zeros(1, 4, 3, 3)).shape
        torch.Size([1, 4, 6, 6])

    Source: Shi et al. 2016 (the shuffle); Aitken et al. 2017 (the start); Sugawara et al. 2018
    (the blur).
    """

    def __init__(
        self,
        ni: int,
        nf: int | None = None,
        scale: int = 2,
        *,
        blur: bool = False,
        norm_type: NormType | None = NormType.Weight,
        act_cls: ActCls | None = nn.ReLU,
    ) -> None:
        wide = (ni if nf is None else nf) * scale**2
        layer = ConvLayer(ni, wide, 1, norm_type=norm_type, act_cls=act_cls, bias_std=0)
        _start(layer[0], scale)
        layers: list[nn.Module] = [layer, nn.PixelShuffle(scale)]
        if blur:
            layers += [nn.ReplicationPad2d((1, 0, 1, 0)), nn.AvgPool2d(2, stride=1)]
        super().__init__(*layers)


@torch.no_grad()
def _start(conv: nn.Module, scale: int) -> None:
    weight: Tensor = conv.weight  # pyright: ignore[reportAssignmentType] - a convolution
    value = icnr_init(weight, scale)
    if is_parametrized(conv, "weight"):
        conv.weight = value  # the parametrization takes it apart
    else:
        weight.copy_(value)
