"""A convolution with its normalisation and activation."""

from collections.abc import Callable
from typing import Any, TypedDict, Unpack

from torch import nn

from lamina.foundation.errors import refuse_unknown
from lamina.nn.init import init_linear
from lamina.nn.norm import BatchNorm, InstanceNorm, NormType

__all__ = ["ConvArgs", "ConvLayer"]

ActCls = Callable[[], nn.Module]

_CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_WRAPS = {
    NormType.Weight: nn.utils.parametrizations.weight_norm,
    NormType.Spectral: nn.utils.parametrizations.spectral_norm,
}


class ConvArgs(TypedDict, total=False):
    """Options of `ConvLayer` beside its sizes."""

    padding: int | None
    bias: bool | None
    ndim: int
    norm_type: NormType | None
    bn_1st: bool
    act_cls: ActCls | None
    transpose: bool
    xtra: nn.Module | None
    bias_std: float
    groups: int
    dilation: int


_DEFAULTS: dict[str, Any] = {
    "padding": None,
    "bias": None,
    "ndim": 2,
    "norm_type": NormType.Batch,
    "bn_1st": True,
    "act_cls": nn.ReLU,
    "transpose": False,
    "xtra": None,
    "bias_std": 0.01,
    "groups": 1,
    "dilation": 1,
}


class ConvLayer(nn.Sequential):
    """Convolution, norm and activation: `(b, ni, *)` to `(b, nf, */stride)`.

    Args:
        ni: Channels in.
        nf: Channels out.
        ks: Kernel size.
        stride: Step of the window.
        options: See `ConvArgs`. `padding` is `(ks - 1) // 2` when not given (0 when transposed);
            `bias` is on only without batch or instance norm; `norm_type=None` leaves the norm out;
            `act_cls=None` leaves the activation out; `bn_1st=False` puts the activation before
            the norm; `xtra` is a module at the end.

    Raises:
        UnknownArgumentError: A name in `options` is not one of `ConvArgs`.

    Example:
        >>> import torch
        >>> ConvLayer(3, 8, stride=2)(torch.zeros(1, 3, 16, 16)).shape
        torch.Size([1, 8, 8, 8])
    """

    def __init__(
        self, ni: int, nf: int, ks: int = 3, stride: int = 1, **options: Unpack[ConvArgs]
    ) -> None:
        refuse_unknown("ConvLayer", options, _DEFAULTS)
        opts = {**_DEFAULTS, **options}
        act = opts["act_cls"]() if opts["act_cls"] else None
        conv = _convolution(ni, nf, ks, stride, opts)
        init_linear(conv, act, bias_std=opts["bias_std"])
        norm_type = opts["norm_type"]
        layers = [_WRAPS[norm_type](conv) if norm_type in _WRAPS else conv]
        norm = _norm(nf, opts["ndim"], norm_type)
        tail = [norm, act] if opts["bn_1st"] else [act, norm]
        super().__init__(*(m for m in [*layers, *tail, opts["xtra"]] if m is not None))


def _convolution(ni: int, nf: int, ks: int, stride: int, opts: dict[str, Any]) -> nn.Module:
    transpose, padding, bias = opts["transpose"], opts["padding"], opts["bias"]
    if padding is None:
        padding = 0 if transpose else (ks - 1) // 2
    if bias is None:
        bias = _norm(1, opts["ndim"], opts["norm_type"]) is None
    cls = (_TRANSPOSED if transpose else _CONV)[opts["ndim"]]
    extra = {"groups": opts["groups"], "dilation": opts["dilation"]}
    return cls(ni, nf, ks, stride=stride, padding=padding, bias=bias, **extra)


def _norm(nf: int, ndim: int, norm_type: NormType | None) -> nn.Module | None:
    if norm_type in (NormType.Batch, NormType.BatchZero):
        return BatchNorm(nf, ndim, norm_type)
    if norm_type in (NormType.Instance, NormType.InstanceZero):
        return InstanceNorm(nf, ndim, norm_type)
    return None
