"""Callbacks of recurrent models: a fresh state where texts begin, and AR and TAR."""

from typing import Any

from torch import Tensor

from lamina.train.callback import Callback

__all__ = ["ModelResetter", "RNNRegularizer"]


class ModelResetter(Callback):
    """Let the model forget what it has read before training, before validation and at the end."""

    def before_train(self, learn: Any) -> None:
        learn.model.reset()

    def before_validate(self, learn: Any) -> None:
        learn.model.reset()

    def after_fit(self, learn: Any) -> None:
        learn.model.reset()


class RNNRegularizer(Callback):
    """Keep the activations of a reader small (AR) and slow to change (TAR); padding is left out.

    Args:
        alpha: Weight of the mean square of the activations, after dropout.
        beta: Weight of the mean square of their change from word to word, before dropout.

    Source: Merity, McCann & Socher, "Revisiting Activation Regularization for Language RNNs",
    2017.
    """

    run_valid = False

    def __init__(self, alpha: float = 2.0, beta: float = 1.0) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def after_loss(self, learn: Any) -> None:
        raw, dropped, mask = learn.model.activations
        if self.alpha:
            learn.loss_grad = learn.loss_grad + self.alpha * _mean_square(dropped, mask)
        if self.beta and raw.shape[1] > 1:
            beside = None if mask is None else mask[:, 1:] | mask[:, :-1]
            change = _mean_square(raw[:, 1:] - raw[:, :-1], beside)
            learn.loss_grad = learn.loss_grad + self.beta * change


def _mean_square(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean over what is not masked of `(batch, time, features)`."""
    squares = x.float().pow(2).mean(2)
    if mask is None:
        return squares.mean()
    return squares.masked_fill(mask, 0).sum() / (~mask).sum().clamp(min=1)
