"""Figures and grids of axes to draw on."""

from collections.abc import Sequence
from math import ceil, isqrt
from pathlib import Path
from typing import Any

import numpy as np

from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError

__all__ = ["close", "get_grid", "new_axes", "save_figure", "subplots", "to_array"]


def to_array(x: Any) -> np.ndarray:
    """Read any array-like (tensor on any device, PIL image, array, list) as a NumPy array.

    Example:
        >>> to_array([[1, 2]]).shape
        (1, 2)
    """
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        # NumPy has no bfloat16; every other tensor converts directly.
        x = x.float() if "bfloat16" in str(x.dtype) else x
        return x.numpy()
    return np.asarray(x)


def subplots(
    nrows: int = 1,
    ncols: int = 1,
    figsize: tuple[float, float] | None = None,
    imsize: float = 3,
    suptitle: str | None = None,
) -> tuple[Any, L[Any]]:
    """Open a figure with a grid of axes and return both, the axes row by row in one list.

    Args:
        nrows: number of rows.
        ncols: number of columns.
        figsize: width and height in inches; None gives every axes `imsize`.
        imsize: side of one axes in inches.
        suptitle: a title over the whole figure.

    Example:
        >>> fig, axes = subplots(2, 3)
        >>> len(axes), tuple(map(float, fig.get_size_inches()))
        (6, (9.0, 6.0))
    """
    plt = _pyplot()
    if figsize is None:
        extra = 0.0 if suptitle is None else 0.6
        figsize = (ncols * imsize, nrows * imsize + extra)
    fig, axes = plt.subplots(nrows, ncols, figsize=figsize, squeeze=False)
    if suptitle is not None:
        fig.suptitle(suptitle)
    return fig, L(list(axes.flat))


def get_grid(
    n: int,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
    title: str | None = None,
    *,
    double: bool = False,
    imsize: float = 3,
    ctxs: Sequence[Any] | None = None,
) -> L[Any]:
    """Open a figure with `n` axes in a grid that is about square, and return the axes.

    The figure is the `figure` of each of them.

    Args:
        n: number of things to show.
        nrows: number of rows; None computes it.
        ncols: number of columns; None computes it.
        figsize: width and height in inches; None gives every axes `imsize`.
        title: a title over the whole figure.
        double: make two axes per thing, side by side, for input and target or for two views.
        imsize: side of one axes in inches.
        ctxs: axes to use instead of those of a new figure, as many as are needed or more.

    Raises:
        ContractError: there is nothing to show, or what is given cannot hold it.

    Example:
        >>> len(get_grid(5)), len(get_grid(4, double=True))
        (5, 8)
    """
    if n < 1:
        raise ContractError(f"get_grid: n is {n}. Give the number of things to show, at least 1.")
    each = 2 if double else 1
    if ctxs is not None:
        if len(ctxs) < n * each:
            raise ContractError(f"get_grid: {len(ctxs)} axes in ctxs, {n * each} are needed.")
        return L(list(ctxs)[: n * each])
    rows, columns = _grid_shape(n, nrows, ncols)
    if rows * columns < n:
        raise ContractError(
            f"get_grid: {rows} rows of {columns} cannot hold {n}. Leave nrows or ncols out."
        )
    fig, axes = subplots(rows, columns * each, figsize, imsize, title)
    for unused in axes[n * each :]:
        unused.set_axis_off()
    fig.set_layout_engine("constrained")
    return axes[: n * each]


def new_axes(figsize: tuple[float, float] | None = None) -> Any:
    """Open a figure with a single axes and return the axes."""
    _, axes = subplots(figsize=figsize)
    return axes[0]


def save_figure(path: str | Path, drawn: Any, *, dpi: float = 100) -> Path:
    """Write the figure of some axes to a file; the suffix chooses the format.

    Args:
        path: the file, such as `grid.png`.
        drawn: a figure, an axes, or a sequence of axes of one figure.
        dpi: dots per inch.
    """
    first = drawn[0] if isinstance(drawn, Sequence) else drawn
    figure = getattr(first, "figure", first)
    figure.savefig(path, dpi=dpi)
    return Path(path)


def close(drawn: Any = "all") -> None:
    """Close a figure, so that its memory is freed; without an argument, close every figure.

    Args:
        drawn: a figure or an axes, or "all".
    """
    _pyplot().close(getattr(drawn, "figure", drawn))


def _grid_shape(n: int, nrows: int | None, ncols: int | None) -> tuple[int, int]:
    """Choose the rows and columns for `n` things, keeping what is given."""
    if nrows is None:
        nrows = isqrt(n) if ncols is None else ceil(n / ncols)
    return nrows, ceil(n / nrows) if ncols is None else ncols


def _pyplot() -> Any:
    """Load matplotlib at first use; it picks a backend that works where it runs."""
    import matplotlib.pyplot as plt

    return plt
