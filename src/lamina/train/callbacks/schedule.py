"""Hyper-parameters that follow a schedule over the fit."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from lamina.foundation.errors import UnknownNameError
from lamina.optim.schedule import Schedule
from lamina.train.callback import Callback

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["ParamScheduler"]


class ParamScheduler(Callback):
    """Set hyper-parameters of the optimizer before every training batch.

    Args:
        scheds: Per hyper-parameter, a function of the fraction of the fit that is done (0 to 1); it
            returns one value, or a tuple with one per parameter group.

    Attributes:
        hps: The values that were set for the last group, per hyper-parameter.

    Example:
        >>> ParamScheduler({"lr": lambda pct: 0.1 * (1 - pct)})
        ParamScheduler(lr)
    """

    order: ClassVar[int] = 60
    only_fit: ClassVar[bool] = True
    run_valid = False

    def __init__(self, scheds: Mapping[str, Schedule]) -> None:
        super().__init__()
        self.scheds = dict(scheds)
        self.hps: dict[str, list[float]] = {}

    def before_fit(self, learn: "Learner") -> None:
        self.hps = {name: [] for name in self.scheds}
        known = learn.opt.hypers[0]
        for name in self.scheds:
            if name not in known:
                raise UnknownNameError("hyper-parameter", name, known, where="ParamScheduler")

    def before_batch(self, learn: "Learner") -> None:
        hypers = learn.opt.hypers
        for name, sched in self.scheds.items():
            value = sched(learn.pct_train)
            if isinstance(value, tuple):
                for hyper, one in zip(hypers, value, strict=True):
                    hyper[name] = one
            else:
                for hyper in hypers:
                    hyper[name] = value
            self.hps[name].append(hypers[-1][name])

    def __repr__(self) -> str:
        return f"ParamScheduler({', '.join(self.scheds)})"
