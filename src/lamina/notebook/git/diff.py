"""Differences of notebooks, cell by cell, for people; and what git shows of them."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from lamina.notebook.document import Cell, Notebook, content_hash, parse_notebook, read_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.git.align import in_order, match_cells

__all__ = ["CellDiff", "add_arguments", "diff_notebooks", "notebook_text", "run"]

_COLORS = {"@": "36", "-": "31", "+": "32"}


@dataclass(frozen=True)
class CellDiff:
    """A cell that differs.

    Args:
        place: which cell, in the notebook that has it; the new one if both have.
        change: `"added"`, `"removed"`, or one or more of `"moved"`, `"changed"`.
        lines: the changed lines with some around them; each starts with `" "`, `"-"` or `"+"`.
    """

    place: str
    change: str
    lines: tuple[str, ...]


def diff_notebooks(
    old: Notebook, new: Notebook, *, outputs: bool = False, metadata: bool = False
) -> list[CellDiff]:
    """Compare two versions of a notebook, cell by cell.

    Args:
        old: the earlier version.
        new: the later version.
        outputs: compare what cells put out, too.
        metadata: compare the metadata of cells, too.

    Returns:
        The cells that differ, in the order of `new`; removed ones where they stood.

    Example:
        >>> old = Notebook([Cell("a", "code", "x = 1"), Cell("b", "code", "y")])
        >>> new = Notebook([Cell("a", "code", "x = 2")])
        >>> for cell in diff_notebooks(old, new):
        ...     print(cell.place, cell.change, cell.lines)
        cell 1 (#a) changed ('-x = 1', '+x = 2')
        cell 2 (#b) removed ('-y',)
    """

    def text(cell: Cell) -> list[str]:
        return [*_cell_lines(cell, outputs=outputs, metadata=metadata)]

    pairs = match_cells(old, new)
    gone = [i for i in range(len(old.cells)) if i not in pairs.values()]
    kept = in_order([pairs[i] for i in sorted(pairs)])
    diffs: list[CellDiff] = []

    def removed(before: int) -> None:
        while gone and gone[0] < before:
            cell = old.cells[gone.pop(0)]
            diffs.append(CellDiff(old.place(cell), "removed", (*(f"-{t}" for t in text(cell)),)))

    for i, cell in enumerate(new.cells):
        if i not in pairs:
            diffs.append(CellDiff(new.place(cell), "added", (*(f"+{t}" for t in text(cell)),)))
            continue
        if pairs[i] in kept:
            removed(pairs[i])
        before = old.cells[pairs[i]]
        lines = tuple(_changed_lines(text(before), text(cell)))
        changes = ["moved"] * (pairs[i] not in kept)
        changes += ["changed"] * bool(lines or before.kind != cell.kind)
        if changes:
            diffs.append(CellDiff(new.place(cell), ", ".join(changes), lines))
    removed(len(old.cells))
    return diffs


def _changed_lines(old: list[str], new: list[str]) -> Iterator[str]:
    for n, line in enumerate([*unified_diff(old, new, lineterm="")][2:]):
        if not line.startswith("@@"):
            yield line
        elif n:  # between two places
            yield " ..."


def notebook_text(notebook: Notebook, *, outputs: bool = False, metadata: bool = False) -> str:
    r"""Return a notebook as text that compares well line by line: git's `textconv`.

    Example:
        >>> notebook_text(Notebook([Cell("a", "code", "x = 1")]))
        '# %% code #a\nx = 1\n'
    """
    lines: list[str] = []
    for cell in notebook.cells:
        lines.append(f"# %% {cell.kind} #{cell.id}")
        lines += _cell_lines(cell, outputs=outputs, metadata=metadata)
    return "".join(f"{line}\n" for line in lines)


def _cell_lines(cell: Cell, *, outputs: bool, metadata: bool) -> Iterator[str]:
    yield from cell.source.splitlines()
    if metadata and cell.metadata:
        yield f"metadata: {cell.metadata}"
    for output in cell.outputs if outputs else ():
        yield from (f"output: {line}" for line in _output_lines(output))


def _output_lines(output: dict[str, Any]) -> Iterator[str]:
    if output.get("output_type") == "error":
        yield f"{output.get('ename')}: {output.get('evalue')}"
    yield from "".join(output.get("text", ())).splitlines()
    data = output.get("data", {})
    for kind in sorted(data):
        value = data[kind]
        text = "".join(value) if isinstance(value, list | str) else str(value)
        if kind == "text/plain":
            yield from text.splitlines()
        else:
            yield f"<{kind}, {len(text)} characters, {content_hash(text)}>"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb diff`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="two notebooks; or one: with HEAD")
    parser.add_argument("--outputs", action="store_true", help="compare outputs, too")
    parser.add_argument("--metadata", action="store_true", help="compare cells' metadata, too")
    parser.add_argument(
        "--textconv", action="store_true", help="print one notebook as text, to git"
    )


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb diff`.

    Returns:
        1 if the notebooks differ, else 0.
    """
    kinds = {"outputs": options.outputs, "metadata": options.metadata}
    if options.textconv:
        return _textconv(options.files[0], kinds)
    names, old, new = _versions(options)
    diffs = diff_notebooks(old, new, **kinds)
    is_colored = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in _rendered(names, diffs):
        color = _COLORS.get(line[0]) if is_colored else None
        sys.stdout.write(f"\x1b[{color}m{line}\x1b[0m\n" if color else f"{line}\n")
    return int(bool(diffs))


def _textconv(path: str, kinds: dict[str, bool]) -> int:
    """Print a notebook as text; one that is broken as it is, for git shall show something."""
    try:
        text = notebook_text(parse_notebook(Path(path).read_text(encoding="utf-8")), **kinds)
    except NotebookError:
        text = Path(path).read_text(encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _versions(options: argparse.Namespace) -> tuple[tuple[str, str], Notebook, Notebook]:
    match options.files:
        case [path]:
            return (f"HEAD:{path}", path), _at_head(Path(path)), read_notebook(path)
        case [old, new]:
            return (old, new), read_notebook(old), read_notebook(new)
    raise NotebookError(f"lamina nb diff: got {len(options.files)} files; expected one or two.")


def _at_head(path: Path) -> Notebook:
    shown = subprocess.run(
        ["git", "show", f"HEAD:./{path.name}"],
        cwd=path.absolute().parent, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    if shown.returncode:
        raise NotebookError(f"git has no version of it at HEAD: {shown.stderr.strip()}", path)
    return parse_notebook(shown.stdout, path)


def _rendered(names: tuple[str, str], diffs: list[CellDiff]) -> Iterator[str]:
    if diffs:
        yield f"--- {names[0]}"
        yield f"+++ {names[1]}"
    for diff in diffs:
        yield f"@@ {diff.place}: {diff.change} @@"
        yield from diff.lines
