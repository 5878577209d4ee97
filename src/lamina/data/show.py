"""Show batches and results; what is drawn is chosen by the types of input and target.

`show_batch(x, y, samples)` and `show_results(x, y, samples, outs)` are `Dispatch` objects: an
application registers better pictures for its own pairs of types. What nobody registered is drawn
in a grid if something in it knows how to show itself; else it comes as a `Table` of text.
"""

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from lamina.data.kernels import describe
from lamina.foundation.collections import L
from lamina.foundation.dispatch import Dispatch
from lamina.foundation.errors import refuse_unknown
from lamina.foundation.signatures import strict
from lamina.tensor.types import TensorBase
from lamina.viz.canvas import get_grid
from lamina.viz.tables import Table
from lamina.viz.titles import show_title

__all__ = ["GridOptions", "is_drawable", "show_batch", "show_results", "show_sample"]


class GridOptions(TypedDict, total=False):
    """The grid of a figure, or axes to draw on; see `lamina.viz.canvas.get_grid`."""

    nrows: int | None
    ncols: int | None
    figsize: tuple[float, float] | None
    title: str | None
    imsize: float
    ctxs: Sequence[Any] | None


def is_drawable(x: Any) -> bool:
    """Tell whether a value draws something on axes, more than a title of text.

    Example:
        >>> from lamina.tensor.types import TensorImage
        >>> is_drawable(TensorImage([[0.0]])), is_drawable("cat")
        (True, False)
    """
    show = getattr(type(x), "show", None)
    return show not in (None, TensorBase.show) and not isinstance(x, str | int | float | L)


@strict
def show_sample(sample: Any, ax: Any = None) -> Any:
    """Draw the parts of one decoded sample on the same axes and return the axes.

    Args:
        sample: the sample; of a tuple, each part is drawn.
        ax: where to draw; None opens a new figure.
    """
    for part in sample if isinstance(sample, tuple) else (sample,):
        ax = part.show(ax=ax) if _has_show(part) else show_title(_text(part), ax=ax)
    return ax


def _any_batch(
    _x: Any, _y: Any, samples: Sequence[Any], *, max_n: int = 9, **options: Unpack[GridOptions]
) -> Any:
    """Draw samples in a grid, or list them if none of their parts can be drawn."""
    refuse_unknown("show_batch", options, GridOptions.__annotations__)
    shown = list(samples[:max_n])
    if not any(map(is_drawable, _parts(shown[:1]))):
        names = [f"part {i}" for i in range(len(_parts(shown[:1])))]
        return _list(names, [_parts([sample]) for sample in shown])
    axes = get_grid(len(shown), **options)
    return L(show_sample(sample, ax) for sample, ax in zip(shown, axes, strict=True))


def _any_results(
    _x: Any,
    _y: Any,
    samples: Sequence[Any],
    outs: Sequence[Any],
    *,
    max_n: int = 9,
    **options: Unpack[GridOptions],
) -> Any:
    """Draw samples with target and prediction, or list them if nothing can be drawn."""
    refuse_unknown("show_results", options, GridOptions.__annotations__)
    pairs = list(zip(samples, outs, strict=False))[:max_n]
    parts = [(_parts([sample]), _parts([out])) for sample, out in pairs]
    if not any(map(is_drawable, parts[0][0])):
        names = [f"part {i}" for i in range(len(parts[0][0]))] + ["predicted"] * len(parts[0][1])
        return _list(names, [(*sample, *out) for sample, out in parts])
    if any(map(is_drawable, parts[0][1])):
        return _side_by_side(parts, options)
    axes = get_grid(len(parts), **options)
    return L(_titled(sample, out, ax) for (sample, out), ax in zip(parts, axes, strict=True))


show_batch = Dispatch("show_batch", default=_any_batch)
show_results = Dispatch("show_results", default=_any_results)


def _titled(sample: tuple[Any, ...], out: tuple[Any, ...], ax: Any) -> Any:
    """Draw a sample and write its prediction, green if it is right, red if not, black if a number.

    Of several predictions all must be right for green.
    """
    ax = show_sample(sample, ax)
    pairs = [(t, p) for t, p in zip(sample[-len(out) :], out, strict=True) if not _is_measured(p)]
    is_right = all(_text(target) == _text(predicted) for target, predicted in pairs)
    color = "k" if not pairs else "green" if is_right else "red"
    for predicted in out:
        ax = show_title(_text(predicted), ax=ax, color=color)
    return ax


def _side_by_side(
    parts: list[tuple[tuple[Any, ...], tuple[Any, ...]]], options: GridOptions
) -> L[Any]:
    """Draw target and prediction on neighbouring axes, both over the input."""
    axes = get_grid(len(parts), double=True, **options)
    for (sample, out), left, right in zip(parts, axes[::2], axes[1::2], strict=True):
        show_sample(sample, show_title("target", left))
        show_sample((*sample[: -len(out)], *out), show_title("predicted", right))
    return axes


def _list(names: list[str], rows: Sequence[tuple[Any, ...]]) -> Table:
    return Table(names, [[_text(part) for part in row] for row in rows])


def _parts(samples: list[Any]) -> tuple[Any, ...]:
    """Return the parts of the first of some samples."""
    sample = samples[0] if samples else ()
    return sample if isinstance(sample, tuple) else (sample,)


def _has_show(part: Any) -> bool:
    return getattr(type(part), "show", TensorBase.show) is not TensorBase.show


def _is_measured(part: Any) -> bool:
    """Tell numbers that are never exactly right."""
    return isinstance(part, float) or getattr(part, "is_floating_point", bool)()


def _text(part: Any) -> str:
    if isinstance(part, str | int):
        return str(part)
    if isinstance(part, float):
        return f"{part:.4g}"
    if isinstance(part, L | list):
        return ";".join(map(_text, part))
    if getattr(part, "ndim", 9) >= 2:
        return describe(part)
    values = part.tolist()
    return f"[{', '.join(map(_text, values))}]" if isinstance(values, list) else _text(values)
