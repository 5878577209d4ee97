"""Rectangles of noise in the pictures of a batch."""

import math
import random
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from lamina.data.transform import ItemTransform
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.foundation.seeding import current
from lamina.tensor.random import generator
from lamina.tensor.types import TensorImage
from lamina.vision.augmentation.spatial import float_batch
from lamina.vision.parts import each_part, parts_of

__all__ = ["RandomErasing"]


@savable
@dataclass(repr=False)
class RandomErasing(ItemTransform, overrides_verbs=True):
    """Cover rectangles of an item's images with noise, in training, with probability `p`.

    It comes after `Normalize`: the noise has zero mean and unit deviation. Each item gets its own
    rectangles; masks, points and boxes stay.

    Args:
        p: The probability for an item.
        sl: Smallest area that is covered, as a fraction of the picture.
        sh: Largest.
        min_aspect: Smallest aspect of a rectangle; its inverse is the largest.
        max_count: Most rectangles; the area is shared among them.

    Raises:
        ContractError: The areas, aspect or count make no sense.

    Example:
        >>> import torch
        >>> x = TensorImage(torch.zeros(1, 3, 8, 8))
        >>> bool((RandomErasing(p=1.0, sl=0.2)(x, split_idx=0) != 0).any())
        True

    Source: Zhong et al. 2017, "Random erasing data augmentation".
    """

    order: ClassVar[int] = 100

    p: float = 0.5
    sl: float = 0.0
    sh: float = 0.3
    min_aspect: float = 0.3
    max_count: int = 1

    def __post_init__(self) -> None:
        if not (0 <= self.sl <= self.sh <= 1 and 0 < self.min_aspect <= 1 <= self.max_count):
            raise ContractError(
                f"{self!r}: expected 0 <= sl <= sh <= 1, 0 < min_aspect <= 1 and max_count of 1 "
                "or more."
            )

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Draw the rectangles, and cover them in every image of the batch `x`."""
        image = next((p for p in parts_of(x) if isinstance(p, TensorImage)), None)
        if image is None or split_idx != 0:
            return x
        rng = current().python
        height, width = image.shape[-2:]
        holes = [
            (i, hole)
            for i in range(len(image))
            if rng.random() < self.p
            for hole in self._holes(height, width, rng)
        ]

        def cover(part: Any) -> Any:
            if not isinstance(part, TensorImage):
                return part
            return type(part).wrap(_covered(float_batch(part), holes), like=part)

        return each_part(cover, x)

    def _holes(self, height: int, width: int, rng: random.Random) -> list[tuple[slice, slice]]:
        """Draw the rows and columns of an item's rectangles."""
        count = rng.randint(1, self.max_count)
        widest = -math.log(self.min_aspect)
        holes = []
        for _ in range(count):
            area = rng.uniform(self.sl, self.sh) * height * width / count
            aspect = math.exp(rng.uniform(-widest, widest))
            h = min(round(math.sqrt(area * aspect)), height)
            w = min(round(math.sqrt(area / aspect)), width)
            top, left = rng.randint(0, height - h), rng.randint(0, width - w)
            holes.append((slice(top, top + h), slice(left, left + w)))
        return holes


def _covered(x: Tensor, holes: list[tuple[int, tuple[slice, slice]]]) -> Tensor:
    x = x.clone()
    noise = generator(x.device)
    for i, (rows, columns) in holes:
        x[i, :, rows, columns].normal_(generator=noise)
    return x
