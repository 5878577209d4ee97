"""Weights of classes, computed from the targets of a training set."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["class_weights", "positive_weights"]


def class_weights(
    targets: Iterable[Tensor], n_out: int | None = None, *, ignore_index: int = -100
) -> Tensor:
    """Weights with which all classes count the same; 1 for a class that does not occur.

    Args:
        targets: Labels, in tensors of any shape.
        n_out: The number of classes; None takes the highest label for the last.
        ignore_index: A label that does not count.

    Example:
        >>> class_weights([torch.tensor([0, 0, 0, 1])])
        tensor([0.6667, 2.0000])
    """
    counts = torch.zeros(n_out or 0, dtype=torch.long)
    for targ in targets:
        flat = targ.detach().cpu().reshape(-1).long()
        found = torch.bincount(flat[flat != ignore_index], minlength=len(counts))
        counts = F.pad(counts, (0, len(found) - len(counts))) + found
    return torch.where(counts > 0, counts.sum() / (len(counts) * counts.clamp(min=1)), 1.0)


def positive_weights(targets: Iterable[Tensor], n_out: int) -> Tensor:
    """How many times as often each answer is no as it is yes; 1 for one that is never yes.

    Args:
        targets: Zeros and ones, in tensors of `(n_out,)` or `(batch, n_out)`.
        n_out: The number of answers.

    Example:
        >>> positive_weights([torch.tensor([[1, 0], [0, 0], [0, 1]])], 2)
        tensor([2., 2.])
    """
    yes, n = torch.zeros(n_out), 0
    for targ in targets:
        rows = targ.detach().cpu().reshape(-1, n_out)
        yes, n = yes + rows.sum(0), n + len(rows)
    return torch.where(yes > 0, (n - yes) / yes.clamp(min=1), 1.0)
