"""From measured values to what can be seen: windows, and scales that follow the values."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from lamina.foundation.errors import UnknownNameError

__all__ = [
    "Bins",
    "Window",
    "dicom_windows",
    "find_window",
    "freqhist_bins",
    "hist_scaled",
    "pct_in_window",
    "to_3chan",
    "to_nchan",
    "windowed",
]

Window = tuple[float, float] | str
"""Width and centre, or the name of a window of `dicom_windows`."""

Bins = Tensor | Literal[0] | None
"""Edges of the even scale, None for those of the values themselves, 0 for no such scale."""

dicom_windows: dict[str, tuple[float, float]] = {
    "brain": (80, 40),
    "subdural": (254, 100),
    "stroke": (8, 32),
    "brain_bone": (2800, 600),
    "brain_soft": (375, 40),
    "lungs": (1500, -600),
    "mediastinum": (350, 50),
    "abdomen_soft": (400, 50),
    "liver": (150, 30),
    "spine_soft": (250, 50),
    "spine_bone": (1800, 400),
}
"""Width and centre, in Hounsfield units, of the windows that radiologists look through."""


def find_window(window: Window) -> tuple[float, float]:
    """Width and centre of a window.

    Raises:
        UnknownNameError: No window has this name.

    Example:
        >>> find_window("lungs")
        (1500, -600)
    """
    if not isinstance(window, str):
        return window
    if window not in dicom_windows:
        raise UnknownNameError("window", window, dicom_windows, where="dicom_windows")
    return dicom_windows[window]


def windowed(x: Tensor, window: Window) -> Tensor:
    """Values as seen through a window: 0 at its lower edge and below, 1 at its upper and above.

    Args:
        x: Measured values, of any shape.
        window: Its name, or width and centre.

    Example:
        >>> windowed(torch.tensor([-100.0, 0.0, 40.0, 100.0]), "brain")
        tensor([0.0000, 0.0000, 0.5000, 1.0000])
    """
    width, centre = find_window(window)
    return ((x.float() - (centre - width / 2)) / width).clamp_(0, 1)


def pct_in_window(x: Tensor, window: Window) -> float:
    """The fraction of the values that lies strictly inside of a window.

    Example:
        >>> pct_in_window(torch.tensor([-100.0, 10.0, 40.0, 100.0]), "brain")
        0.5
    """
    seen = windowed(x, window)
    return ((seen > 0) & (seen < 1)).float().mean().item()


def freqhist_bins(x: Tensor, n_bins: int = 100) -> Tensor:
    """Edges between which about equally many values lie; fewer where values are frequent.

    Args:
        x: Values, of any shape.
        n_bins: How many edges between the outermost two.

    Example:
        >>> freqhist_bins(torch.arange(1000.0), 2).tolist()
        [1.0, 250.0, 750.0, 999.0]
    """
    values = x.float().flatten().sort()[0]
    middles = torch.arange(n_bins) / n_bins + 0.5 / n_bins
    places = torch.cat([torch.tensor([0.001]), middles, torch.tensor([0.999])])
    return values[(len(values) * places).long()].unique()


def hist_scaled(x: Tensor, brks: Tensor | None = None) -> Tensor:
    """Values on a scale from 0 to 1 on which they are spread evenly.

    Args:
        x: Values, of any shape.
        brks: Edges at equal distances on the scale, such as those of many pictures; None takes
            `freqhist_bins(x)`.

    Example:
        >>> hist_scaled(torch.tensor([0.0, 5.0, 55.0]), torch.tensor([0.0, 10.0, 100.0]))
        tensor([0.0000, 0.2500, 0.7500])
    """
    edges = freqhist_bins(x) if brks is None else brks.float().to(x.device)
    if len(edges) < 2:  # all values are one
        return torch.zeros_like(x, dtype=torch.float32)
    flat = x.float().flatten().clamp(edges[0], edges[-1])
    right = torch.searchsorted(edges, flat).clamp_(1, len(edges) - 1)
    low, high = edges[right - 1], edges[right]
    return ((right - 1 + (flat - low) / (high - low)) / (len(edges) - 1)).view(x.shape)


def to_nchan(x: Tensor, wins: Sequence[Window], bins: Bins = None) -> Tensor:
    """What is seen through several windows, and on an even scale, as channels.

    Args:
        x: Values `(h, w)`.
        wins: The windows.
        bins: Edges of the even scale, which is the last channel, as of `hist_scaled`; 0 for no
            such channel.

    Example:
        >>> to_nchan(torch.rand(8, 8), ["brain", "lungs"]).shape
        torch.Size([3, 8, 8])
    """
    channels = [windowed(x, window) for window in wins]
    if bins is None or isinstance(bins, Tensor):
        channels.append(hist_scaled(x, bins))
    return torch.stack(channels)


def to_3chan(x: Tensor, first: Window, second: Window, bins: Tensor | None = None) -> Tensor:
    """What is seen through two windows and on an even scale, as a picture in three colours.

    Args:
        x: Values `(h, w)`.
        first: One window.
        second: The other.
        bins: Edges of the even scale, as in `to_nchan`.

    Example:
        >>> to_3chan(torch.rand(8, 8), "brain", (254, 100)).shape
        torch.Size([3, 8, 8])
    """
    return to_nchan(x, [first, second], bins)
