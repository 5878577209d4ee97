"""Layers that can read the input of the block that they stand in, and the residual block."""

from collections.abc import Callable
from typing import Any, Literal, TypedDict, Unpack

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.nn.attention import SEModule, SimpleSelfAttention
from lamina.nn.conv import ConvLayer
from lamina.nn.norm import NormType
from lamina.nn.pool import AvgPool

__all__ = ["MergeLayer", "ResBlock", "ResBlockArgs", "SequentialEx", "opened_block"]

Merge = Callable[[Tensor, Tensor], Tensor]


class SequentialEx(nn.Module):
    """`nn.Sequential` whose layers may also read the block's input.

    A layer with the attribute `reads_block_input = True` is called as `layer(x, block_input)`;
    all others as `layer(x)`. The input travels beside the value, so the block compiles, exports
    and works in threads.

    Example:
        >>> block = SequentialEx(nn.Linear(2, 2), MergeLayer())
        >>> block(torch.ones(1, 2)).shape
        torch.Size([1, 2])

    Source: the fastai paper, "Layers and architectures"; the input handed on beside the value.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Run `x` through the layers."""
        out = x
        for layer in self.layers:
            reads = getattr(layer, "reads_block_input", False)
            out = layer(out, x) if reads else layer(out)
        return out

    def __getitem__(self, i: int) -> nn.Module:
        return self.layers[i]

    def __len__(self) -> int:
        return len(self.layers)

    def append(self, layer: nn.Module) -> None:
        """Add `layer` at the end."""
        self.layers.append(layer)


class MergeLayer(nn.Module):
    """Merge the value with the input of the `SequentialEx` around it, by any function.

    Args:
        merge: A function of (value, block input); addition when not given. `True` stands for
            `dense=True`, as in the paper.
        dense: Concatenate the channels (dimension 1) instead.

    Example:
        >>> MergeLayer(torch.maximum)(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 2.0]))
        tensor([3., 5.])
    """

    reads_block_input = True

    def __init__(self, merge: Merge | Literal[True] | None = None, *, dense: bool = False) -> None:
        super().__init__()
        if merge is True:
            merge, dense = None, True
        if merge is not None and dense:
            raise ContractError("MergeLayer: give a merge function or dense=True, not both.")
        self.dense = dense
        self.merge: Merge = merge or (_concatenate if dense else torch.add)

    def forward(self, x: Tensor, block_input: Tensor) -> Tensor:
        """Merge `x` with the input of the block."""
        return self.merge(x, block_input)

    def extra_repr(self) -> str:
        """The merging function's name."""
        return getattr(self.merge, "__name__", repr(self.merge))


def _concatenate(x: Tensor, block_input: Tensor) -> Tensor:
    return torch.cat([x, block_input], dim=1)


class ResBlockArgs(TypedDict, total=False):
    """Options of `ResBlock` beside its sizes, with their defaults in the class's docstring."""

    groups: int
    reduction: int | None
    nh1: int | None
    nh2: int | None
    dw: bool
    g2: int
    sa: bool
    sym: bool
    norm_type: NormType | None
    act_cls: Callable[[], nn.Module]
    ndim: int
    ks: int
    pool: Callable[..., nn.Module]
    pool_first: bool


_STARTING_AT_ZERO = {NormType.Batch: NormType.BatchZero, NormType.Instance: NormType.InstanceZero}
_RES_DEFAULTS: dict[str, Any] = {
    "groups": 1,
    "reduction": None,
    "nh1": None,
    "nh2": None,
    "dw": False,
    "g2": 1,
    "sa": False,
    "sym": False,
    "norm_type": NormType.Batch,
    "act_cls": nn.ReLU,
    "ndim": 2,
    "ks": 3,
    "pool": AvgPool,
    "pool_first": True,
}


