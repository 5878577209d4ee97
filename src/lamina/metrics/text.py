"""Metrics for text: language models and translations."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.metrics.base import AvgLoss, CountMetric

__all__ = ["CorpusBLEUMetric", "Perplexity"]

_LONGEST = 4


class Perplexity(AvgLoss):
    """The exponential of the mean loss: among how many tokens the model seems to choose."""

    def __init__(self) -> None:
        super().__init__(torch.exp)

    @property
    def name(self) -> str:
        """The name that is shown."""
        return "perplexity"


class CorpusBLEUMetric(CountMetric):
    """BLEU of a corpus, with runs of one to four tokens and one reference per sentence.

    Args:
        axis: where the tokens' scores are in the predictions, `(N, length, tokens)`.
        pad_idx: a token that only fills sentences up, and does not count.

    Example:
        >>> metric = CorpusBLEUMetric()
        >>> metric.update(torch.eye(9)[None, :5], torch.arange(5)[None])
        >>> round(metric.value, 4)
        1.0

    Source: Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation",
    ACL 2002.
    """

    shown: ClassVar[str] = "corpus_bleu"

    def __init__(self, axis: int = -1, pad_idx: int | None = None) -> None:
        super().__init__()
        self.axis, self.pad_idx = axis, pad_idx

    def count(self, pred: Any, *targs: Any) -> Tensor:
        """Return both lengths in tokens, and per length of run those that are right and all."""
        found, (targ,) = pred.argmax(self.axis), targs
        if found.ndim != 2 or targ.ndim != 2 or len(found) != len(targ):
            raise ContractError(
                f"CorpusBLEUMetric: tokens of shape {tuple(found.shape)} and targets of shape "
                f"{tuple(targ.shape)}; expected (sentences, length) of both. Check axis."
            )
        runs = _runs(found, found, self.pad_idx), _runs(found, targ, self.pad_idx)
        counts = [_valid(found, self.pad_idx).sum(), _valid(targ, self.pad_idx).sum()]
        for same, there in zip(*runs, strict=True):
            earlier = same.tril(-1).sum(-1)  # a run counts as often as the reference has it
            counts.append((earlier < there.sum(-1)).sum())
            counts.append(same.diagonal(dim1=-2, dim2=-1).sum())
        return torch.stack(counts)

    def score(self, counts: Tensor) -> Tensor:
        """Return the geometric mean of the precisions, with the penalty for brevity."""
        lengths, right, every = counts[:2], counts[2::2], counts[3::2]
        brevity = (1 - lengths[1] / lengths[0]).clamp(max=0).exp()
        return brevity * (right / every).log().mean().exp()


def _valid(tokens: Tensor, pad_idx: int | None) -> Tensor:
    return torch.ones_like(tokens) if pad_idx is None else (tokens != pad_idx).long()


def _runs(a: Tensor, b: Tensor, pad_idx: int | None) -> list[Tensor]:
    """Say which runs of one, two, ... tokens of a sentence are which of the other's.

    Returns:
        Per length a tensor `(N, places in a, places in b)`.
    """
    sizes = (len(a), *(x.shape[1] + _LONGEST - 1 for x in (a, b)))  # runs may not reach beyond
    one = a.new_zeros(sizes, dtype=torch.bool)
    equal = (a[:, :, None] == b[:, None, :]) & _valid(a, pad_idx)[:, :, None].bool()
    one[:, : a.shape[1], : b.shape[1]] = equal
    runs = [one]
    for n in range(1, _LONGEST):
        runs.append(runs[-1][:, :-1, :-1] & one[:, n:, n:])
    return runs
