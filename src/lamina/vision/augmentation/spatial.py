"""Geometric transforms of whole batches on their device, each a matrix per item.

Every item of a batch gets its own draw, the same for its image, mask, points and boxes, from the
batch's counted randomness. Only split 0 (training) is changed, except that a `size` holds for all.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from lamina.data.transform import ItemTransform
from lamina.foundation.dispatch import TypeTable
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.tensor.random import bernoulli, uniform
from lamina.tensor.types import PointsMeta, TensorBBox, TensorImage, TensorMask, TensorPoint, plain
from lamina.vision.augmentation.coordinates import hulls
from lamina.vision.augmentation.draws import DeterministicDraw, Draw, drawn
from lamina.vision.augmentation.geometry import (
    crop_matrix,
    dihedral_matrix,
    flip_matrix,
    identity_matrix,
    map_points,
    rotate_matrix,
    tilt_matrix,
    warp,
    zoom_matrix,
)
from lamina.vision.augmentation.resize import Size, image_size, largest_box
from lamina.vision.parts import each_part, parts_of

__all__ = [
    "DeterministicDihedral",
    "DeterministicFlip",
    "Dihedral",
    "Flip",
    "Move",
    "RandomResizedCropGPU",
    "Rotate",
    "SpatialTransform",
    "Warp",
    "Zoom",
    "float_batch",
    "moved",
]


@dataclass(frozen=True)
class Move:
    """What happens to the geometry of a batch: matrices (None: nothing) and (height, width)."""

    matrix: Tensor
    size: tuple[int, int] | None
    mode: str
    pad_mode: str


moved: TypeTable[Any] = TypeTable()
"""What moves an element of a batch, by its type: `f(element, move) -> element`."""


def float_batch(x: TensorImage) -> Tensor:
    """The pixels of a batch of floats `(b, c, h, w)`, or an error that says what it needs."""
    if x.ndim != 4 or not x.is_floating_point():
        raise ContractError(
            f"Batch augmentation: an image of shape {tuple(x.shape)} and type {x.dtype}. Expected "
            "floats (b, c, h, w): give the transform as batch_tfms, after IntToFloatTensor()."
        )
    return plain(x)


def _move_image(x: TensorImage, move: Move) -> TensorImage:
    out = warp(float_batch(x), move.matrix, move.size, mode=move.mode, pad_mode=move.pad_mode)
    return type(x).wrap(out, like=x)


def _move_mask(x: TensorMask, move: Move) -> TensorMask:
    values = plain(x)[:, None].float()
    out = warp(values, move.matrix, move.size, mode="nearest", pad_mode=move.pad_mode)
    return type(x).wrap(out[:, 0].to(x.dtype), like=x)


def _move_points(x: TensorPoint, move: Move) -> TensorPoint:
    return _located(TensorPoint.wrap(map_points(plain(x), move.matrix), like=x), move)


def _move_boxes(x: TensorBBox, move: Move) -> TensorBBox:
    is_tilted = move.matrix[:, 2:, :2].any(-1, keepdim=True).to(x.device)
    # far outside of a picture lies the horizon of a tilt, and what is behind it has no place
    seen = torch.where(is_tilted, plain(x).clamp(-1, 1), plain(x))
    is_seen = (seen[..., :2] < seen[..., 2:]).all(-1, keepdim=True) | ~is_tilted
    boxes = hulls(seen, lambda points: map_points(points, move.matrix)) * is_seen
    return _located(TensorBBox.wrap(boxes, like=x), move)


def _located(x: Any, move: Move) -> Any:
    """Tell coordinates the new size of their image."""
    if move.size is not None and x.meta is not None:
        x.meta = PointsMeta((move.size[1], move.size[0]))
    return x


moved.add(TensorImage, _move_image)
moved.add(TensorMask, _move_mask)
moved.add(TensorPoint, _move_points)
moved.add(TensorBBox, _move_boxes)


@dataclass(repr=False, kw_only=True)
class SpatialTransform(ItemTransform, overrides_verbs=True):
    """The base of geometric batch transforms; a subclass gives the `matrices` of a draw.

    Args:
        size: Pixels of the result, one number or (height, width), in every split; None keeps it.
        mode: Interpolation of images: "bilinear", "nearest", "bicubic". Masks take the nearest.
        pad_mode: What lies outside: "reflection", "border" or "zeros".
        batch: Whether all items of a batch get the same draw.
    """

    order: ClassVar[int] = 30

    size: Size | None = None
    mode: str = "bilinear"
    pad_mode: str = "reflection"
    batch: bool = False

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw `(n, 3, 3)` matrices from output to input coordinates; `aspect` is height/width."""
        raise NotImplementedError

    def fixed(self, n: int, aspect: float) -> Tensor:  # for those that crop
        """The matrices outside training."""
        return identity_matrix(n)

    def set_version(self, version: int) -> None:
        """Say which version of the items `tta` makes now, for draws that go by it."""
        for draw in vars(self).values():
            if isinstance(draw, DeterministicDraw):
                draw.version = version

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Move every element of the batch `x` that has a place."""
        image = next((p for p in parts_of(x) if isinstance(p, TensorImage | TensorMask)), None)
        if image is None or (split_idx != 0 and self.size is None):
            return x
        height, width = image.shape[-2:]
        draw = self.matrices if split_idx == 0 else self.fixed
        matrix = draw(1 if self.batch else len(image), height / width)
        move = Move(
            matrix.expand(len(image), -1, -1), _height_width(self.size), self.mode, self.pad_mode
        )

        def put(part: Any) -> Any:
            move_kind = moved.find(type(part))
            return part if move_kind is None else move_kind(part, move)

        return each_part(put, x)


def _height_width(size: Size | None) -> tuple[int, int] | None:
    if size is None:
        return None
    width, height = image_size(size)
    return height, width


_TRIES = 10  # as is usual for random crops


def _sometimes(matrix: Tensor, p: float) -> Tensor:
    """Keep each matrix with probability `p`, else the identity."""
    n = len(matrix)
    return torch.where(bernoulli(n, p).view(n, 1, 1), matrix, identity_matrix(n))


@savable
@dataclass(repr=False)
class Flip(SpatialTransform):
    """Mirror left and right with probability `p`.

    Args:
        p: The probability.
        draw: Decides instead, where it is not 0; see `drawn`.

    Example:
        >>> Flip(p=1.0)(TensorImage([[[[0.0, 0.5, 1.0, 1.0]]]]), split_idx=0)
        TensorImage([[[[1.0000, 1.0000, 0.5000, 0.0000]]]])
    """

    p: float = 0.5
    draw: Draw = None

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the mirrored items."""
        if self.draw is None:
            return flip_matrix(bernoulli(n, self.p))
        return flip_matrix(drawn(n, 0, 1, self.draw) != 0)


