"""Pictures that open lazily: the header at once, the pixels when somebody looks at them.

Until then the decoder can be told how small the picture may be (`draft`) or which part is needed
(`decode_part`), which for JPEG files leaves out most of the work. The orientation that a camera
noted is applied.
"""

import io
import math
import os
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from lamina.foundation.errors import DataError
from lamina.foundation.registry import savable
from lamina.tensor.types import TensorBase, TensorImage, TensorMask, plain
from lamina.vision.decoding import Decoder, first_rows, jpeg_size, reduction, shared_pixels, upright
from lamina.viz.images import show_image, show_mask

__all__ = ["PILBase", "PILImage", "PILImageBW", "PILMask", "image2tensor", "load_image", "to_image"]

_ORIENTATION = 0x0112  # EXIF tag
_TURNED = (5, 6, 7, 8)  # orientations that swap width and height
_JPEG = ("JPEG", "MPO")
_DEEP = ("I;16", "I;16B", "I;16L", "I")  # 16-bit grey
_WORTH = 0.95  # more rows than that are as quickly decoded as the file is copied
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


class _Undecoded:
    """A file whose header was read, and what its name is for messages."""

    def __init__(self, data: bytes, name: str, decoder: Decoder | None) -> None:
        self.data, self.name, self.decoder, self.factor = data, name, decoder, 1
        self.header: Image.Image | None = None
        size, self.orientation = jpeg_size(data), 1
        self.is_jpeg = self.is_colour = size is not None
        if size is None:
            self.header = header = Image.open(io.BytesIO(data))
            size, self.orientation = header.size, _orientation(header)
            self.is_jpeg, self.is_colour = header.format in _JPEG, header.mode == "RGB"
        self.whole = size

    @property
    def size(self) -> tuple[int, int]:
        """Of the picture, upright, as it will be decoded."""
        return self.reduced(self.factor)

    def reduced(self, factor: int) -> tuple[int, int]:
        width, height = (-(-n // factor) for n in self.whole)
        return (height, width) if self.orientation in _TURNED else (width, height)

    def factor_for(self, size: tuple[int, int]) -> int:
        """How many times smaller it may be decoded without falling below `size`."""
        shrink = min(n / least for n, least in zip(self.reduced(1), size, strict=True))
        return max(f for f in (1, 2, 4, 8) if f == 1 or (self.is_jpeg and f <= shrink))

    def decode(self, factor: int, rows: int | None = None) -> Image.Image | Tensor:
        """The picture upright, `factor` times smaller; perhaps without the rows after `rows`."""
        data = self.data
        if rows is not None and rows < _WORTH * self.whole[1] and self.orientation == 1:
            data = first_rows(data, rows)  # as it is when this is no JPEG
        try:
            if self.decoder is not None and self.is_jpeg and self.is_colour:
                pixels = self.decoder(data, factor)
                if pixels is not None:
                    return upright(torch.as_tensor(pixels), self.orientation)
            return self._by_pillow(data, factor)
        except _BROKEN as e:
            raise _unreadable(self.name, e) from e

    def _by_pillow(self, data: bytes, factor: int) -> Image.Image:
        file = self.header if data is self.data else None
        if file is None:
            file = Image.open(io.BytesIO(data))
        else:
            self.header = None  # Pillow decodes an opened file once
        if factor > 1:
            file.draft(None, (file.width // factor, file.height // factor))
        file.load()
        return ImageOps.exif_transpose(file) if self.orientation != 1 else file


def _orientation(file: Image.Image) -> int:
    if file.format in _JPEG and "exif" not in file.info:
        return 1
    return file.getexif().get(_ORIENTATION, 1)


def _unreadable(name: str, error: Exception) -> DataError:
    why = "no known image format" if isinstance(error, UnidentifiedImageError) else error
    return DataError(
        f"Cannot read the image {name}: {why}. Expected a complete image file; "
        "remove or replace it."
    )


class PILBase(Image.Image):
    """A Pillow image that opens itself, stays lazy, and knows its semantic tensor type.

    Subclasses fix the mode. All methods of Pillow's images work; their results are plain Pillow
    images, which `wrap` turns back.
    """

    pil_mode: ClassVar[str] = "RGB"
    tensor_type: ClassVar[type[TensorBase]] = TensorImage

    _undecoded: _Undecoded | None = None  # until somebody looks at the pixels
    _pixels: Tensor | None = None  # uint8 (h, w, c), until somebody wants Pillow's own form

    @classmethod
    def create(
        cls,
        source: str | os.PathLike[str] | bytes | np.ndarray | Tensor | Image.Image,
        decoder: Decoder | None = None,
    ) -> Self:
        """Open `source`: a path, encoded bytes, an array or tensor, or a Pillow image.

        Arrays are `(h, w)` or `(h, w, c)` and tensors `(h, w)` or `(c, h, w)`; uint8, or floats
        in [0, 1].

        Args:
            source: What to open.
            decoder: Decodes colour JPEG files in place of Pillow; see `lamina.vision.decoding`.

        Raises:
            DataError: The file is not an image; the message names it.
        """
        if isinstance(source, Image.Image):
            return source if type(source) is cls else cls.wrap(source)
        if isinstance(source, Tensor | np.ndarray):
            return cls.wrap(to_image(source))
        if isinstance(source, bytes):
            data, named = source, "<bytes>"
        else:
            with io.FileIO(source) as file:
                data, named = file.read(), os.fspath(source)
        try:
            undecoded = _Undecoded(data, named, decoder)
        except _BROKEN as e:
            raise _unreadable(named, e) from e
        new = cls()
        new._undecoded, new._mode, new._size = undecoded, cls.pil_mode, undecoded.size
        return new

    @classmethod
    def wrap(cls, im: Image.Image, like: Any = None) -> Self:  # noqa: ARG003  # as semantic tensors
        """`im` as this class, converted to its mode; the pixels are shared when the mode fits."""
        new = cls()
        new._take(im)
        return new

    @classmethod
    def from_pixels(cls, pixels: Tensor) -> Self:
        """The picture of a uint8 tensor `(h, w, c)`, whose channels must fit the class's mode.

        Channels beyond those are not looked at. Nothing is copied unless one of Pillow's methods
        is used.
        """
        new = cls()
        new._pixels, new._mode, new._size = pixels, cls.pil_mode, (pixels.shape[1], pixels.shape[0])
        return new

    def to_pixels(self) -> Tensor:
        """The pixels as uint8 `(h, w, c)`; they may be shared with the picture."""
        return self._raw()[..., : Image.getmodebands(self.pil_mode)]

    def _raw(self) -> Tensor:
        """The pixels as they lie in memory, perhaps with a fourth channel without meaning."""
        if self._pixels is not None:
            return self._pixels
        self.load()
        shared = shared_pixels(self)
        if shared is not None:
            return shared
        pixels = torch.frombuffer(bytearray(self.tobytes()), dtype=torch.uint8)
        return pixels.view(self.height, self.width, -1)

    def decode_part(self, box: tuple[float, float, float, float], size: tuple[int, int]) -> Tensor:
        """The pixels `(h, w, c)` of a part, enough of them to show it `size` pixels large.

        A picture that is not loaded stays so: its file is decoded as far and as finely as this
        part needs. There may be a channel more than the picture has, without meaning.

        Args:
            box: left, top, right, bottom as fractions of the width and height.
            size: (width, height) of the result that the part will be brought to.
        """
        lazy = self._undecoded
        if lazy is None:
            return _cut(self._raw(), box, self.size)
        (width, height), (left, top, right, bottom) = lazy.reduced(1), box
        shrink = min(width * (right - left) / size[0], height * (bottom - top) / size[1])
        factor = max(lazy.factor, reduction(shrink) if lazy.is_jpeg else 1)
        found = lazy.decode(factor, rows=math.ceil(bottom * height) + factor)
        whole = type(self).from_pixels(found) if isinstance(found, Tensor) else self.wrap(found)
        return _cut(whole._raw(), box, lazy.reduced(factor))

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> None:
        """Tell the decoder that `size` (width, height) pixels are enough.

        The file may then be decoded smaller, but never below `size`; `self.size` says how large.
        Nothing happens once the pixels are loaded, or for a format that can't.
        """
        if self._undecoded is not None and size is not None:
            self._undecoded.factor = self._undecoded.factor_for(size)
            self._size = self._undecoded.size

    @property
    def orientation(self) -> int:
        """How the camera was held, as EXIF counts; 1 is upright, as are all decoded pixels."""
        return 1 if self._undecoded is None else self._undecoded.orientation

    def load(self) -> Any:
        """Decode the pixels if that has not happened yet."""
        if self._undecoded is not None:
            found = self._undecoded.decode(self._undecoded.factor)
            self._undecoded = None
            self._take(to_image(found.numpy()) if isinstance(found, Tensor) else found)
        elif self._pixels is not None:
            pixels, self._pixels = self.to_pixels(), None
            self._take(to_image(pixels.numpy()))
        return super().load()

    def _take(self, im: Image.Image) -> None:
        im = _to_mode(im, self.pil_mode)
        im.load()
        self.im, self._mode, self._size = im.im, im.mode, im.size
        self.palette, self.info = im.palette, {}

    def to_state(self) -> dict[str, Any]:
        """The pixels, for a saved file."""
        return {"pixels": np.asarray(self)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The image of `to_state`."""
        return cls.create(np.asarray(state["pixels"]))

    def to_tensor(self) -> TensorBase:
        """The pixels as uint8 `(c, h, w)`; a mask as `(h, w)`."""
        planes = self._raw().numpy().transpose(2, 0, 1)[: Image.getmodebands(self.pil_mode)]
        return self.tensor_type.wrap(torch.from_numpy(planes.copy()))

    def show(self, ax: Any = None, **options: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # draws instead of opening a viewer
        """Draw the image and return the axes; see `lamina.viz.images.show_image`."""
        return show_image(self, ax=ax, **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mode={self.mode}, size={self.width}x{self.height})"


@savable
class PILImage(PILBase):
    """A colour image (RGB).

    Example:
        >>> PILImage.create(np.zeros((2, 4, 3), dtype=np.uint8)).to_tensor().shape
        torch.Size([3, 2, 4])
    """


@savable
class PILImageBW(PILBase):
    """A grey image (mode L).

    Example:
        >>> PILImageBW.create(Image.new("RGB", (4, 2), "white")).getpixel((0, 0))
        255
    """

    pil_mode = "L"


@savable
class PILMask(PILBase):
    """A segmentation mask: one class index (0 to 255) a pixel, as the file has it.

    The indices of a palette are kept, and so are the values of a 16-bit file.

    Example:
        >>> PILMask.create(np.array([[0, 7]], dtype=np.uint8)).to_tensor()
        TensorMask([[0, 7]], dtype=torch.uint8)
    """

    pil_mode = "L"
    tensor_type = TensorMask

    def _take(self, im: Image.Image) -> None:
        if im.mode == "P":
            im = Image.frombytes("L", im.size, im.tobytes())
        elif im.mode in _DEEP:
            im = _indices(np.asarray(im))
        super()._take(im)

    def to_tensor(self) -> TensorBase:
        """The class of every pixel as uint8 `(h, w)`."""
        return TensorMask.wrap(self.to_pixels()[..., 0].contiguous())

    def show(self, ax: Any = None, **options: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # as in the base
        """Draw the mask; see `lamina.viz.images.show_mask`."""
        return show_mask(np.asarray(self), ax=ax, **options)


def _cut(pixels: Tensor, box: tuple[float, float, float, float], size: tuple[int, int]) -> Tensor:
    """A part of the pixels of a picture of that size, at least one each way."""
    (width, height), (left, top, right, bottom) = size, box
    left, right = round(left * width), round(right * width)
    top, bottom = round(top * height), round(bottom * height)
    return pixels[top : max(bottom, top + 1), left : max(right, left + 1)]


def _indices(values: np.ndarray) -> Image.Image:
    if values.max() > 255:
        raise DataError(
            f"PILMask: a pixel of class {values.max()}. Expected 0 to 255; number the classes anew."
        )
    return Image.fromarray(values.astype(np.uint8))


def _to_mode(im: Image.Image, mode: str) -> Image.Image:
    if im.mode == mode:
        return im
    if im.mode in _DEEP:  # Pillow clips 16-bit grey; keep the whole range instead
        scaled = np.asarray(im, dtype=np.float32) * (255 / 65535)
        im = Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8))
    if im.mode == "P" and "transparency" in im.info:
        im = im.convert("RGBA")
    return im if im.mode == mode else im.convert(mode)


def load_image(source: Any, mode: str | None = None) -> Image.Image:
    """The decoded Pillow image of a file, upright, in `mode` (the file's own when not given)."""
    im = ImageOps.exif_transpose(Image.open(source))
    im.load()
    return im if mode is None else _to_mode(im, mode)


def to_image(x: np.ndarray | Tensor) -> Image.Image:
    """An array `(h, w[, c])` or tensor `([c,] h, w)` as a Pillow image.

    Floats are taken as [0, 1].

    Raises:
        DataError: The number of channels is not 1, 3 or 4.

    Example:
        >>> to_image(torch.rand(3, 2, 4)).size
        (4, 2)
    """
    array = _channels_last(plain(x)) if isinstance(x, Tensor) else x
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 3 and array.shape[-1] not in (3, 4):
        raise DataError(
            f"to_image: {array.shape[-1]} channels. Expected 1, 3 or 4; select channels first."
        )
    if np.issubdtype(array.dtype, np.floating):
        array = (array * 255).round().clip(0, 255)
    return Image.fromarray(np.ascontiguousarray(array.astype(np.uint8)))


def _channels_last(x: Tensor) -> np.ndarray:
    array = x.detach().cpu().numpy()
    return array.transpose(1, 2, 0) if array.ndim == 3 else array


def image2tensor(im: Image.Image) -> Tensor:
    """The pixels of a Pillow image as a uint8 tensor `(c, h, w)`.

    Example:
        >>> image2tensor(Image.new("RGB", (4, 2))).shape
        torch.Size([3, 2, 4])
    """
    im.load()
    pixels = torch.frombuffer(bytearray(im.tobytes()), dtype=torch.uint8)
    h_w_c = pixels.view(im.height, im.width, len(im.getbands()))
    return h_w_c.permute(2, 0, 1).contiguous()
