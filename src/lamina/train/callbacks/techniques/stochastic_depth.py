"""Residual networks of random depth in training."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from lamina.foundation.errors import ContractError
from lamina.nn.models.mobilenet import InvertedResidual
from lamina.nn.models.resnet import BasicBlock, Bottleneck
from lamina.nn.shortcut import ResBlock
from lamina.train.callback import Callback

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["StochasticDepth", "residual_branches"]


def residual_branches(model: nn.Module) -> list[nn.Module]:
    """Find the layers whose output is added to a shortcut, in the order of the model.

    Knows the blocks of Lamina's networks and PyTorch's transformer layers.

    Example:
        >>> [type(layer).__name__ for layer in residual_branches(ResBlock(1, 4, 4))]
        ['Sequential']
    """
    return [branch for module in model.modules() for branch in _branches(module)]


def _branches(module: nn.Module) -> list[nn.Module]:
    match module:
        case ResBlock():
            return [module.convpath]
        case Bottleneck():
            return [module.bn3]
        case BasicBlock():
            return [module.bn2]
        case InvertedResidual():
            return [module.conv] if module.has_shortcut else []
        case nn.TransformerEncoderLayer():
            return [module.dropout1, module.dropout2]
    return []


class StochasticDepth(Callback):
    """Drop residual branches item by item in training, deeper ones more often.

    Args:
        p: The probability for the last branch; it grows evenly from the first on.
        branches: Finds the layers whose output is the branch.

    Raises:
        ContractError: The model has no such branch.

    Source: Huang et al., "Deep Networks with Stochastic Depth", 2016.
    """

    order: ClassVar[int] = -25

    def __init__(
        self,
        p: float = 0.1,
        branches: Callable[[nn.Module], Iterable[nn.Module]] = residual_branches,
    ) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ContractError(f"StochasticDepth: p is {p}; it must be from 0 to below 1.")
        self.p, self.branches = p, branches
        self._hooks: list[RemovableHandle] = []

    def before_fit(self, learn: "Learner") -> None:
        found = list(self.branches(learn.model))
        if not found:
            raise ContractError(
                "StochasticDepth: the model has no residual branch that is known. Give "
                "branches=..., a function that finds their last layers."
            )
        for i, branch in enumerate(found, start=1):
            p = self.p * i / len(found)
            self._hooks.append(branch.register_forward_hook(partial(_drop_path, p=p)))

    def after_fit(self, learn: "Learner") -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []


def _drop_path(
    branch: nn.Module, _inputs: tuple[Tensor, ...], out: Tensor, *, p: float
) -> Tensor | None:
    """Zero the branch for some items, and scale it for the others to the same mean."""
    if not branch.training:
        return None
    shape = (len(out), *[1] * (out.ndim - 1))
    return out * torch.empty(shape, dtype=out.dtype, device=out.device).bernoulli_(1 - p) / (1 - p)
