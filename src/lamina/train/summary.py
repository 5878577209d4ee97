"""What a model is made of, layer by layer."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import Size, Tensor

from lamina.nn.hooks import LayerInfo, layer_info
from lamina.nn.params import total_params
from lamina.tensor.tree import leaves
from lamina.viz.tables import Table

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["summary"]


def summary(learn: "Learner") -> Table:
    """Send a batch through the model and list its layers with what they give.

    Model, hooks and statistics are afterwards as before. Layers that the batch does not reach, or
    that run compiled into others, have no output shape. Parameters that a composed module holds
    itself have a row of their own.

    Args:
        learn: The learner.

    Returns:
        A table of name, class, output shape, parameters, and whether these train.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.ones(4, 2), torch.ones(4, 1))]
        >>> learn = Learner((batches, batches), nn.Linear(2, 1), nn.functional.mse_loss)
        >>> print(learn.summary())
        Linear, input 4 x 2, 3 parameters (3 trainable)
        layer  class   output  params  trainable
               Linear  4 x 1   3       yes
    """
    xb, _ = learn.split_batch(learn.dls.one_batch())
    model = learn.model.to(learn.dls.device)
    rows = [_row(layer) for layer in layer_info(model, *xb)]
    given = _text(x.shape for x in leaves(xb, leaf=Tensor))
    n, trained = total_params(model)
    title = f"{type(model).__name__}, input {given}, {n:,} parameters ({trained:,} trainable)"
    return Table(["layer", "class", "output", "params", "trainable"], rows, title)


def _text(shapes: Iterable[Size]) -> str:
    return ", ".join(" x ".join(map(str, shape)) for shape in shapes)


def _row(layer: LayerInfo) -> tuple[str, str, str, str, str]:
    n, trained = layer.n_params, layer.n_trained
    trains = "" if n == 0 else "yes" if trained == n else "no" if trained == 0 else "in part"
    return layer.name, layer.kind, _text(layer.shapes), f"{n:,}" if n else "", trains
