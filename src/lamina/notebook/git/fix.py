"""Repair notebooks: conflict markers inside the JSON, broken JSON, ids, old formats, no kernel."""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina.notebook.document import (
    CONFLICT,
    KINDS,
    Cell,
    Notebook,
    content_hash,
    parse_notebook,
    render_notebook,
    write_if_changed,
)
from lamina.notebook.errors import NotebookError
from lamina.notebook.git.align import match_cells, same_content
from lamina.notebook.git.conflict import count_conflicts, give_unique_ids, pick_side
from lamina.notebook.git.merge import merge_notebooks

__all__ = ["Fixed", "add_arguments", "fix_notebook", "fix_text", "run"]

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])')
_CELLS = re.compile(r'"cells"\s*:\s*\[')
_METADATA = re.compile(r'"metadata"\s*:\s*(?=\{)')
_CELL_START = re.compile(r'\{\s*"(?:attachments|cell_type|execution_count)"\s*:')
_MARKER = re.compile(r"(<{7}|\|{7}|={7}|>{7})(?: (.*))?$")
_PARTS = {"<": "ours", "|": "base", "=": "theirs", ">": ""}


@dataclass
class Fixed:
    """A repaired notebook.

    Args:
        notebook: a valid notebook.
        notes: what was repaired, one sentence for each; none if nothing was wrong.
    """

    notebook: Notebook
    notes: list[str] = field(default_factory=list)


def fix_text(
    text: str, path: Path | None = None, *, side: str | None = None, kernel: str | None = None
) -> Fixed:
    """Repair the text of an `.ipynb` file.

    Cells that only one side of a conflict has are kept; those that differ stand between marked
    cells. What cannot be read as JSON becomes a raw cell, so no text is lost.

    Args:
        text: the file's text.
        path: is named in errors.
        side: `"ours"` or `"theirs"` solves conflicts, in the JSON or in marked cells, by this side.
        kernel: the name of the kernel to write into the notebook.

    Raises:
        NotebookError: nothing of it can be read as a notebook.

    Example:
        >>> fixed = fix_text('{"cells": [{"cell_type": "code", "source": "x = 1",}, {"cell')
        >>> [cell.source for cell in fixed.notebook.cells]
        ['x = 1', '{"cell']
    """
    text = text.removeprefix("\ufeff")
    versions = _split_conflict(text) if CONFLICT.search(text) and not _is_json(text) else {}
    fixed = _join_versions(versions, path) if versions else _parse(text, path)
    notebook = fixed.notebook
    if side and count_conflicts(notebook):
        pick_side(notebook, side)
        fixed.notes.append(f"the conflicts are solved by {side}")
    _fix_ids(fixed)
    _fix_kernel(fixed, kernel)
    _validate(notebook)
    return fixed


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def _split_conflict(text: str) -> dict[str, str]:
    """Return the text of each side, and of the base if the markers give it (git's diff3)."""
    versions: dict[str, list[str]] = {"ours": [], "base": [], "theirs": []}
    part = ""
    has_base = False
    for line in text.splitlines(keepends=True):
        if marker := _MARKER.match(line.rstrip("\r\n")):
            part = _PARTS[marker[1][0]]
            has_base = has_base or part == "base"
            continue
        for name, lines in versions.items():
            if part in ("", name):
                lines.append(line)
    return {name: "".join(ls) for name, ls in versions.items() if name != "base" or has_base}


def _join_versions(versions: dict[str, str], path: Path | None) -> Fixed:
    sides = {name: _parse(text, path) for name, text in versions.items()}
    ours, theirs = sides["ours"].notebook, sides["theirs"].notebook
    base = sides["base"].notebook if "base" in sides else _common(ours, theirs)
    merged = merge_notebooks(base, ours, theirs)
    merged.notebook.path = path
    n = len(merged.conflicts)
    notes = [note for side in ("ours", "theirs") for note in sides[side].notes]
    notes.append(f"conflict markers in the JSON: the two versions are merged, {n} conflicts are")
    notes[-1] += " left between marked cells" if n else " left"
    return Fixed(merged.notebook, notes)


def _common(ours: Notebook, theirs: Notebook) -> Notebook:
    """Return the cells that both sides have alike, without outputs: what is known of the base."""
    pairs = match_cells(ours, theirs)
    same = {a for b, a in pairs.items() if same_content(ours.cells[a], theirs.cells[b])}
    return Notebook([Cell(c.id, c.kind, c.source) for i, c in enumerate(ours.cells) if i in same])


def _parse(text: str, path: Path | None) -> Fixed:
    notes: list[str] = []
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raw = _recover(text, path)
        notes.append(f"broken JSON at line {error.lineno}: {len(raw['cells'])} cells are recovered")
    if not isinstance(raw, dict):
        raise NotebookError("is JSON, but no notebook: it has no list of cells.", path or "")
    version, minor = raw.get("nbformat", 4), raw.get("nbformat_minor", 0)
    if version < 4 or minor < 5:
        notes.append(f"nbformat {version}.{minor} is now 4.5")
    if isinstance(raw.get("cells"), list):
        raw["cells"] = [_fix_cell(item, notes) for item in raw["cells"]]
    return Fixed(parse_notebook(json.dumps(raw), path), notes)


