"""The blocks of pictures: what a `DataBlock` has to know of them."""

from lamina.data.block import TransformBlock
from lamina.data.normalize import IntToFloatTensor
from lamina.vision import show  # noqa: F401  # registers how pictures of pictures are shown
from lamina.vision.images import PILBase, PILImage
from lamina.vision.opening import OpenImage, ToTensor

__all__ = ["ImageBlock"]


def ImageBlock(cls: type[PILBase] = PILImage) -> TransformBlock:  # noqa: N802  # the paper's name
    """Pictures of a class, opened from files and brought to floats in [0, 1] on the device.

    Args:
        cls: `PILImage` for colour, `PILImageBW` for grey.

    Source: the fastai paper, "Data block API".
    """
    return TransformBlock(
        type_tfms=OpenImage(cls), item_tfms=ToTensor(), batch_tfms=IntToFloatTensor()
    )
