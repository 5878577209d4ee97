"""DICOM files: their values, the picture that they mean, and their tags as a frame.

Nothing is added to pydicom: a file is read to its `Dataset`, and functions take that.
"""

import os
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
import torch
from torch import Tensor

from lamina.data.get import get_files
from lamina.foundation.collections import L
from lamina.foundation.errors import DataError, needs
from lamina.foundation.parallel import parallel
from lamina.foundation.registry import savable
from lamina.tensor.types import TensorImage
from lamina.vision.images import PILBase, PILImage, PILImageBW
from lamina.vision.medical.windows import Window, hist_scaled, pct_in_window, to_nchan, windowed
from lamina.viz.images import ImageOptions, show_image

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "PILCTScan",
    "PILDicom",
    "TensorCTScan",
    "TensorDicom",
    "as_dict",
    "as_picture",
    "dcmread",
    "from_dicoms",
    "get_dicom_files",
    "pixels",
    "scaled_px",
    "set_pixels",
    "show_dicom",
    "shown",
]

File = str | os.PathLike[str] | bytes
_COLOURS = 3
_SETTINGS = ("Width", "Center")  # of the window that a file asks for


def get_dicom_files(path: str | Path, recurse: bool = True, folders: Any = None) -> L[Path]:  # noqa: FBT001  # as it is known
    """The DICOM files below a folder, by their extension; see `get_files`."""
    return get_files(path, [".dcm", ".dicom"], recurse=recurse, folders=folders)


def dcmread(file: File, force: bool = False) -> Any:  # noqa: FBT001  # the known signature
    """Read a file to pydicom's `Dataset`.

    Args:
        file: A path, or the bytes of a file.
        force: Whether to read a file without the usual beginning, too.

    Raises:
        DataError: It is no DICOM file.
        MissingExtraError: pydicom is not installed.
    """
    pydicom = _pydicom()
    source = BytesIO(file) if isinstance(file, bytes) else file
    try:
        return pydicom.dcmread(source, force=force)
    except (pydicom.errors.InvalidDicomError, EOFError) as e:
        raise DataError(
            f"dcmread: {_name(file)} is no DICOM file: {e}. Pass force=True if it only lacks the "
            "usual beginning; otherwise remove or replace it."
        ) from e


def pixels(dataset: Any) -> Tensor:
    """The values as they are stored, signed or not: `([frames,] h, w[, colours])`.

    Raises:
        DataError: There are none, or they are compressed in a way that nothing installed reads.
    """
    try:
        array = _pydicom().pixels.pixel_array(dataset)
    except (AttributeError, RuntimeError, ValueError, NotImplementedError) as e:
        raise DataError(
            f"pixels: {_name(dataset)} has no pixels that can be read: {e}. Expected a picture; "
            "compressed ones may need pylibjpeg with its plugins."
        ) from e
    return torch.from_numpy(array.astype(np.int32 if array.dtype.kind in "iu" else np.float32))


def set_pixels(dataset: Any, px: Tensor) -> None:
    """Put other stored values into a data set, in place and uncompressed.

    Args:
        dataset: The data set; its tags of size and transfer syntax follow.
        px: Whole numbers `([frames,] h, w[, colours])`, as of `pixels`, of the bits that the data
            set stores.

    Raises:
        DataError: A value does not fit into these bits.
        NotImplementedError: The data set is of the big-endian kind.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> scan = dcmread(get_testdata_file("CT_small.dcm"))
        >>> set_pixels(scan, pixels(scan)[32:96, 32:96])
        >>> scan.Rows, scan.Columns
        (64, 64)
    """
    bits, is_signed = dataset.BitsStored, bool(dataset.PixelRepresentation)
    low = -(2 ** (bits - 1)) if is_signed else 0
    if px.is_floating_point() or px.min() < low or px.max() >= low + 2**bits:
        raise DataError(
            f"set_pixels: {px.dtype} from {px.min()} to {px.max()} for {_name(dataset)}. Expected "
            f"whole numbers from {low} to {low + 2**bits - 1}, as pixels(dataset) returns."
        )
    stored = px.cpu().numpy().astype(f"{'' if is_signed else 'u'}int{dataset.BitsAllocated}")
    how = dataset.PhotometricInterpretation
    dataset.set_pixel_data(stored, how, bits, generate_instance_uid=False)


