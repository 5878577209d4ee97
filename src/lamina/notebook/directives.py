"""Directives: comments such as `#| export` at the top of a cell that steer the tool.

A directive stands in a cell's first lines, before any code, or in the cell's metadata:
`{"lamina": {"export": true}}`. Those for a whole notebook may stand in the notebook's metadata.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lamina.foundation.errors import closest
from lamina.notebook.document import Cell, Notebook

__all__ = [
    "DIRECTIVES",
    "Directives",
    "check_directives",
    "default_export",
    "front_matter",
    "has_flag",
    "migrate_directives",
    "notebook_directives",
    "old_directives",
    "parse_directives",
    "set_directive",
    "split_directives",
]

DIRECTIVES = {
    "default_exp": "MODULE: where this notebook's `export` cells go",
    "export": "[MODULE]: write the cell to the module",
    "exports": "[MODULE]: export, and show the source in the documentation",
    "exporti": "[MODULE]: export, but leave the names out of `__all__`",
    "exportd": "[MODULE]: the cell's text becomes the module's docstring",
    "hide": "leave the cell out of the documentation",
    "hide_line": "(at the end of a line) leave the line out of the documentation",
    "hide_input": "show only what the cell puts out",
    "hide_output": "show only the cell's code",
    "exec_doc": "run the cell when the documentation is made",
    "filter_stream": "WORDS: leave lines with one of these words out of the output",
    "collapse": "[show|hide]: fold the code; open or closed at first",
    "eval": "true|false: whether tests run the cell",
    "echo": "true|false: whether the documentation shows the code",
    "output": "true|false|asis: whether and how the documentation shows the output",
    "include": "true|false: whether the documentation shows the cell at all",
    "code-fold": "true|show|false: fold the code",
    "code-summary": "TEXT: what stands on the fold",
    "warning": "true|false: whether the documentation shows warnings",
    "error": "true|false: an error in this cell is expected and shown",
    "label": "NAME: what the cell's figure is called in links",
    "fig-cap": "TEXT: the caption of the figure",
    "default_cls_lvl": "N: heading level of classes in the documentation",
    "skip_exec": "true: tests do not run this notebook (notebook metadata or front matter)",
    "skip_showdoc": "true: no documentation of exported names (notebook metadata or front matter)",
}
EXPORTS = ("export", "exports", "exporti", "exportd")
_LINE = re.compile(r"\s*#\s?\|\s*(?P<name>[\w-]+)\s*(?::\s*|\s+|$)(?P<value>.*?)\s*$")
_FRONT_MATTER = re.compile(r"---\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)
_OLD = re.compile(r"#\s*(?P<name>[a-z_]+)(?P<value>(\s+-?\w[\w.]*)?)\s*$")
_OLD_NAMES = {"export", "exports", "exporti", "hide", "hide_input", "default_exp", "collapse"}
_OLD_NAMES |= {"hide_output", "default_cls_lvl"}

Directives = dict[str, str]


@dataclass(frozen=True)
class _Split:
    """The top of a cell, line by line as it stands, and what follows."""

    head: str
    body: str
    directives: Directives = field(default_factory=dict)


def split_directives(source: str) -> _Split:
    r"""Split a cell's source into its directive lines (`.head`) and the rest (`.body`).

    `head + body` is the source.

    Example:
        >>> split_directives("#| export\nx = 1").body
        'x = 1'
    """
    lines = source.splitlines(keepends=True)
    found: Directives = {}
    end = 0
    for number, line in enumerate(lines, 1):
        if match := _LINE.match(line.rstrip("\r\n")):
            found[match["name"]] = match["value"]
            end = number
        elif line.strip():
            break
    return _Split("".join(lines[:end]), "".join(lines[end:]), found)


def parse_directives(cell: Cell) -> Directives:
    r"""Return a cell's directives and their values, from its metadata and its first lines.

    Example:
        >>> parse_directives(Cell("a", "code", "#| export core\n#| eval: false\nx = 1"))
        {'export': 'core', 'eval': 'false'}
    """
    return _from_metadata(cell.metadata) | split_directives(cell.source).directives


def set_directive(cell: Cell, name: str, value: str | None) -> None:
    r"""Give a directive another value where it stands, or remove it.

    Args:
        cell: the cell.
        name: of the directive; nothing happens if the cell does not have it.
        value: the new one; None removes the directive.

    Example:
        >>> cell = Cell("a", "code", "#| export core\nx = 1")
        >>> set_directive(cell, "export", "")
        >>> cell.source
        '#| export\nx = 1'
    """
    if name in _from_metadata(cell.metadata):
        given = {k: v for k, v in cell.metadata["lamina"].items() if k != name}
        cell.metadata["lamina"] = given if value is None else {**given, name: value or True}
    split = split_directives(cell.source)
    line = f"#| {name} {value}".rstrip()
    lines: list[str] = []
    for old in split.head.splitlines(keepends=True):
        text = old.rstrip("\r\n")
        if (match := _LINE.match(text)) is None or match["name"] != name:
            lines.append(old)
        elif value is not None:
            lines.append(line + old[len(text) :])
    cell.source = "".join(lines) + split.body


def _from_metadata(metadata: dict[str, Any]) -> Directives:
    given = metadata.get("lamina", {})
    as_text = {True: "", False: "false"}
    if not isinstance(given, dict):
        return {}
    return {k: as_text[v] if isinstance(v, bool) else str(v) for k, v in given.items()}


def notebook_directives(notebook: Notebook) -> Directives:
    """Return what holds for a whole notebook, such as `default_exp` or `skip_exec`.

    It stands in the notebook's metadata or in its front matter.
    """
    return front_matter(notebook) | _from_metadata(notebook.metadata)


def front_matter(notebook: Notebook) -> Directives:
    r"""Return the lines `key: value` of a first cell that is enclosed in lines of `---`.

    Example:
        >>> front_matter(Notebook([Cell("a", "raw", "---\nskip_exec: true\n---")]))
        {'skip_exec': 'true'}
    """
    first = notebook.cells[0] if notebook.cells else None
    match = _FRONT_MATTER.match(first.source) if first and first.kind != "code" else None
    lines = match[1].splitlines() if match else []
    pairs = (line.partition(":") for line in lines if ":" in line and line[:1].strip())
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def default_export(notebook: Notebook) -> str | None:
    """Return the module that a notebook names by `default_exp`, or None.

    Example:
        >>> default_export(Notebook([Cell("a", "code", "#| default_exp core")]))
        'core'
    """
    if name := notebook_directives(notebook).get("default_exp"):
        return name
    found = (parse_directives(cell).get("default_exp") for cell in notebook.cells)
    return next(filter(None, found), None)


def has_flag(cell: Cell, flags: Iterable[str]) -> bool:
    """Say whether a cell carries one of the flags, such as `#| notest`."""
    return not parse_directives(cell).keys().isdisjoint(flags)


def check_directives(notebook: Notebook, flags: Iterable[str] = ()) -> None:
    """Refuse directives that do not exist.

    Args:
        notebook: the notebook.
        flags: names of your own that mark cells (`tst_flags` of the configuration).

    Raises:
        NotebookError: names the cell and the closest known directive.
    """
    known = {*DIRECTIVES, *flags}
    for name in _from_metadata(notebook.metadata):
        if name not in known:
            raise notebook.error(_advice(name, known))
    for cell in notebook.cells:
        for name in parse_directives(cell):
            if name not in known:
                raise notebook.error(_advice(name, known), cell)


def _advice(name: str, known: set[str]) -> str:
    near = closest(name, known)
    hint = (
        f"Did you mean '#| {near}'?"
        if near
        else "A flag of your own belongs in `tst_flags` of [tool.lamina.nb] in pyproject.toml."
    )
    return f"unknown directive '#| {name}'. {hint}"


def old_directives(notebook: Notebook) -> Iterator[tuple[Cell, str]]:
    r"""Give comments such as `# export`, which an older tool took for directives.

    Example:
        >>> notebook = Notebook([Cell("a", "code", "# export\nx = 1")])
        >>> [line for _, line in old_directives(notebook)]
        ['# export']
    """
    for cell in notebook.cells:
        for line in cell.source.splitlines() if cell.kind == "code" else ():
            if not line.startswith("#"):
                break
            if (match := _OLD.match(line)) and match["name"] in _OLD_NAMES:
                yield cell, line


def migrate_directives(notebook: Notebook) -> int:
    r"""Rewrite comments such as `# export` to `#| export`, and return how many there were.

    Example:
        >>> notebook = Notebook([Cell("a", "code", "# export\nx = 1")])
        >>> migrate_directives(notebook), notebook.cells[0].source
        (1, '#| export\nx = 1')
    """
    found = list(old_directives(notebook))
    for cell, line in found:
        cell.source = cell.source.replace(line, "#| " + line.lstrip("# "), 1)
    return len(found)
