"""Text as the thing shown: a label above an image, a number beside its prediction."""

from typing import Any

from lamina.viz.canvas import new_axes

__all__ = ["show_title"]


def show_title(text: object, ax: Any = None, *, label: str | None = None, color: str = "k") -> Any:
    r"""Write a value above an axes, below what is already written there, and return the axes.

    Args:
        text: the value; its `str` is shown.
        ax: the axes to write on; None opens a new figure without a frame.
        label: what the value is, put before it as `label: value`.
        color: the colour of the text, such as green for a right prediction.

    Example:
        >>> ax = show_title("cat")
        >>> ax = show_title("dog", ax, label="predicted")
        >>> ax.get_title()
        'cat\npredicted: dog'
    """
    if ax is None:
        ax = new_axes()
        ax.set_axis_off()
    line = str(text) if label is None else f"{label}: {text}"
    lines = [*filter(None, [ax.get_title()]), line]
    ax.set_title("\n".join(lines), color=color)
    return ax
