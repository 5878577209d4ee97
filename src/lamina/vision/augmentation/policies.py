"""RandAugment and TrivialAugment: a few strong changes of each item, drawn from a list.

What moves the picture moves its mask, points and boxes along.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from lamina.data.transform import ItemTransform
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.foundation.seeding import current
from lamina.vision.augmentation.coordinates import moved_coordinates
from lamina.vision.images import PILBase, PILMask
from lamina.vision.parts import each_part, parts_of

__all__ = ["OPERATIONS", "RandAugment", "TrivialAugment", "changed"]

_MOST_MAGNITUDE = 30
_Affine = tuple[float, float, float, float, float, float]  # x' = ax + by + c, y' = dx + ey + f


def _turn(degrees: float) -> _Affine:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return cos, -sin, 0, sin, cos, 0


# From places in the result to places in the picture, both counted from the middle.
_MOVES: dict[str, Callable[[float, int, int], _Affine]] = {
    "ShearX": lambda v, _w, _h: (1, v, 0, 0, 1, 0),
    "ShearY": lambda v, _w, _h: (1, 0, 0, v, 1, 0),
    "TranslateX": lambda v, w, _h: (1, 0, v * w, 0, 1, 0),
    "TranslateY": lambda v, _w, h: (1, 0, 0, 0, 1, v * h),
    "Rotate": lambda v, _w, _h: _turn(v),
}
_REPAINTS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "Brightness": lambda im, v: ImageEnhance.Brightness(im).enhance(1 + v),
    "Color": lambda im, v: ImageEnhance.Color(im).enhance(1 + v),
    "Contrast": lambda im, v: ImageEnhance.Contrast(im).enhance(1 + v),
    "Sharpness": lambda im, v: ImageEnhance.Sharpness(im).enhance(1 + v),
    "Posterize": lambda im, v: ImageOps.posterize(im, 8 - round(abs(v))),
    "Solarize": lambda im, v: ImageOps.solarize(im, round(256 * (1 - abs(v)))),
    "AutoContrast": lambda im, _v: ImageOps.autocontrast(im),
    "Equalize": lambda im, _v: ImageOps.equalize(im),
    "Identity": lambda im, _v: im,
}
OPERATIONS = (*_MOVES, *_REPAINTS)
"""The names of all operations."""

_COLOURS = ("Brightness", "Color", "Contrast", "Sharpness")
_USUAL = {  # the most of each: RandAugment's
    **dict.fromkeys(_COLOURS, 0.9),
    "ShearX": 0.3,
    "ShearY": 0.3,
    "TranslateX": 0.45,
    "TranslateY": 0.45,
    "Rotate": 30.0,
    "Posterize": 4.0,
    "Solarize": 1.0,
}
_WIDE = {  # TrivialAugment's
    **dict.fromkeys(_COLOURS, 0.99),
    "ShearX": 0.99,
    "ShearY": 0.99,
    "TranslateX": 1 / 7,
    "TranslateY": 1 / 7,
    "Rotate": 135.0,
    "Posterize": 6.0,
    "Solarize": 1.0,
}


def changed(x: Any, name: str, amount: float) -> Any:
    """Apply one operation to a picture, or to an item with all that lies on its picture.

    Args:
        x: A `PILBase`, or a tuple of such, masks, points and boxes.
        name: One of `OPERATIONS`.
        amount: Signed: tangent of a shear, fraction of a side for a translation, degrees, what is
            added to the factor 1 of a colour, bits that a posterized picture loses, the fraction
            of values that are solarized.

    Example:
        >>> from lamina.vision.images import PILImageBW
        >>> im = PILImageBW.wrap(Image.new("L", (4, 4), 100))
        >>> changed(im, "Brightness", 0.5).getpixel((0, 0))
        150
    """
    if (move := _MOVES.get(name)) is None:
        return each_part(lambda part: _repainted(part, _REPAINTS[name], amount), x)
    first = next(part for part in parts_of(x) if isinstance(part, PILBase))
    width, height = first.size
    a, b, c, d, e, f = move(amount, width, height)
    mid_x, mid_y = width / 2, height / 2
    c, f = c + mid_x - a * mid_x - b * mid_y, f + mid_y - d * mid_x - e * mid_y
    return each_part(lambda part: _moved(part, (a, b, c, d, e, f), (width, height)), x)


def _repainted(part: Any, repaint: Callable[..., Image.Image], amount: float) -> Any:
    if not isinstance(part, PILBase) or isinstance(part, PILMask):
        return part
    part.load()
    return type(part).wrap(repaint(part, amount))


def _moved(part: Any, affine: _Affine, size: tuple[int, int]) -> Any:
    if isinstance(part, PILBase):
        part.load()
        is_mask = isinstance(part, PILMask)
        sampling = Image.Resampling.NEAREST if is_mask else Image.Resampling.BILINEAR
        moved = part.transform(part.size, Image.Transform.AFFINE, affine, sampling)
        return type(part).wrap(moved)
    a, b, c, d, e, f = affine
    matrix, offset = torch.tensor([[a, b], [d, e]]).float(), torch.tensor([c, f])
    extent = torch.tensor(size)

    def move(points: Tensor) -> Tensor:
        pixels = (points + 1) / 2 * extent - offset
        return torch.linalg.solve(matrix, pixels.mT).mT * 2 / extent - 1

    return moved_coordinates(part, move, size)


class _Policy(ItemTransform, overrides_verbs=True):
    """The base of both: a subclass draws the operations and their amounts."""

    order: ClassVar[int] = 4  # when the picture has its size, and before it is a tensor

    def plan(self, rng: random.Random) -> list[tuple[str, float]]:
        """Draw the operations of an item."""
        raise NotImplementedError

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Draw, and change the picture of an item and all that lies on it, in training."""
        if split_idx != 0 or not any(isinstance(part, PILBase) for part in parts_of(x)):
            return x
        for name, amount in self.plan(current().python):
            x = changed(x, name, amount)
        return x


