"""Merging notebooks cell by cell, and the merge driver of git."""

import argparse
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from lamina.notebook.document import Cell, Notebook, parse_notebook, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.git.align import in_order, match_cells, same_content
from lamina.notebook.git.conflict import LABELS, conflict_cells, give_unique_ids
from lamina.notebook.git.threeway import Clash, merge_dicts, merge_texts, merge_values

__all__ = ["Merged", "add_arguments", "merge_notebooks", "run"]

Key = tuple[str, int]  # a cell's identity: the version it first appears in, and its place there
Side = dict[Key, Cell]


@dataclass
class Merged:
    """The result of a merge.

    Args:
        notebook: always a valid notebook; conflicts stand in it between marked cells.
        conflicts: one sentence for each conflict.
    """

    notebook: Notebook
    conflicts: list[str] = field(default_factory=list)


def merge_notebooks(
    base: Notebook, ours: Notebook, theirs: Notebook, *, labels: tuple[str, str] = LABELS
) -> Merged:
    r"""Merge two edits of a notebook.

    Cells are matched by id and content, so edits, insertions, deletions and moves of different
    cells never conflict, and within a cell edits of different lines do not. Where both sides
    changed the same lines, or one deleted what the other changed, both versions are kept between
    marked cells. New cells of both sides at one place follow each other, ours first. Clashing
    outputs and metadata are those of the side whose source was kept, else ours.

    Args:
        base: the version that both started from.
        ours: one edit.
        theirs: the other edit.
        labels: what the two sides are called in the markers.

    Example:
        >>> base = Notebook([Cell("a", "code", "x = 1"), Cell("b", "code", "y = 2")])
        >>> ours = Notebook([Cell("a", "code", "x = 9"), Cell("b", "code", "y = 2")])
        >>> theirs = Notebook([Cell("b", "code", "y = 3"), Cell("a", "code", "x = 1")])
        >>> [cell.source for cell in merge_notebooks(base, ours, theirs).notebook.cells]
        ['y = 3', 'x = 9']
    """
    b: Side = {("base", i): cell for i, cell in enumerate(base.cells)}
    o, t = _keyed("ours", base, ours), _keyed("theirs", base, theirs)
    t = _join_additions(o, t)
    metadata = merge_dicts(base.metadata, ours.metadata, theirs.metadata)
    merged = Merged(Notebook([], metadata, ours.path, max(ours.minor, theirs.minor)))
    for key in _order(o, t):
        sides = (b.get(key), o.get(key), t.get(key))
        try:
            merged.notebook.cells += _merge_cell(*sides)
        except Clash as clash:
            mine, other = ([replace(cell)] if cell else [] for cell in sides[1:])
            merged.conflicts.append(f"cell #{(mine or other)[0].id}: {clash}")
            merged.notebook.cells += conflict_cells(mine, other, labels)
    give_unique_ids(merged.notebook.cells)
    return merged


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `lamina nb merge`."""
    parser.add_argument("base", type=Path, help="the common ancestor (git: %%O)")
    parser.add_argument("ours", type=Path, help="our version; receives the result (git: %%A)")
    parser.add_argument("theirs", type=Path, help="their version (git: %%B)")
    parser.add_argument("path", nargs="?", help="the name to use in messages (git: %%P)")


def run(args: argparse.Namespace) -> int:
    """Merge three files into the second; return 1 if conflicts are left, as git expects."""
    name = args.path or args.ours
    try:
        base, ours, theirs = (_read(path, name) for path in (args.base, args.ours, args.theirs))
    except NotebookError as error:
        sys.stderr.write(f"lamina nb merge: {error} Merged as text.\n")
        files = [str(path) for path in (args.ours, args.base, args.theirs)]
        return min(subprocess.run(["git", "merge-file", *files], check=False).returncode, 1)
    merged = merge_notebooks(base, ours, theirs)
    write_notebook(merged.notebook, args.ours)
    for conflict in merged.conflicts:
        sys.stderr.write(f"CONFLICT {name}, {conflict}\n")
    return 1 if merged.conflicts else 0


def _read(path: Path, name: str | Path) -> Notebook:
    """Read one version; git gives an empty file where there is no common ancestor."""
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        return Notebook()
    notebook = parse_notebook(text)
    notebook.path = Path(name)
    return notebook


def _keyed(name: str, base: Notebook, side: Notebook) -> Side:
    """Name each cell of a side by the cell of the base that it comes from, or as new."""
    pairs = match_cells(base, side)
    return {
        ("base", pairs[i]) if i in pairs else (name, i): cell for i, cell in enumerate(side.cells)
    }


def _join_additions(ours: Side, theirs: Side) -> Side:
    """Name new cells of theirs as those of ours that have the same id, or text and neighbour."""
    before = dict(zip(ours, [None, *ours], strict=False))
    joined: Side = {}
    previous: Key | None = None
    for key, cell in theirs.items():
        same = (
            name
            for name, mine in ours.items()
            if name[0] == "ours" and name not in joined
            if mine.id == cell.id or (same_content(mine, cell) and before[name] == previous)
        )
        previous = next(same, key) if key[0] == "theirs" else key
        joined[previous] = cell
    return joined


def _moved(side: Side) -> set[Key]:
    """Return the cells of the base that a side moved."""
    places = [place for name, place in side if name == "base"]
    return {("base", place) for place in set(places) - in_order(places)}


def _order(ours: Side, theirs: Side) -> list[Key]:
    """Return all cells in the order of ours, with what theirs inserted and moved.

    A cell that both moved stands where ours has it.
    """
    order = list(ours)
    to_place = (_moved(theirs) - _moved(ours)) | (set(theirs) - set(ours))
    previous: Key | None = None
    for key in theirs:
        if key in to_place:
            if key in ours:
                order.remove(key)
            place = 0 if previous is None else order.index(previous) + 1
            while place < len(order) and order[place][0] == "ours" and order[place] not in theirs:
                place += 1
            order.insert(place, key)
        previous = key
    return order


def _merge_cell(base: Cell | None, ours: Cell | None, theirs: Cell | None) -> list[Cell]:
    """Return the merged cell, or none if it is deleted; raise `Clash` with the reason."""
    if ours is not None and theirs is not None:
        return [_merge_contents(base, ours, theirs)]
    left = ours or theirs
    if left is None:
        return []
    if base is None:
        return [replace(left)]
    if same_content(base, left):
        return []
    raise Clash(f"deleted by {'theirs' if ours else 'ours'}, changed by the other side")


def _merge_contents(base: Cell | None, ours: Cell, theirs: Cell) -> Cell:
    if base is None and not same_content(ours, theirs):
        raise Clash("added by both sides")
    base = base or Cell("", "", "")
    try:
        kind = merge_values(base.kind, ours.kind, theirs.kind)
        source = merge_texts(base.source, ours.source, theirs.source)
        extra = merge_dicts(base.extra, ours.extra, theirs.extra, is_strict=True)
    except Clash:
        raise Clash("changed by both sides") from None
    run_by = theirs if (source, kind) != (ours.source, ours.kind) else ours
    if ours.outputs == base.outputs and source == theirs.source:
        run_by = theirs
    is_code = kind == "code"
    return Cell(
        theirs.id if ours.id == base.id else ours.id,
        kind,
        source,
        list(run_by.outputs) if is_code else [],
        merge_dicts(base.metadata, ours.metadata, theirs.metadata),
        run_by.execution_count if is_code else None,
        extra,
    )
