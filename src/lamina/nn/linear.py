"""Linear blocks and small layers that reshape or bound."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = [
    "Flatten",
    "Identity",
    "Lambda",
    "LinBnDrop",
    "ResizeBatch",
    "SigmoidRange",
    "View",
    "sigmoid_range",
]

Identity = nn.Identity


class LinBnDrop(nn.Sequential):
    """Batch norm, dropout, linear and activation: `(b, n_in)` to `(b, n_out)`.

    Args:
        n_in: Features in.
        n_out: Features out.
        bn: Whether to normalise; the linear layer has no bias then.
        p: Dropout probability; 0 leaves the layer out.
        act: The activation, a module.
        lin_first: Linear and activation before norm and dropout.

    Example:
        >>> [type(m).__name__ for m in LinBnDrop(4, 2, p=0.5, act=nn.ReLU())]
        ['BatchNorm1d', 'Dropout', 'Linear', 'ReLU']
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        bn: bool = True,
        p: float = 0.0,
        act: nn.Module | None = None,
        lin_first: bool = False,
    ) -> None:
        norm: list[nn.Module] = [nn.BatchNorm1d(n_out if lin_first else n_in)] if bn else []
        if p:
            norm.append(nn.Dropout(p))
        linear: list[nn.Module] = [nn.Linear(n_in, n_out, bias=not bn)]
        if act is not None:
            linear.append(act)
        super().__init__(*(linear + norm if lin_first else norm + linear))


def sigmoid_range(x: Tensor, low: float, high: float) -> Tensor:
    """A sigmoid stretched to the open interval from `low` to `high`.

    Example:
        >>> sigmoid_range(torch.tensor(0.0), 0, 5).item()
        2.5
    """
    return torch.sigmoid(x) * (high - low) + low


class SigmoidRange(nn.Module):
    """`sigmoid_range` as a layer: bounds the outputs of a regression."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        """Bound `x`, any shape."""
        return sigmoid_range(x, self.low, self.high)

    def extra_repr(self) -> str:
        """The two bounds."""
        return f"{self.low}, {self.high}"


class Flatten(nn.Module):
    """`(b, *)` to `(b, n)`, or to `(n,)` with `full`."""

    def __init__(self, *, full: bool = False) -> None:
        super().__init__()
        self.full = full

    def forward(self, x: Tensor) -> Tensor:
        """Flatten `x`."""
        return x.reshape(-1) if self.full else x.reshape(x.shape[0], -1)


class View(nn.Module):
    """Reshape to `size`, the batch dimension included."""

    def __init__(self, *size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Reshape `x`."""
        return x.reshape(self.size)


class ResizeBatch(nn.Module):
    """Reshape each item to `size`; the batch dimension stays.

    Example:
        >>> ResizeBatch(4, 3)(torch.zeros(2, 12)).shape
        torch.Size([2, 4, 3])
    """

    def __init__(self, *size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Reshape the items of `x`."""
        return x.reshape(x.shape[0], *self.size)


class Lambda(nn.Module):
    """Any function of one tensor as a layer."""

    def __init__(self, func: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.func = func

    def forward(self, x: Tensor) -> Tensor:
        """Call the function on `x`."""
        return self.func(x)

    def extra_repr(self) -> str:
        """The function's name."""
        return getattr(self.func, "__name__", repr(self.func))
