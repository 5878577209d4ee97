"""Layers made of layers, and small helpers to put layers together."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.nn.conv import ConvLayer
from lamina.nn.linear import Lambda
from lamina.nn.norm import NormType
from lamina.nn.pool import PoolFlatten
from lamina.tensor.tree import map_tree
from lamina.tensor.types import TensorBase

__all__ = [
    "Cat",
    "Debugger",
    "PartialLambda",
    "ProdLayer",
    "SimpleCNN",
    "TimeDistributed",
    "ToTensorBase",
    "sequential",
]


def sequential(*layers: nn.Module | OrderedDict[str, nn.Module]) -> nn.Module:
    """An `nn.Sequential` of `layers`; a single module comes back as it is.

    Example:
        >>> sequential(nn.ReLU())
        ReLU()
    """
    if len(layers) == 1 and isinstance(layers[0], nn.Module):
        return layers[0]
    return nn.Sequential(*layers)  # pyright: ignore[reportCallIssue, reportArgumentType] - modules, or one dict


class Cat(nn.ModuleList):
    """Concatenate what each of several layers makes of the same input.

    Args:
        layers: The layers.
        dim: The dimension to concatenate along.

    Example:
        >>> Cat([nn.Identity(), nn.Identity()])(torch.zeros(2, 3)).shape
        torch.Size([2, 6])
    """

    def __init__(self, layers: Iterable[nn.Module], dim: int = 1) -> None:
        super().__init__(layers)
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Run `x` through each layer."""
        return torch.cat([layer(x) for layer in self], dim=self.dim)


class ProdLayer(nn.Module):
    """Multiply the value by the input of the `SequentialEx` around it."""

    reads_block_input = True

    def forward(self, x: Tensor, block_input: Tensor) -> Tensor:
        """Multiply both."""
        return x * block_input


class SimpleCNN(nn.Sequential):
    """Convolutions, each halving the size, then an average pool: `(b, c, h, w)` to `(b, n)`.

    Args:
        filters: Channels of the input and after each convolution.
        kernel_sizes: One per convolution; 3 when not given.
        strides: One per convolution; 2 when not given.
        bn: Batch norm after each convolution but the last.

    Raises:
        ContractError: There are not as many kernel sizes or strides as convolutions.

    Example:
        >>> SimpleCNN([3, 8, 10])(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        filters: Sequence[int],
        kernel_sizes: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        *,
        bn: bool = True,
    ) -> None:
        n = len(filters) - 1
        sizes, steps = kernel_sizes or [3] * n, strides or [2] * n
        if n < 1 or len(sizes) != n or len(steps) != n:
            raise ContractError(
                f"SimpleCNN: {len(filters)} filters make {n} convolutions; got {len(sizes)} kernel "
                f"sizes and {len(steps)} strides. Give one of each per convolution."
            )
        norms = [NormType.Batch if bn and i < n - 1 else None for i in range(n)]
        layers = [
            ConvLayer(filters[i], filters[i + 1], sizes[i], steps[i], norm_type=norms[i])
            for i in range(n)
        ]
        super().__init__(*layers, PoolFlatten())


class TimeDistributed(nn.Module):
    """Apply a module to every step of a sequence: `(b, t, *)` to `(b, t, *)`.

    Args:
        module: Takes `(b, *)`, or several of them, and gives a tensor or a tuple of tensors.
        low_memory: One step after another instead of all at once.
        tdim: The dimension of the steps.

    Example:
        >>> TimeDistributed(nn.Linear(3, 2))(torch.zeros(4, 7, 3)).shape
        torch.Size([4, 7, 2])
    """

    def __init__(self, module: nn.Module, *, low_memory: bool = False, tdim: int = 1) -> None:
        super().__init__()
        self.module, self.low_memory, self.tdim = module, low_memory, tdim

    def forward(self, *xs: Tensor) -> Any:
        """Apply the module to the steps of the tensors `xs`."""
        if self.low_memory:
            steps = zip(*(x.unbind(self.tdim) for x in xs), strict=True)
            return _stacked([self.module(*step) for step in steps], self.tdim)
        first = [x.movedim(self.tdim, 1) for x in xs]
        size = first[0].shape[:2]
        out = self.module(*(x.flatten(0, 1) for x in first))
        return map_tree(lambda t: t.unflatten(0, size).movedim(1, self.tdim), out)


def _stacked(outs: list[Any], dim: int) -> Any:
    if isinstance(outs[0], Tensor):
        return torch.stack(outs, dim)
    return tuple(_stacked(list(parts), dim) for parts in zip(*outs, strict=True))


class PartialLambda(Lambda):
    """A function with some arguments fixed, as a layer.

    Example:
        >>> PartialLambda(torch.clamp, min=0.0)(torch.tensor([-1.0, 1.0]))
        tensor([0., 1.])
    """

    def __init__(self, func: Callable[..., Tensor], **fixed: Any) -> None:
        super().__init__(partial(func, **fixed))


class ToTensorBase(nn.Module):
    """Give the value a semantic type.

    Args:
        tensor_cls: The type.
    """

    def __init__(self, tensor_cls: type[TensorBase] = TensorBase) -> None:
        super().__init__()
        self.tensor_cls = tensor_cls

    def forward(self, x: Tensor) -> TensorBase:
        """Wrap `x`; its storage stays."""
        return self.tensor_cls.wrap(x)


class Debugger(nn.Module):
    """Stop in the debugger where this layer stands; the value goes on unchanged."""

    def forward(self, x: Tensor) -> Tensor:
        """Call `breakpoint()`."""
        breakpoint()
        return x
