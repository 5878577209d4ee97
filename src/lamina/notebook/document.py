"""A notebook as a record: cells with stable ids, read from and written to any of its formats.

`.ipynb` is read and written with the JSON of the standard library, in the layout that Jupyter
writes; so a notebook that is read and written again is the same file. `.py` (percent) and `.md`
notebooks go through jupytext, which is loaded when the first of them is met.
"""

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina.foundation.paths import atomic_write
from lamina.notebook.errors import NotebookError

__all__ = [
    "Cell",
    "Notebook",
    "content_hash",
    "fresh_id",
    "parse_notebook",
    "read_notebook",
    "render_notebook",
    "to_raw",
    "write_if_changed",
    "write_notebook",
]

KINDS = ("code", "markdown", "raw")
CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
_CELL_KEYS = {"cell_type", "id", "metadata", "source", "outputs", "execution_count"}


@dataclass(slots=True)
class Cell:
    """One cell.

    Args:
        id: unique within the notebook, and stable.
        kind: `"code"`, `"markdown"` or `"raw"`.
        source: the text, without a newline at the end.
        outputs: as they stand in the file (nbformat 4); code cells only.
        metadata: the cell's metadata.
        execution_count: the number in brackets; code cells only.
        extra: what else the file says of the cell, such as attachments.
    """

    id: str
    kind: str
    source: str
    outputs: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    execution_count: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def new(cls, source: str, kind: str = "code") -> "Cell":
        """Make a cell with a fresh id.

        Example:
            >>> Cell.new("x = 1").kind
            'code'
        """
        return cls(fresh_id(), kind, source)


@dataclass(slots=True)
class Notebook:
    """A notebook: cells and metadata, and where it came from.

    Args:
        cells: in order.
        metadata: the notebook's metadata: kernel, language, and what others keep there.
        path: the file; its suffix says the format.
        minor: the minor version of nbformat 4; written as at least 5, the first with cell ids.
    """

    cells: list[Cell] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    minor: int = 5

    @property
    def language(self) -> str:
        """The language of the code cells; a notebook without a kernel is taken for Python."""
        kernel = self.metadata.get("kernelspec", {})
        info = self.metadata.get("language_info", {})
        return str(kernel.get("language") or info.get("name") or "python").lower()

    @property
    def kernel(self) -> str | None:
        """The name of the kernel, or None if the notebook names none."""
        return self.metadata.get("kernelspec", {}).get("name")

    def find(self, cell_id: str) -> Cell | None:
        """Return the cell with this id, or None."""
        return next((cell for cell in self.cells if cell.id == cell_id), None)

    def place(self, cell: Cell) -> str:
        """Say which cell it is, for messages.

        Example:
            >>> notebook = Notebook([Cell("a1", "code", "x = 1")])
            >>> notebook.place(notebook.cells[0])
            'cell 1 (#a1)'
        """
        return f"cell {self.cells.index(cell) + 1} (#{cell.id})"

    def error(self, message: str, cell: Cell | None = None) -> NotebookError:
        """Make an error that names this notebook, and the cell."""
        return NotebookError(message, self.path or "", self.place(cell) if cell else "")

    def refuse_duplicate_ids(self) -> None:
        """Check that no two cells have the same id.

        Raises:
            NotebookError: names the ids and the cells.
        """
        counts = Counter(cell.id for cell in self.cells)
        if twice := [name for name, n in counts.items() if n > 1]:
            where = [i + 1 for i, cell in enumerate(self.cells) if cell.id == twice[0]]
            raise self.error(
                f"cells {where} have the same id {twice[0]!r}. Run `lamina nb clean`, which gives "
                "all but the first a new one."
            )


def fresh_id() -> str:
    """Return a new cell id, in the form that Jupyter uses.

    Example:
        >>> len(fresh_id())
        8
    """
    return secrets.token_hex(4)


def content_hash(text: str) -> str:
    """Return a short hash that says whether a text has changed.

    Example:
        >>> content_hash("x = 1")
        '8ff436def1'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def read_notebook(path: str | Path) -> Notebook:
    """Read a notebook: `.ipynb`, or `.py` (percent) and `.md` through jupytext.

    Raises:
        NotebookError: it is not a notebook: broken JSON, conflict markers, another structure.
        MissingExtraError: it is a text notebook and jupytext is not installed.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotebookError(f"is not UTF-8: {error.reason} at byte {error.start}.", path) from None
    return parse_notebook(text, path)


