"""Losses of one label per position: cross entropy, smoothed and focal."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.nn.losses.flat import FlatLoss, Weights, belong
from lamina.nn.losses.weights import class_weights

__all__ = [
    "CrossEntropyLossFlat",
    "FocalLoss",
    "FocalLossFlat",
    "LabelSmoothingCrossEntropy",
    "LabelSmoothingCrossEntropyFlat",
]


@savable("CrossEntropyLossFlat")
class CrossEntropyLossFlat(FlatLoss):
    """Cross entropy of one label per position; `activation` is softmax, `decodes` argmax.

    Args:
        axis: The dimension of the classes: -1, or 1 for `(batch, classes, height, width)`.
        weight: One weight per class; "auto" makes every class count the same in the training set.
        ignore_index: A label that does not count.
        reduction: "mean", "sum" or "none".
        label_smoothing: The part of the target that is spread over all classes.

    Shapes: prediction `(..., classes, ...)`; target the same without the classes, of whole numbers,
    or the same with them, of probabilities.

    Example:
        >>> loss = CrossEntropyLossFlat()
        >>> round(loss(torch.zeros(2, 4), torch.tensor([0, 3])).item(), 4)
        1.3863
    """

    def __init__(
        self,
        axis: int = -1,
        weight: Weights = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.axis, self.ignore_index, self.label_smoothing = axis, ignore_index, label_smoothing
        self.weight: Tensor | None
        self._keep("weight", weight)

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """Compute the loss."""
        shape = _positions(pred, self.axis)
        if targ.is_floating_point() and targ.shape == pred.shape:
            rows, labels = _rows(pred, self.axis), _rows(targ, self.axis)
        else:
            rows, labels = self.flatten(pred, targ)
        loss = F.cross_entropy(
            rows,
            labels,
            weight=self._weights("weight", rows),
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )
        return loss.reshape(shape) if self.reduction == "none" else loss

    def flatten(self, pred: Tensor, targ: Tensor) -> tuple[Tensor, Tensor]:
        """Bring predictions to `(positions, classes)` and labels to `(positions,)`.

        Raises:
            ContractError: The shapes do not belong together, or the labels are not whole numbers.
        """
        shape, where = _positions(pred, self.axis), type(self).__name__
        if targ.shape != shape and not belong(shape, targ.shape):
            raise ContractError(
                f"{where}: the prediction is {tuple(pred.shape)} with the classes in dimension "
                f"{self.axis}, so the target should be {tuple(shape)}; it is {tuple(targ.shape)}. "
                "Check axis=, and the order of the dimensions."
            )
        if targ.is_floating_point():
            raise ContractError(
                f"{where}: the labels are {targ.dtype}; expected whole numbers. Use "
                "targ.long() if they are classes, or MSELossFlat() if they are measures."
            )
        return _rows(pred, self.axis), targ.reshape(-1).long()

    def set_weights(self, targets: Iterable[Tensor], n_out: int | None = None) -> None:
        """Compute the weights that are "auto"; see `class_weights`.

        Args:
            targets: One per item, or one per batch.
            n_out: The number of classes.
        """
        self.weight = class_weights(targets, n_out, ignore_index=self.ignore_index)
        self.waiting.clear()

    def activation(self, pred: Tensor) -> Tensor:
        """Softmax over the classes."""
        return pred.softmax(dim=self.axis)

    def decodes(self, pred: Tensor) -> Tensor:
        """The most probable class."""
        return pred.argmax(dim=self.axis)


@savable("LabelSmoothingCrossEntropyFlat")
class LabelSmoothingCrossEntropyFlat(CrossEntropyLossFlat):
    """Cross entropy with the target spread a little over all classes.

    Args:
        eps: The part of the target that is spread.
        axis: The dimension of the classes.
        weight: One weight per class, or "auto".
        reduction: "mean", "sum" or "none".

    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016.
    """

    def __init__(
        self, eps: float = 0.1, axis: int = -1, weight: Weights = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(axis, weight, reduction=reduction, label_smoothing=eps)
        self.eps = eps


@savable("LabelSmoothingCrossEntropy")
class LabelSmoothingCrossEntropy(LabelSmoothingCrossEntropyFlat):
    """`LabelSmoothingCrossEntropyFlat` with the classes in dimension 1, as in PyTorch's losses.

    Args:
        eps: The part of the target that is spread.
        weight: One weight per class, or "auto".
        reduction: "mean", "sum" or "none".
    """

    def __init__(
        self, eps: float = 0.1, weight: Weights = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(eps, 1, weight, reduction=reduction)


@savable("FocalLossFlat")
class FocalLossFlat(CrossEntropyLossFlat):
    """Cross entropy that counts less where the model is already right.

    Args:
        gamma: How much less; 0 is cross entropy.
        axis: The dimension of the classes.
        weight: One weight per class, or "auto".
        ignore_index: A label that does not count.
        reduction: "mean" over the positions that count, "sum" or "none".

    Example:
        >>> loss = FocalLossFlat(gamma=1.0)
        >>> round(loss(torch.zeros(2, 4), torch.tensor([0, 3])).item(), 4)
        1.0397

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        axis: int = -1,
        weight: Weights = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(axis, weight, ignore_index=ignore_index, reduction=reduction)
        self.gamma = gamma

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """Compute the loss."""
        rows, labels = self.flatten(pred, targ)
        counts = labels != self.ignore_index
        at = torch.where(counts, labels, 0)
        entropy = -rows.log_softmax(-1).gather(1, at[:, None]).squeeze(1)
        loss = (-torch.expm1(-entropy)) ** self.gamma * entropy * counts
        if (weight := self._weights("weight", rows)) is not None:
            loss = loss * weight[at]
        if self.reduction == "none":
            return loss.reshape(_positions(pred, self.axis))
        return loss.sum() if self.reduction == "sum" else loss.sum() / counts.sum()


@savable("FocalLoss")
class FocalLoss(FocalLossFlat):
    """`FocalLossFlat` with the classes in dimension 1, as in PyTorch's losses.

    Args:
        gamma: How much less; 0 is cross entropy.
        weight: One weight per class, or "auto".
        reduction: "mean", "sum" or "none".
    """

    def __init__(
        self, gamma: float = 2.0, weight: Weights = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(gamma, 1, weight, reduction=reduction)


def _rows(x: Tensor, axis: int) -> Tensor:
    return x if x.ndim == 2 and axis in (-1, 1) else x.movedim(axis, -1).flatten(0, -2)


def _positions(pred: Tensor, axis: int) -> torch.Size:
    """The shape of a prediction without its classes."""
    axis = axis % pred.ndim
    return pred.shape[:axis] + pred.shape[axis + 1 :]
