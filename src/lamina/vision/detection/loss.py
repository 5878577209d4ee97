"""The loss of a detector, which also knows how its output is read: as the best boxes, and which."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.vision.detection.assign import assign, is_object
from lamina.vision.detection.model import BOX, LOGITS
from lamina.vision.detection.overlap import paired_iou
from lamina.vision.detection.suppression import is_kept

__all__ = ["DetectionLoss"]


@savable("lamina.vision:detection_loss")
@dataclass(eq=False)
class DetectionLoss:
    """Teach a detector boxes and labels, and read its answers.

    Scores learn to be the overlap that a cell's box will reach (binary cross entropy), boxes to
    overlap (generalised). Every picture counts alike, whatever its number of objects. How answers
    are read may be changed at any time: `learn.loss_func.min_score = 0.5`.

    Args:
        pad_idx: The label of filling, which is never an answer; None if every label is an object.
        min_score: What counts as an answer (`decodes`); measures see all that was found.
        max_overlap: Of two boxes with one label that overlap more, only the better one is found.
        max_boxes: The most boxes found in a picture.
        n_candidates: The most boxes of a picture that are compared.
        box_weight: How much boxes count beside labels.
        gamma: How much less what is nearly right counts, as an exponent (2: quality focal loss);
            above 0 a low score of a wrong label hardly counts, and rare labels are learnt late.
        reduction: "mean", "sum", or "none" for one value per picture.

    Shapes: prediction `(b, n_cells, 8 + n_out)`, boxes `(b, n, 4)` from -1 to 1, labels `(b, n)`.

    Example:
        >>> pred = torch.zeros(2, 5, 8 + 3)
        >>> boxes, labels = torch.zeros(2, 1, 4), torch.zeros(2, 1, dtype=torch.long)
        >>> DetectionLoss()(pred, boxes, labels), DetectionLoss().activation(pred).shape
        (tensor(10.3972), torch.Size([2, 100, 6]))

    Source: Feng et al. 2021, "TOOD"; Li et al. 2020, "Generalized focal loss"; Rezatofighi et al.
    2019, "Generalized intersection over union".
    """

    pad_idx: int | None = 0
    min_score: float = 0.3
    max_overlap: float = 0.5
    max_boxes: int = 100
    n_candidates: int = 500
    box_weight: float = 2.0
    gamma: float = 0.0
    reduction: str = "mean"

    def __call__(self, pred: Tensor, boxes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Compute the loss.

        Raises:
            ContractError: There are no labels, or more kinds of them than outputs.
        """
        if labels is None or boxes.shape[:-1] != labels.shape or boxes.shape[-1] != 4:
            given = "none" if labels is None else tuple(labels.shape)
            raise ContractError(
                f"DetectionLoss: boxes of shape {tuple(boxes.shape)}, labels of shape {given}; "
                "expected (batch, n, 4) and (batch, n). Make the data with blocks=(ImageBlock, "
                "BBoxBlock, BBoxLblBlock) and n_inp=1."
            )
        pred, labels = pred.float(), F.pad(labels, (0, 1))
        boxes = F.pad(boxes.float(), (0, 0, 0, 1))  # one at least, so that there is a best one
        aims = assign(pred, boxes, labels, is_object(boxes, labels, self.pad_idx))
        logits = pred[..., LOGITS]
        wrong = F.binary_cross_entropy_with_logits(logits, aims.scores, reduction="none")
        wrong = wrong * (logits.sigmoid() - aims.scores).abs() ** self.gamma
        apart = 1 - paired_iou(pred[..., BOX], aims.boxes, generalised=True)
        losses = wrong.sum((1, 2)) / aims.scores.sum((1, 2)).clamp(min=1)
        places = (apart * aims.weights).sum(1) / aims.weights.sum(1).clamp(min=1)
        losses = losses + self.box_weight * places
        if self.reduction == "none":
            return losses
        return losses.sum() if self.reduction == "sum" else losses.mean()

    def activation(self, pred: Tensor) -> Tensor:
        """Find the best boxes of each picture: `(b, max_boxes, 6)`, the best first.

        The columns are left, top, right, bottom (from -1 to 1), label and score; all zero where
        there is nothing more.
        """
        found = self.candidates(pred.float())
        boxes, labels, scores = found[..., :4], found[..., 4], found[..., 5]
        stays = is_kept(boxes, self.max_overlap, labels=labels) & (scores > 0)
        found = found * stays[..., None]
        order = found[..., 5].argsort(dim=-1, descending=True, stable=True)
        order = order[:, : self.max_boxes]
        found = found.take_along_dim(order[..., None], 1)
        return F.pad(found, (0, 0, 0, self.max_boxes - found.shape[1]))

    def candidates(self, pred: Tensor) -> Tensor:
        """The most probable pairs of box and label, `(b, n, 6)`, the best first."""
        scores = pred[..., LOGITS].sigmoid()
        n_out = scores.shape[-1]
        if self.pad_idx is not None:
            is_pad = torch.arange(n_out, device=pred.device) == self.pad_idx
            scores = scores.masked_fill(is_pad, 0.0)
        best = scores.flatten(1).topk(min(self.n_candidates, scores[0].numel()), dim=1)
        boxes = pred[..., BOX].clamp(-1, 1).take_along_dim(best.indices[..., None] // n_out, 1)
        labels = (best.indices % n_out).to(boxes)
        return torch.cat([boxes, labels[..., None], best.values[..., None]], -1)

    def decodes(self, found: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tell what was found surely enough: boxes `(b, n, 4)`, labels and scores `(b, n)`.

        Boxes below `min_score` are all zero, as those that fill up a batch, with label `pad_idx`.
        """
        scores = found[..., 5]
        sure = scores >= self.min_score
        labels = found[..., 4].long().masked_fill(~sure, self.pad_idx or 0)
        return found[..., :4] * sure[..., None], labels, scores * sure
