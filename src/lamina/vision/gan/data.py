"""What a generator starts from, and how it is shown: not at all."""

from collections.abc import Sequence
from typing import Any, Unpack

import torch

from lamina.data.show import GridOptions, show_results
from lamina.foundation.collections import L
from lamina.foundation.errors import refuse_unknown
from lamina.foundation.registry import savable
from lamina.tensor.random import generator
from lamina.tensor.types import TensorBase, TensorImage
from lamina.viz.canvas import get_grid

__all__ = ["InvisibleTensor", "generate_noise", "show_made_pictures"]


class InvisibleTensor(TensorBase):
    """A tensor that is not drawn beside what belongs to it."""

    def show(self, ax: Any = None, **options: Any) -> Any:
        """Draw nothing and return the axes."""
        refuse_unknown("InvisibleTensor.show", options, ())
        return ax


@savable
def generate_noise(fn: Any, size: int = 100) -> InvisibleTensor:
    """Numbers by chance, with zero mean and unit deviation, whatever the item is.

    In a loader they depend on its seed, the epoch and the item.

    Args:
        fn: The item; an `InvisibleTensor` is noise already and is returned.
        size: How many numbers.

    Example:
        >>> generate_noise("a.jpg", size=3).shape
        torch.Size([3])
    """
    if isinstance(fn, InvisibleTensor):
        return fn
    return InvisibleTensor(torch.randn(size, generator=generator()))


@show_results.register
def show_made_pictures(
    _x: InvisibleTensor,
    _y: TensorImage,
    _samples: Sequence[tuple[Any, ...]],
    outs: Sequence[tuple[Any, ...]],
    *,
    max_n: int = 9,
    **options: Unpack[GridOptions],
) -> L[Any]:
    """Draw the pictures that were made from noise.

    Args:
        outs: Decoded predictions.
        max_n: How many at most.
        options: Of the grid; see `GridOptions`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
    """
    refuse_unknown("show_results", options, GridOptions.__annotations__)
    shown = outs[:max_n]
    axes = get_grid(len(shown), **options)
    return L(out[0].show(ax=ax) for out, ax in zip(shown, axes, strict=True))
