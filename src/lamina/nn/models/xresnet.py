"""XResNet: the residual network with the later tricks, and its named variants."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Unpack

from torch import nn

from lamina.foundation.errors import refuse_unknown
from lamina.nn.conv import ConvLayer
from lamina.nn.pool import AdaptiveAvgPool, MaxPool
from lamina.nn.shortcut import ResBlock, ResBlockArgs, opened_block

__all__ = [
    "XRESNETS",
    "SEBlock",
    "SEResNeXtBlock",
    "SeparableBlock",
    "XResNet",
    "XResNetArgs",
    "xresnet18",
    "xresnet34",
    "xresnet50",
    "xresnet101",
    "xresnet152",
]

Block = Callable[..., nn.Module]


class XResNetArgs(ResBlockArgs, total=False):
    """Options of `XResNet` and, through it, of its blocks."""

    p: float
    c_in: int
    n_out: int
    stem_szs: tuple[int, ...]
    widen: float
    stride: int


_DEFAULTS: dict[str, Any] = {
    "p": 0.0,
    "c_in": 3,
    "n_out": 1000,
    "stem_szs": (32, 32, 64),
    "widen": 1.0,
    "stride": 2,
}


def SEBlock(  # noqa: N802  # a constructor of blocks, used where a block class is
    expansion: int, ni: int, nf: int, stride: int = 1, **options: Unpack[ResBlockArgs]
) -> ResBlock:
    """A `ResBlock` with squeeze-and-excite (reduction 16 when not given).

    Source: Hu et al. 2018.
    """
    return ResBlock(expansion, ni, nf, stride, **{"reduction": 16, **options})  # pyright: ignore[reportArgumentType]  # merged options


def SEResNeXtBlock(  # noqa: N802  # as SEBlock
    expansion: int, ni: int, nf: int, stride: int = 1, **options: Unpack[ResBlockArgs]
) -> ResBlock:
    """A `ResBlock` with 32 groups of 4 channels for each 64, and squeeze-and-excite.

    Source: Xie et al. 2017, "Aggregated residual transformations"; Hu et al. 2018.
    """
    groups = options.get("groups", 32)
    width = nf * 4 // 64 * groups
    widths = {"groups": groups, "reduction": 16, "nh1": width, "nh2": width}
    return ResBlock(expansion, ni, nf, stride, **{**widths, **options})  # pyright: ignore[reportArgumentType]  # merged options


def SeparableBlock(  # noqa: N802  # as SEBlock
    expansion: int, ni: int, nf: int, stride: int = 1, **options: Unpack[ResBlockArgs]
) -> ResBlock:
    """A `ResBlock` whose middle convolution is depthwise, with twice the channels inside.

    Source: Chollet 2017, "Xception".
    """
    widths = {"dw": True, "nh2": nf * 2, "reduction": 16}
    return ResBlock(expansion, ni, nf, stride, **{**widths, **options})  # pyright: ignore[reportArgumentType]  # merged options


class XResNet(nn.Sequential):
    """A residual network of stages of `ResBlock`s: `(b, c_in, *)` to `(b, n_out)`.

    Children: the stem's convolutions, a maximum pool, one `Sequential` a stage, pool, flatten,
    dropout, linear. The last four are the head (`cut=-4`).

    Args:
        block: Makes a block: `block(expansion, ni, nf, stride, **options)`, such as `ResBlock`.
        expansion: Of the blocks; 1 for 18 and 34 layers, 4 from 50 on.
        layers: Blocks in each stage. Stages have 64, 128, 256, 512 channels, further ones 256.
        options: `p` (0) dropout before the last layer; `c_in` (3); `n_out` (1000); `stem_szs`
            (32, 32, 64); `widen` (1.0) multiplies the channels of the stages; `stride` (2) of the
            first convolution; and those of `ResBlock` (`sa` puts self-attention into the last
            block of the first of the last four stages only).

    Raises:
        UnknownArgumentError: A name in `options` is unknown.

    Example:
        >>> import torch
        >>> net = XResNet(ResBlock, 1, [1, 1, 1, 1], n_out=10, widen=0.125)
        >>> net(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 10])

    Source: He et al. 2019, "Bag of tricks for image classification", sec. 4.
    """

    def __init__(
        self, block: Block, expansion: int, layers: list[int], **options: Unpack[XResNetArgs]
    ) -> None:
        o, given = _sorted_out(options)
        full = opened_block(given)
        szs = [int(n * o["widen"]) for n in [64, 128, 256, 512] + [256] * (len(layers) - 4)]
        starts = [o["stem_szs"][-1] // expansion, *szs]
        stages = [
            _stage(partial(block, expansion), starts[i : i + 2], layers, i, given)
            for i in range(len(layers))
        ]
        super().__init__(
            *_stem(o, full),
            MaxPool(3, stride=2, padding=1, ndim=full["ndim"]),
            *stages,
            AdaptiveAvgPool(1, full["ndim"]),
            nn.Flatten(),
            nn.Dropout(o["p"]),
            nn.Linear(starts[len(layers)] * expansion, o["n_out"]),
        )
        _kaiming(self)


def _stem(o: dict[str, Any], block: dict[str, Any]) -> list[nn.Module]:
    sizes = [o["c_in"], *o["stem_szs"]]
    same = {"ndim": block["ndim"], "act_cls": block["act_cls"], "norm_type": block["norm_type"]}
    return [
        ConvLayer(ni, nf, block["ks"], o["stride"] if i == 0 else 1, **same)
        for i, (ni, nf) in enumerate(pairwise(sizes))
    ]


def _sorted_out(options: XResNetArgs) -> tuple[dict[str, Any], Any]:
    own = {k: v for k, v in options.items() if k in _DEFAULTS}
    block = {k: v for k, v in options.items() if k not in _DEFAULTS}
    refuse_unknown("XResNet", block, [*opened_block({}), *_DEFAULTS])
    return {**_DEFAULTS, **own}, block


def _stage(
    block: Block, sizes: list[int], layers: list[int], stage: int, options: dict[str, Any]
) -> nn.Sequential:
    """Stage number `stage`: the first block changes the size; self-attention only in one place."""
    ni, nf = sizes
    n_blocks, with_sa = layers[stage], options.get("sa", False) and stage == len(layers) - 4
    attends = [with_sa and i == n_blocks - 1 for i in range(n_blocks)]
    first = block(ni, nf, 1 if stage == 0 else 2, **{**options, "sa": attends[0]})
    rest = [block(nf, nf, 1, **{**options, "sa": sa}) for sa in attends[1:]]
    return nn.Sequential(first, *rest)


def _kaiming(model: nn.Module) -> None:
    for m in model.modules():
        if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)


_DEPTHS = {
    "18": (1, [2, 2, 2, 2]),
    "34": (1, [3, 4, 6, 3]),
    "50": (4, [3, 4, 6, 3]),
    "101": (4, [3, 4, 23, 3]),
    "152": (4, [3, 8, 36, 3]),
}


def _variant(
    name: str, block: Block, depth: str, extra: tuple[int, ...] = (), **own: Any
) -> Callable[..., XResNet]:  # kwargs: the variant's own options of XResNet
    expansion, layers = _DEPTHS[depth]

    def build(**options: Unpack[XResNetArgs]) -> XResNet:
        merged: Any = {**own, **options}
        return XResNet(block, expansion, [*layers, *extra], **merged)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"Make an `XResNet` of the variant {name}; takes the options of `XResNet`."
    return build


def _variants() -> dict[str, Callable[..., XResNet]]:
    """All named variants: plain, squeeze-and-excite, ResNeXt with and without it, and deeper."""
    no_se = partial(SEResNeXtBlock, reduction=None)
    more = {"_deep": (1, 1), "_deeper": (1, 1, 1, 1)}
    rows: list[tuple[str, Block, str, tuple[int, ...]]] = []
    for depth in _DEPTHS:
        rows += [
            (f"xresnet{depth}", ResBlock, depth, ()),
            (f"xse_resnet{depth}", SEBlock, depth, ()),
        ]
        if depth != "152":
            rows.append((f"xse_resnext{depth}", SEResNeXtBlock, depth, ()))
            rows.append((f"xresnext{depth}", no_se, depth, ()))
        if depth in ("18", "34", "50"):
            rows += [(f"xresnet{depth}{n}", ResBlock, depth, e) for n, e in more.items()]
            rows += [(f"xse_resnext{depth}{n}", SEResNeXtBlock, depth, e) for n, e in more.items()]
    found = {row[0]: _variant(*row) for row in rows}
    found["xsenet154"] = _variant("xsenet154", SEResNeXtBlock, "152", groups=64, p=0.2)
    return found


XRESNETS: dict[str, Callable[..., XResNet]] = _variants()
"""Every named variant; each takes the options of `XResNet`, such as `n_out` and `act_cls`."""

xresnet18 = XRESNETS["xresnet18"]
xresnet34 = XRESNETS["xresnet34"]
xresnet50 = XRESNETS["xresnet50"]
xresnet101 = XRESNETS["xresnet101"]
xresnet152 = XRESNETS["xresnet152"]
