"""Metrics for several labels at once: one score and one target of 0 or 1 per label."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from lamina.metrics.base import AvgMetric, CountMetric, flatten_check
from lamina.metrics.classify import check_average
from lamina.metrics.counts import (
    Average,
    Ratio,
    averaged,
    f_beta,
    jaccard,
    label_counts,
    matthews,
    precision,
    recall,
)

__all__ = [
    "BrierScoreMulti",
    "F1ScoreMulti",
    "FBetaMulti",
    "HammingLossMulti",
    "JaccardMulti",
    "LabelCounts",
    "MatthewsCorrCoefMulti",
    "PrecisionMulti",
    "RecallMulti",
    "brier_score_multi",
    "fit_thresholds",
]


class LabelCounts(CountMetric):
    """A score of the counts of right and wrong labels of a set; a subclass has `score`.

    Args:
        thresh: a label is predicted from this on.
        sigmoid: whether scores are put through a sigmoid first.
    """

    def __init__(self, thresh: float = 0.5, *, sigmoid: bool = True) -> None:
        super().__init__()
        self.thresh, self.sigmoid = thresh, sigmoid

    def count(self, pred: Any, *targs: Any) -> Tensor:
        """Return true and false positives, false and true negatives of each label."""
        return label_counts(pred, *targs, thresh=self.thresh, sigmoid=self.sigmoid)


class _Multi(LabelCounts):
    """A ratio of true positives, false positives and false negatives.

    Args:
        thresh: a label is predicted from this on.
        sigmoid: whether scores are put through a sigmoid first.
        labels: the labels that count; by default all.
        average: "macro" for the mean over labels, "weighted" for the mean weighted with how often
            a label is there, "micro" for that of all counts together, None for one value per label.
    """

    ratio: Ratio

    def __init__(
        self,
        thresh: float = 0.5,
        *,
        sigmoid: bool = True,
        labels: Sequence[int] | None = None,
        average: Average | None = "macro",
    ) -> None:
        super().__init__(thresh, sigmoid=sigmoid)
        check_average(type(self).__name__, average, ("micro", "macro", "weighted"))
        self.labels, self.average = labels, average

    def score(self, counts: Tensor) -> Tensor:
        """Return the ratio, averaged over the labels as asked."""
        labels = None if self.labels is None else list(self.labels)
        return averaged(self.ratio, counts[:3], self.average, labels)


class PrecisionMulti(_Multi):
    """The part of what is predicted that is right.

    Example:
        >>> metric = PrecisionMulti(thresh=0.0, sigmoid=False)
        >>> metric.update(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), torch.tensor([[1, 1], [0, 1]]))
        >>> metric.value
        0.75
    """

    shown: ClassVar[str] = "precision_score"
    ratio = staticmethod(precision)


class RecallMulti(_Multi):
    """The part of what is there that is predicted.

    Example:
        >>> metric = RecallMulti()
        >>> metric.update(torch.tensor([[9.0, 9.0], [9.0, -9.0]]), torch.tensor([[1, 1], [0, 1]]))
        >>> metric.value
        0.75
    """

    shown: ClassVar[str] = "recall_score"
    ratio = staticmethod(recall)


class JaccardMulti(_Multi):
    """The overlap of predictions and targets over their union.

    Example:
        >>> metric = JaccardMulti()
        >>> metric.update(torch.tensor([[9.0, 9.0], [9.0, -9.0]]), torch.tensor([[1, 1], [0, 1]]))
        >>> metric.value
        0.5
    """

    shown: ClassVar[str] = "jaccard_score"
    ratio = staticmethod(jaccard)


class F1ScoreMulti(_Multi):
    """The harmonic mean of precision and recall."""

    shown: ClassVar[str] = "f1_score"
    ratio = staticmethod(f_beta)


class FBetaMulti(_Multi):
    """The harmonic mean of precision and recall, recall counting `beta^2` times.

    Args:
        beta: above 1 recall counts more, below 1 precision.
        thresh: a label is predicted from this on.
        sigmoid: whether scores are put through a sigmoid first.
        labels: the labels that count; by default all.
        average: as for `F1ScoreMulti`.
    """

    shown: ClassVar[str] = "fbeta_score"

    def __init__(
        self,
        beta: float,
        thresh: float = 0.5,
        *,
        sigmoid: bool = True,
        labels: Sequence[int] | None = None,
        average: Average | None = "macro",
    ) -> None:
        super().__init__(thresh, sigmoid=sigmoid, labels=labels, average=average)
        self.ratio = partial(f_beta, beta=beta)


class HammingLossMulti(LabelCounts):
    """The part of all labels of all items that is wrong.

    Example:
        >>> metric = HammingLossMulti()
        >>> metric.update(torch.tensor([[9.0, 9.0], [9.0, -9.0]]), torch.tensor([[1, 1], [0, 1]]))
        >>> metric.value
        0.5
    """

    shown: ClassVar[str] = "hamming_loss"

    def score(self, counts: Tensor) -> Tensor:
        """Return the errors over all."""
        return counts[1:3].sum() / counts.sum()


class MatthewsCorrCoefMulti(LabelCounts):
    """The correlation of targets and predictions over all labels of all items.

    Source: Matthews, "Comparison of the predicted and observed secondary structure of T4 phage
    lysozyme", 1975.
    """

    shown: ClassVar[str] = "matthews_corrcoef"

    def score(self, counts: Tensor) -> Tensor:
        """Return the coefficient."""
        tp, fp, fn, tn = counts.sum(1)
        return matthews(torch.stack([tn, fp, fn, tp]).view(2, 2))


class BrierScoreMulti(AvgMetric):
    """The mean squared error of the probabilities of all labels of all items.

    Args:
        sigmoid: whether scores are put through a sigmoid first.

    Example:
        >>> metric = BrierScoreMulti()
        >>> metric.update(torch.zeros(1, 2), torch.tensor([[1, 0]]))
        >>> metric.value
        0.25

    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """

    def __init__(self, *, sigmoid: bool = True) -> None:
        super().__init__(partial(brier_score_multi, sigmoid=sigmoid))


def brier_score_multi(inp: Tensor, targ: Tensor, *, sigmoid: bool = True) -> Tensor:
    """Return the mean squared error of the probabilities of a batch; see `BrierScoreMulti`."""
    probs, targ = flatten_check(inp.sigmoid() if sigmoid else inp, targ)
    return (probs - targ).square().mean()


def fit_thresholds(probs: Tensor, targs: Tensor, beta: float = 1.0) -> Tensor:
    """The threshold of each label with the highest F-beta score on a set.

    It lies in the middle between the lowest probability that counts as predicted and the next one
    below. A label that no item of the set has keeps 0.5.

    Args:
        probs: Probabilities `(n, labels)`, such as `learn.get_preds()` gives first.
        targs: Targets of 0 and 1, `(n, labels)`.
        beta: How much more recall counts than precision.

    Returns:
        `(labels,)`: the loss's `thresh` for predictions, `learn.loss_func.thresh = ...`.

    Example:
        >>> probs = torch.tensor([[0.2, 0.9], [0.4, 0.7], [0.6, 0.1]])
        >>> fit_thresholds(probs, torch.tensor([[0, 1], [1, 0], [1, 0]]))
        tensor([0.3000, 0.8000])
    """
    high, order = probs.sort(dim=0, descending=True)
    hits = targs.gather(0, order).double()
    tp = hits.cumsum(0)
    n_predicted = torch.arange(1, len(probs) + 1, device=probs.device)[:, None]
    score = f_beta(tp, n_predicted - tp, tp[-1] - tp, beta)
    below = torch.cat([high[1:], torch.zeros_like(high[:1])])
    best = score.where(high > below, -1.0).argmax(0, keepdim=True)  # equal ones go together
    middle = (high.gather(0, best) + below.gather(0, best))[0] / 2
    return middle.where(tp[-1] > 0, 0.5)
