"""What of a notebook a reader sees: the directives applied to every cell."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lamina.notebook.directives import (
    EXPORTS,
    Directives,
    front_matter,
    notebook_directives,
    parse_directives,
    split_directives,
)
from lamina.notebook.document import Cell, Notebook

__all__ = ["ShownCell", "notebook_title", "shown_cells"]

_HIDDEN_LINE = re.compile(r"^.*#\s?\|\s*hide_line\s*$\n?", re.MULTILINE)
_HIDDEN_HEADING = re.compile(r"^#+ .* -\s*$\n?", re.MULTILINE)
_MAGIC = re.compile(r"^%(load_ext|autoreload|matplotlib)\b.*$\n?", re.MULTILINE)
_TITLE = re.compile(r"^# +(.+?)\s*#*$", re.MULTILINE)
_FOLDS = {"": "closed", "hide": "closed", "true": "closed", "show": "open"}


@dataclass(frozen=True, slots=True)
class ShownCell:
    """What a reader sees of a cell.

    Args:
        cell: the cell.
        text: Markdown, or code without directives; empty if the code is not shown.
        outputs: those that are shown, as they stand in the file.
        fold: `"open"` or `"closed"` if the code can be folded, else empty.
        is_documented: the reference of the names that the cell exports belongs here.
        directives: the cell's directives.
    """

    cell: Cell
    text: str
    outputs: list[dict[str, Any]] = field(default_factory=list)
    fold: str = ""
    is_documented: bool = False
    directives: Directives = field(default_factory=dict)


def shown_cells(notebook: Notebook) -> Iterator[ShownCell]:
    r"""Give what a reader sees of a notebook, cell by cell.

    Example:
        >>> notebook = Notebook([Cell("a", "code", "#| hide\nx = 1"), Cell("b", "code", "y = 2")])
        >>> [shown.text for shown in shown_cells(notebook)]
        ['y = 2']
    """
    whole = notebook_directives(notebook)
    for number, cell in enumerate(notebook.cells):
        directives = parse_directives(cell)
        is_front = number == 0 and front_matter(notebook)
        if is_front or "hide" in directives or directives.get("include") == "false":
            continue
        if cell.kind == "code":
            shown = _shown_code(cell, directives, whole)
        else:
            text = _HIDDEN_HEADING.sub("", split_directives(cell.source).body)
            is_raw = cell.kind == "raw" or "exportd" in directives
            shown = ShownCell(cell, "" if is_raw else _with_attachments(text, cell))
        if shown.text.strip() or shown.outputs or shown.is_documented:
            yield shown


def _shown_code(cell: Cell, directives: Directives, whole: Directives) -> ShownCell:
    kind = next((name for name in EXPORTS if name in directives), None)
    is_hidden = "hide_input" in directives or directives.get("echo", whole.get("echo")) == "false"
    text = split_directives(cell.source).body.strip("\n")
    text = _MAGIC.sub("", _HIDDEN_LINE.sub("", text))
    fold = directives.get("code-fold", directives.get("collapse", whole.get("code-fold", "false")))
    return ShownCell(
        cell,
        "" if is_hidden or kind in ("export", "exporti", "exportd") else text,
        list(_shown_outputs(cell, directives)),
        _FOLDS.get(fold, ""),
        kind in ("export", "exports") and whole.get("skip_showdoc", "false") == "false",
        directives,
    )


def _shown_outputs(cell: Cell, directives: Directives) -> Iterator[dict[str, Any]]:
    if "hide_output" in directives or directives.get("output") == "false":
        return
    words = directives.get("filter_stream", "").split()
    for output in cell.outputs:
        if output.get("output_type") != "stream":
            yield output
        elif output.get("name") != "stderr" or directives.get("warning") != "false":
            lines = joined(output.get("text", "")).splitlines(keepends=True)
            text = "".join(line for line in lines if not any(word in line for word in words))
            if text.strip():
                yield output | {"text": text}


def _with_attachments(text: str, cell: Cell) -> str:
    """Put the pictures that Jupyter keeps in the cell into the text itself."""
    for name, bundle in cell.extra.get("attachments", {}).items():
        for mime, data in bundle.items():
            text = text.replace(f"(attachment:{name})", f"(data:{mime};base64,{joined(data)})")
    return text


def joined(text: Any) -> str:
    r"""Return a text of nbformat, which may be a list of lines, as one string.

    Example:
        >>> joined(["a\n", "b"])
        'a\nb'
    """
    return text if isinstance(text, str) else "".join(map(str, text))


def decoded(data: Any) -> bytes:
    """Return the bytes of a picture in an output.

    Example:
        >>> decoded("QUJD")
        b'ABC'
    """
    return base64.b64decode(joined(data))


def notebook_title(notebook: Notebook, default: str = "") -> str:
    """Return a notebook's title: of its front matter, or its first heading.

    Example:
        >>> notebook_title(Notebook([Cell("a", "markdown", "# Pets")]))
        'Pets'
    """
    if title := front_matter(notebook).get("title"):
        return title
    texts = (cell.source for cell in notebook.cells if cell.kind == "markdown")
    found = (_TITLE.search(re.sub(r"^```.*?^```", "", t, flags=re.M | re.S)) for t in texts)
    return next((match[1] for match in found if match), default)
