"""Progress: a bar for the batches, a table with one row per epoch, a live graph of the losses."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lamina.foundation.progress import (
    Display,
    NotebookDisplay,
    format_time,
    make_display,
    show_output,
)
from lamina.train.callback import Callback
from lamina.train.recorder import Recorder
from lamina.viz.canvas import close, new_axes, save_figure

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["ProgressCallback", "ShowGraphCallback"]

_REFRESH_S = 0.2  # between two refreshes, each of which waits for the device
_REDRAW_S = 2.0


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


class ShowGraphCallback(Callback):
    """Draw the losses while a fit runs: in a notebook as a picture that is updated, or in a file.

    Args:
        file: A picture, under the learner's path, that every refresh writes anew.
    """

    order: ClassVar[int] = 65
    only_fit: ClassVar[bool] = True

    def __init__(self, file: str | Path | None = None) -> None:
        super().__init__()
        self.file = file
        self._ax: Any = None
        self._handle: Any = None
        self._due = 0.0

    def before_fit(self, learn: "Learner") -> None:
        self._due = time.perf_counter() + _REDRAW_S
        self._ax = self._handle = None

    def after_batch(self, learn: "Learner") -> None:
        if learn.training and time.perf_counter() >= self._due:
            self._draw(learn)

    def after_epoch(self, learn: "Learner") -> None:
        self._draw(learn)

    def _draw(self, learn: "Learner") -> None:
        in_notebook = isinstance(make_display(), NotebookDisplay)
        if not (in_notebook or self.file) or not learn.recorder.losses:
            return
        if self._ax is None:
            self._ax = new_axes((6, 4))
            close(self._ax)  # it is shown from here alone
        self._ax.clear()
        learn.recorder.plot_loss(ax=self._ax)
        if self.file:
            save_figure(learn.path / self.file, self._ax)
        if in_notebook:
            self._handle = show_output(self._ax.figure, self._handle)
        self._due = time.perf_counter() + _REDRAW_S


def _cell(name: str, value: Any) -> str:
    return format_time(value) if name == "time" else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_text(one)}" for key, one in value.items())
    return " ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)
