"""The end of a training whose loss is no longer a number."""

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from lamina.tensor.tree import leaves
from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.batchnorm import kept_statistics
from lamina.train.events import CancelFit

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["TerminateOnNaNCallback", "first_bad_layer"]


class TerminateOnNaNCallback(Callback):
    """Stop the fit when a loss is not finite, with a warning that names the first bad layer.

    Args:
        every: After so many batches their losses are looked at, which waits for the device. With
            1 the layer is found before the weights are spoilt.

    Attributes:
        found: What was found, or None.
    """

    order: ClassVar[int] = -9
    run_valid = False

    def __init__(self, every: int = 10) -> None:
        super().__init__()
        self.every = every
        self.found: str | None = None
        self._losses: list[Tensor] = []

    def before_fit(self, learn: "Learner") -> None:
        self.found, self._losses = None, []

    def before_backward(self, learn: "Learner") -> None:
        self._losses.append(learn.loss.detach().mean())
        if len(self._losses) >= self.every:
            self._look(learn)

    def after_train(self, learn: "Learner") -> None:
        if self._losses and learn.exc is None:
            self._look(learn)

    def _look(self, learn: "Learner") -> None:
        bad = (~torch.isfinite(torch.stack(self._losses))).nonzero()
        n, self._losses = len(self._losses), []
        if not len(bad):
            return
        ago = n - 1 - int(bad[0])
        when = "in this batch" if ago == 0 else f"{ago} batches ago"
        self.found = f"{first_bad_layer(learn)} The first loss that is not finite came {when}"
        where = f"epoch {learn.epoch}, batch {learn.iter}"
        warnings.warn(f"TerminateOnNaN: {where}: {self.found}.", stacklevel=2)
        raise CancelFit


@torch.no_grad()
def first_bad_layer(learn: "Learner") -> str:
    """Say where the first value that is not finite arises in the batch at hand."""
    if not _is_finite(learn.xb):
        return "The input of the batch is not finite."
    for name, p in learn.model.named_parameters():
        if not _is_finite(p):
            return f"The weights '{name}' are not finite."
    name = _first_bad_output(learn)
    if name is not None:
        return f"Layer '{name}' gives the first output that is not finite."
    return "All layers give finite outputs, so the loss function or the target is the cause."


def _first_bad_output(learn: "Learner") -> str | None:
    """Run the batch through the model again and watch every layer's output."""
    bad: list[str] = []

    def watch(name: str) -> Any:
        def look(layer: nn.Module, _inputs: Any, out: Any) -> None:
            if not bad and not _is_finite(out):
                bad.append(f"{name or 'the model'} ({type(layer).__name__})")

        return look

    hooks = [
        layer.register_forward_hook(watch(name)) for name, layer in learn.model.named_modules()
    ]
    try:
        with kept_statistics(learn.model):
            learn.predict_batch()
    finally:
        for hook in hooks:
            hook.remove()
    return bad[0] if bad else None


def _is_finite(x: Any) -> bool:
    return all(bool(torch.isfinite(part).all()) for part in leaves(x))
