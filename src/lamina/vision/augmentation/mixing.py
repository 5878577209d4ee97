"""Pictures made of several items with their boxes, labels and masks, before they are a batch."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.data.transform import ItemTransform
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.foundation.seeding import current
from lamina.tensor.types import (
    PointsMeta,
    TensorBBox,
    TensorImage,
    TensorMask,
    TensorMultiCategory,
    plain,
)
from lamina.vision.augmentation.resize import box_at, largest_box
from lamina.vision.targets.boxes import box_places

__all__ = ["CopyPaste", "Mosaic"]

_Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels
_PARTS = (TensorImage, TensorMask, TensorBBox, TensorMultiCategory)


@dataclass(frozen=True)
class _Tile:
    """Which part of a sample is shown, and where on a canvas of `size` (width, height)."""

    sample: tuple[Any, ...]
    source: _Box
    place: _Box
    size: tuple[int, int]

    def pixels(self, x: Tensor) -> Tensor:
        """The part of an image `(c, h, w)` or mask `(h, w)`, as large as its place."""
        left, top, right, bottom = self.source
        part = plain(x)[..., top:bottom, left:right]
        left, top, right, bottom = self.place
        size = bottom - top, right - left
        if part.ndim == 3:
            return F.interpolate(part[None], size, mode="bilinear", antialias=True)[0]
        rows, columns = (
            ((torch.arange(n) + 0.5) * old / n).long()
            for n, old in zip(size, part.shape, strict=True)
        )
        return part[rows][:, columns]

    def boxes(self, boxes: Tensor, min_visible: float) -> tuple[Tensor, Tensor]:
        """The boxes cut to the place, -1 to 1 across the canvas, and which have enough left."""
        old = boxes.view(-1, 2, 2)
        width, height = _size_of(self.sample)
        source, place = (torch.tensor(b).float().view(2, 2) for b in (self.source, self.place))
        pixels = (old + 1) / 2 * torch.tensor([width, height])
        scale = (place[1] - place[0]) / (source[1] - source[0])
        whole = (pixels - source[0]) * scale + place[0]
        cut = torch.minimum(torch.maximum(whole, place[0]), place[1])
        kept = _area(cut) >= min_visible * _area(whole)
        kept &= _area(cut) > 0
        return (cut * 2 / torch.tensor(self.size) - 1).view(-1, 4), kept


def _area(corners: Tensor) -> Tensor:
    return (corners[:, 1] - corners[:, 0]).prod(-1)


def _size_of(sample: tuple[Any, ...]) -> tuple[int, int]:
    image = next(part for part in sample if isinstance(part, TensorImage))
    return image.shape[-1], image.shape[-2]


def _check(where: str, samples: Sequence[Any]) -> None:
    """Refuse what cannot be part of a picture made of several."""
    for part in samples[0] if samples else ():
        if not isinstance(part, _PARTS):
            raise ContractError(
                f"{where}: an item with a {type(part).__name__}. It combines images with masks, "
                "boxes and the boxes' labels; give it as before_batch of such data only."
            )


def _as_sample(old: tuple[Any, ...], new: Sequence[Any]) -> Any:
    return type(old)(*new) if hasattr(old, "_fields") else type(old)(new)


class _Mixing(ItemTransform):
    """The base: some samples of a batch become mixtures, in training."""

    order: ClassVar[int] = -1  # before boxes are filled up
    split_idx = 0
    p: float

    def mixture(self, samples: list[Any], i: int, rng: random.Random) -> Any:
        """Make a sample of the `i`-th and others."""
        raise NotImplementedError

    def encodes(self, samples: list) -> Any:
        """Draw which samples become mixtures, and make them."""
        _check(type(self).__name__, samples)
        rng = current().python
        return [
            self.mixture(samples, i, rng) if rng.random() < self.p else sample
            for i, sample in enumerate(samples)
        ]


@savable
@dataclass(repr=False)
class Mosaic(_Mixing):
    """Make one picture of four items, with their boxes, labels and masks, with probability `p`.

    The four meet at a random place; each shows a random part of its picture, in its own aspect. It
    is a `before_batch` transform, for training only.

    Args:
        p: The probability for an item.
        min_visible: The part of a box's area that must be seen for the box to stay.

    Raises:
        ContractError: The items have other parts than images, masks, boxes and their labels.

    Example:
        >>> sample = TensorImage(torch.zeros(3, 8, 8)), TensorMask(torch.ones(8, 8))
        >>> [part.shape for part in Mosaic()([sample], split_idx=0)[0]]
        [torch.Size([3, 8, 8]), torch.Size([8, 8])]

    Source: Bochkovskiy et al. 2020, "YOLOv4", sec. 3.3.
    """

    p: float = 1.0
    min_visible: float = 0.2

    def mixture(self, samples: list[Any], i: int, rng: random.Random) -> Any:
        """Combine the `i`-th sample with three that are drawn."""
        chosen = [samples[i], *rng.choices(samples, k=3)]
        rng.shuffle(chosen)
        width, height = size = _size_of(samples[i])
        x, y = round(rng.uniform(0.25, 0.75) * width), round(rng.uniform(0.25, 0.75) * height)
        places = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
        tiles = [
            _Tile(sample, _part(_size_of(sample), place, rng), place, size)
            for sample, place in zip(chosen, places, strict=True)
            if place[0] < place[2] and place[1] < place[3]
        ]
        return _assembled(samples[i], tiles, self.min_visible)


def _part(size: tuple[int, int], place: _Box, rng: random.Random) -> _Box:
    """Draw which part of a picture is shown at a place: the largest of that aspect."""
    width, height = size
    part = largest_box(width, height, (place[2] - place[0]) / (place[3] - place[1]))
    left, top, right, bottom = box_at(width, height, part, rng.random(), rng.random())
    first = min(round(left * width), width - 1), min(round(top * height), height - 1)
    return (
        *first,
        max(round(right * width), first[0] + 1),
        max(round(bottom * height), first[1] + 1),
    )


def _assembled(like: tuple[Any, ...], tiles: list[_Tile], min_visible: float) -> Any:
    """Make a sample of tiles."""
    new, (width, height) = list(like), tiles[0].size
    for slot, part in enumerate(like):
        if isinstance(part, TensorImage | TensorMask):
            canvas = plain(part).new_empty(*part.shape[:-2], height, width)
            for tile in tiles:
                left, top, right, bottom = tile.place
                canvas[..., top:bottom, left:right] = tile.pixels(tile.sample[slot])
            new[slot] = type(part).wrap(canvas, like=part)
    i, j = box_places(like)
    if i is not None:
        placed = [tile.boxes(plain(tile.sample[i]), min_visible) for tile in tiles]
        boxes = torch.cat([moved[kept] for moved, kept in placed])
        new[i] = TensorBBox(boxes, meta=PointsMeta(tiles[0].size))
        if j is not None:
            pairs = zip(tiles, placed, strict=True)
            labels = torch.cat([plain(tile.sample[j])[kept] for tile, (_, kept) in pairs])
            new[j] = TensorMultiCategory.wrap(labels, like=like[j])
    return _as_sample(like, new)


@savable
@dataclass(repr=False)
class CopyPaste(_Mixing):
    """Paste objects of another item into an item, at their places, with probability `p`.

    Objects are an item's boxes, each with probability 1/2 and one at least; of a box only what the
    mask says is no background (0) is pasted if there is a mask. Without boxes they are the classes
    of the mask. It is a `before_batch` transform, for training only.

    Args:
        p: The probability for an item.
        min_visible: The part of a box that must not be covered for the box to stay.

    Raises:
        ContractError: The items have other parts than images, masks, boxes and their labels.

    Example:
        >>> one, two = (TensorImage(torch.full((3, 4, 4), v)) for v in (0.0, 1.0))
        >>> box, none = TensorBBox([[-1.0, -1.0, 0.0, 0.0]]), TensorBBox(torch.zeros(0, 4))
        >>> mixed = CopyPaste(p=1.0)([(one, none), (two, box)], split_idx=0)
        >>> mixed[0][0][0, 0], len(mixed[0][1])
        (TensorImage([1., 1., 0., 0.]), 1)

    Source: Ghiasi et al. 2021, "Simple copy-paste is a strong data augmentation method".
    """

    p: float = 0.5
    min_visible: float = 0.3

    def mixture(self, samples: list[Any], i: int, rng: random.Random) -> Any:
        """Paste into the `i`-th sample from another one."""
        others = [k for k in range(len(samples)) if k != i]
        if not others:
            return samples[i]
        own, other = samples[i], samples[rng.choice(others)]
        width, height = size = _size_of(own)
        whole = (0, 0, *_size_of(other))
        other = (
            _assembled(other, [_Tile(other, whole, (0, 0, width, height), size)], 0.0)
            if (_size_of(other) != size)
            else other
        )
        at, _ = box_places(own)
        picked = [] if at is None else _some(len(other[at]), rng)
        paste = _pasted_area(other, at, picked, rng)
        return self._pasted(own, other, paste, picked)

    def _pasted(self, own: Any, other: Any, paste: Tensor, picked: list[int]) -> Any:
        new = list(own)
        for slot, part in enumerate(own):
            if isinstance(part, TensorImage | TensorMask):
                mixed = torch.where(paste, plain(other[slot]), plain(part))
                new[slot] = type(part).wrap(mixed, like=part)
        i, j = box_places(own)
        if i is not None and picked:
            seen = [1 - float(paste[rows].float().mean()) for rows in _slices(own[i], paste)]
            kept = [k for k, part in enumerate(seen) if part >= self.min_visible]
            for slot in (i,) if j is None else (i, j):
                both = torch.cat([plain(own[slot])[kept], plain(other[slot])[picked]])
                new[slot] = type(own[slot]).wrap(both, like=own[slot])
        return _as_sample(own, new)


def _some(n: int, rng: random.Random) -> list[int]:
    """Draw some of `n`, at least one."""
    picked = [k for k in range(n) if rng.random() < 0.5]
    return picked or ([rng.randrange(n)] if n else [])


def _slices(boxes: Any, paste: Tensor) -> list[tuple[slice, slice]]:
    """The rows and columns of boxes, one pixel at least."""
    height, width = paste.shape
    size = torch.tensor([width, height, width, height])
    pixels = ((plain(boxes).view(-1, 4) + 1) / 2 * size).round().long().clamp_min(0)
    return [
        (slice(min(t, height - 1), max(b, t + 1)), slice(min(left, width - 1), max(r, left + 1)))
        for left, t, r, b in pixels.tolist()
    ]


def _pasted_area(other: Any, at: int | None, picked: list[int], rng: random.Random) -> Tensor:
    """Which pixels of `other` are pasted, `(h, w)`."""
    width, height = _size_of(other)
    mask = next((plain(p) for p in other if isinstance(p, TensorMask)), None)
    paste = torch.zeros(height, width, dtype=torch.bool)
    if at is not None:
        slices = _slices(other[at], paste)
        for k in picked:
            paste[slices[k]] = True
        return paste if mask is None else paste & (mask != 0)
    if mask is not None:
        classes = [c for c in mask.unique().tolist() if c]
        for k in _some(len(classes), rng):
            paste |= mask == classes[k]
    return paste
