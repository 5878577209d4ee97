"""Progress bars and live tables of results: in a terminal, a notebook, or as plain log lines."""

import html
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self, TextIO, TypeVar, cast

from lamina.foundation.errors import UnknownNameError

__all__ = [
    "Display",
    "NotebookDisplay",
    "PlainDisplay",
    "TerminalDisplay",
    "format_time",
    "make_display",
    "show_output",
    "track",
]

T = TypeVar("T")
_REFRESH_S = 0.1
_CELL_WIDTH = 10


class Display:
    """Shows a table that grows by rows, and a bar for what is going on; this base shows nothing.

    A subclass draws; the base keeps the state and decides when to draw the bar: at most once per
    `refresh_s` seconds, so that `advance` may be called for every batch.

    Args:
        clock: gives the time in seconds.

    Example:
        >>> with PlainDisplay(sys.stdout) as display:
        ...     display.start(["epoch", "loss"])
        ...     display.row(["0", "0.6931"])
             epoch       loss
                 0     0.6931
    """

    refresh_s = _REFRESH_S

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.columns: list[str] = []
        self.rows: list[list[str]] = []
        self.label = ""
        self.total: int | None = None
        self.done = 0
        self._clock = clock
        self._started_at = 0.0
        self._due_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def start(self, columns: Sequence[str]) -> None:
        """Begin a table with these columns; none for a bar alone."""
        self.columns = list(columns)
        self.rows = []
        self._draw_header()

    def bar(self, label: str, total: int | None = None) -> None:
        """Begin a new bar in the place of the one before.

        Args:
            label: what is going on.
            total: number of steps, if known.
        """
        self.label, self.total, self.done = label, total, 0
        self._started_at = self._clock()
        self._due_at = self._started_at + self.refresh_s
        self._draw_bar()

    def advance(self, n: int = 1) -> None:
        """Count `n` more steps of the bar."""
        self.done += n
        now = self._clock()
        if now >= self._due_at:
            self._due_at = now + self.refresh_s
            self._draw_bar()

    def row(self, values: Sequence[str]) -> None:
        """Add a row to the table."""
        self.rows.append(list(values))
        self._draw_row(self.rows[-1])

    def note(self, text: str) -> None:
        """Show a line of text."""

    def close(self) -> None:
        """Remove the bar; the table stays. Closing twice does no harm."""

    def elapsed_s(self) -> float:
        """Return the seconds since the bar began."""
        return self._clock() - self._started_at

    def status(self) -> str:
        """Describe the bar in words: label, steps, and time."""
        steps = f"{self.done}/{self.total}" if self.total is not None else f"{self.done}"
        share = f" ({self.done / self.total:.0%})" if self.total else ""
        return f"{self.label} {steps}{share} {format_time(self.elapsed_s())}".lstrip()

    def format_row(self, values: Sequence[str]) -> str:
        """Align values under the names of their columns."""
        widths = [max(_CELL_WIDTH, len(name) + 2) for name in self.columns]
        widths += [_CELL_WIDTH] * (len(values) - len(widths))
        return "".join(f"{value:>{width}}" for value, width in zip(values, widths, strict=False))

    def _draw_header(self) -> None: ...

    def _draw_row(self, values: list[str]) -> None: ...

    def _draw_bar(self) -> None: ...


