"""Metrics of the loss: of its parts, and as a running average."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.metrics.base import Batch, MeanMetric, Metric, detached, state_of
from lamina.tensor.tree import find_bs

__all__ = ["AvgSmoothLoss", "LossMetric", "LossMetrics"]


class LossMetric(MeanMetric):
    """The mean of one part of a loss, which the loss function keeps as an attribute.

    Args:
        attr: the attribute, such as "style", or "parts.style" where `parts` is a dict.
        nm: the name that is shown; by default the attribute's.

    Raises:
        UnknownNameError: the loss function has no such attribute after a batch.
    """

    def __init__(self, attr: str, nm: str | None = None) -> None:
        super().__init__()
        self.attr, self.nm = attr, nm

    def accumulate(self, learn: Batch) -> None:
        """Take in the part of the loss of the batch that a learner has just done."""
        part = learn.loss_func
        for name in self.attr.split("."):
            part = _part(part, name)
        self._add(part.mean() if isinstance(part, Tensor) else part, find_bs(learn.y))

    @property
    def name(self) -> str:
        """The name that is shown."""
        return self.nm or self.attr


def _part(owner: Any, name: str) -> Any:
    """Return an attribute, or an entry of a dict."""
    is_dict = isinstance(owner, Mapping)
    if name in owner if is_dict else hasattr(owner, name):
        return owner[name] if is_dict else getattr(owner, name)
    known = list(owner if is_dict else vars(owner))
    raise UnknownNameError("attribute", name, known, where="LossMetric")


def LossMetrics(  # noqa: N802 - made like the metrics that it makes
    attrs: str | Sequence[str], nms: str | Sequence[str] | None = None
) -> list[LossMetric]:
    """Return a `LossMetric` for each attribute.

    Args:
        attrs: the attributes, also as text with commas between them.
        nms: the names that are shown, in the same form.

    Example:
        >>> [metric.name for metric in LossMetrics("content, style")]
        ['content', 'style']
    """
    listed, names = _split(attrs), _split(nms or attrs)
    if len(listed) != len(names):
        raise ContractError(f"LossMetrics: {len(names)} names for {len(listed)} attributes.")
    return [LossMetric(attr, nm) for attr, nm in zip(listed, names, strict=True)]


class AvgSmoothLoss(Metric):
    """The running average of the loss, corrected for its start at zero.

    Args:
        beta: how much of the average is kept per batch.

    Example:
        >>> AvgSmoothLoss().value is None
        True
    """

    def __init__(self, beta: float = 0.98) -> None:
        self.beta = beta
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.avg: Any = 0.0
        self.count = 0
        self.ranks = 1

    def accumulate(self, learn: Batch) -> None:
        """Take in the loss of the batch that a learner has just done."""
        self.avg = self.beta * self.avg + (1 - self.beta) * detached(learn.loss.mean())
        self.count += 1

    @property
    def value(self) -> float | None:
        """The running average; None before the first batch."""
        if self.count == 0:
            return None
        return float(self.avg / self.ranks / (1 - self.beta**self.count))

    @property
    def name(self) -> str:
        """The name that is shown."""
        return "loss"

    def state(self) -> dict[str, Tensor]:
        """Return the running average, and of how many batches and processes it is."""
        named = {"avg": self.avg, "count": self.count, "ranks": self.ranks}
        return {name: torch.as_tensor(value) for name, value in named.items()}

    def merge(self, other: Metric | Mapping[str, Tensor]) -> None:
        """Take the mean with the average of another process, which did as many batches."""
        theirs = state_of(other)
        self.avg = self.avg + theirs["avg"].to(getattr(self.avg, "device", "cpu"))
        self.count = max(self.count, int(theirs["count"]))
        self.ranks += int(theirs["ranks"])


def _split(names: str | Sequence[str]) -> list[str]:
    """Read names that are a text with commas, or a list."""
    return [n.strip() for n in (names.split(",") if isinstance(names, str) else names)]
