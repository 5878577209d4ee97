"""Make the README from a notebook."""

import argparse
import hashlib
import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lamina.notebook.config import Config, load_config
from lamina.notebook.docs.cells import shown_cells
from lamina.notebook.docs.markdown import rewrite_links
from lamina.notebook.docs.outputs import output_markdown
from lamina.notebook.docs.sources import Sources, find_sources
from lamina.notebook.document import Notebook, read_notebook, write_if_changed

__all__ = ["add_arguments", "render_readme", "run"]

FOLDER = "README_files"  # the pictures


def render_readme(config: Config) -> tuple[str, dict[str, bytes]]:
    """Make the README from the notebook `readme_nb`.

    Links to other notebooks lead to their pages at `doc_host`, if that is set.

    Args:
        config: the settings.

    Returns:
        The Markdown, and the pictures by their path.

    Raises:
        NotebookError: there is no such notebook.
    """
    notebook = read_notebook(config.nbs_path / config.readme_nb)
    files: dict[str, bytes] = {}

    def save(suffix: str, data: bytes) -> str:
        name = f"{FOLDER}/{hashlib.sha256(data).hexdigest()[:12]}.{suffix}"
        files[name] = data
        return name

    parts: list[str] = []
    for shown in shown_cells(notebook):
        if shown.cell.kind != "code":
            parts.append(shown.text)
        elif shown.text.strip():
            parts.append(f"```{notebook.language}\n{shown.text}\n```")
        parts += [output_markdown(output, save) for output in shown.outputs]
    text = "\n\n".join(part.strip("\n") for part in parts if part.strip())
    sources = find_sources(config)
    return rewrite_links(text, lambda link: _target(link, notebook, sources)) + "\n", files


def _target(link: str, notebook: Notebook, sources: Sources) -> str:
    """Change a link that is relative to the notebook to what it is in the README."""
    parts = urlsplit(link)
    config, folder = sources.config, (notebook.path or Path()).parent
    if parts.scheme or parts.netloc or not parts.path or link.startswith(("/", FOLDER)):
        return link
    file = Path(os.path.normpath(folder / unquote(parts.path)))
    place = config.relative(file) if file.exists() else parts.path
    if config.doc_host and (page := sources.pages.get(file)):
        place = f"{config.doc_host.rstrip('/')}/{page.removesuffix('.md')}.html"
    return f"{place}#{parts.fragment}" if parts.fragment else place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb readme`."""
    parser.add_argument("path", nargs="?", default=".", help="the project (default: here)")
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb readme`.

    Returns:
        1 if `--check` found that it is not up to date, else 0.
    """
    config = load_config(options.path)
    text, files = render_readme(config)
    readme = config.root / "README.md"
    if options.check:
        return int(not readme.is_file() or readme.read_text("utf-8") != text)
    for name, data in files.items():
        (config.root / FOLDER).mkdir(exist_ok=True)
        (config.root / name).write_bytes(data)
    for stale in set((config.root / FOLDER).glob("*")) - {config.root / name for name in files}:
        stale.unlink()
    if write_if_changed(readme, text):
        sys.stdout.write("written: README.md\n")
    return 0
