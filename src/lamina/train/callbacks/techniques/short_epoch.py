"""Epochs that end early."""

from typing import TYPE_CHECKING, ClassVar

from lamina.foundation.errors import ContractError
from lamina.train.callback import Callback
from lamina.train.events import CancelTrain, CancelValid

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["ShortEpochCallback"]


class ShortEpochCallback(Callback):
    """End every epoch after a part of its batches, to try a training out.

    Args:
        pct: The part of the batches, of which there is always one at least.
        short_valid: Whether validation is cut short, too.
    """

    only_fit: ClassVar[bool] = True

    def __init__(self, pct: float = 0.01, *, short_valid: bool = True) -> None:
        super().__init__()
        self.pct, self.short_valid = pct, short_valid

    def after_batch(self, learn: "Learner") -> None:
        if learn.n_iter is None:
            raise ContractError("ShortEpochCallback: the loader has no length to take a part of.")
        if learn.iter + 1 < self.pct * learn.n_iter:
            return
        if learn.training:
            raise CancelTrain
        if self.short_valid:
            raise CancelValid
