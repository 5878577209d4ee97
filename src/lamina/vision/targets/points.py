"""Points and boxes: from lists of pixels to coordinates that stay right when a picture changes.

Coordinates go from -1 to 1 across the picture, so that cropping, resizing and augmenting move them
together with it, and remember the size of the picture for the way back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from lamina.data.kernels import describe
from lamina.data.task import Regression
from lamina.data.transform import ItemTransform, Transform
from lamina.foundation.errors import ContractError, ItemError
from lamina.foundation.registry import savable
from lamina.tensor.build import tensor
from lamina.tensor.types import PointsMeta, TensorBBox, TensorImage, TensorPoint, in_pixels, plain
from lamina.vision.images import PILBase
from lamina.vision.parts import each_part

__all__ = ["PointScaler", "ToBoxes", "ToPoints"]


@savable
@dataclass(repr=False)
class ToPoints(Transform):
    """Lists of x and y in pixels to points `(n, 2)`.

    Args:
        c: How many numbers an item has; None counts those of the first item.

    Example:
        >>> ToPoints()([[3, 4], [5, 6]])
        TensorPoint([[3., 4.],
                     [5., 6.]])
    """

    c: int | None = None

    @property
    def task(self) -> Regression | None:
        """The task, once the number of coordinates is known."""
        return None if self.c is None else Regression(self.c)

    def setups(self, items: Iterable[Any]) -> None:
        """Count the numbers of the first item unless their number was given."""
        if self.c is None:
            self.c = _coordinates(next(iter(items)), 2).numel()

    def encodes(self, x: Any) -> TensorPoint:
        """Read the points of an item, which must be as many as everywhere."""
        if isinstance(x, TensorPoint):
            return x
        points = _coordinates(x, 2)
        if self.c is not None and points.numel() != self.c:
            raise ItemError(
                f"PointBlock: an item with {len(points)} points where {self.c // 2} were expected. "
                "Every item needs the same points in the same order; leave out the items that "
                "lack some.",
                stage="encodes",
            )
        return TensorPoint(points)


@savable
@dataclass(repr=False)
class ToBoxes(Transform):
    """Lists of left, top, right, bottom in pixels to boxes `(n, 4)`; an item may have none.

    Example:
        >>> ToBoxes()([[0, 0, 2, 3]])
        TensorBBox([[0., 0., 2., 3.]])
    """

    def encodes(self, x: Any) -> TensorBBox:
        """Read the boxes of an item."""
        if isinstance(x, TensorBBox):
            return x
        boxes = _coordinates(x, 4)
        wrong = ~(boxes[:, 2:] >= boxes[:, :2]).all(1)  # also where one is NaN
        if wrong.any():
            i = int(wrong.nonzero()[0])
            raise ItemError(
                f"BBoxBlock: box {i} is {boxes[i].tolist()}, whose right or bottom lies before its "
                "left or top, or is NaN. Expected left, top, right, bottom in pixels; boxes given "
                "by width and height need these added to left and top.",
                stage="encodes",
            )
        return TensorBBox(boxes)


@savable
@dataclass(repr=False)
class PointScaler(ItemTransform):
    """Points and boxes of an item from pixels to -1..1 across its picture, and back.

    It comes before everything that changes a picture.

    Args:
        do_scale: Whether they are pixels; False for those that go from -1 to 1 already.
        y_first: Whether y comes before x in what is given.

    Raises:
        ContractError: The item has no picture.

    Example:
        >>> item = TensorImage(torch.zeros(3, 4, 8)), TensorPoint([[8.0, 2.0]])
        >>> scaled = PointScaler()(item)
        >>> scaled[1], scaled[1].meta, PointScaler().decode(scaled)[1]
        (TensorPoint([[1., 0.]]), PointsMeta(size=(8, 4)), TensorPoint([[8., 2.]]))
    """

    do_scale: bool = True
    y_first: bool = False
    order: ClassVar[int] = -10

    def encodes(self, x: tuple) -> Any:
        """Scale what does not yet know its picture."""
        size = _picture_size(x)

        def scale(part: Any) -> Any:
            if not isinstance(part, TensorPoint | TensorBBox) or part.meta is not None:
                return part
            if size is None:
                raise ContractError(
                    f"PointScaler: an item with a {type(part).__name__} but no picture. Put the "
                    "picture into the same tuple, for example with blocks=(ImageBlock, PointBlock)."
                )
            coords = self._swapped(plain(part).float())
            if self.do_scale:
                coords = (coords.reshape(-1, 2) * 2 / torch.tensor(size) - 1).reshape(coords.shape)
            return type(part)(coords, meta=PointsMeta(size))

        return each_part(scale, x)

    def decodes(self, x: tuple) -> Any:
        """Return points `(n, 2)` and boxes `(n, 4)` in pixels of the picture as it is now."""
        size = _picture_size(x)

        def unscale(part: Any) -> Any:
            if not isinstance(part, TensorPoint | TensorBBox):
                return part
            shaped = part.reshape(-1, 2 if isinstance(part, TensorPoint) else 4)
            coords = in_pixels(shaped, size) if self.do_scale else plain(shaped)
            return type(part)(self._swapped(coords))

        return each_part(unscale, x)

    def _swapped(self, coords: Tensor) -> Tensor:
        """Exchange x and y if y comes first."""
        return coords.reshape(-1, 2).flip(1).reshape(coords.shape) if self.y_first else coords


def _picture_size(parts: tuple[Any, ...]) -> tuple[int, int] | None:
    """Return width and height of the first picture."""
    for part in parts:
        if isinstance(part, PILBase):
            return part.size
        if isinstance(part, TensorImage):
            return part.shape[-1], part.shape[-2]
    return None


def _coordinates(x: Any, n: int) -> Tensor:
    """Read numbers as a float tensor with `n` of them in a row."""
    try:
        return tensor(x, dtype=torch.float32).reshape(-1, n)
    except (TypeError, ValueError, RuntimeError) as error:
        what = "[x, y] lists" if n == 2 else "[left, top, right, bottom] lists"
        raise ItemError(
            f"Got {describe(x)} where {what} were expected; let the getter return one per "
            f"{'point' if n == 2 else 'box'}.",
            stage="encodes",
        ) from error
