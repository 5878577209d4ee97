"""The detector: any body, a feature pyramid on its maps, and one head for all levels.

Every cell of every level says what stands around it and where that is; there are no anchors of
several shapes to choose.
"""

from collections.abc import Callable
from math import gcd, log, log2
from pathlib import Path
from typing import TypedDict, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.nn.params import evaluating
from lamina.vision.models.architectures import Architecture, find_architecture
from lamina.vision.models.model import VisionModel
from lamina.vision.models.stages import Maps, create_staged_body

__all__ = [
    "BOX",
    "CELL",
    "CELLS_PER_BOX",
    "LOGITS",
    "DetectionHead",
    "DetectorArgs",
    "FeaturePyramid",
    "create_detection_model",
]

BOX, CELL, LOGITS = slice(0, 4), slice(4, 8), slice(8, None)
"""Where a detector's output holds the box, the cell that saw it and the logit of each label."""

CELLS_PER_BOX = 4.0
"""The side of the box, in cells, that a level is for."""

_RARE = 0.01  # how probable a new head finds an object, so that the many empty cells do not lead
_LAYOUT_PX = 256  # the side of the empty picture with which levels are laid out
_WIDEST = 4.0  # a side is at most e**4 times the expected one, so that nothing overflows


class DetectorArgs(TypedDict, total=False):
    """Options of a `DetectionHead`, explained there."""

    n_channels: int
    n_convs: int
    n_levels: int
    min_stride: int