def _fix_cell(item: Any, notes: list[str]) -> dict[str, Any]:
    if not isinstance(item, dict):
        notes.append("something that is no cell is now a raw cell")
        return {"cell_type": "raw", "source": json.dumps(item)}
    kind = item.get("cell_type")
    if kind not in KINDS:
        guess = "code" if "outputs" in item else "markdown"
        notes.append(f"a cell of the type {kind!r} is now of the type {guess!r}")
        item = {**item, "cell_type": guess}
    if item.get("outputs") is not None and not isinstance(item["outputs"], list):
        notes.append("outputs that are no list are removed")
        item = {**item, "outputs": []}
    return item


def _recover(text: str, path: Path | None) -> dict[str, Any]:
    """Read what can be read of broken JSON, cell by cell."""
    text = _STRING_OR_COMMA.sub(lambda m: "" if m[0] == "," else m[0], text)
    start = _CELLS.search(text)
    if start is None:
        raise NotebookError("nothing can be repaired: there is no list of cells in it.", path or "")
    found = [*_readable_cells(text, start.end())]
    cells = [cell for cell, _ in found]
    end = found[-1][1] if found else start.end()
    outside = (text[: start.start()], text[end:])
    return {"cells": cells, "metadata": _find_metadata(outside), "nbformat_minor": 5}


def _readable_cells(text: str, at: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Give each cell and where it ends; what cannot be read as a raw cell."""
    decoder = json.JSONDecoder(strict=False)
    while True:
        while at < len(text) and (text[at].isspace() or text[at] == ","):
            at += 1
        if at == len(text) or text[at] == "]":
            return
        try:
            cell, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            following = _CELL_START.search(text, at + 1)
            end = following.start() if following else len(text)
            cell = {"cell_type": "raw", "source": text[at:end].rstrip().rstrip(",")}
            at = end
        yield cell, at


def _find_metadata(parts: tuple[str, ...]) -> dict[str, Any]:
    for part in parts:
        for match in _METADATA.finditer(part):
            try:
                return json.JSONDecoder(strict=False).raw_decode(part, match.end())[0]
            except json.JSONDecodeError:
                continue
    return {}


def _fix_ids(fixed: Fixed) -> None:
    cells = fixed.notebook.cells
    for place, cell in enumerate(cells):
        if not isinstance(cell.id, str) or not _ID.fullmatch(cell.id):
            fixed.notes.append(f"the id {cell.id!r} of cell {place + 1} is not allowed: a new one")
            cell.id = content_hash(f"{cell.id}{cell.source}{place}")[:8]
    if twice := [name for name, n in Counter(cell.id for cell in cells).items() if n > 1]:
        fixed.notes.append(f"ids of more than one cell ({', '.join(twice)}): all but the first new")
        give_unique_ids(cells)


def _fix_kernel(fixed: Fixed, kernel: str | None) -> None:
    notebook = fixed.notebook
    if kernel is None and (notebook.kernel or notebook.language != "python"):
        return
    name = kernel or "python3"
    if notebook.kernel != name:
        fixed.notes.append(f"the kernel is now {name!r}")
        notebook.metadata["kernelspec"] = {
            "display_name": name,
            "language": notebook.language,
            "name": name,
        }


def _validate(notebook: Notebook) -> None:
    import nbformat

    node: Any = nbformat.from_dict(json.loads(render_notebook(Notebook(notebook.cells))))
    try:
        nbformat.validate(node)
    except nbformat.ValidationError as error:
        reason = str(error).splitlines()[0]
        raise notebook.error(f"is still not valid after the repairs: {reason}") from None


def fix_notebook(
    path: str | Path, *, side: str | None = None, kernel: str | None = None, backup: bool = True
) -> Fixed:
    """Repair a file in place, as `fix_text` does; what it was is kept beside it, in `NAME.bak`.

    A file without faults is not touched.

    Args:
        path: the `.ipynb` file.
        side: `"ours"` or `"theirs"` solves conflicts by this side.
        kernel: the name of the kernel to write into the notebook.
        backup: keep what the file was.

    Raises:
        NotebookError: it cannot be repaired; the file is not touched.
    """
    path = Path(path)
    if path.suffix != ".ipynb":
        raise NotebookError("is no .ipynb file; a text editor repairs others.", path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotebookError("there is no such file.", path) from None
    fixed = fix_text(data.decode("utf-8", "replace"), path, side=side, kernel=kernel)
    if fixed.notes:
        if backup:
            _free_name(path).write_bytes(data)
        write_if_changed(path, render_notebook(fixed.notebook))
    return fixed


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.bak{n or ''}") for n in range(1000))
    return next(name for name in names if not name.exists())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb fix`."""
    parser.add_argument("paths", nargs="+", help="notebooks")
    parser.add_argument("--take", choices=["ours", "theirs"], help="solve conflicts by this side")
    parser.add_argument("--kernel", metavar="NAME", help="the kernel to write into the notebook")
    parser.add_argument("--no-backup", action="store_true", help="do not keep what the file was")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb fix`.

    Returns:
        1 if conflicts are left, else 0.
    """
    left = 0
    for path in options.paths:
        fixed = fix_notebook(
            path, side=options.take, kernel=options.kernel, backup=not options.no_backup
        )
        left += count_conflicts(fixed.notebook)
        sys.stdout.write(f"{'fixed' if fixed.notes else 'nothing to fix'}: {path}\n")
        sys.stdout.writelines(f"  {note}\n" for note in fixed.notes)
    return int(left > 0)
