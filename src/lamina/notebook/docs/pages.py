"""A page of the site from a notebook: Markdown with slots, filled after it is rendered."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lamina.notebook.code import export_code
from lamina.notebook.config import Config
from lamina.notebook.directives import default_export
from lamina.notebook.docs.api import Reference, find_member
from lamina.notebook.docs.cells import ShownCell, shown_cells
from lamina.notebook.docs.markdown import adapt_markdown
from lamina.notebook.docs.outputs import SaveFile, output_html
from lamina.notebook.document import Notebook

__all__ = ["NotebookPage", "documented_symbols", "fill_slots", "notebook_page"]

_SLOT = re.compile(r'<div id="nb-slot-(\d+)"></div>')


@dataclass
class NotebookPage:
    """A page.

    Args:
        text: Markdown, in which `<div id="nb-slot-N"></div>` stands for an output.
        slots: the outputs as HTML: the site generator leaves them as they are.
    """

    text: str = ""
    slots: list[str] = field(default_factory=list)


def notebook_page(
    notebook: Notebook,
    config: Config,
    save: SaveFile,
    package: Any = None,
    reference: Reference | None = None,
) -> NotebookPage:
    """Make a page of a notebook.

    Args:
        notebook: with its outputs.
        config: the settings.
        save: keeps a picture beside the page.
        package: what griffe has read, for the reference of exported names.
        reference: writes it.
    """
    page = NotebookPage()
    parts: list[str] = []
    level = 3
    for shown in shown_cells(notebook):
        if shown.cell.kind != "code":
            parts.append(adapt_markdown(shown.text))
            continue
        level = int(shown.directives.get("default_cls_lvl") or level)
        parts += _code(shown, notebook.language)
        if reference is not None and package is not None and shown.is_documented:
            for symbol, member in _symbols(shown, notebook, config, package):
                parts += reference.symbol(member, symbol, level)
        parts += _outputs(shown, page, save)
    page.text = "\n\n".join(parts) + "\n"
    return page


def _code(shown: ShownCell, language: str) -> Iterator[str]:
    if not shown.text.strip():
        return
    ticks = "`" * max(3, 3, *(len(run) + 1 for run in re.findall(r"`{3,}", shown.text)))
    block = f"{ticks}{language}\n{shown.text}\n{ticks}"
    if shown.fold:
        mark = "???+" if shown.fold == "open" else "???"
        title = shown.directives.get("code-summary", "Code").replace('"', "'")
        block = f'{mark} abstract "{title}"\n\n' + re.sub(r"^(?=.)", "    ", block, flags=re.M)
    yield block


def _outputs(shown: ShownCell, page: NotebookPage, save: SaveFile) -> Iterator[str]:
    parts: list[str] = []
    for output in shown.outputs:
        if shown.directives.get("output") == "asis" and output["output_type"] == "stream":
            yield adapt_markdown(output["text"])
        else:
            parts.append(output_html(output, save, _to_html))
    if parts:
        yield f'<div id="nb-slot-{len(page.slots)}"></div>'
        body = _captioned("\n".join(parts), shown)
        page.slots.append(f'<div class="nb-output" data-search-exclude>\n{body}\n</div>')


def _captioned(body: str, shown: ShownCell) -> str:
    label, caption = (html.escape(shown.directives.get(k, "")) for k in ("label", "fig-cap"))
    if not (label or caption):
        return body
    anchor = f' id="{label}"' if label else ""
    return f'<figure class="nb-figure"{anchor}>{body}<figcaption>{caption}</figcaption></figure>'


def _to_html(text: str) -> str:
    import markdown

    return markdown.markdown(text, extensions=["tables", "fenced_code"])


def documented_symbols(
    notebook: Notebook, config: Config, package: Any
) -> Iterator[tuple[str, Any]]:
    """Give the names that a notebook documents, with what griffe knows of them.

    A function that is patched into a class has the class in its name.
    """
    for shown in shown_cells(notebook):
        if shown.is_documented:
            yield from _symbols(shown, notebook, config, package)


def _symbols(
    shown: ShownCell, notebook: Notebook, config: Config, package: Any
) -> Iterator[tuple[str, Any]]:
    directives = shown.directives
    target = directives.get("export") or directives.get("exports") or default_export(notebook)
    symbols = export_code(notebook, shown.cell, f"{config.package}.{target}").symbols
    for symbol in symbols:
        owner, _, last = symbol.rpartition(".")
        member = find_member(package, f"{config.package}.{target}.{last}")
        if member is not None and owner not in symbols:
            yield symbol, member


def fill_slots(page: str, slots: list[str]) -> str:
    """Put the outputs into the rendered page.

    Example:
        >>> fill_slots('<p>Out:</p><div id="nb-slot-0"></div>', ["<b>1</b>"])
        '<p>Out:</p><b>1</b>'
    """
    return _SLOT.sub(lambda match: slots[int(match[1])], page)
