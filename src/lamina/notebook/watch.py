"""Export whenever a notebook is saved."""

import argparse
import sys
from collections.abc import Callable
from threading import Event

from lamina.foundation.errors import LaminaError, needs
from lamina.notebook.config import Config, load_config
from lamina.notebook.export import export_notebooks

__all__ = ["add_arguments", "run", "watch_notebooks"]


def watch_notebooks(
    config: Config, *, stop: Event | None = None, say: Callable[[str], object] = sys.stdout.write
) -> None:
    """Export now and on every change below `nbs_path`, until `stop` is set or Ctrl-C.

    A notebook that cannot be exported is reported, and watching goes on.

    Args:
        config: the settings.
        stop: ends the watch.
        say: receives a line per file that was written.

    Raises:
        MissingExtraError: watchfiles is not installed.
    """
    with needs("watchfiles", "notebook"):
        from watchfiles import watch
    changes = watch(
        config.nbs_path, stop_event=stop, yield_on_timeout=True, rust_timeout=200, debounce=200
    )
    _export(config, say)
    for files in changes:
        if files:
            _export(config, say)


def _export(config: Config, say: Callable[[str], object]) -> None:
    try:
        report = export_notebooks(config)
    except LaminaError as error:
        say(f"lamina nb watch: {error}\n")
        return
    for path in report.written:
        say(f"written: {config.relative(path)}\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb watch`."""
    parser.add_argument("path", nargs="?", default=".", help="the project (default: here)")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb watch`."""
    config = load_config(options.path)
    sys.stdout.write(f"watching {config.relative(config.nbs_path)}; Ctrl-C ends it\n")
    watch_notebooks(config)
    return 0