class ResBlock(nn.Module):
    """The residual block of XResNets: `(b, ni·e, *)` to `(b, nf·e, */stride)`, e the expansion.

    Args:
        expansion: 1: two convolutions of size `ks`; more: 1×1, `ks`, 1×1 around a bottleneck.
        ni: Channels in, before expansion.
        nf: Channels out, before expansion.
        stride: Step of the `ks` convolution; the identity path pools instead.
        options: `groups` (1) of the `ks` convolution; `reduction` (None) of a squeeze-and-excite
            layer; `nh1`, `nh2` inner channels (`nf`); `dw` (False) depthwise; `g2` (1) groups of
            the last convolution; `sa`, `sym` (False) self-attention and its symmetric form;
            `norm_type` (Batch); `act_cls` (ReLU); `ndim` (2); `ks` (3, odd); `pool` (AvgPool);
            `pool_first` (True) in the identity path.

    Raises:
        ContractError: `ks` is even.

    Source: He et al. 2016 and, for the details, He et al. 2019 "Bag of tricks".
    """

    def __init__(
        self, expansion: int, ni: int, nf: int, stride: int = 1, **options: Unpack[ResBlockArgs]
    ) -> None:
        super().__init__()
        refuse_unknown("ResBlock", options, _RES_DEFAULTS)
        o = {**_RES_DEFAULTS, **options}
        if o["ks"] % 2 == 0:
            raise ContractError(f"ResBlock: ks={o['ks']} is even. Use an odd kernel size.")
        self.convpath = nn.Sequential(*_conv_path(expansion, ni, nf, stride, o))
        self.idpath = nn.Sequential(*_identity_path(ni * expansion, nf * expansion, stride, o))
        self.act = o["act_cls"]()

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolutions of `x` to (a pooled, widened) `x`."""
        return self.act(self.convpath(x) + self.idpath(x))


def _conv_path(e: int, ni: int, nf: int, stride: int, o: dict[str, Any]) -> list[nn.Module]:
    nh2 = o["nh2"] or nf
    nh1 = o["nh1"] or nh2
    last = _STARTING_AT_ZERO.get(o["norm_type"], o["norm_type"])
    same = {"ndim": o["ndim"], "norm_type": o["norm_type"], "act_cls": o["act_cls"]}
    end = {"ndim": o["ndim"], "norm_type": last, "act_cls": None, "groups": o["g2"]}
    ks, groups = o["ks"], o["groups"]
    if e == 1:
        path = [
            ConvLayer(ni, nh2, ks, stride, groups=ni if o["dw"] else groups, **same),
            ConvLayer(nh2, nf, ks, **end),
        ]
    else:
        path = [
            ConvLayer(ni * e, nh1, 1, **same),
            ConvLayer(nh1, nh2, ks, stride, groups=nh1 if o["dw"] else groups, **same),
            ConvLayer(nh2, nf * e, 1, **end),
        ]
    extra: list[nn.Module] = []
    if o["reduction"]:
        extra.append(SEModule(nf * e, o["reduction"], o["act_cls"]))
    if o["sa"]:
        extra.append(SimpleSelfAttention(nf * e, sym=o["sym"]))
    return [*path, *extra]


def _identity_path(ni: int, nf: int, stride: int, o: dict[str, Any]) -> list[nn.Module]:
    widen = [ConvLayer(ni, nf, 1, ndim=o["ndim"], norm_type=o["norm_type"], act_cls=None)]
    path: list[nn.Module] = list(widen) if ni != nf else []
    if stride != 1:
        pool = o["pool"](stride, o["ndim"], ceil_mode=True)
        path.insert(0 if o["pool_first"] else len(path), pool)
    return path


def opened_block(options: ResBlockArgs) -> dict[str, Any]:
    """The full options of a `ResBlock`: `options` over the defaults.

    Raises:
        UnknownArgumentError: A name is not one of `ResBlockArgs`.
    """
    refuse_unknown("ResBlock", options, _RES_DEFAULTS)
    return {**_RES_DEFAULTS, **options}
