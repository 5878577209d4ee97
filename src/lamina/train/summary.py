"""What a model is made of, layer by layer."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from lamina.nn.params import total_params
from lamina.tensor.tree import leaves
from lamina.viz.tables import Table

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["summary"]


def summary(learn: "Learner") -> Table:
    """Send a batch through the model and list its layers with what they give.

    Model, hooks and statistics are afterwards as before. Layers that the batch does not reach, or
    that run compiled into others, have no output shape.

    Args:
        learn: The learner.

    Returns:
        A table of name, class, output shape, parameters, and whether these train.

    Example:
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.ones(4, 2), torch.ones(4, 1))]
        >>> learn = Learner((batches, batches), nn.Linear(2, 1), nn.functional.mse_loss)
        >>> print(learn.summary())
        Linear, input 4 x 2, 3 parameters (3 trainable)
        layer  class   output  params  trainable
               Linear  4 x 1   3       yes
    """
    shapes: dict[str, str] = {}
    layers = {name: m for name, m in learn.model.named_modules() if not _has_parts(m)}
    hooks = [_record(name, layer, shapes) for name, layer in layers.items()]
    modes = [(module, module.training) for module in learn.model.modules()]
    before = learn.xb
    learn.xb, _ = learn.split_batch(learn.dls.one_batch())
    shape = _shape(learn.xb)
    try:
        learn.model.to(learn.dls.device).eval()
        with torch.no_grad():
            learn.predict_batch()
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes:
            module.training = mode
        learn.xb = before
    rows = [(name, *_row(layer, shapes.get(name, ""))) for name, layer in layers.items()]
    n, trained = total_params(learn.model)
    title = f"{type(learn.model).__name__}, input {shape}, {n:,} parameters ({trained:,} trainable)"
    return Table(["layer", "class", "output", "params", "trainable"], rows, title)


def _has_parts(module: nn.Module) -> bool:
    return next(module.children(), None) is not None


def _record(name: str, layer: nn.Module, shapes: dict[str, str]) -> RemovableHandle:
    def note(_layer: nn.Module, _inputs: Any, out: Any) -> None:
        shapes[name] = _shape(out)

    return layer.register_forward_hook(note)


def _shape(x: Any) -> str:
    return ", ".join(" x ".join(map(str, part.shape)) for part in leaves(x, leaf=Tensor))


def _row(layer: nn.Module, shape: str) -> tuple[str, str, str, str]:
    n, trained = total_params(layer)
    trains = "" if n == 0 else "yes" if trained == n else "no" if trained == 0 else "in part"
    return type(layer).__name__, shape, f"{n:,}" if n else "", trains