def DeterministicFlip(**options: Any) -> Flip:  # noqa: N802  # a constructor
    """`Flip` that mirrors every second version of a batch, for `tta(batch_tfms=...)`.

    Args:
        options: Of `SpatialTransform`.
    """
    return Flip(draw=DeterministicDraw([0, 1]), **options)


@savable
@dataclass(repr=False)
class Dihedral(SpatialTransform):
    """One of the eight symmetries of the square, each as likely, with probability `p`.

    Args:
        p: The probability.
        draw: Decides which, 0 to 7; see `drawn`.

    Example:
        >>> Dihedral(p=1.0)(TensorImage(torch.rand(4, 3, 8, 8)), split_idx=0).shape
        torch.Size([4, 3, 8, 8])
    """

    p: float = 0.5
    draw: Draw = None

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the symmetries."""
        return _sometimes(dihedral_matrix(drawn(n, 0, 8, self.draw).long()), self.p)


def DeterministicDihedral(**options: Any) -> Dihedral:  # noqa: N802  # a constructor
    """`Dihedral` with the next symmetry for each version of a batch, for `tta(n=8)`.

    Args:
        options: Of `SpatialTransform`.
    """
    return Dihedral(p=1.0, draw=DeterministicDraw([0, 1, 2, 3, 4, 5, 6, 7]), **options)


@savable
@dataclass(repr=False)
class Rotate(SpatialTransform):
    """Turn by up to `max_deg` degrees either way, with probability `p`.

    Args:
        max_deg: The most.
        p: The probability.
        draw: Decides the degrees; see `drawn`.

    Example:
        >>> Rotate(30.0, size=(16, 24))(TensorImage(torch.rand(2, 3, 32, 32)), split_idx=1).shape
        torch.Size([2, 3, 16, 24])
    """

    max_deg: float = 10.0
    p: float = 0.5
    draw: Draw = None

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the angles."""
        return _sometimes(
            rotate_matrix(drawn(n, -self.max_deg, self.max_deg, self.draw), aspect), self.p
        )


