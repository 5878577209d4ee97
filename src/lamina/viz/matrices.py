"""Matrices as coloured squares with their values in them."""

from collections.abc import Sequence
from typing import Any

from lamina.viz.canvas import new_axes, to_array

__all__ = ["plot_matrix"]

_SMALLEST, _LARGEST = 4.0, 16.0  # sides of a figure in inches
_PER_CELL = 0.45


def plot_matrix(
    values: Any,
    row_names: Sequence[Any],
    column_names: Sequence[Any],
    *,
    title: str | None = None,
    cmap: str = "Blues",
    n_decimals: int | None = None,
    with_values: bool = True,
    figsize: tuple[float, float] | None = None,
    ax: Any = None,
) -> Any:
    """Draw a matrix, darker where a value is larger, and return the axes.

    Args:
        values: the matrix, `(rows, columns)`.
        row_names: a name for each row.
        column_names: a name for each column.
        title: what stands above.
        cmap: the colours.
        n_decimals: digits after the point; None writes whole numbers.
        with_values: whether to write the values into the squares; those that are 0 stay empty.
        figsize: width and height in inches; None takes what the number of cells asks for.
        ax: where to draw; None opens a new figure.

    Example:
        >>> ax = plot_matrix([[5, 1], [0, 4]], ["cat", "dog"], ["cat", "dog"])
        >>> [text.get_text() for text in ax.texts]
        ['5', '1', '4']
    """
    cells = to_array(values)
    if ax is None:
        side = min(_LARGEST, max(_SMALLEST, 1.5 + _PER_CELL * max(cells.shape)))
        ax = new_axes(figsize or (side, side))
        ax.figure.set_layout_engine("constrained")
    ax.imshow(cells, cmap=cmap)
    ax.set_xticks(range(len(column_names)), labels=map(str, column_names), rotation=90)
    ax.set_yticks(range(len(row_names)), labels=map(str, row_names))
    if title is not None:
        ax.set_title(title)
    if with_values:
        _write(ax, cells, n_decimals or 0)
    return ax


def _write(ax: Any, cells: Any, n_decimals: int) -> None:
    dark = cells.max() / 2
    size = "small" if max(cells.shape) > 12 else "medium"
    for i, row in enumerate(cells):
        for j, value in enumerate(row):
            if text := _text(value, n_decimals):
                color = "white" if value > dark else "black"
                ax.text(j, i, text, ha="center", va="center", color=color, fontsize=size)


def _text(value: Any, n_decimals: int) -> str:
    text = f"{value:.{n_decimals}f}"
    return text if float(text) else ""
