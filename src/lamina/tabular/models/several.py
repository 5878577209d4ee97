"""Several targets of different kinds at once: each has its share of the outputs and its loss."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from lamina.data.task import Task
from lamina.foundation.registry import savable
from lamina.train.infer import infer

__all__ = ["SeveralTargets"]


@savable("lamina.tabular:SeveralTargets")
class SeveralTargets(nn.Module):
    """The sum of one loss per target, each on its share of the outputs `(b, sum of sizes)`.

    Args:
        losses: One loss per target.
        sizes: How many outputs each target has.
        weights: What each loss is multiplied by; None for 1.

    Example:
        >>> from lamina.data.task import Regression, SingleLabel
        >>> loss = SeveralTargets.of_tasks([SingleLabel(["a", "b"]), Regression()])
        >>> loss(torch.zeros(4, 3), torch.zeros(4).long(), torch.ones(4)).item()
        1.6931...
        >>> [x.shape for x in loss.decodes(loss.activation(torch.zeros(4, 3)))]
        [torch.Size([4]), torch.Size([4, 1])]
    """

    def __init__(
        self, losses: Sequence[Any], sizes: Sequence[int], weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.losses, self.sizes = nn.ModuleList(losses), list(sizes)
        self.weights = [1.0] * len(self.sizes) if weights is None else list(weights)

    @classmethod
    def of_tasks(cls, tasks: Sequence[Task]) -> Self:
        """Take the loss that belongs to each task."""
        found = [infer(task) for task in tasks]
        return cls([one.loss for one in found], [one.n_out for one in found])

    def forward(self, pred: Tensor, *targs: Tensor) -> Tensor:
        """Return the weighted sum of the losses."""
        parts = zip(self.weights, self.losses, pred.split(self.sizes, 1), targs, strict=True)
        return torch.stack([w * loss(part, targ) for w, loss, part, targ in parts]).sum(0)

    def activation(self, pred: Tensor) -> Tensor:
        """Turn outputs into probabilities or numbers, side by side."""
        parts = zip(self.losses, pred.split(self.sizes, -1), strict=True)
        return torch.cat([loss.activation(part) for loss, part in parts], -1)  # pyright: ignore[reportCallIssue] - a loss of ours

    def decodes(self, pred: Tensor) -> tuple[Tensor, ...]:
        """Return the answers, one tensor per target."""
        parts = zip(self.losses, pred.split(self.sizes, -1), strict=True)
        return tuple(loss.decodes(part) for loss, part in parts)  # pyright: ignore[reportCallIssue] - a loss of ours

    def to_state(self) -> dict[str, Any]:
        """Return the arguments that make a loss like this one."""
        return {"losses": list(self.losses), "sizes": self.sizes, "weights": self.weights}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Make the loss from its arguments."""
        return cls(**state)
