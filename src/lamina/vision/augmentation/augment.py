"""Augmentation of whole batches on their device: one interpolation, one pass for light.

Every item of a batch gets its own draw, the same for its image, mask, points and boxes, from the
batch's counted randomness. Only split 0 (training) is changed, except that a `size` holds for all.
"""

import math
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, ClassVar, TypedDict, Unpack

import torch
from torch import Tensor

from lamina.data.transform import ItemTransform
from lamina.foundation.dispatch import TypeTable
from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.foundation.registry import savable
from lamina.tensor.random import bernoulli, uniform
from lamina.tensor.types import (
    PointsMeta,
    TensorBBox,
    TensorImage,
    TensorMask,
    TensorPoint,
    plain,
)
from lamina.vision.augmentation.geometry import (
    dihedral_matrix,
    flip_matrix,
    identity_matrix,
    map_points,
    rotate_matrix,
    tilt_matrix,
    warp,
    zoom_matrix,
)
from lamina.vision.augmentation.lighting import relight
from lamina.vision.augmentation.resize import Size, image_size
from lamina.vision.parts import each_part, parts_of

__all__ = [
    "AugArgs",
    "Brightness",
    "Contrast",
    "Dihedral",
    "Flip",
    "Lighting",
    "Rotate",
    "Saturation",
    "SpatialChain",
    "SpatialTransform",
    "Warp",
    "Zoom",
    "aug_transforms",
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


def _float_batch(x: TensorImage) -> Tensor:
    if x.ndim != 4 or not x.is_floating_point():
        raise ContractError(
            f"Batch augmentation: an image of shape {tuple(x.shape)} and type {x.dtype}. Expected "
            "floats (b, c, h, w): give the transform as batch_tfms, after IntToFloatTensor()."
        )
    return plain(x)


def _move_image(x: TensorImage, move: Move) -> TensorImage:
    out = warp(_float_batch(x), move.matrix, move.size, mode=move.mode, pad_mode=move.pad_mode)
    return TensorImage.wrap(out, like=x)


def _move_mask(x: TensorMask, move: Move) -> TensorMask:
    values = plain(x)[:, None].float()
    out = warp(values, move.matrix, move.size, mode="nearest", pad_mode=move.pad_mode)
    return TensorMask.wrap(out[:, 0].to(x.dtype), like=x)


def _move_points(x: TensorPoint, move: Move) -> TensorPoint:
    return _located(TensorPoint.wrap(map_points(plain(x), move.matrix), like=x), move)


def _move_boxes(x: TensorBBox, move: Move) -> TensorBBox:
    """The axis-aligned hulls of the moved corners."""
    left, top, right, bottom = plain(x).unbind(-1)
    corners = torch.stack([left, top, right, top, left, bottom, right, bottom], dim=-1)
    points = map_points(corners.view(len(x), -1, 2), move.matrix).view(*corners.shape[:2], 4, 2)
    hulls = torch.cat([points.amin(2), points.amax(2)], dim=-1)
    return _located(TensorBBox.wrap(hulls, like=x), move)


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
    """

    order: ClassVar[int] = 30

    size: Size | None = None
    mode: str = "bilinear"
    pad_mode: str = "reflection"

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw `(n, 3, 3)` matrices from output to input coordinates; `aspect` is height/width."""
        raise NotImplementedError

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Move every element of the batch `x` that has a place."""
        image = next((p for p in parts_of(x) if isinstance(p, TensorImage | TensorMask)), None)
        if image is None or (split_idx != 0 and self.size is None):
            return x
        height, width = image.shape[-2:]
        n = len(image)
        matrix = self.matrices(n, height / width) if split_idx == 0 else identity_matrix(n)
        move = Move(matrix, _height_width(self.size), self.mode, self.pad_mode)

        def put(part: Any) -> Any:
            move_kind = moved.find(type(part))
            return part if move_kind is None else move_kind(part, move)

        return each_part(put, x)


def _height_width(size: Size | None) -> tuple[int, int] | None:
    if size is None:
        return None
    width, height = image_size(size)
    return height, width


def _sometimes(matrix: Tensor, p: float) -> Tensor:
    """Keep each matrix with probability `p`, else the identity."""
    n = len(matrix)
    return torch.where(bernoulli(n, p).view(n, 1, 1), matrix, identity_matrix(n))


@savable
@dataclass(repr=False)
class Flip(SpatialTransform):
    """Mirror left and right with probability `p`.

    Example:
        >>> Flip(p=1.0)(TensorImage([[[[0.0, 0.5, 1.0, 1.0]]]]), split_idx=0)
        TensorImage([[[[1.0000, 1.0000, 0.5000, 0.0000]]]])
    """

    p: float = 0.5

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the mirrored items."""
        return flip_matrix(bernoulli(n, self.p))


@savable
@dataclass(repr=False)
class Dihedral(SpatialTransform):
    """One of the eight symmetries of the square, each as likely, with probability `p`.

    Example:
        >>> Dihedral(p=1.0)(TensorImage(torch.rand(4, 3, 8, 8)), split_idx=0).shape
        torch.Size([4, 3, 8, 8])
    """

    p: float = 0.5

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the symmetries."""
        return _sometimes(dihedral_matrix(uniform(n, 0, 8).long()), self.p)


@savable
@dataclass(repr=False)
class Rotate(SpatialTransform):
    """Turn by up to `max_deg` degrees either way, with probability `p`.

    Example:
        >>> Rotate(30.0, size=(16, 24))(TensorImage(torch.rand(2, 3, 32, 32)), split_idx=1).shape
        torch.Size([2, 3, 16, 24])
    """

    max_deg: float = 10.0
    p: float = 0.5

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the angles."""
        return _sometimes(rotate_matrix(uniform(n, -self.max_deg, self.max_deg), aspect), self.p)


@savable
@dataclass(repr=False)
class Zoom(SpatialTransform):
    """Magnify by `min_zoom` to `max_zoom` around a random place, with probability `p`.

    Example:
        >>> Zoom(2.0, 2.0, p=1.0).matrices(1, aspect=1.0)[0].diagonal()
        tensor([0.5000, 0.5000, 1.0000])
    """

    min_zoom: float = 1.0
    max_zoom: float = 1.1
    p: float = 0.5

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the scales and places."""
        scale = uniform(n, self.min_zoom, self.max_zoom)
        return _sometimes(zoom_matrix(scale, uniform(n), uniform(n)), self.p)


@savable
@dataclass(repr=False)
class Warp(SpatialTransform):
    """Tilt the picture plane about both axes by up to `magnitude`, with probability `p`.

    Raises:
        ContractError: `magnitude` is above 0.5, where the horizon would come into the picture.

    Example:
        >>> Warp(0.2, p=1.0).matrices(3, aspect=1.0).shape
        torch.Size([3, 3, 3])
    """

    magnitude: float = 0.2
    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.magnitude <= 0.5:
            raise ContractError(f"Warp: magnitude={self.magnitude}. Expected 0 to 0.5.")

    def matrices(self, n: int, aspect: float) -> Tensor:
        """Draw the tilts."""
        m = self.magnitude
        return _sometimes(tilt_matrix(uniform(n, -m, m), uniform(n, -m, m)), self.p)


@savable
@dataclass(repr=False)
class Lighting(ItemTransform, overrides_verbs=True):
    """Change brightness, contrast and saturation of images in one pass, each item by its own draw.

    Args:
        brightness: Mid-grey becomes 0.5 plus or minus up to half of this; 0 is off.
        contrast: Contrast is multiplied by `1 - contrast` to its inverse; 0 is off.
        saturation: The same for saturation; 0 is off.
        p: Probability of each of them.

    Raises:
        ContractError: An amount is not below 1.

    Example:
        >>> x = TensorImage(torch.rand(2, 3, 8, 8))
        >>> Lighting(0.2, 0.2)(x, split_idx=1) is x
        True
    """

    order: ClassVar[int] = 40

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    p: float = 0.75

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= (amount := getattr(self, name)) < 1:
                raise ContractError(f"Lighting: {name}={amount}. Expected 0 (off) to below 1.")

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Relight the images of the batch `x`, in training."""
        return self.relit(x) if split_idx == 0 else x

    def relit(self, x: Any, *, in_place: bool = False) -> Any:
        """Draw, and relight the images of the batch `x`; `in_place` lets them be overwritten."""
        image = next((p for p in parts_of(x) if isinstance(p, TensorImage)), None)
        if image is None:
            return x
        n = len(image)
        amounts = (
            self._levels(n),
            self._factors(n, self.contrast),
            self._factors(n, self.saturation),
        )

        def one(part: Any) -> Any:
            if not isinstance(part, TensorImage):
                return part
            return TensorImage.wrap(
                relight(_float_batch(part), *amounts, in_place=in_place), like=part
            )

        return each_part(one, x)

    def _levels(self, n: int) -> Tensor | None:
        if not self.brightness:
            return None
        half = self.brightness / 2
        return torch.where(bernoulli(n, self.p), uniform(n, 0.5 - half, 0.5 + half), 0.5)

    def _factors(self, n: int, most: float) -> Tensor | None:
        if not most:
            return None
        low = math.log1p(-most)
        return torch.where(bernoulli(n, self.p), uniform(n, low, -low).exp(), 1.0)


def Brightness(max_lighting: float = 0.2, p: float = 0.75) -> Lighting:  # noqa: N802  # a constructor
    """`Lighting` that only changes the brightness.

    Example:
        >>> Brightness(0.3)
        Lighting(brightness=0.3, contrast=0.0, saturation=0.0, p=0.75)
    """
    return Lighting(brightness=max_lighting, p=p)


def Contrast(max_lighting: float = 0.2, p: float = 0.75) -> Lighting:  # noqa: N802  # as Brightness
    """`Lighting` that only changes the contrast.

    Example:
        >>> Contrast(0.3, p=1.0)
        Lighting(brightness=0.0, contrast=0.3, saturation=0.0, p=1.0)
    """
    return Lighting(contrast=max_lighting, p=p)


def Saturation(max_lighting: float = 0.2, p: float = 0.75) -> Lighting:  # noqa: N802  # as Brightness
    """`Lighting` that only changes the saturation.

    Example:
        >>> Saturation(0.3).saturation
        0.3
    """
    return Lighting(saturation=max_lighting, p=p)


@savable
@dataclass(repr=False)
class SpatialChain(SpatialTransform, overrides_verbs=True):
    """Several geometric transforms as one matrix and one interpolation, then a change of light.

    Args:
        tfms: In the order in which they happen; their own sizes and modes do not count.
        light: Applied to the result, which costs less than a transform of its own.

    Example:
        >>> tfm = SpatialChain([Flip(), Rotate(20.0)], Brightness(), size=24)
        >>> tfm(TensorImage(torch.rand(2, 3, 32, 32)), split_idx=0).shape
        torch.Size([2, 3, 24, 24])
    """

    tfms: list[SpatialTransform] = field(default_factory=list)
    light: Lighting | None = None

    def matrices(self, n: int, aspect: float) -> Tensor:
        """The product of the draws of all transforms."""
        drawn = [t.matrices(n, aspect) for t in self.tfms]
        return reduce(torch.matmul, drawn, identity_matrix(n))

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Move every element of the batch `x` that has a place, and relight its images."""
        done = super().__call__(x, split_idx)
        if self.light is None or split_idx != 0:
            return done
        return self.light.relit(done, in_place=done is not x)


class AugArgs(TypedDict, total=False):
    """Options of `aug_transforms`, explained there."""

    mult: float
    do_flip: bool
    flip_vert: bool
    max_rotate: float
    min_zoom: float
    max_zoom: float
    max_lighting: float
    max_warp: float
    p_affine: float
    p_lighting: float
    xtra_tfms: list[Any] | None
    size: Size | None
    mode: str
    pad_mode: str


_AUG_DEFAULTS: dict[str, Any] = {
    "mult": 1.0,
    "do_flip": True,
    "flip_vert": False,
    "max_rotate": 10.0,
    "min_zoom": 1.0,
    "max_zoom": 1.1,
    "max_lighting": 0.2,
    "max_warp": 0.2,
    "p_affine": 0.75,
    "p_lighting": 0.75,
    "xtra_tfms": None,
    "size": None,
    "mode": "bilinear",
    "pad_mode": "reflection",
}


def aug_transforms(**options: Unpack[AugArgs]) -> list[Any]:
    """The usual augmentation of photographs, as one batch transform and `xtra_tfms`.

    Args:
        options: `do_flip` (True) mirrors half of the items, with `flip_vert` (False) all eight
            symmetries; `max_rotate` (10) degrees; `min_zoom`, `max_zoom` (1, 1.1); `max_warp` (0.2)
            of perspective; `max_lighting` (0.2) of brightness and contrast; `mult` (1) scales
            rotation, warp and lighting; `p_affine`, `p_lighting` (0.75) are the probabilities of
            each but the flip; `size`, `mode`, `pad_mode` as in `SpatialTransform`; `xtra_tfms`
            (None) are added.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.

    Example:
        >>> (tfm,) = aug_transforms(size=224, max_warp=0.0, max_zoom=1.0)
        >>> [type(t).__name__ for t in (*tfm.tfms, tfm.light)]
        ['Flip', 'Rotate', 'Lighting']
    """
    refuse_unknown("aug_transforms", options, _AUG_DEFAULTS)
    o = {**_AUG_DEFAULTS, **options}
    p, mult = o["p_affine"], o["mult"]
    spatial: list[SpatialTransform] = []
    if o["do_flip"]:
        spatial.append(Dihedral() if o["flip_vert"] else Flip())
    if o["max_warp"]:
        spatial.append(Warp(o["max_warp"] * mult, p))
    if o["max_rotate"]:
        spatial.append(Rotate(o["max_rotate"] * mult, p))
    if o["min_zoom"] != 1 or o["max_zoom"] != 1:
        spatial.append(Zoom(o["min_zoom"], o["max_zoom"], p))
    amount = o["max_lighting"] * mult
    light = Lighting(amount, amount, p=o["p_lighting"]) if amount else None
    xtra = o["xtra_tfms"] or []
    if spatial or o["size"] is not None:
        same = {key: o[key] for key in ("size", "mode", "pad_mode")}
        return [SpatialChain(spatial, light, **same), *xtra]
    return [*([] if light is None else [light]), *xtra]
