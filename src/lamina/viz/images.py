"""Images and what lies on them: masks, points and boxes."""

from collections.abc import Sequence
from math import ceil, isqrt
from typing import Any, TypedDict, Unpack

import numpy as np

from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, DataError, refuse_unknown
from lamina.viz.canvas import get_grid, new_axes, to_array

__all__ = [
    "ImageOptions",
    "make_sheet",
    "show_boxes",
    "show_classes",
    "show_image",
    "show_images",
    "show_mask",
    "show_points",
]

_CHANNELS = (1, 3, 4)
_LEGEND = 12  # classes named in the legend of a mask
_COLOURS = 20  # different colours of classes


class ImageOptions(TypedDict, total=False):
    """What `show_image` hands on to matplotlib's `imshow`."""

    alpha: float
    aspect: str | float
    extent: tuple[float, float, float, float]
    interpolation: str
    origin: str
    vmax: float
    vmin: float


_KNOWN = ("cmap", "figsize", "title", *ImageOptions.__annotations__)


def show_image(
    im: Any,
    ax: Any = None,
    *,
    figsize: tuple[float, float] | None = None,
    title: str | None = None,
    cmap: Any = None,
    **options: Unpack[ImageOptions],
) -> Any:
    """Draw an image and return the axes.

    Args:
        im: a tensor `(channels, height, width)`, an array or PIL image
            `(height, width, channels)`, or `(height, width)`; uint8, or float from 0 to 1.
        ax: where to draw; None opens a new figure.
        figsize: size of the new figure in inches.
        title: a title above the image.
        cmap: colours for an image of one channel; gray if not given.
        options: options of matplotlib's `imshow`, see `ImageOptions`.

    Raises:
        DataError: the shape is not that of one image.
        UnknownArgumentError: an option is not one of `ImageOptions`.

    Example:
        >>> ax = show_image(np.zeros((4, 6, 3)), title="black")
        >>> ax.images[0].get_array().shape
        (4, 6, 3)
    """
    refuse_unknown("show_image", options, _KNOWN)
    pixels = _channels_last(im)
    if ax is None:
        ax = new_axes(figsize)
    ax.imshow(pixels, cmap="gray" if cmap is None and pixels.ndim == 2 else cmap, **options)
    if title is not None:
        ax.set_title(title)
    ax.set_axis_off()
    return ax


def show_images(
    ims: Sequence[Any],
    nrows: int | None = 1,
    ncols: int | None = None,
    titles: Sequence[object] | None = None,
    *,
    figsize: tuple[float, float] | None = None,
    imsize: float = 3,
    suptitle: str | None = None,
) -> L[Any]:
    """Draw several images in a grid and return the axes.

    Args:
        ims: images as `show_image` takes them.
        nrows: number of rows; None makes the grid about square.
        ncols: number of columns; given alone, the rows follow from it.
        titles: one title per image.
        figsize: size of the figure in inches; None gives every image `imsize`.
        imsize: side of one image in inches.
        suptitle: a title over all.

    Raises:
        ContractError: the number of titles is not that of the images.

    Example:
        >>> len(show_images([np.zeros((4, 4))] * 3, titles=["a", "b", "c"]))
        3
    """
    if titles is not None and len(titles) != len(ims):
        raise ContractError(
            f"show_images: {len(titles)} titles for {len(ims)} images. Give one title per image."
        )
    rows = None if ncols is not None and nrows == 1 else nrows
    axes = get_grid(len(ims), rows, ncols, figsize, suptitle, imsize=imsize)
    for i, (im, ax) in enumerate(zip(ims, axes, strict=True)):
        show_image(im, ax, title=None if titles is None else str(titles[i]))
    return axes


