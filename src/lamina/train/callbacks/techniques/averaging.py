"""Averages of the weights over training: EMA and SWA."""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise kernels under names with an underscore only.

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.batchnorm import refresh_statistics
from lamina.train.events import CancelFit

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["EMA", "SWA", "WeightAverage"]


class WeightAverage(Callback):
    """The common part: the model has its average weights from validation to the next epoch.

    So metrics, and what is saved after an epoch, are those of the average; training goes on from
    the weights as they were. A fit that fails leaves the trained weights, not the average.

    Args:
        at_end: Whether the model keeps the average after the fit.

    Attributes:
        averages: The average of each parameter and floating-point buffer, by name.
        n: How many states of the model are in it.
    """

    order: ClassVar[int] = 55
    only_fit: ClassVar[bool] = True

    def __init__(self, *, at_end: bool = True) -> None:
        super().__init__()
        self.at_end = at_end
        self.averages: dict[str, Tensor] = {}
        self.n = 0
        self._live: list[Tensor] = []
        self._trained: list[Tensor] | None = None  # the weights while the average is in their place
        self._is_resumed = False

    def before_fit(self, learn: "Learner") -> None:
        named = _floats(learn.model)
        self._live = list(named.values())
        if not self._is_resumed:
            self.n = 0
            self.averages = {name: _exact(value).clone() for name, value in named.items()}
        self._is_resumed = False

    def before_validate(self, learn: "Learner") -> None:
        self._apply()

    def before_epoch(self, learn: "Learner") -> None:
        self._put_back()

    def after_fit(self, learn: "Learner") -> None:
        if self._stays(learn):
            self._apply()
            self._trained = None
        else:
            self._put_back()
        self._live = []

    def _stays(self, learn: "Learner") -> bool:
        """Whether the model keeps the average."""
        well = learn.exc is None or isinstance(learn.exc, CancelFit)
        return well and self.at_end and self.n > 0

    @torch.no_grad()
    def update(self, weight: float) -> None:
        """Move the averages towards the model's weights by a part `weight` of the way."""
        self.n += 1
        live = [_exact(value) for value in self._live]
        torch._foreach_lerp_(list(self.averages.values()), live, weight)

    @torch.no_grad()
    def _apply(self) -> None:
        if self.n and self._trained is None:
            self._trained = [value.clone() for value in self._live]
            torch._foreach_copy_(self._live, list(self.averages.values()))

    @torch.no_grad()
    def _put_back(self) -> None:
        if self._trained is not None:
            torch._foreach_copy_(self._live, self._trained)
            self._trained = None

    def state_dict(self) -> dict[str, Any]:
        if not self._live:
            return {}  # after a fit there is nothing to go on with
        return {"averages": self.averages, "n": self.n, "trained": self._trained}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.averages, self.n, self._trained = state["averages"], state["n"], state["trained"]
        self._is_resumed = True


class EMA(WeightAverage):
    """Average the weights over the steps, recent ones counting more.

    Args:
        decay: The part of the average that stays at each step.
        warmup: Whether to begin with a lower decay, `(1 + n) / (10 + n)` after n steps, so that
            the first weights are soon forgotten.
        at_end: Whether the model keeps the average after the fit.

    Source: Polyak & Juditsky, 1992; the warm-up as in TensorFlow's `ExponentialMovingAverage`.
    """

    def __init__(self, decay: float = 0.999, *, warmup: bool = True, at_end: bool = True) -> None:
        super().__init__(at_end=at_end)
        self.decay, self.warmup = decay, warmup

    def after_step(self, learn: "Learner") -> None:
        if learn.exc is None:
            early = (1 + self.n) / (10 + self.n) if self.warmup else 1.0
            self.update(1 - min(self.decay, early))


class SWA(WeightAverage):
    """Average the weights at the ends of the last epochs, all counting the same.

    Use a rate that stays high, such as `fit_flat_cos` or `fit` have it.

    Args:
        start: The part of the fit after which to begin.
        refresh_bn: Whether to measure the statistics of batch norm anew, in one more pass over
            the training set after the fit.
        at_end: Whether the model keeps the average after the fit.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018.
    """

    def __init__(
        self, start: float = 0.75, *, refresh_bn: bool = True, at_end: bool = True
    ) -> None:
        super().__init__(at_end=at_end)
        self.start, self.refresh_bn = start, refresh_bn

    def after_train(self, learn: "Learner") -> None:
        if learn.exc is None and learn.epoch + 1 >= self.start * learn.n_epoch:
            self.update(1 / (self.n + 1))

    def after_fit(self, learn: "Learner") -> None:
        super().after_fit(learn)
        if self._stays(learn) and self.refresh_bn:
            refresh_statistics(learn)


def _floats(model: nn.Module) -> dict[str, Tensor]:
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: value.detach() for name, value in named if value.is_floating_point()}


def _exact(value: Tensor) -> Tensor:
    """The value in a type that small changes do not vanish in."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
