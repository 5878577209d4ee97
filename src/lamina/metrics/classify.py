"""Metrics for labels: one of several (those for several at once are in `multilabel`)."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.metrics.base import AvgMetric, CountMetric, flatten_check
from lamina.metrics.counts import (
    Average,
    Ratio,
    averaged,
    confusion,
    f_beta,
    jaccard,
    kappa,
    matthews,
    precision,
    recall,
)

__all__ = [
    "BalancedAccuracy",
    "BrierScore",
    "CohenKappa",
    "Confusion",
    "F1Score",
    "FBeta",
    "HammingLoss",
    "Jaccard",
    "MatthewsCorrCoef",
    "Precision",
    "Recall",
    "accuracy",
    "accuracy_multi",
    "accuracy_thresh_expand",
    "brier_score_loss",
    "check_average",
    "error_rate",
    "top_k_accuracy",
]


def accuracy(inp: Tensor, targ: Tensor, axis: int = -1) -> Tensor:
    """Return the part of predictions whose highest score is on the target.

    Args:
        inp: scores, `(N, C, ...)`, with the classes along `axis`.
        targ: class numbers, `inp`'s shape without `axis`.
        axis: where the classes are.

    Example:
        >>> import torch
        >>> accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
        tensor(0.5000)
    """
    pred, targ = flatten_check(inp.argmax(dim=axis), targ)
    return (pred == targ).float().mean()


def error_rate(inp: Tensor, targ: Tensor, axis: int = -1) -> Tensor:
    """Return 1 - `accuracy`.

    Args:
        inp: scores, `(N, C, ...)`, with the classes along `axis`.
        targ: class numbers, `inp`'s shape without `axis`.
        axis: where the classes are.

    Example:
        >>> import torch
        >>> error_rate(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
        tensor(0.5000)
    """
    return 1 - accuracy(inp, targ, axis=axis)


def top_k_accuracy(inp: Tensor, targ: Tensor, k: int = 5, axis: int = -1) -> Tensor:
    """Return the part of predictions with the target among the `k` highest scores.

    Args:
        inp: scores, `(N, C, ...)`, with the classes along `axis`.
        targ: class numbers, `inp`'s shape without `axis`.
        k: how many scores count; all of them if there are fewer.
        axis: where the classes are.

    Example:
        >>> import torch
        >>> top_k_accuracy(torch.tensor([[0.1, 0.3, 0.6]]), torch.tensor([1]), k=2)
        tensor(1.)
    """
    best = inp.topk(min(k, inp.shape[axis]), dim=axis).indices
    return (best == targ.unsqueeze(axis)).any(dim=axis).float().mean()


def accuracy_multi(
    inp: Tensor, targ: Tensor, thresh: float = 0.5, *, sigmoid: bool = True
) -> Tensor:
    """Return the part of all labels of all items that are right.

    Args:
        inp: one score per label, `(N, C)`.
        targ: 0 or 1 per label, `(N, C)`.
        thresh: a label is predicted above this.
        sigmoid: whether scores are put through a sigmoid first.

    Example:
        >>> import torch
        >>> accuracy_multi(torch.tensor([[2.0, -2.0]]), torch.tensor([[1, 1]]))
        tensor(0.5000)
    """
    scores, targ = flatten_check(inp.sigmoid() if sigmoid else inp, targ)
    return ((scores > thresh) == targ.bool()).float().mean()


def accuracy_thresh_expand(
    inp: Tensor, targ: Tensor, thresh: float = 0.5, *, sigmoid: bool = True
) -> Tensor:
    """Return `accuracy_multi` with one target for all scores of an item, as critics of GANs have.

    Args:
        inp: scores, `(N, ...)`.
        targ: 0 or 1 per item, `(N,)`.
        thresh: 1 is predicted above this.
        sigmoid: whether scores are put through a sigmoid first.

    Example:
        >>> accuracy_thresh_expand(torch.tensor([[2.0, -2.0]]), torch.tensor([1]))
        tensor(0.5000)
    """
    one_each = targ.reshape(-1, *[1] * (inp.ndim - 1)).expand_as(inp)
    return accuracy_multi(inp, one_each, thresh, sigmoid=sigmoid)


class Confusion(CountMetric):
    """A score of the confusion matrix of a set; a subclass has `score`.

    Args:
        axis: where the classes are in the predictions.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def count(self, pred: Any, *targs: Any) -> Tensor:
        """Return the confusion matrix of a batch: targets down, predictions across."""
        return confusion(pred, *targs, axis=self.axis)


class _Single(Confusion):
    """A ratio of true positives, false positives and false negatives.

    Args:
        axis: where the classes are in the predictions.
        labels: the classes that count; by default all that occur.
        pos_label: the class whose score it is, for `average="binary"`.
        average: "binary" for one class of two, "macro" for the mean over classes, "weighted" for
            the mean weighted with how often a class occurs, "micro" for that of all counts
            together, None for one value per class.
    """

    ratio: Ratio

    def __init__(
        self,
        axis: int = -1,
        labels: Sequence[int] | None = None,
        pos_label: int = 1,
        average: Average | None = "binary",
    ) -> None:
        super().__init__(axis)
        check_average(type(self).__name__, average, get_args(Average))
        self.labels, self.pos_label, self.average = labels, pos_label, average

    def score(self, counts: Tensor) -> Tensor:
        """Return the ratio, averaged over the classes as asked."""
        right = counts.diag()
        cells = torch.stack([right, counts.sum(0) - right, counts.sum(1) - right])
        if self.average != "binary":
            return averaged(self.ratio, cells, self.average, self._counted(cells))
        if len(counts) != 2:
            raise ContractError(
                f"{type(self).__name__}: average='binary' is for two classes; the predictions have "
                f"{len(counts)}. Pass average='macro', 'micro', 'weighted' or None."
            )
        return self.ratio(*cells[:, self.pos_label])

    def _counted(self, cells: Tensor) -> list[int] | None:
        if self.labels is not None or self.average is None:
            return None if self.labels is None else list(self.labels)
        return cells.sum(0).nonzero().flatten().tolist()


class Precision(_Single):
    """The part of what is predicted that is right.

    Example:
        >>> metric = Precision(average="macro")
        >>> metric.update(torch.eye(3), torch.tensor([0, 1, 1]))
        >>> round(metric.value, 4)
        0.6667
    """

    shown: ClassVar[str] = "precision_score"
    ratio = staticmethod(precision)


class Recall(_Single):
    """The part of what is there that is predicted.

    Example:
        >>> metric = Recall(average=None)
        >>> metric.update(torch.eye(3), torch.tensor([0, 1, 1]))
        >>> metric.value
        [1.0, 0.5, 0.0]
    """

    shown: ClassVar[str] = "recall_score"
    ratio = staticmethod(recall)


class Jaccard(_Single):
    """The overlap of predictions and targets over their union.

    Example:
        >>> metric = Jaccard(average="micro")
        >>> metric.update(torch.eye(3), torch.tensor([0, 1, 1]))
        >>> metric.value
        0.5
    """

    shown: ClassVar[str] = "jaccard_score"
    ratio = staticmethod(jaccard)


class F1Score(_Single):
    """The harmonic mean of precision and recall.

    Example:
        >>> metric = F1Score()
        >>> metric.update(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([1, 0]))
        >>> round(metric.value, 4)
        0.6667
    """

    shown: ClassVar[str] = "f1_score"
    ratio = staticmethod(f_beta)


class FBeta(_Single):
    """The harmonic mean of precision and recall, recall counting `beta^2` times.

    Args:
        beta: above 1 recall counts more, below 1 precision.
        axis: where the classes are in the predictions.
        labels: the classes that count; by default all that occur.
        pos_label: the class whose score it is, for `average="binary"`.
        average: as for `F1Score`.

    Example:
        >>> metric = FBeta(beta=2.0)
        >>> metric.update(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([1, 0]))
        >>> round(metric.value, 4)
        0.8333
    """

    shown: ClassVar[str] = "fbeta_score"

    def __init__(
        self,
        beta: float,
        axis: int = -1,
        labels: Sequence[int] | None = None,
        pos_label: int = 1,
        average: Average | None = "binary",
    ) -> None:
        super().__init__(axis, labels, pos_label, average)
        self.ratio = partial(f_beta, beta=beta)


class BalancedAccuracy(Confusion):
    """The mean over the classes of the part that is right.

    Args:
        axis: where the classes are in the predictions.
        adjusted: shift and stretch it, so that guessing gives 0 and perfection 1.

    Example:
        >>> metric = BalancedAccuracy()
        >>> metric.update(torch.eye(3), torch.tensor([0, 1, 1]))
        >>> metric.value
        0.75
    """

    shown: ClassVar[str] = "balanced_accuracy_score"

    def __init__(self, axis: int = -1, *, adjusted: bool = False) -> None:
        super().__init__(axis)
        self.adjusted = adjusted

    def score(self, counts: Tensor) -> Tensor:
        """Return the mean recall of the classes that occur."""
        there = counts.sum(1) > 0
        mean = (counts.diag() / counts.sum(1))[there].mean()
        guess = 1 / there.sum()
        return (mean - guess) / (1 - guess) if self.adjusted else mean


class CohenKappa(Confusion):
    """The agreement with the targets beyond chance.

    Args:
        axis: where the classes are in the predictions.
        labels: the classes that count, in their order; by default all, whether they occur or not.
        weights: how the distance of classes counts: "linear", "quadratic", or None for not at all.

    Example:
        >>> metric = CohenKappa()
        >>> metric.update(torch.eye(2)[[0, 1, 1, 0]], torch.tensor([0, 1, 0, 0]))
        >>> metric.value
        0.5

    Source: Cohen, "A coefficient of agreement for nominal scales", 1960.
    """

    shown: ClassVar[str] = "cohen_kappa_score"

    def __init__(
        self,
        axis: int = -1,
        labels: Sequence[int] | None = None,
        weights: Literal["linear", "quadratic"] | None = None,
    ) -> None:
        super().__init__(axis)
        if weights not in (None, "linear", "quadratic"):
            raise UnknownNameError("weights", weights, ["linear", "quadratic"], where="CohenKappa")
        self.labels = labels
        self.weights: Literal["linear", "quadratic"] | None = weights

    def score(self, counts: Tensor) -> Tensor:
        """Return kappa; not a number if only one class occurs."""
        if self.labels is not None:
            counts = counts[list(self.labels)][:, list(self.labels)]
        return kappa(counts, self.weights)


class HammingLoss(Confusion):
    """The part of the labels that is wrong.

    Example:
        >>> metric = HammingLoss()
        >>> metric.update(torch.eye(2), torch.tensor([0, 0]))
        >>> metric.value
        0.5
    """

    def score(self, counts: Tensor) -> Tensor:
        """Return the errors over all."""
        return 1 - counts.trace() / counts.sum()


class MatthewsCorrCoef(Confusion):
    """The correlation of targets and predictions, also with more than two classes.

    Example:
        >>> metric = MatthewsCorrCoef()
        >>> metric.update(torch.eye(3), torch.arange(3))
        >>> metric.value
        1.0

    Source: Matthews, "Comparison of the predicted and observed secondary structure of T4 phage
    lysozyme", 1975.
    """

    shown: ClassVar[str] = "matthews_corrcoef"

    def score(self, counts: Tensor) -> Tensor:
        """Return the coefficient."""
        return matthews(counts)


class BrierScore(AvgMetric):
    """The mean squared error of the probabilities; of the second one's if there are two classes.

    Args:
        axis: where the classes are in the predictions; they are put through a softmax.

    Example:
        >>> metric = BrierScore()
        >>> metric.update(torch.zeros(1, 2), torch.tensor([1]))
        >>> metric.value
        0.25

    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__(partial(brier_score_loss, axis=axis))


def brier_score_loss(inp: Tensor, targ: Tensor, axis: int = -1) -> Tensor:
    """Return the mean squared error of the probabilities of a batch; see `BrierScore`."""
    probs = inp.softmax(axis).movedim(axis, -1)
    found, targ = flatten_check(probs[..., 0], targ)
    errors = probs.reshape(len(found), -1)
    errors = errors.scatter_add(1, targ.long()[:, None], -torch.ones_like(errors[:, :1]))
    return errors.square().sum(1).mean() / (2 if errors.shape[1] == 2 else 1)


def check_average(where: str, average: str | None, known: tuple[str, ...]) -> None:
    """Refuse ways to average that there are not.

    Raises:
        UnknownNameError: there is no such way.
    """
    if average is not None and average not in known:
        raise UnknownNameError("average", average, known, where=where)
