"""Metrics for dense predictions, such as masks."""

from typing import Any

from lamina.metrics.base import Metric, flatten_check

__all__ = ["Dice"]


class Dice(Metric):
    """The Dice coefficient of a binary mask: twice the overlap over the sum of both areas.

    Args:
        axis: where the two classes are in the predictions.

    Example:
        >>> import torch
        >>> dice = Dice()
        >>> dice.update(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), torch.ones(1, 2))
        >>> round(dice.value, 4)
        0.6667

    Source: Dice, "Measures of the Amount of Ecologic Association Between Species", Ecology 1945.
    """

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.inter: Any = 0
        self.union: Any = 0

    def update(self, pred: Any, *targs: Any) -> None:
        """Take in one batch of scores, `(N, 2, ...)`, and masks of 0 and 1, `(N, ...)`."""
        mask, targ = flatten_check(pred.argmax(dim=self.axis), *targs)
        targ = targ.long()  # whole numbers: a float sum stops counting at 2^24 pixels
        self.inter = self.inter + (mask * targ).sum()
        self.union = self.union + (mask + targ).sum()

    @property
    def value(self) -> float | None:
        """The coefficient; None if neither mask ever had a pixel."""
        return float(2.0 * self.inter / self.union) if self.union > 0 else None