def _conv(ni: int, nf: int, ks: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution with a norm that does not depend on the batch, which is small here."""
    conv = nn.Conv2d(ni, nf, ks, stride=stride, padding=ks // 2, bias=False)
    return nn.Sequential(conv, nn.GroupNorm(gcd(16, nf), nf), nn.ReLU())


class FeaturePyramid(nn.Module):
    """Maps of several sizes to maps of one width, in which the fine ones know the coarse ones.

    Args:
        widths: Channels of the maps, from fine to coarse.
        n_channels: Channels of the results.
        n_levels: How many maps to return; what the body lacks is made by further convolutions.

    Example:
        >>> maps = [torch.zeros(1, 8, 16, 16), torch.zeros(1, 24, 8, 8)]
        >>> [tuple(m.shape) for m in FeaturePyramid([8, 24], 16, 3)(maps)]
        [(1, 16, 16, 16), (1, 16, 8, 8), (1, 16, 4, 4)]

    Source: Lin et al. 2017, "Feature pyramid networks".
    """

    def __init__(self, widths: list[int], n_channels: int, n_levels: int) -> None:
        super().__init__()
        self.sides = nn.ModuleList(_conv(ni, n_channels, ks=1) for ni in widths)
        self.smooth = nn.ModuleList(_conv(n_channels, n_channels) for _ in widths)
        n_more = n_levels - len(widths)
        self.more = nn.ModuleList(_conv(n_channels, n_channels, stride=2) for _ in range(n_more))

    def forward(self, maps: Maps) -> Maps:
        """Join the maps, from coarse to fine."""
        joined = [side(m) for side, m in zip(self.sides, maps, strict=True)]
        for i in range(len(joined) - 2, -1, -1):
            size = joined[i].shape[-2:]
            joined[i] = joined[i] + F.interpolate(joined[i + 1], size, mode="nearest")
        out = [smooth(m) for smooth, m in zip(self.smooth, joined, strict=True)]
        for conv in self.more:
            out.append(conv(out[-1]))
        return out


class DetectionHead(nn.Module):
    """From the picture and a body's maps to a box and the logits of its labels for every cell.

    Shapes: to `(b, n_cells, 8 + n_out)`: a box and the cell that saw it, both from -1 to 1 across
    the picture (box: left, top, right, bottom; cell: x, y, width, height), and `n_out` logits.

    Args:
        maps: The body's maps for one picture, which is the first.
        n_out: Labels.
        n_channels: Width of pyramid and head.
        n_convs: Convolutions before the logits, and as many before the boxes.
        n_levels: Levels of the pyramid, each for objects twice as large as those of the one before.
        min_stride: Pixels per cell of the finest level; its objects have about four times that.

    Raises:
        ContractError: The body has no map that is coarse enough.

    Source: Tian et al. 2019, "FCOS"; Li et al. 2020, "Generalized focal loss", for scores that are
    the expected overlap.
    """

    def __init__(
        self,
        maps: Maps,
        n_out: int,
        *,
        n_channels: int = 64,
        n_convs: int = 2,
        n_levels: int = 4,
        min_stride: int = 8,
    ) -> None:
        super().__init__()
        image, *rest = maps
        strides = [2 ** round(log2(image.shape[-1] / m.shape[-1])) for m in rest]
        self.levels = [i for i, stride in enumerate(strides) if stride >= min_stride][:n_levels]
        if not self.levels:
            raise ContractError(
                f"DetectionHead: the body's maps have {strides} pixels per cell, none of them "
                f"{min_stride} or more. Pass a lower min_stride=, or another body."
            )
        widths = [rest[i].shape[1] for i in self.levels]
        self.pyramid = FeaturePyramid(widths, n_channels, n_levels)
        self.for_labels = nn.Sequential(*(_conv(n_channels, n_channels) for _ in range(n_convs)))
        self.for_boxes = nn.Sequential(*(_conv(n_channels, n_channels) for _ in range(n_convs)))
        self.logits = nn.Conv2d(n_channels, n_out, 3, padding=1)
        self.offsets = nn.Conv2d(n_channels, 4, 3, padding=1)
        for last in (self.logits, self.offsets):
            nn.init.normal_(last.weight, std=0.01)
            nn.init.zeros_(last.bias)  # pyright: ignore[reportArgumentType]  # it has a bias
        nn.init.constant_(self.logits.bias, -log((1 - _RARE) / _RARE))  # pyright: ignore[reportArgumentType]  # as above

    def forward(self, maps: Maps) -> Tensor:
        """Say for every cell of every level what it sees."""
        _, *rest = maps
        levels = self.pyramid([rest[i] for i in self.levels])
        return torch.cat([self._level(m) for m in levels], dim=1)

    def _level(self, x: Tensor) -> Tensor:
        cells = _cells(x)
        offsets = _rows(self.offsets(self.for_boxes(x)))
        boxes = _boxes(cells, offsets)
        logits = _rows(self.logits(self.for_labels(x)))
        return torch.cat([boxes, cells.expand_as(boxes).to(boxes), logits.to(boxes)], dim=-1)


def _rows(x: Tensor) -> Tensor:
    """`(b, c, h, w)` to `(b, h * w, c)`."""
    return x.flatten(2).transpose(1, 2)


def _cells(x: Tensor) -> Tensor:
    """The cells of a map as `(h * w, 4)`: centre and size."""
    h, w = x.shape[-2:]
    across = ((torch.arange(w, device=x.device) + 0.5) * (2 / w) - 1)[None, :].expand(h, w)
    down = ((torch.arange(h, device=x.device) + 0.5) * (2 / h) - 1)[:, None].expand(h, w)
    width, height = torch.full_like(across, 2 / w), torch.full_like(across, 2 / h)
    return torch.stack([across, down, width, height], dim=-1).reshape(-1, 4)


def _boxes(cells: Tensor, offsets: Tensor) -> Tensor:
    """Centres moved by cells, and sides by powers of the expected ones."""
    offsets = offsets.float()  # half precision is too coarse for coordinates
    centre = cells[:, :2] + offsets[..., :2] * cells[:, 2:]
    half = cells[:, 2:] * (CELLS_PER_BOX / 2) * offsets[..., 2:].clamp(max=_WIDEST).exp()
    return torch.cat([centre - half, centre + half], dim=-1)


@savable("lamina.vision:detector")
def create_detection_model(
    arch: str | Callable[..., nn.Module] | Architecture,
    n_out: int,
    *,
    n_in: int = 3,
    weights: str | Path | None = None,
    cut: int | None = None,
    **options: Unpack[DetectorArgs],
) -> VisionModel:
    """A detector on the body of `arch`: `(b, n_in, h, w)` to `(b, n_cells, 8 + n_out)`.

    What the output holds is said by `DetectionHead`; `DetectionLoss` trains and reads it.

    Args:
        arch: A name or function of the table of architectures, a name of timm's, or any callable
            that takes `n_in` and `n_out` and makes a network of layers in a row, or one that gives
            a list of maps.
        n_out: Labels.
        n_in: Channels of the picture.
        weights: A file with the weights of the whole published network; None starts afresh.
        cut: Children of the network that are the body, when the table's choice does not suit.
        options: Of `DetectionHead`: `n_channels`, `n_convs`, `n_levels`, `min_stride`.

    Raises:
        TypeError: A name in `options` is unknown.

    Example:
        >>> model = create_detection_model("resnet18", 3)
        >>> model(torch.zeros(2, 3, 64, 96)).shape  # 12 * 8 + 6 * 4 + 3 * 2 + 2 cells
        torch.Size([2, 128, 11])
    """
    found = find_architecture(arch)
    image = torch.zeros(1, n_in, _LAYOUT_PX, _LAYOUT_PX)
    body = create_staged_body(found, image, weights=weights, cut=cut)
    with evaluating(body):
        maps = body(image)
    head = DetectionHead(maps, n_out, **options)
    return VisionModel(body, head, found.groups if cut is None else ())