@savable
@dataclass(repr=False)
class RandAugment(_Policy):
    """`num_ops` operations of one strength on each item, drawn anew for each.

    Args:
        num_ops: How many, one after the other.
        magnitude: How strong, 0 to 30.

    Raises:
        ContractError: `magnitude` is outside 0 to 30.

    Example:
        >>> from lamina.vision.images import PILImage
        >>> RandAugment()(PILImage.wrap(Image.new("RGB", (8, 8))), split_idx=0)
        PILImage(mode=RGB, size=8x8)

    Source: Cubuk et al. 2019, "RandAugment".
    """

    num_ops: int = 2
    magnitude: float = 9.0

    def __post_init__(self) -> None:
        if not 0 <= self.magnitude <= _MOST_MAGNITUDE:
            raise ContractError(f"RandAugment: magnitude={self.magnitude}. Expected 0 to 30.")

    def plan(self, rng: random.Random) -> list[tuple[str, float]]:
        """Draw the operations and the signs."""
        names = rng.choices(OPERATIONS, k=self.num_ops)
        level = self.magnitude / _MOST_MAGNITUDE
        return [(name, rng.choice((-1, 1)) * level * _USUAL.get(name, 0.0)) for name in names]


@savable
@dataclass(repr=False)
class TrivialAugment(_Policy):
    """One operation of any strength on each item: nothing to tune.

    Example:
        >>> from lamina.vision.images import PILImage
        >>> TrivialAugment()(PILImage.wrap(Image.new("RGB", (8, 8))), split_idx=0)
        PILImage(mode=RGB, size=8x8)

    Source: Müller & Hutter 2021, "TrivialAugment", the wide search space.
    """

    def plan(self, rng: random.Random) -> list[tuple[str, float]]:
        """Draw the operation, its strength and its sign."""
        name = rng.choice(OPERATIONS)
        return [(name, rng.uniform(-1, 1) * _WIDE.get(name, 0.0))]
