"""Item transforms that choose a part of a picture and bring it to one size.

All of them come down to a `Placement`: which part of the source is shown, and how large the result
is. It is drawn once for an item, so a picture and its mask always agree, and it tells a lazy
picture how small it may be decoded.
"""

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from lamina.data.transform import ItemTransform
from lamina.foundation.dispatch import TypeTable
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.foundation.seeding import current
from lamina.tensor.types import TensorBBox, TensorPoint
from lamina.vision.augmentation.coordinates import moved_coordinates
from lamina.vision.decoding import reduction
from lamina.vision.images import PILBase, PILMask
from lamina.vision.parts import each_part, parts_of

__all__ = [
    "CropPad",
    "Placement",
    "RandomCrop",
    "RandomResizedCrop",
    "RatioResize",
    "Resize",
    "SizedTransform",
    "box_at",
    "image_size",
    "largest_box",
    "placed",
]

METHODS = ("crop", "squish", "pad")
PAD_MODES = {"zeros": "constant", "border": "edge", "reflection": "reflect"}
RESAMPLES = tuple(how.name.lower() for how in Image.Resampling)
_USUAL = ("bilinear", "nearest")  # for pictures and for masks

Size = int | tuple[int, int]
Resamples = tuple[str | int, str | int]


@dataclass(frozen=True)
class Placement:
    """Which part of a picture is shown, and how large.

    Args:
        box: left, top, right, bottom of the part, as fractions of the source's width and height.
        size: (width, height) of the result in pixels.
        margins: left, top, right, bottom pixels of the result that are padding.
        pad_mode: "zeros", "border" or "reflection".
        resamples: How pictures and how masks are resampled.
    """

    box: tuple[float, float, float, float]
    size: tuple[int, int]
    margins: tuple[int, int, int, int] = (0, 0, 0, 0)
    pad_mode: str = "reflection"
    resamples: tuple[str, str] = _USUAL

    @property
    def inner(self) -> tuple[int, int]:
        """(width, height) of the result without its padding."""
        left, top, right, bottom = self.margins
        return self.size[0] - left - right, self.size[1] - top - bottom


placed: TypeTable[Any] = TypeTable()
"""What places an element of an item, by its type: `f(element, placement) -> element`."""


def _place_picture(im: PILBase, place: Placement) -> PILBase:
    how, part = place.resamples[0], im.decode_part(place.box, place.inner)
    if how in ("bilinear", "bicubic"):
        made = type(im).from_pixels(_resampled(part, place.inner, how))
    else:
        whole = type(im).from_pixels(part)
        made = type(im).wrap(whole.resize(place.inner, Image.Resampling[how.upper()]))
    return type(im).wrap(_padded(made, place)) if any(place.margins) else made


def _resampled(part: Tensor, size: tuple[int, int], how: str) -> Tensor:
    # PyTorch's resampling of bytes gives what Pillow's does, within a grey level, and is faster,
    # twice so if the channels of a pixel lie side by side and nothing lies between the pixels
    x = part.permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
    return F.interpolate(x, size[::-1], mode=how, antialias=True)[0].permute(1, 2, 0)


def _place_mask(im: PILMask, place: Placement) -> PILMask:
    im.load()
    box = _in_pixels(place.box, im.size)
    made = im.resize(place.inner, Image.Resampling[place.resamples[1].upper()], box=box)
    return type(im).wrap(_padded(made, place))


