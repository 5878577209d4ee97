"""Predictions with dropout, to see how sure a model is."""

from typing import TYPE_CHECKING

from torch import nn

from lamina.train.callback import Callback

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["MCDropoutCallback"]


class MCDropoutCallback(Callback):
    """Keep dropout on in validation and prediction, so that every pass gives another sample.

    `torch.stack([learn.get_preds(cbs=MCDropoutCallback)[0] for _ in range(10)]).std(0)` tells how
    much the answers vary.

    Source: Gal & Ghahramani, "Dropout as a Bayesian Approximation", 2016.
    """

    def before_validate(self, learn: "Learner") -> None:
        for layer in learn.model.modules():
            named = "Drop" in type(layer).__name__ and next(layer.children(), None) is None
            if named or isinstance(layer, nn.modules.dropout._DropoutNd):
                layer.training = True

    def after_validate(self, learn: "Learner") -> None:
        learn.model.eval()
