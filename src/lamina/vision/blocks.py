"""The blocks of pictures and what lies on them: what a `DataBlock` has to know of them."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from lamina.data.block import TransformBlock
from lamina.data.normalize import IntToFloatTensor
from lamina.data.task import DenseNumbers
from lamina.foundation.signatures import strict
from lamina.vision import check, show  # noqa: F401  # what the doctor looks for, how boxes are shown
from lamina.vision.decoding import Decoder
from lamina.vision.images import PILBase, PILImage
from lamina.vision.opening import OpenImage, ToTensor
from lamina.vision.targets.boxes import BBoxLabeler, BoxLabels, ClipBoxes, PadBoxes
from lamina.vision.targets.masks import AddMaskCodes, AdoptDivision, OpenMask
from lamina.vision.targets.points import PointScaler, ToBoxes, ToPoints

__all__ = ["BBoxBlock", "BBoxLblBlock", "ImageBlock", "MaskBlock", "PointBlock"]


@strict
def ImageBlock(  # noqa: N802  # the paper's name
    cls: type[PILBase] = PILImage, decoder: str | Decoder = "pillow"
) -> TransformBlock:
    """Pictures of a class, opened from files and brought to floats in [0, 1] on the device.

    As a target they are numbers per pixel, one for each channel.

    Args:
        cls: `PILImage` for colour, `PILImageBW` for grey.
        decoder: Of colour JPEG files: "pillow", "simplejpeg" or a function; see `OpenImage`.

    Source: the fastai paper, "Data block API".
    """
    return TransformBlock(
        type_tfms=OpenImage(cls, decoder),
        item_tfms=ToTensor(),
        batch_tfms=IntToFloatTensor(),
        task=DenseNumbers(Image.getmodebands(cls.pil_mode)),
    )


@strict
def MaskBlock(  # noqa: N802  # reads like a class
    codes: Sequence[Any] | None = None, values: Sequence[int] | None = None
) -> TransformBlock:
    """The class of every pixel, opened from files.

    Args:
        codes: The name of each class; every mask is then checked to have no other values.
        values: The value in the files for each code, such as `[0, 255]`; None for 0, 1, 2 and
            so on.

    Example:
        >>> MaskBlock(["road", "sky"]).type_tfms.task
        DenseLabels(codes=('road', 'sky'))
    """
    named = [] if codes is None else [AddMaskCodes(codes)]
    return TransformBlock(
        type_tfms=OpenMask(codes, values),
        item_tfms=[ToTensor(), *named],
        batch_tfms=[IntToFloatTensor(), AdoptDivision()],
    )


@strict
def PointBlock() -> TransformBlock:  # noqa: N802  # reads like a class
    """Points on a picture, given as `[x, y]` in pixels; every item has the same ones.

    Example:
        >>> import numpy as np
        >>> from lamina.data.block import DataBlock
        >>> block = DataBlock((ImageBlock, PointBlock), get_y=lambda image: [[2, 0]])
        >>> dls = block.dataloaders([np.zeros((4, 4, 3))] * 5, bs=1, device="cpu")
        >>> dls.one_batch()[1]
        TensorPoint([[[ 0., -1.]]])
    """
    return TransformBlock(type_tfms=ToPoints(), item_tfms=PointScaler())


@strict
def BBoxBlock() -> TransformBlock:  # noqa: N802  # the paper's name
    """Boxes on a picture, given as `[left, top, right, bottom]` in pixels, any number of them.

    Source: the fastai paper, "Data block API".
    """
    return TransformBlock(
        type_tfms=ToBoxes(),
        item_tfms=PointScaler(),
        batch_tfms=ClipBoxes(),
        dls_kwargs={"before_batch": PadBoxes()},
    )


@strict
def BBoxLblBlock(  # noqa: N802  # the paper's name
    vocab: Sequence[Any] | None = None,
    add_na: bool = True,  # noqa: FBT001  # the known signature
) -> TransformBlock:
    """The label of each box; comes after a `BBoxBlock`.

    Args:
        vocab: The labels in order; None takes those of the training items.
        add_na: Whether index 0 is `"#na#"`, which boxes that fill up a batch have.

    Source: the fastai paper, "Data block API".
    """
    return TransformBlock(type_tfms=BoxLabels(vocab=vocab, add_na=add_na), item_tfms=BBoxLabeler())
