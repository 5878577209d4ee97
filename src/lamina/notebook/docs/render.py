"""From a folder of Markdown to a site: mkdocs with the theme Material."""

import logging
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from lamina.foundation.errors import needs
from lamina.notebook.config import Config
from lamina.notebook.docs.cells import notebook_title
from lamina.notebook.docs.links import Names, link_names
from lamina.notebook.docs.pages import fill_slots
from lamina.notebook.document import Notebook
from lamina.notebook.errors import NotebookError

__all__ = ["make_nav", "render_site"]

SIDEBAR = "sidebar.yml"


def render_site(
    config: Config,
    folder: Path,
    notebooks: Mapping[str, Notebook],
    modules: list[str],
    slots: Mapping[str, list[str]],
    names: Names,
) -> Path:
    """Render the Markdown in `folder / "docs"`, and return the folder of the site.

    Args:
        config: the settings.
        folder: a temporary folder.
        notebooks: what the pages are made of.
        modules: the modules that have pages.
        slots: the outputs on each page.
        names: where names in code lead.

    Raises:
        MissingExtraError: mkdocs-material is not installed.
    """
    logging.getLogger("mkdocs").setLevel(logging.ERROR)  # links are checked in the result
    with needs("mkdocs-material", "notebook"):
        import material  # noqa: F401 - the theme
        import yaml
        from mkdocs.commands.build import build
        from mkdocs.config import load_config as load_mkdocs
        from mkdocs.plugins import BasePlugin

    class Pages(BasePlugin):
        """Fills the slots and makes the links."""

        def on_page_content(self, html: str, *, page: Any, config: Any, files: Any) -> str:
            filled = fill_slots(html, slots.get(page.file.src_uri, []))
            return link_names(filled, names, page.url)

    settings = yaml.safe_load((files("lamina.notebook.docs") / "assets/mkdocs.yml").read_text())
    settings["site_name"] = config.title or config.name
    settings |= {"site_description": config.description, "site_url": config.doc_host}
    settings["nav"] = make_nav(config, {p: _title(n, p) for p, n in notebooks.items()}, modules)
    if config.git_url:
        icon = {"icon": "fontawesome/brands/git-alt", "link": config.git_url, "name": "Source"}
        settings["extra"]["social"] = [icon]
    file = folder / "mkdocs.yml"
    file.write_text(yaml.safe_dump(settings), "utf-8")
    loaded = load_mkdocs(str(file))
    loaded.plugins["lamina"] = Pages()
    build(loaded)
    return folder / "site"


def _title(notebook: Notebook, page: str) -> str:
    words = Path(page).stem.lstrip("0123456789_").replace("_", " ").replace("-", " ")
    return notebook_title(notebook, words.capitalize() or page)


def make_nav(config: Config, titles: Mapping[str, str], modules: list[str]) -> list[Any]:
    """Return the navigation, in the form of the site generator.

    It follows the folders; with `custom_sidebar`, the file `sidebar.yml` beside the notebooks, in
    which `folder/` stands for all pages of the folder, and `api/` for the reference.

    Args:
        config: the settings.
        titles: those of the pages.
        modules: the names of the modules that have pages.

    Raises:
        NotebookError: the file cannot be read.
    """
    pages = sorted(titles, key=lambda page: (page != "index.md", page))
    given: Any = [page for page in pages if "/" not in page] or ["index.md"]
    folders = dict.fromkeys(page.partition("/")[0] for page in pages if "/" in page)
    given += [{folder.replace("_", " ").capitalize(): f"{folder}/"} for folder in folders]
    given += [{"Reference": "api/"}]
    if config.custom_sidebar:
        import yaml

        file = config.nbs_path / SIDEBAR
        try:
            given = yaml.safe_load(file.read_text("utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise NotebookError(f"cannot be read: {error}.", file) from error
    below = {
        f"{folder}/": [{titles[p]: p} for p in pages if p.startswith(f"{folder}/")]
        for folder in folders
    }
    return list(_entries(given, below | {"api/": list(_reference(modules))}, titles))


def _entries(
    given: Any, below: Mapping[str, list[Any]], titles: Mapping[str, str]
) -> Iterator[Any]:
    for entry in given if isinstance(given, list) else [given]:
        if isinstance(entry, str):
            yield from below.get(
                entry, () if entry.endswith("/") else [{titles.get(entry, "Home"): entry}]
            )
            continue
        for title, inner in entry.items():
            is_page = isinstance(inner, str) and not inner.endswith("/")
            if found := inner if is_page else list(_entries(inner, below, titles)):
                yield {title: found}


def _reference(modules: list[str]) -> Iterator[Any]:
    groups: dict[str, list[str]] = {}
    for name in modules:
        groups.setdefault(".".join(name.split(".")[:2]), []).append(name)
    for group, names in groups.items():
        pages = [{name.removeprefix(f"{group}."): f"api/{name}.md"} for name in names]
        yield {group: pages} if len(pages) > 1 else pages[0]
