"""Losses of overlap, sums of losses, and losses per item."""

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import tee
from typing import Any, Self

import torch.nn.functional as F
from torch import Tensor, nn

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.foundation.registry import savable
from lamina.nn.losses.flat import FlatLoss

__all__ = ["CombinedLoss", "DiceLoss", "NoneReduce"]


@savable("DiceLoss")
class DiceLoss(FlatLoss):
    """How little predicted and true areas overlap, per image and class.

    Args:
        axis: The dimension of the classes.
        smooth: Added above and below the line, so that empty areas are no division by zero.
        reduction: "sum", "mean", or "none" for `(batch, classes)`.
        square_in_union: Square what is below the line.

    Shapes: prediction `(batch, classes, *)`, target `(batch, *)` of class numbers.

    Example:
        >>> import torch
        >>> pred = torch.tensor([[[9.0, -9.0], [-9.0, 9.0]]])
        >>> round(DiceLoss()(pred, torch.tensor([[0, 1]])).item(), 3)
        0.0

    Source: Milletari et al. 2016, "V-Net", sec. 3.
    """

    def __init__(
        self,
        axis: int = 1,
        smooth: float = 1e-6,
        reduction: str = "sum",
        *,
        square_in_union: bool = False,
    ) -> None:
        super().__init__(reduction)
        self.axis, self.smooth, self.square_in_union = axis, smooth, square_in_union

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """Compute the loss."""
        p = pred.softmax(self.axis).movedim(self.axis, -1)
        if targ.numel() != p[..., 0].numel() or targ.is_floating_point():
            raise ContractError(
                f"DiceLoss: the target is {tuple(targ.shape)}, {targ.dtype}; expected class "
                f"numbers of shape {tuple(p.shape[:-1])}, one for each position."
            )
        q = F.one_hot(targ.long().reshape(p.shape[:-1]), p.shape[-1]).to(p.dtype)
        inner = tuple(range(1, p.ndim - 1))
        both = (p * q).sum(inner)
        total = (p**2 + q if self.square_in_union else p + q).sum(inner)
        loss = 1 - (2 * both + self.smooth) / (total + self.smooth)
        if self.reduction == "none":
            return loss
        return loss.mean() if self.reduction == "mean" else loss.sum()

    def activation(self, pred: Tensor) -> Tensor:
        """Softmax over the classes."""
        return pred.softmax(self.axis)

    def decodes(self, pred: Tensor) -> Tensor:
        """The most probable class."""
        return pred.argmax(self.axis)


@savable("CombinedLoss")
class CombinedLoss(nn.Module):
    """A weighted sum of losses of the same prediction; the first says how it is read.

    Args:
        losses: The losses by name.
        weights: How much each counts; 1 when not given.

    Attributes:
        parts: The latest value of each loss by name, without its weight.
        reduction: "none" for one value per item; else each loss has its own.

    Raises:
        UnknownNameError: A weight is for no loss.

    Example:
        >>> import torch
        >>> from lamina.nn.losses import L1LossFlat, MSELossFlat
        >>> loss = CombinedLoss({"mse": MSELossFlat(), "l1": L1LossFlat()}, {"l1": 0.5})
        >>> loss(torch.tensor([2.0]), torch.tensor([0.0])).item()
        5.0
    """

    def __init__(
        self, losses: Mapping[str, nn.Module], weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        for name in weights or {}:
            if name not in losses:
                raise UnknownNameError("loss", name, losses, where="CombinedLoss")
        self.losses = nn.ModuleDict(losses)
        self.weights = {name: (weights or {}).get(name, 1.0) for name in losses}
        self.reduction = "mean"
        self.parts: dict[str, Tensor] = {}

    @property
    def waiting(self) -> set[str]:
        """The weights that are "auto" and not known yet."""
        return {name for loss in self.losses.values() for name in getattr(loss, "waiting", ())}

    def set_weights(self, targets: Iterable[Tensor], n_out: int | None = None) -> None:
        """Compute the weights that are "auto" in any of the losses.

        Args:
            targets: One per item, or one per batch.
            n_out: The number of classes.
        """
        waiting: list[Any] = [x for x in self.losses.values() if getattr(x, "waiting", None)]
        for loss, theirs in zip(waiting, tee(targets, len(waiting)), strict=True):
            loss.set_weights(theirs, n_out)

    def forward(self, pred: Tensor, *targ: Tensor) -> Tensor:
        """Compute all losses and their sum."""
        of = _per_item if self.reduction == "none" else _own
        values = {name: of(loss, pred, *targ) for name, loss in self.losses.items()}
        self.parts = {name: value.detach() for name, value in values.items()}
        return sum((self.weights[name] * v for name, v in values.items()), start=pred.new_zeros(()))

    def activation(self, pred: Tensor) -> Tensor:
        """That of the first loss."""
        return getattr(self._first, "activation", _same)(pred)

    def decodes(self, pred: Tensor) -> Tensor:
        """Those of the first loss."""
        return getattr(self._first, "decodes", _same)(pred)

    @property
    def _first(self) -> nn.Module:
        return next(iter(self.losses.values()))

    def to_state(self) -> dict[str, Any]:
        """Return losses and weights."""
        return {"losses": dict(self.losses), "weights": self.weights}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Make the loss from what `to_state` returned."""
        return cls(**state)


@contextmanager
def NoneReduce(loss_func: Callable[..., Any]) -> Generator[Callable[..., Any]]:  # noqa: N802 - used like a class
    """Give a loss that is not reduced inside a `with` block.

    Args:
        loss_func: A loss with the attribute `reduction`, or a function with such a keyword.

    Example:
        >>> import torch
        >>> with NoneReduce(nn.L1Loss()) as loss:
        ...     loss(torch.tensor([1.0, 2.0]), torch.zeros(2))
        tensor([1., 2.])
    """
    module: Any = loss_func
    if not hasattr(module, "reduction"):
        yield partial(loss_func, reduction="none")
        return
    before = module.reduction
    module.reduction = "none"
    try:
        yield loss_func
    finally:
        module.reduction = before


def _own(loss: nn.Module, *args: Tensor) -> Tensor:
    return loss(*args)


def _per_item(loss: nn.Module, *args: Tensor) -> Tensor:
    with NoneReduce(loss) as each:
        value = each(*args)
    return value.flatten(1).mean(1) if value.ndim > 1 else value


def _same(x: Tensor) -> Tensor:
    return x
