"""The two ends of an image's way: from a file to a picture, and from a picture to a tensor."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from torch import Tensor

from lamina.data.transform import Transform
from lamina.foundation.registry import savable
from lamina.tensor.types import TensorBase
from lamina.vision.decoding import Decoder, find_decoder
from lamina.vision.images import PILBase, PILImage

__all__ = ["OpenImage", "ToTensor"]

# Named so that new items start here, where the training items were rows or pairs.
Picture = str | Path | bytes | np.ndarray | Tensor | Image.Image


@savable
@dataclass(repr=False)
class OpenImage(Transform):
    """Open a path, bytes, an array, a tensor or a Pillow image as a picture.

    Args:
        cls: The class of the picture, such as `PILImage` or `PILImageBW`.
        decoder: What decodes colour JPEG files: "pillow"; "simplejpeg", which is faster (extra
            `vision-fast`); or a function, see `lamina.vision.decoding.Decoder`. All other files
            are left to Pillow.

    Raises:
        UnknownNameError: No decoder of that name.
        MissingExtraError: The decoder's package is not installed.

    Example:
        >>> import numpy as np
        >>> OpenImage()(np.zeros((2, 4, 3), dtype=np.uint8))
        PILImage(mode=RGB, size=4x2)
    """

    cls: type[PILBase] = PILImage
    decoder: str | Decoder = "pillow"

    def __post_init__(self) -> None:
        find_decoder(self.decoder)

    def encodes(self, x: Picture | object) -> Any:
        """Open `x`, whatever it is."""
        picture: Any = x  # refused by `create` if it is none
        decoder = find_decoder(self.decoder)
        return self.cls.create(picture) if decoder is None else self.cls.create(picture, decoder)


@savable
@dataclass(repr=False)
class ToTensor(Transform):
    """Turn a picture into its semantic tensor, uint8 `(c, h, w)`; a mask into `(h, w)`.

    Example:
        >>> import numpy as np
        >>> ToTensor()(PILImage.create(np.zeros((2, 4, 3), dtype=np.uint8))).shape
        torch.Size([3, 2, 4])
    """

    order: ClassVar[int] = 5

    def encodes(self, x: PILBase) -> TensorBase:
        """The pixels of `x`."""
        return x.to_tensor()
