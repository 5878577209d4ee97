"""What all losses share: how they are read, weights that follow the data, and shapes."""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, Literal, Self, TypeAlias

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import signature_names

__all__ = ["FlatLoss", "Weights", "belong", "like"]

Weights: TypeAlias = Tensor | Sequence[float] | Literal["auto"] | None


class FlatLoss(nn.Module):
    """The common part: predictions are answers as they are, unless a subclass says otherwise.

    Args:
        reduction: "mean", "sum", or "none" for one value per position.

    Attributes:
        waiting: The weights that are "auto" and not known yet; a `Learner` sets them.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction
        self.waiting: set[str] = set()

    def activation(self, pred: Tensor) -> Tensor:
        """Turn the model's output into probabilities, or leave it."""
        return pred

    def decodes(self, pred: Tensor) -> Tensor:
        """Turn activated predictions into answers, or leave them."""
        return pred

    def set_weights(self, targets: Iterable[Tensor], n_out: int | None = None) -> None:
        """Compute the weights that are "auto" from the targets of the training set.

        Args:
            targets: One per item, or one per batch.
            n_out: The number of classes; None takes the highest label for the last.
        """
        raise ContractError(f"{type(self).__name__} has no weights to compute from targets.")

    def to_state(self) -> dict[str, Any]:
        """Return the arguments that make a loss like this one."""
        names = signature_names(type(self))
        return {name: "auto" if name in self.waiting else getattr(self, name) for name in names}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Make the loss from its arguments."""
        return cls(**state)

    def extra_repr(self) -> str:
        """Show the reduction."""
        return f"reduction={self.reduction!r}"

    def _keep(self, name: str, weights: Weights) -> None:
        """Keep weights as a buffer, which moves with the loss."""
        if isinstance(weights, str):
            if weights != "auto":
                raise ContractError(f"{type(self).__name__}: {name}={weights!r}; expected 'auto'.")
            self.waiting.add(name)
            weights = None
        if weights is not None and not isinstance(weights, Tensor):
            weights = torch.tensor(weights, dtype=torch.float32)
        self.register_buffer(name, weights)

    def _weights(self, name: str, like: Tensor) -> Tensor | None:
        """Give weights where the prediction is, in its type."""
        if name in self.waiting:
            raise ContractError(
                f"{type(self).__name__}: {name}='auto' is computed from the training set, which "
                "is not known yet. Give the loss to a Learner, or call loss.set_weights(targets)."
            )
        weights: Tensor | None = getattr(self, name)
        return None if weights is None else weights.to(like)


def like(pred: Tensor, targ: Tensor, where: str) -> Tensor:
    """Give the target the shape and type of the prediction; never by broadcasting.

    Args:
        pred: The prediction.
        targ: The target.
        where: The loss, for the message.

    Raises:
        ContractError: The shapes do not belong together.
    """
    if targ.shape != pred.shape:
        if not belong(pred.shape, targ.shape):
            raise ContractError(
                f"{where}: the prediction is {tuple(pred.shape)} and the target "
                f"{tuple(targ.shape)}. They must have as many elements, in the same order; check "
                "the model's number of outputs and the shape of the target."
            )
        targ = targ.reshape(pred.shape)
    return targ.to(pred.dtype)


def belong(pred: torch.Size, targ: torch.Size) -> bool:
    """Whether two shapes hold the same elements: equal but for ones, or one the other flattened."""
    a, b = [n for n in pred if n != 1], [n for n in targ if n != 1]
    return a == b or (len(a) != len(b) and prod(a) == prod(b))