def scaled_px(dataset: Any) -> Tensor:
    """The measured values, such as Hounsfield units: slope times what is stored, plus intercept.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> scaled_px(dcmread(get_testdata_file("CT_small.dcm"))).min()
        tensor(-896.)
    """
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    return pixels(dataset).float() * float(slope) + float(intercept)


def shown(dataset: Any, windows: Window | Sequence[Window] | None = None, frame: int = 0) -> Tensor:
    """What is to be seen, from 0 (black) to 1 (white): `(channels, h, w)`.

    Args:
        dataset: The data set. In one whose low values are white, the scale is turned around.
        windows: One window, or several that become channels. None takes that of the file and, if
            it has none, its lowest and highest value. Colours have no windows.
        frame: Which frame, if there are several.
    """
    x = scaled_px(dataset)
    is_colour = dataset.get("SamplesPerPixel", 1) == _COLOURS
    if x.ndim == (_COLOURS + 1 if is_colour else _COLOURS):
        x = x[frame]
    if is_colour:
        return x.permute(2, 0, 1) / (2**dataset.BitsStored - 1)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        table = _pydicom().pixels.apply_color_lut(x.numpy().astype(np.int32), dataset)
        return (
            torch.from_numpy(table.astype(np.float32)).permute(2, 0, 1) / np.iinfo(table.dtype).max
        )
    seen = to_nchan(x, _listed(windows) or [_own_window(dataset, x)], bins=0)
    return 1 - seen if dataset.PhotometricInterpretation == "MONOCHROME1" else seen


def _listed(windows: Window | Sequence[Window] | None) -> list[Any]:
    """The windows one by one; two numbers are one window."""
    is_one = isinstance(windows, str) or (windows and isinstance(windows[0], int | float))
    return [windows] if is_one else list(windows or ())


def _own_window(dataset: Any, x: Tensor) -> tuple[float, float]:
    """Width and centre that the file asks for, or that show all of it."""
    if "WindowWidth" in dataset and "WindowCenter" in dataset:
        width, centre = (float(np.ravel(dataset[f"Window{k}"].value)[0]) for k in _SETTINGS)
        return max(width, 1.0), centre
    low, high = x.min().item(), x.max().item()
    return max(high - low, 1.0), (high + low) / 2


class TensorDicom(TensorImage):
    """A picture of one channel, drawn in the colours of an X-ray."""

    def show(self, ax: Any = None, **options: Any) -> Any:
        """Draw it; see `lamina.viz.images.show_image` for the options."""
        options.setdefault("cmap", "bone")
        return super().show(ax=ax, **options)


@savable
class PILDicom(PILImageBW):
    """The grey picture of a DICOM file, as its own window shows it.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> PILDicom.create(get_testdata_file("MR_small.dcm"))
        PILDicom(mode=L, size=64x64)

    For other windows, or for colours, make pictures with `as_picture`, as by
    `DataBlock(get_x=partial(as_picture, windows=("brain", "subdural", "lungs")))`.
    """

    tensor_type = TensorDicom

    @classmethod
    def create(cls, source: Any, decoder: Any = None) -> Self:  # noqa: ARG003  # as of photographs
        """Open `source`: a path or the bytes of a DICOM file; else as any `PILImageBW`.

        Args:
            source: What to open.
            decoder: Of JPEG files, so not used here.

        Raises:
            DataError: The file is no DICOM file, or has no picture.
        """
        if not isinstance(source, str | os.PathLike | bytes):
            return super().create(source)
        return cls.wrap(as_picture(source))


class TensorCTScan(TensorDicom):
    """A scan of one channel, drawn in the colours of an X-ray."""


@savable
class PILCTScan(PILImageBW):
    """A scan that is kept in an ordinary grey file of pictures, such as a PNG of 8 or 16 bits.

    Example:
        >>> PILCTScan.create(np.array([[0, 65535]], dtype=np.uint16)).to_tensor()
        TensorCTScan([[[  0, 255]]], dtype=torch.uint8)
    """

    tensor_type = TensorCTScan


