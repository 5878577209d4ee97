"""Points and boxes as what follows a picture: any map of places moves both."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.tensor.types import PointsMeta, TensorBBox, TensorPoint, plain

__all__ = ["hulls", "moved_coordinates", "scaled"]


def scaled(x: Any) -> Tensor:
    """Coordinates from -1 to 1 across their picture, as a plain tensor.

    Raises:
        ContractError: They are in pixels, which cannot follow a picture that changes its size.
    """
    if x.meta is None:
        raise ContractError(
            f"A {type(x).__name__} in pixels cannot be moved with its picture. Scale it first: "
            "add PointScaler() to item_tfms, as PointBlock and BBoxBlock do."
        )
    return plain(x)


def hulls(boxes: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
    """Map boxes `(..., n, 4)` to the axis-aligned hulls of their moved corners.

    Args:
        boxes: left, top, right, bottom.
        f: moves points `(..., n, 2)`.

    Example:
        >>> hulls(torch.tensor([[0.0, 0.0, 0.5, 1.0]]), lambda points: -points)
        tensor([[-0.5000, -1.0000, -0.0000, -0.0000]])
    """
    left, top, right, bottom = boxes.unbind(-1)
    corners = torch.stack([left, top, right, top, left, bottom, right, bottom], dim=-1)
    places = f(corners.view(*boxes.shape[:-2], -1, 2)).view(*boxes.shape[:-1], 4, 2)
    return torch.cat([places.amin(-2), places.amax(-2)], dim=-1)


def moved_coordinates(x: Any, f: Callable[[Tensor], Tensor], size: tuple[int, int]) -> Any:
    """Move the points or boxes of an item; anything else comes back as it is.

    Args:
        x: A `TensorPoint`, a `TensorBBox`, or a stranger.
        f: Moves points `(n, 2)` from -1 to 1.
        size: (width, height) of the picture afterwards.
    """
    if isinstance(x, TensorPoint):
        return TensorPoint(f(scaled(x).reshape(-1, 2)).view(x.shape), meta=PointsMeta(size))
    if isinstance(x, TensorBBox):
        boxes = hulls(scaled(x).reshape(-1, 4), f)
        return TensorBBox(boxes.view(x.shape), meta=PointsMeta(size))
    return x
