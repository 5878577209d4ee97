"""Labellers: from an item to its label, by its folder, its name or its columns."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lamina.data.kernels import describe
from lamina.data.transform import ItemTransform
from lamina.foundation.collections import L
from lamina.foundation.errors import ItemError
from lamina.foundation.registry import record, savable
from lamina.foundation.signatures import strict

__all__ = ["ColReader", "RegexLabeller", "parent_label", "using_attr"]


@savable
def parent_label(o: Path | str) -> str:
    """Return the name of the folder that a file lies in.

    Args:
        o: the path of the file.

    Example:
        >>> parent_label("train/cat/1.png")
        'cat'
    """
    return Path(o).parent.name


@record
class RegexLabeller:
    r"""The first group of a pattern, found in the file's name or else in its path.

    The path is written with forward slashes on every system.

    Args:
        pat: the pattern.
        match: whether it must match from the beginning, instead of anywhere.

    Example:
        >>> label = RegexLabeller(r"/([^/]+)_\d+.jpg$")
        >>> label("images/great_pyrenees_173.jpg")
        'great_pyrenees'
    """

    pat: str
    match: bool = False

    def __call__(self, o: Path | str) -> str:
        """Return the label of a file.

        Raises:
            ItemError: the pattern is not found, or has no group.
        """
        find = re.match if self.match else re.search
        path = Path(o)
        found = find(self.pat, path.name) or find(self.pat, path.as_posix())
        if found is None:
            raise ItemError(
                f"RegexLabeller: the pattern {self.pat!r} is found neither in the name "
                f"{path.name!r} nor in the path {path.as_posix()!r}. Change the pattern, or leave "
                "such files out with get_items.",
                o,
                "label",
            )
        if not found.re.groups:
            raise ItemError(
                f"RegexLabeller: the pattern {self.pat!r} has no group. Put the part that is the "
                "label in parentheses.",
                o,
                "label",
            )
        return found.group(1)


@savable
@dataclass
class ColReader(ItemTransform):
    """The value of one or several columns of a row.

    Args:
        cols: the name or position of a column, or a list of them, which gives a list of values.
        pref: put before each value, such as the folder of file names.
        suff: put after each value, such as `".jpg"`.
        label_delim: where to split a text into several labels.

    Example:
        >>> ColReader("tags", label_delim=" ")({"tags": "car person"})
        ['car', 'person']
        >>> ColReader("name", pref="train/", suff=".jpg")({"name": "1"})
        'train/1.jpg'
    """

    cols: Any
    pref: Any = ""
    suff: str = ""
    label_delim: str | None = None
    order: ClassVar[int] = 0

    def encodes(self, x: Any) -> Any:
        """Return the value, or an `L` of values."""
        if isinstance(self.cols, list | tuple | L):
            return L([self._read(x, col) for col in self.cols])
        return self._read(x, self.cols)

    def _read(self, row: Any, col: Any) -> Any:
        value = _column(row, col)
        if self.label_delim is not None:
            is_gap = value is None or value != value  # noqa: PLR0124 - NaN, as pandas reads no text
            return [] if is_gap else [x for x in str(value).split(self.label_delim) if x]
        if not (self.pref or self.suff):
            return value
        before = f"{self.pref}{os.sep}" if isinstance(self.pref, Path) else self.pref
        return f"{before}{value}{self.suff}"


@record
class _OfAttribute:
    """A function of an attribute instead of the object."""

    func: Callable[[Any], Any]
    attr: str

    def __call__(self, o: Any) -> Any:
        return self.func(getattr(o, self.attr))


@strict
def using_attr(func: Callable[[Any], Any], attr: str) -> Callable[[Any], Any]:
    r"""Apply a function to an attribute of its argument.

    Args:
        func: the function.
        attr: the name of the attribute.

    Example:
        >>> label = using_attr(RegexLabeller(r"^(.*)_\d+"), "name")
        >>> label(Path("images/cat_1.jpg"))
        'cat'
    """
    return _OfAttribute(func, attr)


def _column(row: Any, col: Any) -> Any:
    """Return a column by name or position from a row of a frame, a named tuple or a dict."""
    try:
        if hasattr(row, "iloc"):
            return row.iloc[col] if isinstance(col, int) and col not in row.index else row[col]
        if isinstance(col, str) and not hasattr(row, "keys"):
            return getattr(row, col)
        return row[col]
    except (KeyError, IndexError, AttributeError, TypeError) as error:
        raise ItemError(
            f"ColReader: there is no column {col!r} in {describe(row)}. The columns are "
            f"{', '.join(map(repr, _columns(row))) or 'unknown'}.",
            row,
            "label",
        ) from error


def _columns(row: Any) -> list[Any]:
    """Return the names of a row's columns, as far as it has any."""
    if hasattr(row, "iloc"):
        return list(row.index)
    return list(row) if hasattr(row, "keys") else list(getattr(row, "_fields", ()))
