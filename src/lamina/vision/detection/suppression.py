"""Keeping the best of the boxes that were found for the same object.

All of it works on batches, on any device, and without a loop over pictures.
"""

import torch
from torch import Tensor

from lamina.vision.detection.overlap import box_iou

__all__ = ["is_kept", "nms", "soft_nms"]


def nms(
    boxes: Tensor, scores: Tensor, max_overlap: float = 0.5, *, labels: Tensor | None = None
) -> Tensor:
    """Non-maximum suppression: drop a box that overlaps a better one, from the best on.

    Args:
        boxes: `(n, 4)`, in any unit.
        scores: `(n,)`.
        max_overlap: Intersection over union above which the worse of two boxes is dropped.
        labels: `(n,)`; boxes of different labels then leave each other alone.

    Returns:
        The indices of the boxes that stay, the best first.

    Shapes: takes memory for `n * n` numbers.

    Example:
        >>> boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
        >>> nms(boxes, torch.tensor([0.6, 0.9, 0.7]))
        tensor([1, 2])

    Source: Bolya et al. 2019, "YOLACT", and Zheng et al. 2021, "Cluster-NMS", for the matrix form.
    """
    order = scores.argsort(descending=True, stable=True)
    ordered = None if labels is None else labels[order]
    return order[is_kept(boxes[order], max_overlap, labels=ordered)]


def is_kept(boxes: Tensor, max_overlap: float = 0.5, *, labels: Tensor | None = None) -> Tensor:
    """Whether each box survives suppression, for boxes with the best first.

    The rule is repeated for all boxes at once until nothing changes: after `k` rounds it is settled
    for every box that a chain of at most `k` suppressions leads to, so the answer is exact.

    Args:
        boxes: `(..., n, 4)`, the best first.
        max_overlap: As for `nms`.
        labels: `(..., n)`.

    Example:
        >>> is_kept(torch.tensor([[[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9]]]))
        tensor([[ True, False]])
    """
    drops = (box_iou(boxes, boxes) > max_overlap).triu(1)
    if labels is not None:
        drops &= labels[..., :, None] == labels[..., None, :]
    kept = torch.ones_like(boxes[..., 0], dtype=torch.bool)
    while True:
        now = ~(drops & kept[..., :, None]).any(-2)
        if torch.equal(now, kept):
            return kept
        kept = now


def soft_nms(
    boxes: Tensor, scores: Tensor, sigma: float = 0.5, *, labels: Tensor | None = None
) -> Tensor:
    """Lower the scores of boxes that overlap better ones, instead of dropping them.

    Args:
        boxes: `(..., n, 4)`, in any order.
        scores: `(..., n)`.
        sigma: How much overlap is forgiven.
        labels: `(..., n)`; boxes of different labels then leave each other alone.

    Returns:
        The new scores, `(..., n)`.

    Example:
        >>> boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0]])
        >>> soft_nms(boxes, torch.tensor([0.9, 0.8]))
        tensor([0.9000, 0.1083])

    Source: Bodla et al. 2017, "Soft-NMS", with the Gaussian.
    """
    factors = (-(box_iou(boxes, boxes) ** 2) / sigma).exp()
    if labels is not None:
        factors = factors.where(labels[..., :, None] == labels[..., None, :], 1.0)
    scores = scores.clone()
    is_open = torch.ones_like(scores, dtype=torch.bool)
    for _ in range(scores.shape[-1]):
        best = scores.masked_fill(~is_open, -1).argmax(-1, keepdim=True)
        is_open.scatter_(-1, best, value=False)
        row = factors.take_along_dim(best[..., None], -2).squeeze(-2)
        scores = torch.where(is_open, scores * row, scores)
    return scores