def show_mask(
    mask: Any,
    ax: Any = None,
    *,
    codes: Sequence[str] | None = None,
    alpha: float = 0.5,
    cmap: Any = None,
    figsize: tuple[float, float] | None = None,
    title: str | None = None,
) -> Any:
    """Draw the class of every pixel as a colour, over what is already drawn, and return the axes.

    Args:
        mask: integers `(height, width)` or `(1, height, width)`.
        ax: where to draw; None opens a new figure.
        codes: the name of each class; those that occur are listed beside the mask.
        alpha: opacity of the colours.
        cmap: a matplotlib colour map; if not given, neighbouring classes differ clearly, and the
            same class always has the same colour.
        figsize: size of the new figure in inches.
        title: a title above the mask.

    Raises:
        DataError: the shape is not that of one mask.

    Example:
        >>> ax = show_mask([[0, 1], [1, 1]], codes=["road", "sky"])
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['road', 'sky']
    """
    classes = to_array(mask)
    classes = classes[0] if classes.ndim == 3 and classes.shape[0] == 1 else classes
    if classes.ndim != 2:
        raise DataError(
            f"show_mask: the mask has shape {classes.shape}. Give one mask (height, width)."
        )
    if ax is None:
        ax = new_axes(figsize)
    top = max(_COLOURS, int(classes.max(initial=0)) + 1, len(codes or ())) - 1
    cmap = _class_colours(top + 1) if cmap is None else cmap
    ax.imshow(classes, cmap=cmap, alpha=alpha, vmin=0, vmax=top, interpolation="nearest")
    if codes is not None:
        handles = _class_handles(np.unique(classes), codes)
        ax.legend(handles=handles, fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1))
    if title is not None:
        ax.set_title(title)
    ax.set_axis_off()
    return ax


def show_classes(axes: Sequence[Any], masks: Sequence[Any], codes: Sequence[str]) -> None:
    """Name the classes that occur in any of some masks, beside the figure that shows them.

    Args:
        axes: axes of the figure.
        masks: the masks, drawn by `show_mask` without codes.
        codes: the name of each class.

    Example:
        >>> ax = show_mask([[0, 2]])
        >>> show_classes([ax], [[[0, 2]]], ["road", "sky", "tree"])
        >>> [text.get_text() for text in ax.figure.legends[0].get_texts()]
        ['road', 'tree']
    """
    occurring = np.unique(np.concatenate([np.unique(to_array(mask)) for mask in masks]))
    handles = _class_handles(occurring, codes)
    axes[0].figure.legend(handles=handles, fontsize="small", loc="outside right upper")


