"""Losses that know how a model's output is read: as probabilities, and as answers.

`activation` gives the former, `decodes` the latter; predictions and targets may have any number of
dimensions.
"""

from typing import Any, Self

import torch.nn.functional as F
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import signature_names

__all__ = [
    "BCEWithLogitsLossFlat",
    "CrossEntropyLossFlat",
    "FlatLoss",
    "FocalLossFlat",
    "L1LossFlat",
    "LabelSmoothingCrossEntropyFlat",
    "MSELossFlat",
]


class FlatLoss(nn.Module):
    """The common part: predictions are answers as they are, unless a subclass says otherwise.

    Args:
        reduction: "mean", "sum", or "none" for one value per element.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def activation(self, pred: Tensor) -> Tensor:
        """Turn the model's output into probabilities, or leave it."""
        return pred

    def decodes(self, pred: Tensor) -> Tensor:
        """Turn activated predictions into answers, or leave them."""
        return pred

    def to_state(self) -> dict[str, Any]:
        """Return the arguments that make a loss like this one."""
        return {name: getattr(self, name) for name in signature_names(type(self))}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Make the loss from its arguments."""
        return cls(**state)

    def extra_repr(self) -> str:
        """Show the reduction."""
        return f"reduction={self.reduction!r}"


@savable("CrossEntropyLossFlat")
class CrossEntropyLossFlat(FlatLoss):
    """Cross entropy of one label per position; `activation` is softmax, `decodes` argmax.

    Args:
        axis: The dimension of the classes: -1, or 1 for `(batch, classes, height, width)`.
        weight: One weight per class; moves with the loss to another device.
        ignore_index: A label that does not count.
        reduction: "mean", "sum" or "none".
        label_smoothing: The part of the target that is spread over all classes.

    Shapes: prediction `(..., classes, ...)`, target the same without the classes.

    Example:
        >>> import torch
        >>> loss = CrossEntropyLossFlat()
        >>> round(loss(torch.zeros(2, 4), torch.tensor([0, 3])).item(), 4)
        1.3863
    """

    def __init__(
        self,
        axis: int = -1,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.axis, self.ignore_index, self.label_smoothing = axis, ignore_index, label_smoothing
        self.weight: Tensor | None
        self.register_buffer("weight", weight)

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """Compute the loss; whole-number targets of any type and shape of the same size."""
        rows, labels = self.flatten(pred, targ)
        return F.cross_entropy(
            rows,
            labels,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )

    def flatten(self, pred: Tensor, targ: Tensor) -> tuple[Tensor, Tensor]:
        """Bring predictions to `(positions, classes)` and targets to `(positions,)`."""
        if pred.ndim != 2:
            pred = pred.movedim(self.axis, -1).flatten(0, -2)
        labels = targ.reshape(-1).long()
        if len(labels) != len(pred):
            raise ContractError(_mismatch("CrossEntropyLossFlat", len(pred), len(labels)))
        return pred, labels

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
        weight: One weight per class.
        reduction: "mean", "sum" or "none".

    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016.
    """

    def __init__(
        self,
        eps: float = 0.1,
        axis: int = -1,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(axis, weight, reduction=reduction, label_smoothing=eps)
        self.eps = eps


@savable("FocalLossFlat")
class FocalLossFlat(CrossEntropyLossFlat):
    """Cross entropy that counts less where the model is already right.

    Args:
        gamma: How much less; 0 is cross entropy.
        axis: The dimension of the classes.
        weight: One weight per class.
        reduction: "mean", "sum" or "none".

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        axis: int = -1,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(axis, weight, reduction=reduction)
        self.gamma = gamma

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """Compute the loss."""
        rows, labels = self.flatten(pred, targ)
        entropy = F.cross_entropy(rows, labels, weight=self.weight, reduction="none")
        p_right = rows.softmax(-1).gather(1, labels[:, None]).squeeze(1)
        return _reduce((1 - p_right) ** self.gamma * entropy, self.reduction)


@savable("BCEWithLogitsLossFlat")
class BCEWithLogitsLossFlat(FlatLoss):
    """Binary cross entropy of yes-or-no answers; `activation` is sigmoid, `decodes` a threshold.

    Args:
        thresh: The probability above which the answer is yes.
        weight: One weight per answer, broadcast over the batch.
        pos_weight: How much more a yes counts, per answer.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import torch
        >>> loss = BCEWithLogitsLossFlat()
        >>> round(loss(torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.long)).item(), 4)
        0.6931
    """

    def __init__(
        self,
        *,
        thresh: float = 0.5,
        weight: Tensor | None = None,
        pos_weight: Tensor | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.thresh = thresh
        self.weight: Tensor | None
        self.pos_weight: Tensor | None
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """Compute the loss; targets are 0 or 1 in any type, of the size of the predictions."""
        return F.binary_cross_entropy_with_logits(
            pred,
            _like(pred, targ, "BCEWithLogitsLossFlat"),
            weight=self.weight,
            pos_weight=self.pos_weight,
            reduction=self.reduction,
        )

    def activation(self, pred: Tensor) -> Tensor:
        """Sigmoid."""
        return pred.sigmoid()

    def decodes(self, pred: Tensor) -> Tensor:
        """Whether each answer is yes."""
        return pred > self.thresh


@savable("MSELossFlat")
class MSELossFlat(FlatLoss):
    """Mean squared error; `(batch, 1)` and `(batch,)` go together.

    Example:
        >>> import torch
        >>> MSELossFlat()(torch.tensor([[1.0], [3.0]]), torch.tensor([0, 3])).item()
        0.5
    """

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """Compute the loss; predictions and targets have the same number of elements."""
        return F.mse_loss(pred, _like(pred, targ, "MSELossFlat"), reduction=self.reduction)


@savable("L1LossFlat")
class L1LossFlat(FlatLoss):
    """Mean absolute error; `(batch, 1)` and `(batch,)` go together.

    Example:
        >>> import torch
        >>> L1LossFlat()(torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 3.0])).item()
        0.5
    """

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """Compute the loss; predictions and targets have the same number of elements."""
        return F.l1_loss(pred, _like(pred, targ, "L1LossFlat"), reduction=self.reduction)


def _like(pred: Tensor, targ: Tensor, where: str) -> Tensor:
    """Give the target the shape and type of the prediction; never by broadcasting."""
    if targ.numel() != pred.numel():
        raise ContractError(_mismatch(where, tuple(pred.shape), tuple(targ.shape)))
    return (
        targ.to(pred.dtype).reshape(pred.shape) if targ.shape != pred.shape else targ.to(pred.dtype)
    )


def _mismatch(where: str, pred: object, targ: object) -> str:
    return (
        f"{where}: the prediction is {pred} and the target {targ}. They must have as many "
        "elements; check the model's number of outputs and the shape of the target."
    )


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.mean()
