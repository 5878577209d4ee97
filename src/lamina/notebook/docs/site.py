"""Build the site of a project: pages of its notebooks and texts, the reference, and a search."""

import argparse
import hashlib
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lamina.notebook.config import Config, load_config
from lamina.notebook.directives import parse_directives
from lamina.notebook.docs.api import Reference, documented_members, load_package, public_modules
from lamina.notebook.docs.inventory import load_inventory, render_inventory
from lamina.notebook.docs.links import Names, broken_links
from lamina.notebook.docs.markdown import rewrite_links
from lamina.notebook.docs.pages import documented_symbols, notebook_page
from lamina.notebook.docs.render import render_site
from lamina.notebook.docs.sources import Sources, find_sources, read_source
from lamina.notebook.document import Notebook
from lamina.notebook.errors import NotebookError

__all__ = ["Site", "add_arguments", "build_site", "run"]

Say = Callable[[str], object]


@dataclass
class Site:
    """A site that was built.

    Args:
        path: its folder; `index.html` can be opened as a file.
        pages: how many pages it has.
        broken: links that lead nowhere: the page, and the link.
    """

    path: Path
    pages: int
    broken: list[tuple[str, str]]


@dataclass
class _Draft:
    """A site in the making: pages are named by their path, such as `guides/start.md`."""

    folder: Path
    config: Config
    sources: Sources
    package: Any
    reference: Reference
    notebooks: dict[str, Notebook] = field(default_factory=dict)
    slots: dict[str, list[str]] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)

    def write(self, page: str, data: str | bytes) -> None:
        path = self.folder / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)


def build_site(config: Config, out: Path | None = None, *, say: Say = sys.stderr.write) -> Site:
    """Build a project's site.

    It needs no server and loads nothing from elsewhere: the pages can be opened as files, search
    included.

    Args:
        config: the settings.
        out: the folder, which is replaced; None takes `doc_path`.
        say: receives notices.

    Raises:
        NotebookError: a file cannot be read, or the folder holds something else than a site.
        MissingExtraError: mkdocs-material or griffe is not installed.
    """
    out = out or config.doc_path
    if out.exists() and any(out.iterdir()) and not (out / "search").is_dir():
        raise NotebookError(
            "holds files that are no site, so it is not replaced. Empty it, or name another folder "
            "by --out or doc_path.",
            config.relative(out),
        )
    sources = find_sources(config)
    foreign: dict[str, str] = {}
    for place in config.inventories:
        foreign |= load_inventory(place, config.root, say)
    with TemporaryDirectory() as folder:
        reference = Reference(sources.source_url)
        draft = _Draft(Path(folder, "docs"), config, sources, load_package(config), reference)
        for path, page in sources.pages.items():
            draft.notebooks[page] = _executed(read_source(path, config), config, say)
        modules = _write_reference(draft)
        for path, page in sources.pages.items():
            _write_page(draft, path, page)
        _write_rest(draft)
        names = Names(draft.symbols, foreign)
        site = render_site(config, Path(folder), draft.notebooks, modules, draft.slots, names)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(site, out)
    (out / "objects.inv").write_bytes(render_inventory(config.name, draft.symbols))
    return Site(out, sum(1 for _ in out.rglob("*.html")), list(broken_links(out)))


def _executed(notebook: Notebook, config: Config, say: Say) -> Notebook:
    """Run the notebook if one of its cells says `exec_doc`, and keep the outputs of these cells."""
    due = {cell.id for cell in notebook.cells if "exec_doc" in parse_directives(cell)}
    if due:
        from lamina.notebook.run.execute import execute_notebook

        kept = {cell.id: cell.outputs for cell in notebook.cells if cell.id not in due}
        if failure := execute_notebook(notebook, config).failure:
            say(f"{notebook.path}, {failure.place}: {failure.summary}\n")
        for cell in notebook.cells:
            cell.outputs = kept.get(cell.id, cell.outputs)
    return notebook


def _write_reference(draft: _Draft) -> list[str]:
    """Write the pages of the modules, and gather the addresses of all names.

    A name that a notebook documents has its address there.
    """
    if draft.package is None:
        return []
    modules = list(public_modules(draft.package))
    for module in modules:
        draft.write(f"api/{module.path}.md", draft.reference.module(module))
        for name in documented_members(module, module.path):
            draft.symbols[name] = f"api/{module.path}.html#{name}"
    for page, notebook in draft.notebooks.items():
        for symbol, member in documented_symbols(notebook, draft.config, draft.package):
            for name in documented_members(member, f"{member.module.path}.{symbol}"):
                draft.symbols[name] = f"{page.removesuffix('.md')}.html#{name}"
    return [module.path for module in modules]


def _write_page(draft: _Draft, path: Path, page: str) -> None:
    stem = page.removesuffix(".md")

    def save(suffix: str, data: bytes) -> str:
        name = f"{hashlib.sha256(data).hexdigest()[:12]}.{suffix}"
        draft.write(f"{stem}_files/{name}", data)
        return f"{stem.rpartition('/')[2]}_files/{name}"

    notebook = draft.notebooks[page]
    made = notebook_page(notebook, draft.config, save, draft.package, draft.reference)
    draft.write(
        page, rewrite_links(made.text, lambda link: draft.sources.rewrite(link, path, page))
    )
    draft.slots[page] = made.slots


def _write_rest(draft: _Draft) -> None:
    for path, target in draft.sources.assets.items():
        draft.write(target, path.read_bytes())
    for name in ("iframe-worker.js", "notebook.css"):
        draft.write(
            f"assets/{name}", (files("lamina.notebook.docs") / "assets" / name).read_bytes()
        )
    if "index.md" not in draft.notebooks:
        config = draft.config
        draft.write("index.md", f"# {config.title or config.name}\n\n{config.description}\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb docs`."""
    parser.add_argument("path", nargs="?", default=".", help="the project (default: here)")
    parser.add_argument("--out", type=Path, help="the folder of the site (default: doc_path)")
    parser.add_argument("--strict", action="store_true", help="broken links are an error")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb docs`.

    Returns:
        1 if links are broken and `--strict` is given, else 0.
    """
    config = load_config(options.path)
    site = build_site(config, options.out and options.out.absolute())
    for page, link in site.broken:
        sys.stderr.write(f"{page}: the link {link} leads nowhere\n")
    sys.stdout.write(f"{site.pages} pages in {config.relative(site.path)}\n")
    return int(options.strict and bool(site.broken))
