"""What turns the bytes of a photograph into pixels, and how little of it can be done.

A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, and only down to the last row that is needed.
"""

import ctypes
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lamina.foundation.errors import UnknownNameError, needs
from lamina.foundation.registry import savable

__all__ = [
    "DECODERS",
    "Decoder",
    "decode_with_simplejpeg",
    "find_decoder",
    "first_rows",
    "jpeg_size",
    "reduction",
    "shared_pixels",
    "upright",
]

Decoder = Callable[[bytes, int], Tensor | np.ndarray | None]
"""`f(file, factor)`: the pixels of a colour JPEG, uint8 `(h, w, 3)`, as they lie in the file.

They are `factor` (1, 2, 4 or 8) times smaller than the picture, both sides rounded up. None leaves
the file to Pillow.
"""

# How many times larger than the result a picture must still be after decoding it 2, 4 or 8 times
# smaller, so that it looks as if all pixels had been there; see docs/adr/0007-decoder.md.
_SPARE = {8: 2.2, 4: 1.8, 2: 1.2}

_TURNED = (5, 6, 7, 8)  # orientations that swap width and height
_FLIPS = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}  # after the swap
_FRAMES = (0xC0, 0xC1, 0xC2)  # markers: baseline, extended and progressive pictures
_STOPS = (0xDA, 0xFF)  # markers: the scan; and bytes that fill up, which are left to Pillow
_START = b"\xff\xd8"
_END = b"\xff\xd9"  # nowhere else behind the frame
_BLOCK = 16  # rows: those of one block take part in smoothing colours of the one above


def reduction(shrink: float) -> int:
    """How many times smaller a JPEG may be decoded that is shown `shrink` times smaller.

    Example:
        >>> [reduction(shrink) for shrink in (1, 2, 3, 8, 20)]
        [1, 1, 2, 4, 8]
    """
    return next((factor for factor, spare in _SPARE.items() if shrink >= factor * spare), 1)


@savable
def decode_with_simplejpeg(file: bytes, factor: int) -> np.ndarray | None:
    """Decode a colour JPEG by the package of that name (extra `vision-fast`).

    What it cannot read and what does not end as it should is left to Pillow.

    Raises:
        MissingExtraError: The package is not installed.
    """
    simplejpeg, (frame, _) = _simplejpeg(), _frame(file)
    if frame is None or not _ends(file, frame):
        return None
    width, height = _size(file, frame)
    least = {"min_height": -(-height // factor), "min_width": -(-width // factor)}
    try:
        return simplejpeg.decode_jpeg(file, "RGB", **least, min_factor=1, strict=False)
    except ValueError:
        return None


def _simplejpeg() -> Any:
    with needs("simplejpeg", "vision-fast"):
        import simplejpeg
    return simplejpeg


DECODERS: dict[str, Decoder | None] = {"pillow": None, "simplejpeg": decode_with_simplejpeg}


def find_decoder(decoder: str | Decoder) -> Decoder | None:
    """The decoder of that name, or itself; None is Pillow.

    Raises:
        UnknownNameError: No decoder of that name.
        MissingExtraError: Its package is not installed.

    Example:
        >>> find_decoder("jpeg")
        Traceback (most recent call last):
        lamina.foundation.errors.UnknownNameError: ... Did you mean 'simplejpeg'?
    """
    if not isinstance(decoder, str):
        return decoder
    if decoder not in DECODERS:
        raise UnknownNameError("decoder", decoder, DECODERS, where="find_decoder")
    if decoder == "simplejpeg":
        _simplejpeg()
    return DECODERS[decoder]


def jpeg_size(file: bytes) -> tuple[int, int] | None:
    """(width, height) of a JPEG in colour without EXIF, from its header; None for other files."""
    frame, scan = _frame(file)
    if frame is None or b"Exif" in file[:scan] or (file[frame + 4], file[frame + 9]) != (8, 3):
        return None
    width, height = _size(file, frame)
    return (width, height) if 0 < width * height <= (Image.MAX_IMAGE_PIXELS or 0) else None


def first_rows(file: bytes, n: int) -> bytes:
    """A JPEG file that says it is `n` rows high (and some more), so nobody decodes the others.

    What is not understood, not complete or not higher than that stays as it is.
    """
    at, _ = _frame(file)
    n += _BLOCK
    if at is None or _size(file, at)[1] <= n or not _ends(file, at):
        return file
    return b"".join((file[: at + 5], n.to_bytes(2, "big"), file[at + 7 :]))


def _frame(file: bytes) -> tuple[int | None, int]:
    """Where the header of the frame is, which has the height 5 bytes later; and of the scan."""
    found, at = None, 2 if file.startswith(_START) else len(file)
    while at + 9 < len(file) and file[at] == 0xFF and file[at + 1] not in _STOPS:
        found = at if file[at + 1] in _FRAMES else found
        at += 2 + int.from_bytes(file[at + 2 : at + 4], "big")
    return found, at


def _size(file: bytes, frame: int) -> tuple[int, int]:
    height, width = struct.unpack_from(">HH", file, frame + 5)
    return width, height


def _ends(file: bytes, frame: int) -> bool:
    return file.rfind(_END, frame) >= 0


def upright(pixels: Tensor, orientation: int) -> Tensor:
    """Pixels `(h, w, c)` turned as the camera was held, given in EXIF's numbers.

    Example:
        >>> upright(torch.arange(6).view(2, 3, 1), 6)[..., 0]
        tensor([[3, 0],
                [4, 1],
                [5, 2]])
    """
    turned = pixels.transpose(0, 1) if orientation in _TURNED else pixels
    return turned.flip(_FLIPS[orientation]) if orientation in _FLIPS else turned


class _Arrow(ctypes.Structure):
    """An array as the Arrow C data interface lays it out."""


_Arrow._fields_ = [
    *((name, ctypes.c_int64) for name in ("length", "nulls", "offset", "n_buffers", "n_children")),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Arrow))),
]
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def shared_pixels(im: Image.Image) -> Tensor | None:
    """The memory of a decoded RGB picture as `(h, w, 4)`, the last channel without meaning.

    None where Pillow (before 11.2, or for a very large picture) cannot share it.
    """
    if im.mode != "RGB" or not hasattr(im, "__arrow_c_array__"):
        return None
    try:
        _, capsule = im.__arrow_c_array__()
    except (ValueError, MemoryError):  # the rows are not in one piece
        return None
    pixels = _Arrow.from_address(_pointer(capsule, b"arrow_array")).children[0].contents
    memory: Any = SimpleNamespace(owner=capsule)  # frees the pixels when the last tensor has gone
    place = {"data": (pixels.buffers[1], False), "shape": (im.height, im.width, 4)}
    memory.__array_interface__ = {"version": 3, "typestr": "|u1", **place}
    return torch.from_numpy(np.asarray(memory))