class PlainDisplay(Display):
    """Writes lines to a log: the table, and every half minute where the bar is.

    Args:
        stream: where to; default what `sys.stdout` is at each write.
        clock: gives the time in seconds.
    """

    refresh_s = 30.0

    def __init__(
        self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        super().__init__(clock=clock)
        self._stream = stream

    def note(self, text: str) -> None:
        """Write a line of text."""
        stream = self._stream or sys.stdout
        stream.write(f"{text}\n")
        stream.flush()

    def _draw_header(self) -> None:
        if self.columns:
            self.note(self.format_row(self.columns))

    def _draw_row(self, values: list[str]) -> None:
        self.note(self.format_row(values))

    def _draw_bar(self) -> None:
        if self.done:
            self.note(self.status())


class TerminalDisplay(Display):
    """Prints the table and keeps a live bar under it.

    Args:
        stream: the terminal; default `sys.stdout`.
        clock: gives the time in seconds.
    """

    def __init__(
        self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        super().__init__(clock=clock)
        from rich.console import Console

        self._console = Console(file=stream)
        self._progress: Any = None

    def note(self, text: str) -> None:
        """Print a line of text above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Remove the bar; the table stays."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _draw_header(self) -> None:
        if self.columns:
            header = self.format_row(self.columns)
            self._console.print(header, style="bold", markup=False, highlight=False, soft_wrap=True)

    def _draw_row(self, values: list[str]) -> None:
        self.note(self.format_row(values))

    def _draw_bar(self) -> None:
        if self._progress is None:
            self._progress = self._open()
        task = self._progress.task_ids[0]
        if self.done == 0:
            self._progress.reset(task, total=self.total, description=self.label)
        self._progress.update(task, completed=self.done)
        self._progress.refresh()

    def _open(self) -> Any:
        """Start a bar that draws when told to: a thread of its own would not survive a fork."""
        from rich import progress

        shown = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            console=self._console,
            auto_refresh=False,
            transient=True,
        )
        shown.add_task("", total=None)
        shown.start()
        return shown


class NotebookDisplay(Display):
    """Shows the table and the bar as one output of a notebook cell, updated in place.

    Args:
        clock: gives the time in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(clock=clock)
        self._notes: list[str] = []
        self._running = False
        self._handle: Any = None

    def note(self, text: str) -> None:
        """Show a line of text under the table."""
        self._notes.append(text)
        self._show()

    def close(self) -> None:
        """Remove the bar; the table stays."""
        if self._running:
            self._running = False
            self._show()

    def render(self) -> str:
        """Return what is shown, as HTML."""
        parts = [_html_table(self.columns, self.rows)] if self.columns else []
        parts += [f"<pre>{html.escape(text)}</pre>" for text in self._notes]
        if self._running:
            size = f' value="{self.done}" max="{self.total}"' if self.total else ""
            parts.append(f"<progress{size}></progress> {html.escape(self.status())}")
        return "\n".join(parts)

    def _draw_header(self) -> None:
        self._notes = []
        self._handle = None
        self._show()

    def _draw_row(self, values: list[str]) -> None:
        self._show()

    def _draw_bar(self) -> None:
        self._running = True
        self._show()

    def _show(self) -> None:
        ipython: Any = importlib.import_module("IPython.display")  # there if it is a notebook
        self._handle = show_output(ipython.HTML(self.render()), self._handle)


def show_output(shown: Any, handle: Any = None) -> Any:
    """Show something in a notebook, in the place of an earlier output if its handle is given.

    Args:
        shown: anything that a notebook can show.
        handle: what an earlier call returned.

    Returns:
        The handle of the output.
    """
    if handle is None:
        return importlib.import_module("IPython.display").display(shown, display_id=True)
    handle.update(shown)
    return handle


def make_display(backend: str | None = None) -> Display:
    """Make the display that suits where the program runs.

    Args:
        backend: `"terminal"`, `"notebook"`, `"plain"` or `"off"`. By default the environment
            variable `LAMINA_PROGRESS` decides, and without it what the output goes to.

    Raises:
        UnknownNameError: there is no such backend.

    Example:
        >>> type(make_display("off")).__name__
        'Display'
    """
    backends: dict[str, Callable[[], Display]] = {
        "off": Display,
        "plain": PlainDisplay,
        "terminal": TerminalDisplay,
        "notebook": NotebookDisplay,
    }
    name = backend or os.environ.get("LAMINA_PROGRESS") or _detect()
    if name not in backends:
        raise UnknownNameError("progress backend", name, backends, where="make_display")
    return backends[name]()


def _detect() -> str:
    ipython = cast("Any", sys.modules.get("IPython"))
    shell = ipython.get_ipython() if ipython else None
    if type(shell).__name__ == "ZMQInteractiveShell":
        return "notebook"
    return "terminal" if sys.stdout.isatty() else "plain"


def track(
    items: Iterable[T],
    total: int | None = None,
    description: str = "",
    *,
    display: Display | None = None,
) -> Iterator[T]:
    """Iterate with a progress bar.

    Args:
        items: what to iterate over.
        total: number of items; default their length, if they have one.
        description: text before the bar.
        display: where to show it; default the one that suits.

    Example:
        >>> sum(track([1, 2], display=Display()))
        3
    """
    display = make_display() if display is None else display
    display.start([])
    if total is None and hasattr(items, "__len__"):
        total = len(cast("Sequence[T]", items))
    display.bar(description, total)
    try:
        for item in items:
            yield item
            display.advance()
    finally:
        display.close()


def format_time(seconds: float) -> str:
    """Write a duration as minutes and seconds, with hours when there are any.

    Example:
        >>> format_time(75), format_time(3675)
        ('01:15', '1:01:15')
    """
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m:02}:{s:02}"


def _html_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, values: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(v)}</{tag}>" for v in values) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', columns)}</thead><tbody>{body}</tbody></table>"
