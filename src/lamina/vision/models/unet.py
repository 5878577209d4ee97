"""The U-Net: any body as an encoder, and a decoder that is handed the maps of every size.

The encoder gives the picture and one map for each size, so nothing is remembered between calls:
the model compiles, exports and works in threads, and pictures may have any size.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamina.foundation.errors import refuse_unknown
from lamina.foundation.registry import savable
from lamina.nn.activations import ACTIVATIONS
from lamina.nn.attention import SelfAttention
from lamina.nn.conv import ActCls, ConvLayer
from lamina.nn.init import InitFunc, apply_init
from lamina.nn.linear import SigmoidRange
from lamina.nn.norm import BatchNorm, NormType
from lamina.nn.params import evaluating
from lamina.nn.shortcut import ResBlock
from lamina.nn.upsample import PixelShuffle_ICNR
from lamina.vision.models.architectures import Architecture, find_architecture
from lamina.vision.models.model import VisionModel
from lamina.vision.models.stages import Maps, create_staged_body

__all__ = ["UnetArgs", "UnetBlock", "UnetDecoder", "create_unet_model"]


class UnetArgs(TypedDict, total=False):
    """Options of a `UnetDecoder`, explained there."""

    blur: bool
    blur_final: bool
    self_attention: bool
    y_range: tuple[float, float] | None
    last_cross: bool
    bottle: bool
    act_cls: ActCls | str
    init: InitFunc | None
    norm_type: NormType | None


_DEFAULTS: dict[str, Any] = {
    "blur": False,
    "blur_final": True,
    "self_attention": False,
    "y_range": None,
    "last_cross": True,
    "bottle": False,
    "act_cls": nn.ReLU,
    "init": nn.init.kaiming_normal_,
    "norm_type": None,
}


class UnetBlock(nn.Module):
    """Enlarge, join the encoder's map of that size, convolve twice.

    Shapes: `(b, n_up, h, w)` and `(b, n_skip, h', w')` to `(b, nf, h', w')`, with
    `nf = n_up / 2 + n_skip`, and half of it for the last block.

    Args:
        n_up: Channels from below.
        n_skip: Channels of the encoder's map.
        last: Whether it is the last block.
        blur: Average after enlarging.
        self_attention: Put self-attention at the end.
        act_cls: Makes the activations.
        norm_type: The norm of the convolutions.
    """

    def __init__(
        self,
        n_up: int,
        n_skip: int,
        *,
        last: bool = False,
        blur: bool = False,
        self_attention: bool = False,
        act_cls: ActCls = nn.ReLU,
        norm_type: NormType | None = None,
    ) -> None:
        super().__init__()
        same: dict[str, Any] = {"act_cls": act_cls, "norm_type": norm_type}
        self.up = PixelShuffle_ICNR(n_up, n_up // 2, blur=blur, **same)
        self.norm = BatchNorm(n_skip)
        self.act = act_cls()
        ni = n_up // 2 + n_skip
        self.nf = ni // 2 if last else ni
        extra = SelfAttention(self.nf) if self_attention else None
        self.convs = nn.Sequential(
            ConvLayer(ni, self.nf, **same), ConvLayer(self.nf, self.nf, xtra=extra, **same)
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Bring `x` to the size of `skip` and join them."""
        up = _resized(self.up(x), skip)
        return self.convs(self.act(torch.cat([up, self.norm(skip)], dim=1)))


def _resized(x: Tensor, like: Tensor) -> Tensor:
    # an exported model serves other sizes, too, so it always has the step
    if not torch.compiler.is_exporting() and x.shape[-2:] == like.shape[-2:]:
        return x
    return F.interpolate(x, like.shape[-2:], mode="nearest")