def _in_pixels(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    (left, top, right, bottom), (width, height) = box, size
    return left * width, top * height, right * width, bottom * height


def _snapped(place: Placement, width: int, height: int) -> Placement:
    """The placement with edges at whole pixels, also after the decoder has scaled down.

    So picture, mask and points agree exactly, and pixels are resampled from where they lie.
    """
    left, top, right, bottom = _in_pixels(place.box, (width, height))
    step = reduction(min((right - left) / place.inner[0], (bottom - top) / place.inner[1]))
    left, right = _span(left, right, width, step)
    top, bottom = _span(top, bottom, height, step)
    return replace(place, box=(left / width, top / height, right / width, bottom / height))


def _span(start: float, end: float, whole: int, step: int) -> tuple[float, float]:
    length = max(step, round((end - start) / step) * step)
    if end - start > whole - 0.5 or length >= whole or start < 0 or end > whole:
        return start, end
    first = min(round(start / step) * step, (whole - length) // step * step)
    return first, first + length


def _padded(im: Image.Image, place: Placement) -> Image.Image:
    if not any(place.margins):
        return im
    left, top, right, bottom = place.margins
    array = np.asarray(im)
    widths = [(top, bottom), (left, right)] + [(0, 0)] * (array.ndim - 2)
    return Image.fromarray(np.pad(array, widths, mode=PAD_MODES[place.pad_mode]))  # pyright: ignore[reportArgumentType, reportCallIssue]  # one of numpy's modes


def _place_coordinates(x: Any, place: Placement) -> Any:
    left, top, right, bottom = place.box
    start, extent = torch.tensor([left, top]), torch.tensor([right - left, bottom - top])

    def move(points: Tensor) -> Tensor:
        fractions = ((points + 1) / 2 - start) / extent
        pixels = fractions * torch.tensor(place.inner) + torch.tensor(place.margins[:2])
        return pixels * 2 / torch.tensor(place.size) - 1

    return moved_coordinates(x, move, place.size)


placed.add(PILBase, _place_picture)
placed.add(PILMask, _place_mask)
placed.add(TensorPoint | TensorBBox, _place_coordinates)


def image_size(size: Size) -> tuple[int, int]:
    """`size` as (width, height): an int is a square, a pair is (height, width).

    Example:
        >>> image_size(224), image_size((100, 200))
        ((224, 224), (200, 100))
    """
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ContractError(f"size={size}. Give 1 pixel or more.")
    return width, height


class SizedTransform(ItemTransform, overrides_verbs=True):
    """The base of transforms that place the pictures of an item.

    A subclass says where: `place(width, height, rng)` for the size of the item's first picture;
    `rng` is the item's own generator in training and None elsewhere. `resamples` says how pictures
    and how masks are resampled, as in `Resize`.
    """

    order: ClassVar[int] = 1
    resamples: Resamples = _USUAL

    def __post_init__(self) -> None:
        names = [
            Image.Resampling(r).name.lower() if isinstance(r, int) else r for r in self.resamples
        ]
        for name in names:
            _check(type(self).__name__, resamples=(name, RESAMPLES))
        self.resamples = names[0], names[1]

    def place(self, width: int, height: int, rng: random.Random | None) -> Placement:
        """Choose the part of a `width` x `height` picture."""
        raise NotImplementedError

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Place every element of `x` that can be placed; at random in split 0 only."""
        first = next((p for p in parts_of(x) if isinstance(p, PILBase)), None)
        if first is None:
            return x
        rng = current().python if split_idx == 0 else None
        place = _snapped(self.place(*first.size, rng), *first.size)
        place = replace(place, resamples=self.resamples)

        def put(part: Any) -> Any:
            put_kind = placed.find(type(part))
            return part if put_kind is None else put_kind(part, place)

        return each_part(put, x)


def largest_box(width: float, height: float, aspect: float) -> tuple[float, float]:
    """The largest (width, height) of the given aspect (width / height) inside a picture."""
    return min(width, height * aspect), min(height, width / aspect)


def box_at(
    width: int, height: int, part: tuple[float, float], x: float, y: float
) -> tuple[float, float, float, float]:
    """The box of size `part` at the fraction `x`, `y` of the room there is, as fractions."""
    left, top = (width - part[0]) * x, (height - part[1]) * y
    return left / width, top / height, (left + part[0]) / width, (top + part[1]) / height


def _margins(inner: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """What is missing around a picture in the middle: left, top, right, bottom."""
    left, top = (target[0] - inner[0]) // 2, (target[1] - inner[1]) // 2
    return left, top, target[0] - inner[0] - left, target[1] - inner[1] - top


def _check(where: str, **choices: tuple[str, Iterable[str]]) -> None:
    for name, (value, known) in choices.items():
        if value not in known:
            raise ContractError(f"{where}: {name}={value!r}. Choose one of {tuple(known)}.")


@savable
@dataclass(repr=False)
class Resize(SizedTransform):
    """Bring pictures to one size.

    Args:
        size: Pixels: one number for a square, or (height, width).
        method: "crop" keeps the aspect and cuts off what is left over, at a random place in
            training and in the middle elsewhere; "squish" changes the aspect; "pad" keeps the
            aspect and fills up.
        pad_mode: What fills up: "reflection", "border" or "zeros".
        resamples: How pictures and how masks are resampled: "nearest", "bilinear", "bicubic",
            "lanczos", "box" or "hamming", or Pillow's constant.

    Raises:
        ContractError: An unknown method, pad mode or way of resampling.

    Example:
        >>> from lamina.vision.images import PILImage
        >>> Resize(32)(PILImage.wrap(Image.new("RGB", (100, 50))))
        PILImage(mode=RGB, size=32x32)
    """

    size: Size
    method: str = "crop"
    pad_mode: str = "reflection"
    resamples: Resamples = _USUAL

    def __post_init__(self) -> None:
        _check("Resize", method=(self.method, METHODS), pad_mode=(self.pad_mode, PAD_MODES))
        super().__post_init__()

    def place(self, width: int, height: int, rng: random.Random | None) -> Placement:
        """Choose the part by `method`."""
        target = image_size(self.size)
        if self.method == "crop":
            part = largest_box(width, height, target[0] / target[1])
            x, y = (0.5, 0.5) if rng is None else (rng.random(), rng.random())
            return Placement(box_at(width, height, part, x, y), target)
        whole = (0.0, 0.0, 1.0, 1.0)
        if self.method == "squish":
            return Placement(whole, target)
        inner = [max(1, round(v)) for v in largest_box(*target, width / height)]
        return Placement(whole, target, _margins((inner[0], inner[1]), target), self.pad_mode)


@savable
@dataclass(repr=False)
class RandomResizedCrop(SizedTransform):
    """Show a random part of random area and aspect, brought to one size.

    Outside training the middle is shown: the picture is brought within the aspect limits, and a
    border of `val_xtra` of the size is left out.

    Args:
        size: Pixels: one number for a square, or (height, width).
        min_scale: Smallest area, as a fraction of the picture.
        max_scale: Largest area.
        ratio: Smallest and largest aspect (width / height).
        val_xtra: Fraction of the size that is cut off around the middle outside training.
        resamples: As in `Resize`.

    Example:
        >>> from lamina.vision.images import PILImage
        >>> RandomResizedCrop(32)(PILImage.wrap(Image.new("RGB", (100, 50))), split_idx=0)
        PILImage(mode=RGB, size=32x32)

    Source: Szegedy et al. 2015, "Going deeper with convolutions", sec. 6.
    """

    size: Size
    min_scale: float = 0.08
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    val_xtra: float = 0.14
    max_scale: float = 1.0
    resamples: Resamples = _USUAL

    def place(self, width: int, height: int, rng: random.Random | None) -> Placement:
        """Draw the part, or take the middle."""
        target = image_size(self.size)
        if rng is None:
            return Placement(self._middle(width, height, target), target)
        for _ in range(10):
            area = rng.uniform(self.min_scale, self.max_scale) * width * height
            aspect = math.exp(rng.uniform(*map(math.log, self.ratio)))
            w, h = math.sqrt(area * aspect), math.sqrt(area / aspect)
            if w <= width and h <= height:
                box = box_at(width, height, (w, h), rng.random(), rng.random())
                return Placement(box, target)
        return Placement(box_at(width, height, self._within(width, height), 0.5, 0.5), target)

    def _within(self, width: int, height: int) -> tuple[float, float]:
        low, high = self.ratio
        return largest_box(width, height, min(max(width / height, low), high))

    def _middle(
        self, width: int, height: int, target: tuple[int, int]
    ) -> tuple[float, float, float, float]:
        extra = math.ceil(max(target) * self.val_xtra / 8) * 8
        w, h = self._within(width, height)
        part = (w * target[0] / (target[0] + extra), h * target[1] / (target[1] + extra))
        return box_at(width, height, part, 0.5, 0.5)


@savable
@dataclass(repr=False)
class CropPad(SizedTransform):
    """Cut pictures to a size around their middle, and fill up where they are smaller.

    No pixel is resampled.

    Args:
        size: Pixels: one number for a square, or (height, width).
        pad_mode: What fills up: "zeros", "border" or "reflection".

    Raises:
        ContractError: An unknown pad mode.

    Example:
        >>> from lamina.vision.images import PILImage
        >>> CropPad((64, 32))(PILImage.wrap(Image.new("RGB", (100, 50))))
        PILImage(mode=RGB, size=32x64)
    """

    size: Size
    pad_mode: str = "zeros"

    def __post_init__(self) -> None:
        _check(type(self).__name__, pad_mode=(self.pad_mode, PAD_MODES))

    def place(self, width: int, height: int, rng: random.Random | None) -> Placement:
        """Take the middle."""
        return self._cut(width, height, lambda room: room // 2)

    def _cut(self, width: int, height: int, at: Callable[[int], int]) -> Placement:
        """Cut with the corner where `at` says, given how many pixels are left over."""
        target = image_size(self.size)
        w, h = min(width, target[0]), min(height, target[1])
        left, top = at(width - w), at(height - h)
        box = (left / width, top / height, (left + w) / width, (top + h) / height)
        return Placement(box, target, _margins((w, h), target), self.pad_mode)


@savable
@dataclass(repr=False)
class RandomCrop(CropPad):
    """`CropPad` at a random place in training.

    Example:
        >>> from lamina.vision.images import PILImage
        >>> RandomCrop(32)(PILImage.wrap(Image.new("RGB", (100, 50))), split_idx=0)
        PILImage(mode=RGB, size=32x32)
    """

    def place(self, width: int, height: int, rng: random.Random | None) -> Placement:
        """Draw the corner, or take the middle."""
        if rng is None:
            return super().place(width, height, rng)
        return self._cut(width, height, lambda room: rng.randint(0, room))


@savable
@dataclass(repr=False)
class RatioResize(SizedTransform):
    """Bring the longer side of pictures to `max_sz` pixels and keep their aspect.

    Args:
        max_sz: Pixels of the longer side.
        resamples: As in `Resize`.

    Example:
        >>> from lamina.vision.images import PILImage
        >>> RatioResize(40)(PILImage.wrap(Image.new("RGB", (100, 50))))
        PILImage(mode=RGB, size=40x20)
    """

    max_sz: int
    resamples: Resamples = _USUAL

    def place(self, width: int, height: int, rng: random.Random | None) -> Placement:
        """Show everything."""
        factor = self.max_sz / max(width, height)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        return Placement((0.0, 0.0, 1.0, 1.0), size)
