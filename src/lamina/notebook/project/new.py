"""Start a project: a package written as notebooks, in a git repository."""

import argparse
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

from lamina.notebook.config import load_config
from lamina.notebook.document import Cell, Notebook, write_if_changed, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.export import export_notebooks
from lamina.notebook.project.readme import render_readme

__all__ = ["add_arguments", "new_project", "run"]

KERNEL = {"display_name": "python3", "language": "python", "name": "python3"}
_FILES = {
    "pyproject.toml": "pyproject.toml",
    "gitignore": ".gitignore",
    "test.yaml": ".github/workflows/test.yaml",
    "docs.yaml": ".github/workflows/docs.yaml",
}
_NOTEBOOKS = ("00_core", "index")


def new_project(
    path: str | Path = ".",
    *,
    name: str | None = None,
    description: str = "",
    author: str | None = None,
    force: bool = False,
) -> list[Path]:
    """Write a project into a git repository, and export its modules.

    It has a pyproject.toml with the settings, an index notebook and the README made from it, a
    notebook with a first module, and workflows that test it and publish its documentation. Files
    that exist are left as they are.

    Args:
        path: the folder; the top of a git repository.
        name: of the distribution; the folder's name if None. The package is called the same, with
            underscores.
        description: one line.
        author: the author's name; git's `user.name` if None.
        force: also outside a git repository.

    Returns:
        The files that were written.

    Raises:
        NotebookError: the folder is no git repository, or the name is none that can be imported.
    """
    root = Path(path).absolute()
    if not (root / ".git").exists() and not force:
        raise NotebookError(
            "is not the top of a git repository. Run `git init` there first, or pass --force.", root
        )
    values = _values(root, name, description, author)
    folder = files("lamina.notebook.project") / "template"
    texts = {
        root / target: Template((folder / source).read_text("utf-8")).substitute(values)
        for source, target in _FILES.items()
    }
    written = [f for f, text in texts.items() if not f.exists() and write_if_changed(f, text)]
    for stem in _NOTEBOOKS:
        file = root / "nbs" / f"{stem}.ipynb"
        text = Template((folder / f"{stem}.md").read_text("utf-8")).substitute(values)
        if not file.exists():
            write_notebook(_notebook(text), file)
            written.append(file)
    config = load_config(root)
    readme = root / "README.md"
    if not readme.exists():
        write_if_changed(readme, render_readme(config)[0])
        written.append(readme)
    return written + export_notebooks(config).written


def _values(root: Path, name: str | None, description: str, author: str | None) -> dict[str, str]:
    name = name or root.name
    package = re.sub(r"[-. ]+", "_", name).lower()
    if not package.isidentifier():
        raise NotebookError(f"{name!r} cannot be a package's name. Pass another with --name.", root)
    origin = _git(root, "remote", "get-url", "origin")
    url = re.sub(r"^git@([^:]+):", r"https://\1/", origin).removesuffix(".git")
    return {
        "name": name,
        "package": package,
        "description": description.replace('"', "'") or f"The package {name}.",
        "author": (author or _git(root, "config", "user.name") or "Unknown").replace('"', "'"),
        "branch": _git(root, "branch", "--show-current") or "main",
        "url": url or f"https://example.org/{name}",
    }


def _git(root: Path, *args: str) -> str:
    try:
        done = subprocess.run(["git", *args], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _notebook(text: str) -> Notebook:
    """Make a notebook of a template: Markdown, with the code cells between fences."""
    cells: list[Cell] = []
    for number, part in enumerate(re.split(r"^```(?:python)?$\n?", text, flags=re.MULTILINE)):
        if source := part.strip("\n"):
            cells.append(Cell.new(source, "code" if number % 2 else "markdown"))
    return Notebook(cells, {"kernelspec": KERNEL})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb new`."""
    parser.add_argument("path", nargs="?", default=".", help="a git repository (default: here)")
    parser.add_argument("--name", help="of the distribution (default: the folder's name)")
    parser.add_argument("--description", default="", help="one line")
    parser.add_argument("--author", help="default: git's user.name")
    parser.add_argument("--force", action="store_true", help="also outside a git repository")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb new`."""
    written = new_project(
        options.path,
        name=options.name,
        description=options.description,
        author=options.author,
        force=options.force,
    )
    sys.stdout.writelines(f"written: {path}\n" for path in written)
    return 0
