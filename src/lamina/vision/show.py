"""Show pictures whose targets are pictures: side by side, as in restoring or colouring.

All other targets of pictures (labels, masks, points, boxes) are drawn as `lamina.data.show` draws
anything: the target over the picture, and a predicted label in green or red.
"""

from collections.abc import Sequence
from typing import Any, Unpack

from lamina.data.show import GridOptions, show_batch, show_results
from lamina.foundation.collections import L
from lamina.foundation.errors import refuse_unknown
from lamina.tensor.types import TensorImage
from lamina.viz.canvas import get_grid

__all__ = ["show_picture_pairs", "show_picture_results"]

Samples = Sequence[tuple[Any, ...]]


@show_batch.register
def show_picture_pairs(
    _x: TensorImage,
    _y: TensorImage,
    samples: Samples,
    *,
    max_n: int = 9,
    **options: Unpack[GridOptions],
) -> L[Any]:
    """Draw input and target of each sample on neighbouring axes.

    Args:
        samples: Decoded pairs.
        max_n: How many at most.
        options: Of the grid; see `GridOptions`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
    """
    refuse_unknown("show_batch", options, GridOptions.__annotations__)
    shown = samples[:max_n]
    axes = get_grid(len(shown), double=True, **options)
    return _drawn(shown, ("input", "target"), axes)


@show_results.register
def show_picture_results(
    _x: TensorImage,
    _y: TensorImage,
    samples: Samples,
    outs: Samples,
    *,
    max_n: int = 9,
    **options: Unpack[GridOptions],
) -> L[Any]:
    """Draw input, target and prediction of each sample in a row.

    Args:
        samples: Decoded pairs.
        outs: Decoded predictions.
        max_n: How many at most.
        options: Of the grid; see `GridOptions`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
    """
    refuse_unknown("show_results", options, GridOptions.__annotations__)
    shown = [(*sample, *out) for sample, out in zip(samples, outs, strict=False)][:max_n]
    names = ("input", "target", "predicted")
    grid: GridOptions = {"nrows": len(shown), "ncols": len(names), **options}
    return _drawn(shown, names, get_grid(len(shown) * len(names), **grid))


def _drawn(rows: Samples, names: tuple[str, ...], axes: L[Any]) -> L[Any]:
    parts = [(part, name) for row in rows for part, name in zip(row, names, strict=True)]
    for (part, name), ax in zip(parts, axes, strict=True):
        part.show(ax=ax, title=name)
    return axes
