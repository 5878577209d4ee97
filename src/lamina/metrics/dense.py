"""Metrics for dense predictions, such as masks."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from lamina.metrics.base import CountMetric, CountThen, Summed, flatten_check
from lamina.metrics.counts import confusion, divided

__all__ = [
    "Dice",
    "DiceMulti",
    "JaccardCoeff",
    "JaccardCoeffMulti",
    "acc_camvid",
    "acc_segment",
    "foreground_acc",
]

_CAMVID_VOID = 30


class Dice(Summed):
    """The Dice coefficient of a binary mask: twice the overlap over the sum of both areas.

    Args:
        axis: where the two classes are in the predictions.

    Example:
        >>> dice = Dice()
        >>> dice.update(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), torch.ones(1, 2))
        >>> round(dice.value, 4)
        0.6667

    Source: Dice, "Measures of the Amount of Ecologic Association Between Species", Ecology 1945.
    """

    sums = ("inter", "union")
    inter: Any
    union: Any

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis
        self.reset()

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


class JaccardCoeff(Dice):
    """The Jaccard coefficient of a binary mask: the overlap over the joint area.

    Args:
        axis: where the two classes are in the predictions.

    Example:
        >>> jaccard = JaccardCoeff()
        >>> jaccard.update(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), torch.ones(1, 2))
        >>> jaccard.value
        0.5

    Source: Jaccard, "The Distribution of the Flora in the Alpine Zone", New Phytologist 1912.
    """

    @property
    def value(self) -> float | None:
        """The coefficient; None if neither mask ever had a pixel."""
        return float(self.inter / (self.union - self.inter)) if self.union > 0 else None


class DiceMulti(CountMetric):
    """The mean over the classes of their Dice coefficients; absent classes are left out.

    Args:
        axis: where the classes are in the predictions.
        ignore_index: pixels with this target do not count.

    Example:
        >>> dice = DiceMulti()
        >>> dice.update(torch.eye(3)[None], torch.tensor([[0, 1, 1]]))
        >>> round(dice.value, 4)
        0.5556

    Source: Dice, "Measures of the Amount of Ecologic Association Between Species", Ecology 1945.
    """

    def __init__(self, axis: int = 1, ignore_index: int | None = None) -> None:
        super().__init__()
        self.axis, self.ignore_index = axis, ignore_index

    def count(self, pred: Any, *targs: Any) -> Tensor:
        """Return the confusion matrix of a batch."""
        return confusion(pred, *targs, axis=self.axis, ignore_index=self.ignore_index)

    def score(self, counts: Tensor) -> Tensor:
        """Return the mean over the classes that occur."""
        inter = counts.diag()
        return self._coefficient(inter, counts.sum(0) + counts.sum(1)).nanmean()

    def _coefficient(self, inter: Tensor, areas: Tensor) -> Tensor:
        return 2 * inter / areas


class JaccardCoeffMulti(DiceMulti):
    """The mean over the classes of their Jaccard coefficients (mIoU); absent ones are left out.

    Args:
        axis: where the classes are in the predictions.
        ignore_index: pixels with this target do not count.

    Source: Jaccard, "The Distribution of the Flora in the Alpine Zone", New Phytologist 1912.
    """

    def _coefficient(self, inter: Tensor, areas: Tensor) -> Tensor:
        return inter / (areas - inter)


def _hits(inp: Tensor, targ: Tensor, ignore_index: int | None = None, axis: int = 1) -> Tensor:
    """Count the right pixels and all that count."""
    found, targ = flatten_check(inp.argmax(dim=axis), targ)
    counted = torch.ones_like(found) if ignore_index is None else (targ != ignore_index).long()
    return torch.stack([((found == targ) * counted).sum(), counted.sum()])


def _foreground_hits(inp: Tensor, targ: Tensor, bkg_idx: int = 0, axis: int = 1) -> Tensor:
    return _hits(inp, targ, bkg_idx, axis)


def _rate(counts: Tensor) -> Tensor:
    return divided(*counts.double(), empty=torch.nan)


acc_segment = CountThen(_hits, _rate, "acc_segment")
"""The part of the pixels that are right; those with the target `ignore_index` do not count."""

acc_camvid = CountThen(partial(_hits, ignore_index=_CAMVID_VOID), _rate, "acc_camvid")
"""`acc_segment` for CamVid, whose class 30 is void."""

foreground_acc = CountThen(_foreground_hits, _rate, "foreground_acc")
"""The part of the pixels that are right, without those whose target is the background `bkg_idx`."""
