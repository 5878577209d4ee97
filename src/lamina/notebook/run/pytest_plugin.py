"""A plugin of pytest that runs notebooks as tests, when asked: `--nb` or `lamina_nb_paths`.

pytest loads it wherever Lamina is installed, so it imports nothing until it is asked.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["NotebookFile", "NotebookItem", "pytest_addoption", "pytest_collect_file"]

_SUFFIXES = (".ipynb", ".md", ".py")


class NotebookFailedError(Exception):
    """A notebook failed; the text says where and why."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--nb`, `--nb-flags`, `--nb-timeout` and the setting `lamina_nb_paths`."""
    group = parser.getgroup("lamina notebooks")
    group.addoption("--nb", action="store_true", help="collect notebooks as tests")
    group.addoption("--nb-flags", default="", metavar="FLAGS", help="also run cells marked so")
    group.addoption("--nb-timeout", type=float, metavar="SECONDS", help="the limit of a cell")
    help_text = "notebooks, and folders of notebooks, that are collected without --nb"
    parser.addini("lamina_nb_paths", help_text, type="paths", default=[])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "NotebookFile | None":
    """Collect a notebook, if notebooks are asked for."""
    if file_path.suffix not in _SUFFIXES or file_path.name.startswith((".", "_")):
        return None
    folders: list[Path] = parent.config.getini("lamina_nb_paths")
    if not parent.config.getoption("nb") and not any(map(file_path.is_relative_to, folders)):
        return None
    from lamina.notebook.plaintext import is_plaintext_notebook

    if file_path.suffix == ".ipynb" or is_plaintext_notebook(file_path):
        return NotebookFile.from_parent(parent, path=file_path)
    return None


class NotebookFile(pytest.File):
    """A notebook, collected as one test, since its cells share a kernel."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give the one test."""
        yield NotebookItem.from_parent(self, name="notebook")


class NotebookItem(pytest.Item):
    """A notebook run in a fresh kernel."""

    def runtest(self) -> None:
        """Run it; the test fails with the cell that fails."""
        from lamina.notebook.config import config_of
        from lamina.notebook.document import read_notebook
        from lamina.notebook.run.execute import RunOptions, execute_notebook
        from lamina.notebook.run.report import describe_failure

        config = config_of([self.path])
        options = RunOptions(
            flags=str(self.config.getoption("nb_flags")).replace(",", " ").split(),
            timeout_s=self.config.getoption("nb_timeout"),
        )
        run = execute_notebook(read_notebook(self.path), config, options)
        if run.failure:
            raise NotebookFailedError(describe_failure(run, config))
        if run.status == "skipped":
            pytest.skip("no cell of it is run")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the notebook's own traceback instead of this plugin's."""
        from lamina.foundation.errors import LaminaError

        if isinstance(excinfo.value, LaminaError | NotebookFailedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the test is."""
        return self.path, 0, self.path.name