def parse_notebook(text: str, path: str | Path | None = None) -> Notebook:
    """Make a notebook of its file's text; `path` says the format and is named in errors.

    Raises:
        NotebookError: the text is not a notebook.

    Example:
        >>> parse_notebook('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
        Notebook(cells=[], metadata={}, path=None, minor=5)
    """
    path = None if path is None else Path(path)
    if path is not None and path.suffix in (".py", ".md"):
        from lamina.notebook.plaintext import parse_plaintext

        raw = parse_plaintext(text, path)
    else:
        raw = _parse_json(text, path or "")
    return _from_raw(raw, path)


def _parse_json(text: str, path: str | Path) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        if CONFLICT.search(text):
            raise NotebookError(
                f"has conflict markers of git inside its JSON. Run `lamina nb fix {path}`.", path
            ) from None
        raise NotebookError(
            f"is not valid JSON: {error.msg}, at line {error.lineno}, column {error.colno}.", path
        ) from None
    if isinstance(raw, dict) and raw.get("nbformat", 4) < 4:
        return _upgrade(text)
    if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list):
        raise NotebookError("is JSON, but no notebook: it has no list of cells.", path)
    return raw


def _upgrade(text: str) -> dict[str, Any]:
    import nbformat

    return json.loads(nbformat.writes(nbformat.reads(text, as_version=4)))


def _from_raw(raw: dict[str, Any], path: Path | None) -> Notebook:
    cells: list[Cell] = []
    seen = Counter[str]()
    for number, item in enumerate(raw["cells"], 1):
        kind = item.get("cell_type") if isinstance(item, dict) else None
        if kind not in KINDS:
            raise NotebookError(
                f"has the type {kind!r}; expected one of {', '.join(KINDS)}.",
                path or "",
                f"cell {number}",
            )
        source = _joined(item.get("source", ""))
        seen[kind + source] += 1
        extra = {key: value for key, value in item.items() if key not in _CELL_KEYS}
        cell = Cell(
            item.get("id") or content_hash(f"{kind}{source}{seen[kind + source]}")[:8],
            kind,
            source,
            metadata=item.get("metadata") or {},
            extra=extra,
        )
        if kind == "code":
            cell.outputs = item.get("outputs") or []
            cell.execution_count = item.get("execution_count")
        cells.append(cell)
    return Notebook(cells, raw.get("metadata") or {}, path, raw.get("nbformat_minor", 5))


def render_notebook(notebook: Notebook) -> str:
    """Return the text of the notebook's file, in the layout that Jupyter writes.

    Example:
        >>> parse_notebook(render_notebook(Notebook([Cell("a", "code", "x = 1")]))).cells[0].source
        'x = 1'
    """
    if notebook.path is not None and notebook.path.suffix in (".py", ".md"):
        from lamina.notebook.plaintext import render_plaintext

        return render_plaintext(to_raw(notebook), notebook.path)
    raw = to_raw(notebook)
    return json.dumps(raw, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def to_raw(notebook: Notebook) -> dict[str, Any]:
    """Return the notebook as the dictionary that its JSON holds (nbformat 4)."""
    return {
        "cells": [_raw_cell(cell) for cell in notebook.cells],
        "metadata": notebook.metadata,
        "nbformat": 4,
        "nbformat_minor": max(notebook.minor, 5),
    }


def write_notebook(notebook: Notebook, path: str | Path | None = None) -> bool:
    """Write a notebook if that changes the file.

    Args:
        notebook: what to write.
        path: where to; None takes the notebook's own path.

    Returns:
        Whether the file was written.

    Raises:
        NotebookError: neither the notebook nor the call names a file.
    """
    if path is not None:
        notebook.path = Path(path)
    if notebook.path is None:
        raise NotebookError("The notebook has no path. Pass the file to write to.")
    return write_if_changed(notebook.path, render_notebook(notebook))


def write_if_changed(path: Path, text: str) -> bool:
    """Write a text file unless it already holds this text; return whether it was written."""
    data = text.encode("utf-8")
    if path.exists() and path.read_bytes() == data:
        return False
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)
    return True


def _raw_cell(cell: Cell) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "cell_type": cell.kind,
        "id": cell.id,
        "metadata": cell.metadata,
        "source": cell.source.splitlines(keepends=True),
        **cell.extra,
    }
    if cell.kind == "code":
        raw |= {"execution_count": cell.execution_count, "outputs": cell.outputs}
    return raw


def _joined(text: str | Iterable[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
