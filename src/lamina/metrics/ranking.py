"""Metrics of how well scores order the items; all predictions are kept until the end."""

from functools import partial
from importlib import import_module
from typing import Any, Literal

from lamina.metrics.gather import AccumMetric, Activation

__all__ = ["APScoreBinary", "APScoreMulti", "RocAuc", "RocAucBinary", "RocAucMulti"]


class _Ranking(AccumMetric):
    """A function of scikit-learn, which is imported when the value is read."""

    def __init__(
        self, function: str, activation: Activation, *, flatten: bool = False, **bound: Any
    ) -> None:
        super().__init__(
            partial(_scikit_learn, function=function, **bound), activation=activation,
            to_np=True, flatten=flatten, invert_arg=True, name=function,
        )  # fmt: skip


class RocAuc(_Ranking):
    """The area under the ROC curve, for one of several classes.

    Args:
        average: "macro" or "weighted" mean over the classes; None for one value each.
        max_fpr: only the part of the curve up to this rate of false positives.
        multi_class: "ovr" for one class against the rest, "ovo" for pairs of classes.

    Example:
        >>> import torch
        >>> RocAuc()(torch.eye(3), torch.arange(3))
        1.0

    Source: Hand & Till, "A Simple Generalisation of the Area Under the ROC Curve", 2001.
    """

    def __init__(
        self,
        average: str | None = "macro",
        max_fpr: float | None = None,
        multi_class: Literal["ovr", "ovo"] = "ovr",
    ) -> None:
        bound = {"average": average, "max_fpr": max_fpr, "multi_class": multi_class}
        super().__init__("roc_auc_score", "softmax", **bound)


class RocAucBinary(_Ranking):
    """The area under the ROC curve, for two classes.

    Args:
        max_fpr: only the part of the curve up to this rate of false positives.

    Example:
        >>> import torch
        >>> scores = torch.tensor([[2.0, 1.0], [0.0, 1.0], [0.0, 3.0]])
        >>> RocAucBinary()(scores, torch.tensor([0, 1, 1]))
        1.0
    """

    def __init__(self, max_fpr: float | None = None) -> None:
        super().__init__("roc_auc_score", "binary_softmax", flatten=True, max_fpr=max_fpr)


class RocAucMulti(_Ranking):
    """The area under the ROC curve, for several labels at once.

    Args:
        sigmoid: whether scores are put through a sigmoid first.
        average: "micro", "macro", "weighted" or "samples"; None for one value each.
        max_fpr: only the part of the curve up to this rate of false positives.

    Example:
        >>> import torch
        >>> RocAucMulti()(torch.eye(2), torch.eye(2))
        1.0
    """

    def __init__(
        self, *, sigmoid: bool = True, average: str | None = "macro", max_fpr: float | None = None
    ) -> None:
        activation = "sigmoid" if sigmoid else "no"
        super().__init__("roc_auc_score", activation, average=average, max_fpr=max_fpr)


class APScoreBinary(_Ranking):
    """The average precision, for two classes.

    Args:
        pos_label: the target that counts as positive; the second class's scores are its.

    Example:
        >>> import torch
        >>> scores = torch.tensor([[2.0, 1.0], [0.0, 1.0], [0.0, 3.0]])
        >>> APScoreBinary()(scores, torch.tensor([0, 1, 1]))
        1.0
    """

    def __init__(self, pos_label: int = 1) -> None:
        super().__init__(
            "average_precision_score", "binary_softmax", flatten=True, pos_label=pos_label
        )


class APScoreMulti(_Ranking):
    """The average precision, for several labels at once.

    Args:
        sigmoid: whether scores are put through a sigmoid first.
        average: "micro", "macro", "weighted" or "samples"; None for one value each.

    Example:
        >>> import torch
        >>> APScoreMulti()(torch.eye(2), torch.eye(2))
        1.0
    """

    def __init__(self, *, sigmoid: bool = True, average: str | None = "macro") -> None:
        activation = "sigmoid" if sigmoid else "no"
        super().__init__("average_precision_score", activation, average=average)


def _scikit_learn(targs: Any, preds: Any, *, function: str, **bound: Any) -> Any:
    """Call a function of scikit-learn; of the scores of two classes it wants the second's."""
    if targs.ndim == 1 and preds.ndim == 2 and preds.shape[1] == 2:
        preds = preds[:, 1]
    return getattr(import_module("sklearn.metrics"), function)(targs, preds, **bound)
