"""Conflicts as cells: both versions stand in a valid notebook, between marked cells."""

from collections.abc import Iterable, Iterator

from lamina.notebook.document import Cell, Notebook, content_hash

__all__ = ["conflict_cells", "count_conflicts", "give_unique_ids", "pick_side"]

KEY = "lamina_conflict"  # in the metadata of a marker: "ours", "between" or "theirs"
LABELS = ("ours", "theirs")


def conflict_cells(
    ours: Iterable[Cell], theirs: Iterable[Cell], labels: tuple[str, str] = LABELS
) -> list[Cell]:
    """Return both versions between markers.

    Args:
        ours: the cells of one side; none if it deleted them.
        theirs: the cells of the other side.
        labels: what the sides are called, such as the names of branches.

    Example:
        >>> cells = conflict_cells([Cell("a", "code", "x = 1")], [Cell("a", "code", "x = 2")])
        >>> [cell.source for cell in cells]
        ['<<<<<<< ours', 'x = 1', '=======', 'x = 2', '>>>>>>> theirs']
    """
    ours, theirs = list(ours), list(theirs)
    seed = "".join(cell.id + cell.source for cell in [*ours, *theirs])
    return [
        _marker("ours", f"<<<<<<< {labels[0]}", seed),
        *ours,
        _marker("between", "=======", seed),
        *theirs,
        _marker("theirs", f">>>>>>> {labels[1]}", seed),
    ]


def count_conflicts(notebook: Notebook) -> int:
    """Return how many marked conflicts a notebook holds.

    Example:
        >>> count_conflicts(Notebook(conflict_cells([], [Cell("a", "code", "x = 2")])))
        1
    """
    return sum(cell.metadata.get(KEY) == "ours" for cell in notebook.cells)


def pick_side(notebook: Notebook, side: str) -> None:
    """Solve all marked conflicts of a notebook by one side's version.

    Args:
        notebook: is changed in place.
        side: `"ours"` or `"theirs"`.

    Example:
        >>> notebook = Notebook(conflict_cells([Cell("a", "code", "x")], [Cell("b", "code", "y")]))
        >>> pick_side(notebook, "theirs")
        >>> notebook.cells
        [Cell(id='b', kind='code', source='y', ...)]
    """
    notebook.cells = list(_picked(notebook.cells, side))


def give_unique_ids(cells: list[Cell]) -> None:
    """Give all but the first of several cells with one id a new one; the same each time."""
    seen: set[str] = set()
    for place, cell in enumerate(cells):
        salt = 0
        while cell.id in seen:
            cell.id = content_hash(f"{cell.id}{cell.source}{place}{salt}")[:8]
            salt += 1
        seen.add(cell.id)


def _marker(part: str, source: str, seed: str) -> Cell:
    return Cell(content_hash(part + seed)[:8], "markdown", source, metadata={KEY: part})


def _picked(cells: list[Cell], side: str) -> Iterator[Cell]:
    part = None
    for cell in cells:
        match cell.metadata.get(KEY):
            case "ours":
                part = "ours"
            case "between":
                part = "theirs"
            case "theirs":
                part = None
            case _ if part in (None, side):
                yield cell
