"""Metrics for labels: one of several, or several at once."""

from torch import Tensor

from lamina.metrics.base import flatten_check

__all__ = ["accuracy", "accuracy_multi", "error_rate", "top_k_accuracy"]


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
