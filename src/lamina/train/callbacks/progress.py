"""Progress: a bar for the batches and a table with one row per epoch."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from lamina.foundation.progress import Display, format_time, make_display
from lamina.train.callback import Callback
from lamina.train.recorder import Recorder

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["ProgressCallback"]

_REFRESH_S = 0.2  # between two refreshes, each of which waits for the device


class ProgressCallback(Callback):
    """Show how far a fit is, its losses and metrics.

    Args:
        display: Where to show it; None takes what suits: a terminal, a notebook, plain lines.
    """

    order: ClassVar[int] = 60

    def __init__(self, display: Display | None = None) -> None:
        super().__init__()
        self._given = display
        self._display = Display()
        self._recorder: Recorder | None = None
        self._label = ""
        self._waiting = 0  # batches since the last refresh
        self._due = 0.0

    def before_fit(self, learn: "Learner") -> None:
        self._display = self._given or make_display()
        records = (cb for cb in learn.cbs if isinstance(cb, Recorder))
        self._recorder = next(records, None) if learn.purpose == "fit" else None
        self._display.start(self._recorder.metric_names if self._recorder else [])

    def before_train(self, learn: "Learner") -> None:
        self._bar(learn, "search" if learn.purpose == "find" else "train")

    def before_validate(self, learn: "Learner") -> None:
        self._bar(learn, "validate")

    def after_batch(self, learn: "Learner") -> None:
        self._waiting += 1
        if time.perf_counter() >= self._due:
            self._refresh(learn)

    def after_train(self, learn: "Learner") -> None:
        self._display.advance(self._waiting)

    def after_validate(self, learn: "Learner") -> None:
        self._display.advance(self._waiting)

    def after_epoch(self, learn: "Learner") -> None:
        if self._recorder:
            cells = zip(self._recorder.metric_names, self._recorder.log, strict=False)
            self._display.row([_cell(name, value) for name, value in cells])

    def after_fit(self, learn: "Learner") -> None:
        self._display.close()

    def _bar(self, learn: "Learner", kind: str) -> None:
        epoch = f"epoch {learn.epoch + 1}/{learn.n_epoch} " if learn.purpose == "fit" else ""
        self._label = epoch + kind
        self._display.bar(self._label, learn.n_iter)
        self._waiting = 0
        self._due = time.perf_counter() + _REFRESH_S

    def _refresh(self, learn: "Learner") -> None:
        if learn.training and self._recorder:
            self._display.label = f"{self._label} {self._recorder.smooth_loss:.4f}"
        self._display.advance(self._waiting)
        self._waiting = 0
        self._due = time.perf_counter() + _REFRESH_S


def _cell(name: str, value: Any) -> str:
    return format_time(value) if name == "time" else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_text(one)}" for key, one in value.items())
    return " ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)
