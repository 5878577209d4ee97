"""Callbacks that follow a value of the record: keep the best model, stop, lower the rate."""

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.train.callback import Callback
from lamina.train.events import CancelFit

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["EarlyStoppingCallback", "ReduceLROnPlateau", "SaveModelCallback", "TrackerCallback"]


class TrackerCallback(Callback):
    """Follow one column of the record and know its best value.

    Args:
        monitor: The column, such as "valid_loss" or "accuracy".
        comp: Whether its first argument is better than its second; None takes less for names with
            "loss" or "error" in them, and greater for others.
        min_delta: By how much a value must be better to count.
        reset_on_fit: Whether every fit starts anew.

    Attributes:
        best: The best value so far.
        new_best: Whether the last epoch set it.
    """

    order: ClassVar[int] = 60
    only_fit: ClassVar[bool] = True

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Callable[[Any, Any], bool] | None = None,
        min_delta: float = 0.0,
        *,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__()
        lower = "loss" in monitor or "error" in monitor
        self.monitor, self.reset_on_fit = monitor, reset_on_fit
        self.comp = comp or (operator.lt if lower else operator.gt)
        self.min_delta = -abs(min_delta) if self.comp(0, 1) else abs(min_delta)
        self.best = self._worst = math.inf if self.comp(0, 1) else -math.inf
        self.new_best = False

    def before_fit(self, learn: "Learner") -> None:
        names = learn.recorder.metric_names
        if self.monitor not in names:
            raise UnknownNameError("column", self.monitor, names[1:], where=type(self).__name__)
        if self.reset_on_fit:
            self.best = self._worst

    def after_epoch(self, learn: "Learner") -> None:
        value = learn.recorder.last(self.monitor)
        if not isinstance(value, float):
            raise ContractError(
                f"{type(self).__name__}: {self.monitor!r} is {value!r}, not one number. Follow "
                "another column, or let the metric average (average='macro')."
            )
        self.new_best = bool(self.comp(value - self.min_delta, self.best))
        if self.new_best:
            self.best = value


class _Patient(TrackerCallback):
    """A tracker that acts when the value has not got better for some epochs."""

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Callable[[Any, Any], bool] | None = None,
        min_delta: float = 0.0,
        *,
        patience: int = 1,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__(monitor, comp, min_delta, reset_on_fit=reset_on_fit)
        self.patience = patience
        self.wait = 0

    def before_fit(self, learn: "Learner") -> None:
        self.wait = 0
        super().before_fit(learn)

    def after_epoch(self, learn: "Learner") -> None:
        super().after_epoch(learn)
        self.wait = 0 if self.new_best else self.wait + 1
        if self.wait >= self.patience:
            self.wait = 0
            self._act(learn)

    def _act(self, learn: "Learner") -> None:
        raise NotImplementedError(f"{type(self).__name__} has no _act().")


class EarlyStoppingCallback(_Patient):
    """Stop the fit when the value has not got better for some epochs.

    Args:
        monitor: As for `TrackerCallback`.
        comp: As for `TrackerCallback`.
        min_delta: As for `TrackerCallback`.
        patience: The number of epochs without a better value.
        reset_on_fit: As for `TrackerCallback`.
    """

    order: ClassVar[int] = 63

    def _act(self, learn: "Learner") -> None:
        raise CancelFit


class ReduceLROnPlateau(_Patient):
    """Lower the learning rate when the value has not got better for some epochs.

    Args:
        monitor: As for `TrackerCallback`.
        comp: As for `TrackerCallback`.
        min_delta: As for `TrackerCallback`.
        patience: The number of epochs without a better value.
        factor: The rate is divided by this.
        min_lr: The rate never falls below this.
        reset_on_fit: As for `TrackerCallback`.
    """

    order: ClassVar[int] = 62

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Callable[[Any, Any], bool] | None = None,
        min_delta: float = 0.0,
        *,
        patience: int = 1,
        factor: float = 10.0,
        min_lr: float = 0.0,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__(monitor, comp, min_delta, patience=patience, reset_on_fit=reset_on_fit)
        self.factor, self.min_lr = factor, min_lr

    def _act(self, learn: "Learner") -> None:
        for hyper in learn.opt.hypers:
            hyper["lr"] = max(hyper["lr"] / self.factor, self.min_lr)


class SaveModelCallback(TrackerCallback):
    """Save the model when it is better than before, and load the best one after the fit.

    Args:
        monitor: As for `TrackerCallback`.
        comp: As for `TrackerCallback`.
        min_delta: As for `TrackerCallback`.
        fname: The name of the file, as for `Learner.save`.
        every_epoch: Save after each so many epochs as `fname_epoch` instead; 0 saves the best.
        at_end: Save the last model instead of loading the best.
        with_opt: Whether to save the optimizer, too.
        reset_on_fit: As for `TrackerCallback`.
    """

    order: ClassVar[int] = 61

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Callable[[Any, Any], bool] | None = None,
        min_delta: float = 0.0,
        *,
        fname: str = "model",
        every_epoch: int = 0,
        at_end: bool = False,
        with_opt: bool = False,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__(monitor, comp, min_delta, reset_on_fit=reset_on_fit)
        self.fname, self.every_epoch = fname, int(every_epoch)
        self.at_end, self.with_opt = at_end, with_opt
        self._saved = False

    def before_fit(self, learn: "Learner") -> None:
        self._saved = False
        super().before_fit(learn)

    def after_epoch(self, learn: "Learner") -> None:
        super().after_epoch(learn)
        if self.every_epoch:
            if learn.epoch % self.every_epoch == 0:
                learn.save(f"{self.fname}_{learn.epoch}", with_opt=self.with_opt)
        elif self.new_best:
            learn.save(self.fname, with_opt=self.with_opt)
            self._saved = True

    def after_fit(self, learn: "Learner") -> None:
        if self.at_end:
            learn.save(self.fname, with_opt=self.with_opt)
        elif self._saved and not self.every_epoch:
            learn.load(self.fname, with_opt=self.with_opt or None)
