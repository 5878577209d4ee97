"""The symmetries of the square for one item: exact, without interpolation."""

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from lamina.data.transform import ItemTransform
from lamina.foundation.registry import savable
from lamina.foundation.seeding import current
from lamina.tensor.types import TensorBBox, TensorPoint
from lamina.vision.augmentation.coordinates import moved_coordinates, scaled
from lamina.vision.images import PILBase
from lamina.vision.parts import each_part

__all__ = ["DihedralItem", "FlipItem", "dihedral"]

_STEPS = (
    (1, Image.Transpose.FLIP_LEFT_RIGHT),
    (2, Image.Transpose.FLIP_TOP_BOTTOM),
    (4, Image.Transpose.TRANSPOSE),
)


def dihedral(x: Any, k: int) -> Any:
    """Apply one of the eight symmetries to a picture, points or boxes; a stranger is returned.

    Args:
        x: A picture or mask, or points or boxes from -1 to 1. It is left as it is.
        k: 0 to 7: bit 0 mirrors left and right, then bit 1 top and bottom, then bit 2 makes rows
            of columns.

    Example:
        >>> from lamina.tensor.types import PointsMeta
        >>> dihedral(TensorPoint([[-0.5, 0.25]], meta=PointsMeta((40, 20))), 5)
        TensorPoint([[0.2500, 0.5000]])
    """
    if isinstance(x, PILBase):
        done: Image.Image = x
        for bit, step in _STEPS:
            done = done.transpose(step) if k & bit else done
        return type(x).wrap(done)
    if not isinstance(x, TensorPoint | TensorBBox):
        return x
    scaled(x)  # refuses pixels
    meta: Any = x.meta
    width, height = meta.size
    signs = torch.tensor([-1.0 if k & 1 else 1.0, -1.0 if k & 2 else 1.0])

    def move(points: Tensor) -> Tensor:
        return (points * signs).flip(-1) if k & 4 else points * signs

    return moved_coordinates(x, move, (height, width) if k & 4 else (width, height))


@savable
@dataclass(repr=False)
class FlipItem(ItemTransform, overrides_verbs=True):
    """Mirror all pictures of an item left and right, in training, with probability `p`.

    Example:
        >>> import numpy as np
        >>> from lamina.vision.images import PILImageBW
        >>> row = PILImageBW.create(np.array([[0, 1, 2]], dtype=np.uint8))
        >>> np.asarray(FlipItem(p=1.0)(row, split_idx=0)).tolist()
        [[2, 1, 0]]
    """

    p: float = 0.5

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Mirror the pictures of `x` and what lies on them, all or none."""
        if split_idx != 0 or current().python.random() >= self.p:
            return x
        return each_part(lambda part: dihedral(part, 1), x)


@savable
@dataclass(repr=False)
class DihedralItem(ItemTransform, overrides_verbs=True):
    """Apply one of the eight symmetries of the square to all of an item, each as likely.

    In training only, with probability `p`. What is not square may change width and height, so a
    `Resize` comes after it.

    Example:
        >>> from lamina.vision.images import PILMask
        >>> DihedralItem()(PILMask.wrap(Image.new("L", (4, 4))), split_idx=0)
        PILMask(mode=L, size=4x4)
    """

    p: float = 1.0

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Draw the symmetry, and apply it to the pictures of `x` and what lies on them."""
        if split_idx != 0 or current().python.random() >= self.p:
            return x
        k = current().python.randrange(8)
        return each_part(lambda part: dihedral(part, k), x)
