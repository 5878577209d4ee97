"""Which cell of one version of a notebook is which cell of another."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher

from lamina.notebook.document import Cell, Notebook

__all__ = ["in_order", "match_cells", "same_content"]

LIKENESS = 0.6  # how alike two sources must be to be versions of one cell, where ids say nothing


def match_cells(old: Notebook, new: Notebook) -> dict[int, int]:
    """Match the cells of two versions.

    Ids decide first. Then cells with the same text are matched, in order before out of order. Where
    ids were made up while reading or the two versions share none, cells that are alike and stand
    between the same neighbours are matched too.

    Args:
        old: the earlier version.
        new: the later version.

    Returns:
        For the positions of cells in `new`, the position in `old`; cells without a partner are not
        in it.

    Example:
        >>> old = Notebook([Cell("a", "code", "x = 1"), Cell("b", "code", "y = 2")])
        >>> new = Notebook([Cell("b", "code", "y = 3"), Cell("c", "code", "x = 1")])
        >>> match_cells(old, new)
        {0: 1, 1: 0}
    """
    pairs = _by_id(old.cells, new.cells)
    is_shared = bool(pairs) and min(old.minor, new.minor) >= 5
    _by_content(old.cells, new.cells, pairs)
    if not is_shared:
        _by_likeness(old.cells, new.cells, pairs)
    return pairs


def same_content(a: Cell, b: Cell) -> bool:
    """Tell whether two cells are the same but for outputs, counts, metadata and id.

    Example:
        >>> same_content(Cell("a", "code", "x"), Cell("b", "code", "x", execution_count=3))
        True
    """
    return (a.kind, a.source, a.extra) == (b.kind, b.source, b.extra)


def in_order(numbers: Sequence[int]) -> set[int]:
    """Return a longest increasing choice of distinct numbers: those that did not move.

    Example:
        >>> sorted(in_order([3, 0, 1, 2]))
        [0, 1, 2]
    """
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        place = bisect_left(ends, number)
        before[number] = ends[place - 1] if place else None
        ends[place : place + 1] = [number]
    chosen: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        chosen.add(last)
        last = before[last]
    return chosen


def _by_id(old: list[Cell], new: list[Cell]) -> dict[int, int]:
    places = _unique_ids(old)
    return {i: places[name] for name, i in _unique_ids(new).items() if name in places}


def _unique_ids(cells: list[Cell]) -> dict[str, int]:
    counts = Counter(cell.id for cell in cells)
    return {cell.id: i for i, cell in enumerate(cells) if counts[cell.id] == 1}


def _free(old: list[Cell], new: list[Cell], pairs: dict[int, int]) -> tuple[list[int], list[int]]:
    """Return the positions in both versions that have no partner yet."""
    taken = set(pairs.values())
    return (
        [i for i in range(len(old)) if i not in taken],
        [i for i in range(len(new)) if i not in pairs],
    )


def _by_content(old: list[Cell], new: list[Cell], pairs: dict[int, int]) -> None:
    a, b = _free(old, new, pairs)
    texts_a = [(old[i].kind, old[i].source) for i in a]
    texts_b = [(new[i].kind, new[i].source) for i in b]
    for block in SequenceMatcher(None, texts_a, texts_b, autojunk=False).get_matching_blocks():
        pairs.update((b[block.b + n], a[block.a + n]) for n in range(block.size))
    a, b = _free(old, new, pairs)
    moved = defaultdict[tuple[str, str], list[int]](list)
    for i in reversed(a):
        moved[old[i].kind, old[i].source].append(i)
    for i in b:
        if new[i].source and moved[new[i].kind, new[i].source]:
            pairs[i] = moved[new[i].kind, new[i].source].pop()


def _by_likeness(old: list[Cell], new: list[Cell], pairs: dict[int, int]) -> None:
    a, b = _free(old, new, pairs)
    for i in b:
        before = next((pairs[n] for n in range(i - 1, -1, -1) if n in pairs), -1)
        after = next((pairs[n] for n in range(i + 1, len(new)) if n in pairs), len(old))
        scores = [
            (SequenceMatcher(None, old[n].source, new[i].source, autojunk=False).ratio(), -n)
            for n in a
            if before < n < after and old[n].kind == new[i].kind
        ]
        score, place = max(scores, default=(0.0, 0))
        if score >= LIKENESS:
            pairs[i] = -place
            a.remove(-place)
