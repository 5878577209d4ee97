"""Projects of notebooks in a temporary folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.notebook.config import Config, load_config
from lamina.notebook.document import Cell, Notebook, write_notebook


class Project:
    """A project in a folder, with shortcuts for tests."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def config(self) -> Config:
        return load_config(self.root)

    def notebook(self, name: str, *sources: str) -> Path:
        """Write a notebook; a source that starts with `md:` is Markdown. Ids are c0, c1, ..."""
        cells = [
            Cell(f"c{i}", "markdown" if s.startswith("md:") else "code", s.removeprefix("md:"))
            for i, s in enumerate(sources)
        ]
        path = self.root / "nbs" / name
        write_notebook(Notebook(cells), path)
        return path

    def module(self, name: str = "core.py") -> str:
        return (self.root / "pets" / name).read_text("utf-8")

    def edit(self, old: str, new: str, name: str = "core.py") -> None:
        path = self.root / "pets" / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.fixture(scope="session")
def make_project() -> Callable[[Path], Project]:
    def make(root: Path) -> Project:
        settings = '[project]\nname = "pets"\n[tool.lamina.nb]\n'
        (root / "pyproject.toml").write_text(settings)
        return Project(root)

    return make


@pytest.fixture
def project(tmp_path: Path, make_project: Callable[[Path], Project]) -> Project:
    return make_project(tmp_path)
