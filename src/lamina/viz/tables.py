"""Small tables: aligned text in a terminal, HTML in a notebook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Self

from lamina.foundation.errors import ContractError

__all__ = ["Table"]

_WIDEST = 60  # characters of a cell shown in a terminal


@dataclass(frozen=True)
class Table:
    """Rows under a header, printed as text and shown as HTML by notebooks.

    Args:
        header: the name of each column.
        rows: the cells, row by row.
        title: a line above the table.

    Raises:
        ContractError: a row has more or fewer cells than the header.

    Example:
        >>> print(Table(["text", "category"], [["a fine film", "pos"], ["dull", "neg"]]))
        text         category
        a fine film  pos
        dull         neg
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str | None = None

    def __post_init__(self) -> None:
        for i, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ContractError(
                    f"Table: row {i} has {len(row)} cells, the header {len(self.header)}. "
                    "Give every row one cell per column."
                )

    @classmethod
    def from_dicts(cls, rows: Sequence[Mapping[str, Any]], title: str | None = None) -> Self:
        """Make a table of dicts; a key that a row lacks leaves its cell empty.

        Args:
            rows: one dict per row; columns come in the order in which keys first occur.
            title: a line above the table.

        Example:
            >>> print(Table.from_dicts([{"epoch": 0, "loss": 0.25}, {"epoch": 1}]))
            epoch  loss
            0      0.2500
            1
        """
        header = list(dict.fromkeys(key for row in rows for key in row))
        return cls(header, [[row.get(key, "") for key in header] for row in rows], title)

    def __str__(self) -> str:
        lines = [[_shorten(_cell(x)) for x in line] for line in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join(text if self.title is None else [self.title, *text])

    def _repr_html_(self) -> str:
        """Give notebooks the table as HTML; every cell is escaped."""
        title = "" if self.title is None else f"<caption>{escape(self.title)}</caption>"
        head = "".join(f"<th>{escape(name)}</th>" for name in self.header)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(_cell(x))}</td>' for x in row)}</tr>" for row in self.rows
        )
        return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(x: Any) -> str:
    """Write a value: floats with four digits, anything else as its `str`."""
    return f"{x:.4f}" if isinstance(x, float) else str(x)


def _shorten(text: str) -> str:
    """Fit a cell into one line of a terminal."""
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else line[: _WIDEST - 3] + "..."