class UnetDecoder(nn.Module):
    """From the picture and the encoder's maps to `n_out` channels in the size of the picture.

    Args:
        maps: The encoder's maps for one picture, which is the first.
        n_out: Channels of the result.
        options: `blur` (False): average after each enlarging, after that of the last block only
            with `blur_final` (True); `self_attention` (False): in the third block from the end;
            `y_range` (None): bounds of the result; `last_cross` (True): join the picture itself at
            the end, with `bottle` (False): through half of the channels; `act_cls` (ReLU), or its
            name in `ACTIVATIONS`;
            `norm_type` (None): the norm of the convolutions; `init` (Kaiming) starts them.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.

    Source: Ronneberger et al. 2015, "U-Net"; the decoder for any encoder: the fastai paper.
    """

    def __init__(self, maps: Maps, n_out: int, **options: Unpack[UnetArgs]) -> None:
        super().__init__()
        refuse_unknown("UnetDecoder", options, _DEFAULTS)
        o = {**_DEFAULTS, **options}
        act = o["act_cls"]
        same = {
            "act_cls": ACTIVATIONS[act] if isinstance(act, str) else act,
            "norm_type": o["norm_type"],
        }
        image, *skips, deepest = maps
        nf = deepest.shape[1]
        self.middle = nn.Sequential(
            BatchNorm(nf), nn.ReLU(), ConvLayer(nf, 2 * nf, **same), ConvLayer(2 * nf, nf, **same)
        )
        blocks = list(_blocks(nf, [m.shape[1] for m in reversed(skips)], o, same))
        self.blocks = nn.ModuleList(blocks)
        nf = blocks[-1].nf if blocks else nf
        at_size = maps[1].shape[-2:] == image.shape[-2:]
        self.enlarge = nn.Identity() if at_size else PixelShuffle_ICNR(nf, **same)
        self.cross = None
        if o["last_cross"]:
            nf += image.shape[1]
            self.cross = ResBlock(1, nf, nf, nh2=nf // 2 if o["bottle"] else nf, **same)
        self.last = ConvLayer(nf, n_out, 1, act_cls=None, norm_type=o["norm_type"])
        self.bound = nn.Identity() if o["y_range"] is None else SigmoidRange(*o["y_range"])
        if o["init"] is not None:  # the enlarging layers have their own start
            for part in (self.middle, *(b.convs for b in blocks), self.cross or nn.Identity()):
                apply_init(part, o["init"])

    def forward(self, maps: Maps) -> Tensor:
        """Go from the deepest map up to the size of the picture."""
        image, *skips, x = maps
        x = self.middle(x)
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            x = block(x, skip)
        x = _resized(self.enlarge(x), image)
        if self.cross is not None:
            x = self.cross(torch.cat([x, image], dim=1))
        return self.bound(self.last(x))


def _blocks(
    nf: int, skips: list[int], o: dict[str, Any], same: dict[str, Any]
) -> Iterator[UnetBlock]:
    """The blocks from deep to fine, for a deepest map of `nf` channels."""
    n = len(skips)
    for i, n_skip in enumerate(skips):
        last = i == n - 1
        block = UnetBlock(
            nf,
            n_skip,
            last=last,
            blur=o["blur"] and (o["blur_final"] or not last),
            self_attention=o["self_attention"] and i == max(0, n - 3),
            **same,
        )
        nf = block.nf
        yield block


@savable("lamina.vision:unet")
def create_unet_model(
    arch: str | Callable[..., nn.Module] | Architecture,
    n_out: int,
    img_size: tuple[int, int] = (256, 256),
    *,
    n_in: int = 3,
    weights: str | Path | None = None,
    cut: int | None = None,
    **options: Unpack[UnetArgs],
) -> VisionModel:
    """A U-Net on the body of `arch`: `(b, n_in, h, w)` to `(b, n_out, h, w)`.

    Args:
        arch: A name or function of the table of architectures, or any callable that takes `n_in`
            and `n_out` and makes a network of layers in a row, or one that gives a list of maps.
        n_out: Channels of the result.
        img_size: Height and width that the levels are laid out for; other sizes can be used.
        n_in: Channels of the picture.
        weights: A file with the weights of the whole published network; None starts afresh.
        cut: Children of the network that are the body, when the table's choice does not suit.
        options: Of `UnetDecoder`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.

    Example:
        >>> model = create_unet_model("resnet18", 5, (64, 64)).eval()
        >>> model(torch.zeros(1, 3, 50, 35)).shape
        torch.Size([1, 5, 50, 35])

    Source: the fastai paper, "Vision": `unet_learner`.
    """
    found = find_architecture(arch)
    image = torch.zeros(1, n_in, *img_size)
    body = create_staged_body(found, image, weights=weights, cut=cut)
    with evaluating(body):
        decoder = UnetDecoder(body(image), n_out, **options)
    return VisionModel(body, decoder, found.groups if cut is None else ())
