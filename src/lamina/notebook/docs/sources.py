"""What a site is made from: which files become pages, and where links between files lead."""

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lamina.notebook.config import Config, find_notebooks
from lamina.notebook.document import Cell, Notebook, read_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.plaintext import is_plaintext_notebook

__all__ = ["Sources", "find_sources", "read_source"]

ASSETS = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".css", ".js", ".pdf", ".csv"}


@dataclass
class Sources:
    """The files of a site.

    Args:
        config: the settings.
        pages: notebooks and Markdown files, to the page (`"guides/start.md"`).
        assets: pictures and the like, to where they go.
    """

    config: Config
    pages: dict[Path, str] = field(default_factory=dict)
    assets: dict[Path, str] = field(default_factory=dict)

    def source_url(self, path: Any, first: int = 0, last: int = 0) -> str:
        """Return where the repository shows a file; empty if its address is not known."""
        config = self.config
        if not config.git_url:
            return ""
        lines = f"#L{first}-L{last}" if first else ""
        kind = "tree" if Path(path).is_dir() else "blob"
        place = config.relative(Path(path))
        return f"{config.git_url.rstrip('/')}/{kind}/{config.branch}/{place}{lines}"

    def rewrite(self, link: str, source: Path, page: str) -> str:
        """Change a link in a file to where it leads in the site.

        A file that is no part of the site is shown by the repository.

        Args:
            link: as it stands in the file.
            source: the file.
            page: its page.
        """
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or not parts.path or link.startswith("/"):
            return link
        file = Path(os.path.normpath(source.parent / unquote(parts.path)))
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        if target := self.pages.get(file) or self.assets.get(file):
            if file.suffix == ".ipynb" and "." not in anchor:  # Jupyter keeps capitals in anchors
                anchor = anchor.lower()
            return posixpath.relpath(target, posixpath.dirname(page) or ".") + anchor
        if file.exists() and (url := self.source_url(file)):
            return url + anchor
        return link


def find_sources(config: Config) -> Sources:
    """Find what a site is made from.

    The first page is a file `index`, the notebook of the README, or the README itself.

    Raises:
        NotebookError: two files would become the same page.
    """
    sources = Sources(config)
    pages = [*find_notebooks(config), *_files(config, {".md"})]
    for path in dict.fromkeys(pages):
        is_first = path == config.nbs_path / config.readme_nb
        relative = path.relative_to(config.nbs_path).with_suffix(".md").as_posix()
        target = "index.md" if is_first else relative
        if target in sources.pages.values():
            raise NotebookError(f"there is another file for the page {target}.", path)
        sources.pages[path] = target
    readme = config.root / "README.md"
    if "index.md" not in sources.pages.values() and readme.is_file():
        sources.pages[readme] = "index.md"
    for path in _files(config, ASSETS):
        sources.assets[path] = path.relative_to(config.nbs_path).as_posix()
    return sources


def _files(config: Config, suffixes: set[str]) -> Iterator[Path]:
    for folder, folders, names in os.walk(config.nbs_path):
        here = Path(folder)
        skipped = (config.doc_path, config.lib_path)
        folders[:] = sorted(n for n in folders if n[0] not in "._" and here / n not in skipped)
        if config.recursive or here == config.nbs_path:
            paths = (here / n for n in sorted(names) if n[0] not in "._")
            yield from (path for path in paths if path.suffix in suffixes)


def read_source(path: Path, config: Config) -> Notebook:
    """Read a notebook or a Markdown file, changed by the project's own functions (`doc_procs`).

    Raises:
        NotebookError: it cannot be read, or one of the functions does not exist.
    """
    if path.suffix == ".md" and not is_plaintext_notebook(path):
        notebook = Notebook([Cell("text", "markdown", path.read_text("utf-8"))], {}, path)
    else:
        notebook = read_notebook(path)
    for place in config.doc_procs:
        module, _, name = place.partition(":")
        try:
            function = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise NotebookError(
                f"doc_procs names {place!r}: {error}. Expected 'module:function'."
            ) from error
        function(notebook)
    return notebook