def show_points(
    points: Any,
    ax: Any = None,
    *,
    color: str = "red",
    size: float = 12,
    figsize: tuple[float, float] | None = None,
) -> Any:
    """Draw points given in pixels over an image and return the axes.

    Args:
        points: `(n, 2)`, x from the left and y from the top.
        ax: the axes with the image; None opens a new figure whose y grows downward.
        color: colour of the points.
        size: diameter of a point in typographic points.
        figsize: size of the new figure in inches.

    Example:
        >>> ax = show_points([[1, 2], [3, 4]])
        >>> ax.collections[0].get_offsets().tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    xy = to_array(points).reshape(-1, 2)
    if ax is None:
        ax = new_axes(figsize)
        ax.invert_yaxis()
    ax.scatter(xy[:, 0], xy[:, 1], s=size**2 / 2, c=color, edgecolors="white", linewidths=0.7)
    return ax


def show_boxes(
    boxes: Any,
    ax: Any = None,
    *,
    labels: Sequence[object] | None = None,
    color: str = "white",
    figsize: tuple[float, float] | None = None,
) -> Any:
    """Draw boxes given in pixels over an image and return the axes.

    Args:
        boxes: `(n, 4)`, left, top, right, bottom.
        ax: the axes with the image; None opens a new figure whose y grows downward.
        labels: one label per box.
        color: colour of the lines, which have a dark rim so that they are seen everywhere.
        figsize: size of the new figure in inches.

    Example:
        >>> ax = show_boxes([[0, 0, 2, 3]], labels=["cat"])
        >>> ax.patches[0].get_height(), ax.texts[0].get_text()
        (3.0, 'cat')
    """
    from matplotlib.patches import Rectangle

    corners = to_array(boxes).reshape(-1, 4).astype(float)
    if ax is None:
        ax = new_axes(figsize)
        _fit_limits(ax, corners)
    for i, (left, top, right, bottom) in enumerate(corners.tolist()):
        box = Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, lw=2)
        box.set_path_effects(_dark_rim(4))
        ax.add_patch(box)
        if labels is not None:
            # What stands at the right edge is written leftwards, so that it stays on the image.
            x, side = (right, "right") if left > 0.85 * max(ax.get_xlim()) else (left, "left")
            text = ax.text(x, top, str(labels[i]), color=color, ha=side, va="top", weight="bold")
            text.set_path_effects(_dark_rim(2))
    return ax


def make_sheet(ims: Sequence[Any], ncols: int | None = None, pad: int = 2) -> np.ndarray:
    """Put images side by side into one array, without a figure, to be saved or logged.

    Args:
        ims: images as `show_image` takes them; smaller ones are centred in their cell.
        ncols: images per row; None makes the sheet about square.
        pad: white pixels between images.

    Returns:
        A uint8 array `(height, width, 3)`.

    Example:
        >>> make_sheet([np.zeros((4, 6, 3))] * 4).shape
        (10, 14, 3)
    """
    if not ims:
        raise ContractError("make_sheet: no images were given. Give at least one.")
    cells = [_as_rgb(im) for im in ims]
    height = max(cell.shape[0] for cell in cells)
    width = max(cell.shape[1] for cell in cells)
    columns = ncols or ceil(len(cells) / isqrt(len(cells)))
    rows = ceil(len(cells) / columns)
    shape = (rows * (height + pad) - pad, columns * (width + pad) - pad, 3)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for i, cell in enumerate(cells):
        row, column = divmod(i, columns)
        top = row * (height + pad) + (height - cell.shape[0]) // 2
        left = column * (width + pad) + (width - cell.shape[1]) // 2
        sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return sheet


def _channels_last(im: Any) -> np.ndarray:
    """Bring one image into the layout of `imshow`, with colours inside their range."""
    pixels = to_array(im)
    if pixels.ndim == 3:
        first, last = pixels.shape[0] in _CHANNELS, pixels.shape[-1] in _CHANNELS
        # Tensors have their channels first, arrays and PIL images last, where both could be.
        if first and (hasattr(im, "detach") or not last):
            pixels = np.moveaxis(pixels, 0, -1)
        pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[-1] not in _CHANNELS):
        raise DataError(
            f"show_image: the image has shape {pixels.shape}. Expected (height, width), or 1, 3 "
            "or 4 channels first or last. Show the images of a batch one by one with show_images."
        )
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)
    if pixels.ndim == 3 and pixels.dtype.kind == "f":
        pixels = pixels.clip(0, 1)
    return pixels


def _as_rgb(im: Any) -> np.ndarray:
    """Turn one image into uint8 with three channels."""
    pixels = _channels_last(im)
    if pixels.dtype.kind == "f":
        pixels = (pixels.clip(0, 1) * 255).round()
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    return pixels[..., :3].astype(np.uint8)


def _class_colours(n: int) -> Any:
    """Make a map of `n` colours: first the strong ones, then the pale ones, and so on again."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    paired: Any = colormaps["tab20"]
    order = [*range(0, _COLOURS, 2), *range(1, _COLOURS, 2)]
    return ListedColormap([paired.colors[order[i % _COLOURS]] for i in range(n)])


def _class_handles(values: np.ndarray, codes: Sequence[str]) -> list[Any]:
    """Make the entries of a legend for the classes that occur."""
    from matplotlib.patches import Patch

    colours = _class_colours(max(_COLOURS, len(codes)))
    known = [int(value) for value in values if 0 <= value < len(codes)]
    return [Patch(color=colours(value), label=str(codes[value])) for value in known[:_LEGEND]]


def _fit_limits(ax: Any, corners: np.ndarray) -> None:
    """Make room for boxes that are drawn without an image."""
    if len(corners):
        ax.set_xlim(corners[:, 0].min() - 1, corners[:, 2].max() + 1)
        ax.set_ylim(corners[:, 3].max() + 1, corners[:, 1].min() - 1)
    ax.set_aspect("equal")


def _dark_rim(linewidth: float) -> list[Any]:
    """Outline what is drawn in black."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=linewidth, foreground="black"), Normal()]
