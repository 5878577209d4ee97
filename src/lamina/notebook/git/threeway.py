"""Three-way merges of what cells are made of: single values, texts and dictionaries."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any, TypeVar

__all__ = ["Clash", "merge_dicts", "merge_texts", "merge_values"]

T = TypeVar("T")


class Clash(Exception):  # noqa: N818 - control flow: the caller decides what a clash means
    """Both sides changed the same thing in different ways."""


def merge_values(base: T, ours: T, theirs: T) -> T:
    """Return the value that was changed, if only one side changed it or both did alike.

    Raises:
        Clash: each side has a value of its own.

    Example:
        >>> merge_values(1, 1, 2), merge_values(1, 3, 3)
        (2, 3)
    """
    if theirs in (ours, base):
        return ours
    if ours == base:
        return theirs
    raise Clash


def merge_texts(base: str, ours: str, theirs: str) -> str:
    r"""Merge two edits of one text, line by line.

    Raises:
        Clash: both sides changed the same or adjacent lines.

    Example:
        >>> merge_texts("a\nb\nc", "A\nb\nc", "a\nb\nC")
        'A\nb\nC'

    Source: S. Khanna, K. Kunal and B. C. Pierce, "A Formal Investigation of Diff3", FSTTCS 2007.
    """
    if base in (ours, theirs) or ours == theirs:
        return merge_values(base, ours, theirs)
    b, o, t = base.split("\n"), ours.split("\n"), theirs.split("\n")
    merged: list[str] = []
    at_b = at_o = at_t = 0
    for in_b, in_o, in_t, size in _common(b, o, t):
        merged += merge_values(b[at_b:in_b], o[at_o:in_o], t[at_t:in_t])
        merged += b[in_b : in_b + size]
        at_b, at_o, at_t = in_b + size, in_o + size, in_t + size
    return "\n".join(merged)


def merge_dicts(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], *, is_strict: bool = False
) -> dict[str, Any]:
    """Merge two edits of a dictionary, key by key, and dictionaries within it.

    Args:
        base: what both started from.
        ours: one edit; its order of keys is kept, and it wins where both changed a value.
        theirs: the other edit.
        is_strict: raise instead of letting `ours` win.

    Raises:
        Clash: `is_strict`, and both changed a value in different ways.

    Example:
        >>> merge_dicts({"a": 1, "b": 2}, {"a": 1}, {"a": 3, "b": 2, "c": 4})
        {'a': 3, 'c': 4}
    """
    merged: dict[str, Any] = {}
    missing = object()
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        values = [side.get(key, missing) for side in (base, ours, theirs)]
        value = _merge_entry(*values, is_strict=is_strict)
        if value is not missing:
            merged[key] = value
    return merged


def _merge_entry(base: Any, ours: Any, theirs: Any, *, is_strict: bool) -> Any:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        base = base if isinstance(base, dict) else {}
        return merge_dicts(base, ours, theirs, is_strict=is_strict)
    try:
        return merge_values(base, ours, theirs)
    except Clash:
        if is_strict:
            raise
        return ours


def _common(b: list[str], o: list[str], t: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Give the stretches of lines that all three have: three positions and a length.

    The last one has length 0 and stands at the ends.
    """
    in_ours = SequenceMatcher(None, b, o, autojunk=False).get_matching_blocks()
    in_theirs = SequenceMatcher(None, b, t, autojunk=False).get_matching_blocks()
    for mine in in_ours:
        for other in in_theirs:
            start = max(mine.a, other.a)
            size = min(mine.a + mine.size, other.a + other.size) - start
            if size > 0:
                yield start, mine.b + start - mine.a, other.b + start - other.a, size
    yield len(b), len(o), len(t), 0
