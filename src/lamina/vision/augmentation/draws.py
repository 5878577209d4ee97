"""What a batch transform draws for its items, and how a caller decides it instead."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from lamina.foundation.registry import savable
from lamina.tensor.random import uniform

__all__ = ["DeterministicDraw", "Draw", "drawn"]

Draw: TypeAlias = Callable[[int], Tensor] | float | None


@savable
@dataclass
class DeterministicDraw:
    """The values one after the other, one for each version of a batch that `tta` asks for.

    Args:
        vals: The values.
        version: Which of them is next; they begin anew after the last.

    Example:
        >>> DeterministicDraw([0.0, 10.0], version=3)(2)
        tensor([10., 10.])
    """

    vals: list[float]
    version: int = 0

    def __call__(self, n: int) -> Tensor:
        """The value of this version for each of `n` items."""
        return torch.full((n,), float(self.vals[self.version % len(self.vals)]))


def drawn(n: int, low: float, high: float, draw: Draw = None) -> Tensor:
    """Values for `n` items, from `low` to `high` unless `draw` decides.

    Args:
        n: The number of items.
        low: The least.
        high: The most.
        draw: A value for all of them, or a function of `n` that returns `(n,)`.

    Example:
        >>> drawn(3, 0.0, 1.0, draw=0.5)
        tensor([0.5000, 0.5000, 0.5000])
    """
    if draw is None:
        return uniform(n, low, high)
    if callable(draw):
        return torch.as_tensor(draw(n), dtype=torch.float32).expand(n)
    return torch.full((n,), float(draw))
