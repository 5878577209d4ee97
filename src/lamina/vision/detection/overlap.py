"""How much boxes `(left, top, right, bottom)` overlap.

A change of scale of an axis changes nothing here, so pixels and coordinates from -1 to 1 will do.
"""

import torch
from torch import Tensor

__all__ = ["box_area", "box_iou", "paired_iou"]

_EPS = 1e-9


def box_area(boxes: Tensor) -> Tensor:
    """The areas of boxes `(..., 4)`, as `(...)`; none is below zero.

    Example:
        >>> box_area(torch.tensor([[0.0, 0.0, 2.0, 3.0], [1.0, 1.0, 0.0, 2.0]]))
        tensor([6., 0.])
    """
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of all boxes of two sets; 0 where both are empty.

    Shapes: `(..., n, 4)` and `(..., m, 4)` to `(..., n, m)`.

    Example:
        >>> a = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
        >>> box_iou(a, torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 2.0]]))
        tensor([[1.0000, 0.5000]])
    """
    return paired_iou(a[..., :, None, :], b[..., None, :, :])


def paired_iou(a: Tensor, b: Tensor, *, generalised: bool = False) -> Tensor:
    """Intersection over union of boxes, pair by pair; shapes `(..., 4)` broadcast.

    Args:
        a: Boxes.
        b: Other boxes.
        generalised: Whether to subtract the part of the smallest common hull that neither covers,
            so that boxes that lie apart are below zero, and attract each other as a loss.

    Example:
        >>> a, b = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([3.0, 0.0, 4.0, 1.0])
        >>> paired_iou(a, b), paired_iou(a, b, generalised=True)
        (tensor(0.), tensor(-0.5000))

    Source: Rezatofighi et al. 2019, "Generalized intersection over union".
    """
    low = torch.maximum(a[..., :2], b[..., :2])
    both = (torch.minimum(a[..., 2:], b[..., 2:]) - low).clamp(min=0).prod(-1)
    union = box_area(a) + box_area(b) - both
    iou = both / union.clamp(min=_EPS)
    if not generalised:
        return iou
    low = torch.minimum(a[..., :2], b[..., :2])
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - low).clamp(min=0).prod(-1)
    return iou - (hull - union) / hull.clamp(min=_EPS)
