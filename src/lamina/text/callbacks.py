"""Callbacks of recurrent models: a fresh state where texts begin, and AR and TAR."""

from typing import Any

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
    """Keep the activations of a language model small (AR) and slow to change (TAR).

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
        raw, dropped = learn.model.activations
        if self.alpha:
            learn.loss_grad = learn.loss_grad + self.alpha * dropped.float().pow(2).mean()
        if self.beta and raw.shape[1] > 1:
            change = raw[:, 1:] - raw[:, :-1]
            learn.loss_grad = learn.loss_grad + self.beta * change.float().pow(2).mean()
