"""Less memory for activations, for more time."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from lamina.foundation.errors import ContractError
from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.batchnorm import kept_statistics

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["GradientCheckpointing", "blocks"]

_CONTAINERS = (nn.Sequential, nn.ModuleList)


def blocks(model: nn.Module) -> list[nn.Module]:
    """Find the outermost modules that have parts and are no mere container.

    Example:
        >>> layer = nn.TransformerEncoderLayer(4, 1, 8)
        >>> [type(block).__name__ for block in blocks(nn.Sequential(layer, nn.Linear(4, 1)))]
        ['TransformerEncoderLayer']
    """
    found: list[nn.Module] = []
    for part in model.children():
        if isinstance(part, _CONTAINERS):
            found += blocks(part)
        elif next(part.children(), None) is not None:
            found.append(part)
    return found


class GradientCheckpointing(Callback):
    """Keep only the inputs of the model's blocks; the backward pass computes the rest again.

    The result is the same, dropout and the statistics of batch norm included.

    Args:
        modules: Finds the blocks.

    Raises:
        ContractError: No block is found.

    Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
    """

    order: ClassVar[int] = -30

    def __init__(self, modules: Callable[[nn.Module], Iterable[nn.Module]] = blocks) -> None:
        super().__init__()
        self.modules = modules
        self._changed: list[nn.Module] = []

    def before_fit(self, learn: "Learner") -> None:
        found = list(self.modules(learn.model))
        if not found:
            raise ContractError(
                "GradientCheckpointing: the model has no blocks that could be computed again. "
                "Give modules=..., a function that finds some."
            )
        for module in found:
            module.forward = partial(_checkpointed, module, module.forward)
            self._changed.append(module)

    def after_fit(self, learn: "Learner") -> None:
        for module in self._changed:
            del module.forward  # the class's own shows again
        self._changed = []


def _checkpointed(module: nn.Module, forward: Callable[..., Any], *args: Any, **inputs: Any) -> Any:
    if not (module.training and torch.is_grad_enabled()):
        return forward(*args, **inputs)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), kept_statistics(module)

    return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **inputs)
