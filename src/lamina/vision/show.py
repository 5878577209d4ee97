"""Show pictures whose targets need more than being drawn over them.

Targets that are pictures, as in restoring or colouring, come side by side; masks have one legend,
and boxes their labels written on them. All other targets of pictures (labels, numbers, points) are
drawn as `lamina.data.show` draws anything: the target over the picture, and a predicted label in
green or red.
"""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

from lamina.data.category import MultiCategory
from lamina.data.show import GridOptions, show_batch, show_results, show_sample
from lamina.foundation.collections import L
from lamina.foundation.errors import refuse_unknown
from lamina.tensor.types import MaskMeta, TensorBBox, TensorImage, TensorMask
from lamina.viz.canvas import get_grid
from lamina.viz.images import show_classes
from lamina.viz.titles import show_title

__all__ = [
    "show_box_results",
    "show_labelled_boxes",
    "show_mask_results",
    "show_masks",
    "show_picture_pairs",
    "show_picture_results",
]

Samples = Sequence[tuple[Any, ...]]
Draw = Callable[[tuple[Any, ...], Any], Any]  # (sample, axes) -> axes


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


@show_batch.register
def show_masks(
    _x: TensorImage,
    _y: TensorMask,
    samples: Samples,
    *,
    max_n: int = 9,
    **options: Unpack[GridOptions],
) -> L[Any]:
    """Draw masks over their pictures, with one legend of the classes if they have names.

    Args:
        samples: Decoded pairs.
        max_n: How many at most.
        options: Of the grid; see `GridOptions`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
    """
    axes = _batch(_under_mask, samples, max_n, options)
    return _with_legend(axes, [mask for _, mask in samples[:max_n]])


@show_results.register
def show_mask_results(
    _x: TensorImage,
    _y: TensorMask,
    samples: Samples,
    outs: Samples,
    *,
    max_n: int = 9,
    **options: Unpack[GridOptions],
) -> L[Any]:
    """Draw each mask, and that which was predicted on the neighbouring axes.

    Args:
        samples: Decoded pairs.
        outs: Decoded predictions.
        max_n: How many at most.
        options: Of the grid; see `GridOptions`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
    """
    axes = _results(_under_mask, samples, outs, max_n, options)
    return _with_legend(axes, [part[-1] for part in (*samples[:max_n], *outs[:max_n])])


@show_batch.register
def show_labelled_boxes(
    x: TensorImage, y: tuple, samples: Samples, *, max_n: int = 9, **options: Unpack[GridOptions]
) -> Any:
    """Draw pictures with boxes and their labels; other pairs of targets as anything is.

    Args:
        x: The batch of pictures.
        y: The batch of each target.
        samples: Decoded pictures with their targets.
        max_n: How many at most.
        options: Of the grid; see `GridOptions`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
    """
    if not _has_boxes(y):
        return show_batch[object, object](x, y, samples, max_n=max_n, **options)
    return _batch(_under_boxes, samples, max_n, options)


@show_results.register
def show_box_results(
    x: TensorImage,
    y: tuple,
    samples: Samples,
    outs: Samples,
    *,
    max_n: int = 9,
    **options: Unpack[GridOptions],
) -> Any:
    """Draw boxes and their labels, and those that were predicted on neighbouring axes.

    Args:
        x: The batch of pictures.
        y: The batch of each target.
        samples: Decoded pictures with their targets.
        outs: Decoded predictions of the targets, and the scores if there are some.
        max_n: How many at most.
        options: Of the grid; see `GridOptions`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
    """
    if not _has_boxes(y):
        return show_results[object, object](x, y, samples, outs, max_n=max_n, **options)
    return _results(_under_boxes, samples, [_with_scores(*out) for out in outs], max_n, options)


def _with_scores(boxes: Any, labels: Any, scores: Any = None) -> tuple[Any, Any]:
    """Write scores after labels; those of what only fills up, which is gone, come last."""
    if scores is None:
        return boxes, labels
    pairs = zip(labels, scores.tolist(), strict=False)
    return boxes, MultiCategory(f"{label} {score:.0%}" for label, score in pairs)


def _batch(draw: Draw, samples: Samples, max_n: int, options: GridOptions) -> L[Any]:
    """Draw each sample on its axes."""
    refuse_unknown("show_batch", options, GridOptions.__annotations__)
    shown = samples[:max_n]
    axes = get_grid(len(shown), **options)
    return L(draw(sample, ax) for sample, ax in zip(shown, axes, strict=True))


def _results(
    draw: Draw, samples: Samples, outs: Samples, max_n: int, options: GridOptions
) -> L[Any]:
    """Draw each sample, and beside it the same with what was predicted."""
    refuse_unknown("show_results", options, GridOptions.__annotations__)
    shown = list(zip(samples, outs, strict=False))[:max_n]
    axes = get_grid(len(shown), double=True, **options)
    for (sample, out), left, right in zip(shown, axes[::2], axes[1::2], strict=True):
        draw(sample, show_title("target", left))
        draw((*sample[: -len(out)], *out), show_title("predicted", right))
    return axes


def _under_mask(sample: tuple[Any, ...], ax: Any) -> Any:
    """Draw a picture and its mask, without a legend of its own."""
    image, mask = sample
    return mask.show(ax=image.show(ax=ax), codes=None)


def _with_legend(axes: L[Any], masks: list[Any]) -> L[Any]:
    meta = masks[0].meta
    if isinstance(meta, MaskMeta):
        show_classes(axes, masks, meta.codes)
    return axes


def _has_boxes(y: tuple[Any, ...]) -> bool:
    return any(isinstance(part, TensorBBox) for part in y)


def _under_boxes(sample: tuple[Any, ...], ax: Any) -> Any:
    """Draw a sample on axes, with the labels at their boxes."""
    boxes = next((part for part in sample if isinstance(part, TensorBBox)), None)
    labels = next((part for part in sample if isinstance(part, MultiCategory)), None)
    if boxes is None or labels is None or len(boxes) != len(labels):
        return show_sample(sample, ax)
    show_sample(tuple(part for part in sample if part is not boxes and part is not labels), ax)
    return boxes.show(ax=ax, labels=labels)
