"""Measured values in ordinary files of pictures: windows as JPEG, an even scale in 16 bits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lamina.foundation.errors import DataError
from lamina.vision.images import to_image
from lamina.vision.medical.windows import Bins, Window, hist_scaled, to_nchan

__all__ = ["png16read", "save_jpg", "save_tif16", "to_uint16"]

File = str | Path


def save_jpg(
    x: Tensor, path: File, wins: Sequence[Window], bins: Bins = None, quality: int = 90
) -> None:
    """Write what is seen through windows as the channels of a JPEG file; see `to_nchan`.

    Args:
        x: Values `(h, w)`.
        path: The file.
        wins: The windows: two, to which the even scale is the third channel.
        bins: Edges of the even scale; 0 for no such channel, so with one window or three.
        quality: Of the file, up to 95.

    Raises:
        DataError: There are neither one nor three channels.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from lamina.vision.images import PILImage
        >>> with TemporaryDirectory() as folder:
        ...     save_jpg(torch.rand(8, 8) * 80, f"{folder}/scan.jpg", ["brain", "subdural"])
        ...     PILImage.create(f"{folder}/scan.jpg").size
        (8, 8)
    """
    channels = to_nchan(x, wins, bins)
    if len(channels) not in (1, 3):
        raise DataError(
            f"save_jpg: {len(channels)} channels. A JPEG file has one or three: give two windows, "
            "or with bins=0, which leaves out the even scale, one or three."
        )
    to_image(channels).save(path, format="JPEG", quality=quality)


def to_uint16(x: Tensor, bins: Tensor | None = None) -> np.ndarray:
    """Values on an even scale from 0 to 65535, as an array of 16 bits; see `hist_scaled`.

    Args:
        x: Values, of any shape.
        bins: Edges of the scale, such as those of many pictures; None takes those of `x`.

    Example:
        >>> to_uint16(torch.tensor([0.0, 5.0, 100.0]), torch.tensor([0.0, 10.0, 100.0]))
        array([    0, 16384, 65535], dtype=uint16)
    """
    return (hist_scaled(x, bins).double() * 65535).round().cpu().numpy().astype(np.uint16)


def save_tif16(x: Tensor, path: File, bins: Tensor | None = None, *, compress: bool = True) -> None:
    """Write values on an even scale to a grey TIFF file of 16 bits; `png16read` reads it, too.

    Args:
        x: Values `(h, w)`.
        path: The file.
        bins: Edges of the scale, as in `to_uint16`.
        compress: Whether the file is compressed, without loss.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     save_tif16(torch.rand(8, 8), f"{folder}/scan.tif")
        ...     png16read(f"{folder}/scan.tif").max()
        tensor(65535, dtype=torch.int32)
    """
    how = "tiff_deflate" if compress else None
    Image.fromarray(to_uint16(x, bins)).save(path, format="TIFF", compression=how)


def png16read(path: File) -> Tensor:
    """The values `(h, w)` of a grey PNG or TIFF file of 16 bits, as whole numbers.

    Raises:
        DataError: The file has other pixels, such as colours or 8 bits.
    """
    with Image.open(path) as im:
        if not im.mode.startswith("I"):
            raise DataError(
                f"png16read: {path} has pixels of mode {im.mode}. Expected grey ones of 16 bits; "
                "PILImageBW opens others."
            )
        return torch.from_numpy(np.asarray(im).astype(np.int32))
