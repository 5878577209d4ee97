"""Which cell of a detector answers for which object of a batch."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.vision.detection.model import BOX, CELL, LOGITS
from lamina.vision.detection.overlap import box_iou

__all__ = ["Aims", "assign", "is_object"]

_FLOOR = 1e-12  # keeps what is divided by above zero


@dataclass(frozen=True)
class Aims:
    """What every cell should say.

    Args:
        boxes: `(b, n_cells, 4)`: the box of the object that the cell answers for, or any.
        scores: `(b, n_cells, n_out)`: the score of each label, from 0 for no such object to the
            overlap that can be hoped for.
        weights: `(b, n_cells)`: how much each cell's box counts; 1 for the best of an object,
            however little it overlaps yet, so that objects of unusual size are learnt, too.
    """

    boxes: Tensor
    scores: Tensor
    weights: Tensor


def is_object(boxes: Tensor, labels: Tensor, pad_idx: int | None) -> Tensor:
    """Which boxes of a batch are no filling: those with an area, and a label but `pad_idx`.

    Example:
        >>> boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
        >>> is_object(boxes, torch.tensor([2, 0]), 0)
        tensor([ True, False])
    """
    has_area = (boxes[..., 2:] > boxes[..., :2]).all(-1)
    return has_area if pad_idx is None else has_area & (labels != pad_idx)


@torch.no_grad()
def assign(
    pred: Tensor,
    boxes: Tensor,
    labels: Tensor,
    is_real: Tensor,
    *,
    n_cells: int = 10,
    power: float = 4.0,
) -> Aims:
    """Give every object the cells that do best, in score and place, at what it asks for.

    Cells are candidates whose middle is in the box, or which lie at its middle, so that an object
    that is smaller than a cell has some. A cell that several objects want goes to that which its
    box overlaps most. No value is read back from the device.

    Args:
        pred: The output of a detector, `(b, n_cells, 8 + n_out)`.
        boxes: `(b, n, 4)`, from -1 to 1.
        labels: `(b, n)`.
        is_real: `(b, n)`: which of them count.
        n_cells: The most cells for an object.
        power: How much more overlap counts than the score, as an exponent.

    Example:
        >>> cell = [0.0, 0.0, 0.5, 0.5]
        >>> pred = torch.tensor([[[-0.5, -0.5, 0.5, 0.5, *cell, 0.0, 0.0]]])
        >>> box, label = torch.tensor([[[-0.5, -0.5, 0.5, 0.5]]]), torch.tensor([[1]])
        >>> assign(pred, box, label, label > 0).scores
        tensor([[[0., 1.]]])

    Source: Feng et al. 2021, "TOOD: Task-aligned one-stage object detection", sec. 3.2.
    """
    logits = pred[..., LOGITS].transpose(1, 2)
    wanted = labels.clamp(min=0)[..., None].expand(-1, -1, logits.shape[-1])
    overlap = box_iou(boxes, pred[..., BOX])
    allowed = _are_near(pred[..., CELL], boxes) & is_real[..., None]
    fit = torch.where(allowed, logits.gather(1, wanted).sigmoid() * overlap**power, 0.0)
    best = fit.topk(min(n_cells, fit.shape[-1]), dim=-1)
    fit = torch.zeros_like(fit).scatter(-1, best.indices, best.values)
    owner = torch.where(fit > 0, overlap, -1.0).argmax(1, keepdim=True)  # (b, 1, n_cells)
    fit = torch.zeros_like(fit).scatter(1, owner, fit.gather(1, owner))
    reached = torch.where(fit > 0, overlap, 0.0).amax(-1, keepdim=True)
    share = fit / fit.amax(-1, keepdim=True).clamp(min=_FLOOR)
    weight, score = (part.gather(1, owner)[:, 0] for part in (share, share * reached))
    owner = owner[:, 0]
    kinds = F.one_hot(labels.clamp(min=0).gather(1, owner), logits.shape[1])
    return Aims(boxes.take_along_dim(owner[..., None], 1), kinds * score[..., None], weight)


def _are_near(cells: Tensor, boxes: Tensor) -> Tensor:
    """Which cells may answer for which box, `(b, n, n_cells)`."""
    middle, size = cells[:, None, :, :2], cells[:, None, :, 2:]
    low, high = boxes[:, :, None, :2], boxes[:, :, None, 2:]
    inside = ((middle > low) & (middle < high)).all(-1)
    return inside | ((middle - (low + high) / 2).abs() <= size / 2).all(-1)