def as_picture(
    file: File, windows: Window | Sequence[Window] | None = None, frame: int = 0
) -> PILBase:
    """The picture of a file: `PILImage` for three channels, `PILDicom` for one; see `shown`."""
    seen = shown(dcmread(file), windows, frame)
    image = (seen * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    return (PILImage if image.shape[-1] == _COLOURS else PILDicom).from_pixels(image)


def show_dicom(
    dataset: Any,
    ax: Any = None,
    *,
    scale: Window | Tensor | bool = True,
    frame: int = 0,
    cmap: Any = "bone",
    min_px: float = -1100,
    max_px: float | None = None,
    **options: Unpack[ImageOptions],
) -> Any:
    """Draw the picture of a data set and return the axes.

    Args:
        dataset: The data set, or a tensor of values `(h, w)`.
        ax: Where to draw; None opens a new figure.
        scale: True draws values on an even scale, a tensor has its edges; a window draws what is
            seen through it; False draws them as they are.
        frame: Which frame, if there are several.
        cmap: Colours.
        min_px: Lower values count as this on an even scale.
        max_px: Higher values count as this.
        options: Of matplotlib's `imshow`; see `ImageOptions`.
    """
    x = dataset if isinstance(dataset, Tensor) else scaled_px(dataset)
    x = x[frame] if x.ndim > 2 and x.shape[-1] != _COLOURS else x
    if isinstance(scale, str | tuple):
        x = windowed(x, scale)
    elif scale is not False:
        x = hist_scaled(x.clamp(min_px, max_px), scale if isinstance(scale, Tensor) else None)
    return show_image(x.numpy(), ax, cmap=cmap, **options)


def as_dict(dataset: Any, px_summ: bool = True, window: Window = "brain") -> dict[str, Any]:  # noqa: FBT001  # as it is known
    """The tags of a data set as one row: texts and numbers by the names of the tags.

    A tag with several values gives a column for each, `ImagePosition`, `ImagePosition1`...

    Args:
        dataset: The data set.
        px_summ: Whether to add `img_min`, `img_max`, `img_mean`, `img_std` and `img_pct_window` of
            the measured values, where there is a picture.
        window: Of which `img_pct_window` is the fraction of values inside.
    """
    row: dict[str, Any] = {"fname": str(getattr(dataset, "filename", ""))}
    for element in dataset:
        if element.VR != "SQ" and element.keyword and element.keyword != "PixelData":
            row.update(_columns(element.keyword, element.value))
    if px_summ and "PixelData" in dataset:
        x = scaled_px(dataset)
        summary = {"min": x.min(), "max": x.max(), "mean": x.mean(), "std": x.std()}
        row.update({f"img_{name}": value.item() for name, value in summary.items()})
        row["img_pct_window"] = pct_in_window(x, window)
    return row


def _columns(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, list) or type(value).__name__ == "MultiValue":
        return {f"{name}{i or ''}": _simple(part) for i, part in enumerate(value)}
    return {name: _simple(value)}


def _simple(value: Any) -> Any:
    """A number as such, everything else as text."""
    if value is None or isinstance(value, int):
        return value
    return float(value) if isinstance(value, float) else str(value)


def from_dicoms(
    fns: Iterable[File],
    n_workers: int = 0,
    px_summ: bool = True,  # noqa: FBT001  # the known signature
    window: Window = "brain",
) -> "pd.DataFrame":
    """The tags of files as a frame of pandas, a row for each file; see `as_dict`.

    A file that cannot be read has its name, and why in the column `error`.

    Args:
        fns: The files.
        n_workers: Processes that read; 0 reads here.
        px_summ: As in `as_dict`.
        window: As in `as_dict`.
    """
    import pandas as pd

    _pydicom()
    return pd.DataFrame(list(parallel(_row, fns, px_summ, window, n_workers=n_workers)))


def _row(file: File, px_summ: bool, window: Window) -> dict[str, Any]:  # noqa: FBT001  # handed on by parallel
    try:
        return as_dict(dcmread(file), px_summ, window)
    except DataError as e:
        return {"fname": _name(file), "error": str(e)}


def _name(source: Any) -> str:
    name = source if isinstance(source, str | os.PathLike) else getattr(source, "filename", None)
    return str(name) if isinstance(name, str | os.PathLike) else "<bytes>"


def _pydicom() -> Any:
    with needs("pydicom", "medical"):
        import pydicom
        import pydicom.pixels
    return pydicom
