"""Counts of right and wrong labels, and the scores that are made of them."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from lamina.metrics.base import flatten_check

__all__ = [
    "Average",
    "Ratio",
    "averaged",
    "confusion",
    "divided",
    "f_beta",
    "jaccard",
    "kappa",
    "label_counts",
    "matthews",
    "precision",
    "recall",
]

Average = Literal["binary", "micro", "macro", "weighted"]
Ratio = Callable[[Tensor, Tensor, Tensor], Tensor]


def confusion(
    pred: Tensor, targ: Tensor, axis: int = -1, ignore_index: int | None = None
) -> Tensor:
    """Return the confusion matrix, `(classes, classes)`: targets down, predictions across.

    Nothing is read back from the device.

    Args:
        pred: scores, `(N, C, ...)`, with the classes along `axis`.
        targ: class numbers, `pred`'s shape without `axis`.
        axis: where the classes are.
        ignore_index: what has this target does not count.

    Example:
        >>> confusion(torch.eye(2), torch.tensor([0, 0]))
        tensor([[1, 1],
                [0, 0]])
    """
    n = pred.shape[axis]
    found, targ = flatten_check(pred.argmax(dim=axis), targ)
    place = targ.long() * n + found
    counted = torch.ones_like(place)
    if ignore_index is not None:
        counted = (targ != ignore_index).long()
        place = place * counted
    return place.new_zeros(n * n).scatter_add_(0, place, counted).view(n, n)


def label_counts(
    pred: Tensor, targ: Tensor, thresh: float = 0.5, *, sigmoid: bool = True
) -> Tensor:
    """Return true positives, false positives, false negatives and true negatives, `(4, labels)`.

    Args:
        pred: one score per label, `(N, ..., labels)`.
        targ: 0 or 1 per label, of the same shape.
        thresh: a label is predicted from this on.
        sigmoid: whether scores are put through a sigmoid first.

    Example:
        >>> label_counts(torch.tensor([[2.0, 2.0]]), torch.tensor([[1, 0]])).tolist()
        [[1, 0], [0, 1], [0, 0], [0, 0]]
    """
    flatten_check(pred, targ)
    found = (pred.sigmoid() if sigmoid else pred) >= thresh
    found, truth = (x.reshape(-1, pred.shape[-1]).bool() for x in (found, targ))
    cells = (found & truth, found & ~truth, ~found & truth, ~found & ~truth)
    return torch.stack([cell.sum(0) for cell in cells])


def divided(top: Tensor, bottom: Tensor, empty: float = 0.0) -> Tensor:
    """Return `top / bottom`, and `empty` where both are zero.

    Example:
        >>> divided(torch.tensor([1.0, 0.0]), torch.tensor([2.0, 0.0]))
        tensor([0.5000, 0.0000])
    """
    return (top / bottom).where(bottom != 0, empty)


def precision(tp: Tensor, fp: Tensor, _fn: Tensor) -> Tensor:
    """Return the part of what is predicted that is right.

    Example:
        >>> precision(*torch.tensor([3.0, 1.0, 2.0]))
        tensor(0.7500)
    """
    return divided(tp, tp + fp)


def recall(tp: Tensor, _fp: Tensor, fn: Tensor) -> Tensor:
    """Return the part of what is there that is predicted.

    Example:
        >>> recall(*torch.tensor([3.0, 1.0, 2.0]))
        tensor(0.6000)
    """
    return divided(tp, tp + fn)


def jaccard(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    """Return the overlap of predictions and targets over their union.

    Example:
        >>> jaccard(*torch.tensor([3.0, 1.0, 2.0]))
        tensor(0.5000)
    """
    return divided(tp, tp + fp + fn)


def f_beta(tp: Tensor, fp: Tensor, fn: Tensor, beta: float = 1.0) -> Tensor:
    """Return the harmonic mean of precision and recall, recall counting `beta^2` times.

    Example:
        >>> f_beta(*torch.tensor([3.0, 1.0, 2.0]), beta=2.0)
        tensor(0.6250)

    Source: van Rijsbergen, "Information Retrieval", 1979.
    """
    top = (1 + beta**2) * tp
    return divided(top, top + beta**2 * fn + fp)


def averaged(
    ratio: Ratio, cells: Tensor, average: str | None, labels: list[int] | None = None
) -> Tensor:
    """Return a ratio over labels.

    Args:
        ratio: of true positives, false positives and false negatives.
        cells: these counts, `(3, labels)`.
        average: "macro" for the mean, "weighted" for the mean weighted with how often a label is
            there, "micro" for the ratio of all counts together, None for one value per label.
        labels: the labels that count.

    Example:
        >>> averaged(recall, torch.tensor([[3.0, 0.0], [0.0, 0.0], [1.0, 2.0]]), "macro")
        tensor(0.3750)
    """
    cells = cells if labels is None else cells[:, labels]
    if average == "micro":
        return ratio(*cells.sum(1))
    each = ratio(*cells)
    if average is None:
        return each
    weights = cells[0] + cells[2] if average == "weighted" else torch.ones_like(each)
    return divided((each * weights).sum(), weights.sum())


def matthews(counts: Tensor) -> Tensor:
    """Return the correlation of targets and predictions, given the confusion matrix.

    Example:
        >>> matthews(torch.tensor([[1.0, 1.0], [1.0, 1.0]]))
        tensor(0.)

    Source: Gorodkin, "Comparing two K-category assignments by a K-category correlation
    coefficient", 2004.
    """
    truth, found, n = counts.sum(1), counts.sum(0), counts.sum()
    together = counts.trace() * n - truth @ found
    spread = (n**2 - truth @ truth) * (n**2 - found @ found)
    return divided(together, spread.sqrt())


def kappa(counts: Tensor, weights: Literal["linear", "quadratic"] | None = None) -> Tensor:
    """Return the agreement beyond chance, given the confusion matrix.

    Example:
        >>> kappa(torch.tensor([[2.0, 1.0], [0.0, 1.0]]))
        tensor(0.5000)

    Source: Cohen, "A coefficient of agreement for nominal scales", 1960, and "Weighted kappa",
    1968.
    """
    places = torch.arange(len(counts), dtype=counts.dtype)
    apart = (places[:, None] - places).abs()
    powers: dict[Any, float] = {None: 0.0, "linear": 1.0, "quadratic": 2.0}
    cost = apart ** powers[weights] * (apart > 0)
    chance = torch.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    return 1 - divided((cost * counts).sum(), (cost * chance).sum(), empty=torch.nan)
