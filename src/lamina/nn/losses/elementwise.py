"""Losses that compare number with number: binary answers and measures."""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.nn.losses.flat import FlatLoss, Weights, like
from lamina.nn.losses.weights import positive_weights

__all__ = ["BCELossFlat", "BCEWithLogitsLossFlat", "L1LossFlat", "MSELossFlat"]


@savable("BCEWithLogitsLossFlat")
class BCEWithLogitsLossFlat(FlatLoss):
    """Binary cross entropy of yes-or-no answers; `activation` is sigmoid, `decodes` a threshold.

    Args:
        thresh: The probability above which the answer is yes, or one for each answer, as
            `fit_thresholds` finds them.
        weight: One weight per answer, or anything that broadcasts to the predictions.
        pos_weight: How much more a yes counts, per answer; "auto" makes yes and no count the same
            in the training set.
        axis: The dimension of the answers that the weights are for.
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
        thresh: float | Tensor = 0.5,
        weight: Tensor | Sequence[float] | None = None,
        pos_weight: Weights = None,
        axis: int = -1,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.thresh: float | Tensor = thresh
        self.axis = axis
        self.weight: Tensor | None
        self.pos_weight: Tensor | None
        self._keep("weight", weight)
        self._keep("pos_weight", pos_weight)
        if "weight" in self.waiting:
            raise ContractError("BCEWithLogitsLossFlat: weight='auto'. Use pos_weight='auto'.")

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """Compute the loss; targets are 0 or 1 in any type, of the size of the predictions."""
        return F.binary_cross_entropy_with_logits(
            pred,
            like(pred, targ, type(self).__name__),
            weight=self._along_axis("weight", pred),
            pos_weight=self._along_axis("pos_weight", pred),
            reduction=self.reduction,
        )

    def _along_axis(self, name: str, pred: Tensor) -> Tensor | None:
        weights = self._weights(name, pred)
        if weights is None or weights.ndim != 1 or self.axis in (-1, pred.ndim - 1):
            return weights
        return weights.reshape(-1, *[1] * (pred.ndim - 1 - self.axis % pred.ndim))

    def set_weights(self, targets: Iterable[Tensor], n_out: int | None = None) -> None:
        """Compute the weights that are "auto"; see `positive_weights`.

        Args:
            targets: One per item, or one per batch.
            n_out: The number of answers.
        """
        self.pos_weight = positive_weights(targets, n_out or 1)
        self.waiting.clear()

    def activation(self, pred: Tensor) -> Tensor:
        """Sigmoid."""
        return pred.sigmoid()

    def decodes(self, pred: Tensor) -> Tensor:
        """Whether each answer is yes."""
        return pred > torch.as_tensor(self.thresh, device=pred.device)


@savable("BCELossFlat")
class BCELossFlat(FlatLoss):
    """Binary cross entropy of a model that gives probabilities; `decodes` is a threshold.

    `BCEWithLogitsLossFlat` is more exact and safe under mixed precision.

    Args:
        thresh: The probability above which the answer is yes.
        reduction: "mean", "sum" or "none".
    """

    def __init__(self, *, thresh: float = 0.5, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.thresh = thresh

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """Compute the loss; targets are 0 or 1 in any type, of the size of the predictions."""
        targ = like(pred, targ, "BCELossFlat")
        return F.binary_cross_entropy(pred, targ, reduction=self.reduction)

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
        return F.mse_loss(pred, like(pred, targ, "MSELossFlat"), reduction=self.reduction)


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
        return F.l1_loss(pred, like(pred, targ, "L1LossFlat"), reduction=self.reduction)