@savable
@dataclass(repr=False)
class Zoom(SpatialTransform):
    """Magnify by `min_zoom` to `max_zoom` around a random place, with probability `p`.

    Args:
        min_zoom: The least.
        max_zoom: The most.
        p: The probability.
        draw: Decides how much; see `drawn`.
        draw_x: Decides the place, from 0 (left) to 1.
        draw_y: The same from top to bottom.

    Example:
        >>> Zoom(2.0, 2.0, p=1.0).matrices(1, aspect=1.0)[0].diagonal()
        tensor([0.5000, 0.5000, 1.0000])
    """

    min_zoom: float = 1.0
    max_zoom: float = 1.1
    p: float = 0.5
    draw: Draw = None
    draw_x: Draw = None
    draw_y: Draw = None

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the scales and places."""
        scale = drawn(n, self.min_zoom, self.max_zoom, self.draw)
        place = drawn(n, 0, 1, self.draw_x), drawn(n, 0, 1, self.draw_y)
        return _sometimes(zoom_matrix(scale, *place), self.p)


@savable
@dataclass(repr=False)
class Warp(SpatialTransform):
    """Tilt the picture plane about both axes by up to `magnitude`, with probability `p`.

    Args:
        magnitude: The most, 0 to 0.5.
        p: The probability.
        draw_x: Decides the tilt about the vertical axis; see `drawn`.
        draw_y: The same about the horizontal axis.

    Raises:
        ContractError: `magnitude` is above 0.5, where the horizon would come into the picture.

    Example:
        >>> Warp(0.2, p=1.0).matrices(3, aspect=1.0).shape
        torch.Size([3, 3, 3])
    """

    magnitude: float = 0.2
    p: float = 0.5
    draw_x: Draw = None
    draw_y: Draw = None

    def __post_init__(self) -> None:
        if not 0 <= self.magnitude <= 0.5:
            raise ContractError(f"Warp: magnitude={self.magnitude}. Expected 0 to 0.5.")

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the tilts."""
        m = self.magnitude
        return _sometimes(
            tilt_matrix(drawn(n, -m, m, self.draw_x), drawn(n, -m, m, self.draw_y)), self.p
        )


@savable
@dataclass(repr=False)
class RandomResizedCropGPU(SpatialTransform):
    """Show a random part of random area and aspect of each item, brought to one size.

    Outside training the middle is shown, within the aspect limits.

    Args:
        size: Pixels, one number or (height, width); None keeps the size.
        min_scale: Smallest area, as a fraction of the picture.
        ratio: Smallest and largest aspect (width / height).
        valid_scale: Fraction of the middle's width and height that is shown outside training.
        max_scale: Largest area.

    Example:
        >>> crop = RandomResizedCropGPU(24, min_scale=0.5)
        >>> crop(TensorImage(torch.rand(2, 3, 32, 32)), split_idx=0).shape
        torch.Size([2, 3, 24, 24])

    Source: Szegedy et al. 2015, "Going deeper with convolutions", sec. 6.
    """

    size: Size | None = None
    min_scale: float = 0.08
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    valid_scale: float = 1.0
    max_scale: float = 1.0

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the parts: of ten for each item the first that fits, else the middle."""
        shape = n, _TRIES
        area = uniform(shape, self.min_scale, self.max_scale)
        ratio = uniform(shape, *map(math.log, self.ratio)).exp() * aspect
        extent = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], -1)
        fits = (extent <= 1).all(-1)
        first = extent[torch.arange(n), fits.int().argmax(1)]
        found = fits.any(1, keepdim=True)
        chosen = torch.where(found, first, self._middle(aspect))
        return _crop(chosen, torch.where(found, uniform((n, 2)), 0.5))

    def fixed(self, n: int, aspect: float) -> Tensor:
        """The middle."""
        return _crop((self._middle(aspect) * self.valid_scale).expand(n, 2), torch.tensor(0.5))

    def _middle(self, aspect: float) -> Tensor:
        """The largest part within the aspect limits: fractions of width and height."""
        low, high = self.ratio
        return torch.tensor(largest_box(1.0, 1.0, min(max(1 / aspect, low), high) * aspect))


def _crop(extent: Tensor, at: Tensor) -> Tensor:
    """Show parts of these fractions `(n, 2)` of width and height, `at` fractions of the room."""
    start = (1 - extent) * at * 2 - 1
    return crop_matrix(*start.unbind(1), *(start + extent * 2).unbind(1))
