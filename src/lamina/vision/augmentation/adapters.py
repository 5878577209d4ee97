"""Transforms of torchvision and albumentations as transforms here; neither is imported.

They draw from generators that belong to the process. Each call seeds these from the item's own
counted stream and puts them back, so that results do not depend on workers or on what ran before.
Worker threads share such generators: with these transforms, use processes.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from lamina.data.transform import ItemTransform
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.foundation.seeding import current
from lamina.tensor.types import (
    PointsMeta,
    TensorBBox,
    TensorImage,
    TensorMask,
    TensorMultiCategory,
    TensorPoint,
    in_pixels,
    plain,
)
from lamina.vision.augmentation.coordinates import scaled
from lamina.vision.images import PILBase, PILMask
from lamina.vision.parts import each_part
from lamina.vision.targets.boxes import box_places

__all__ = ["FromAlbumentations", "FromTorchvision", "seeded_globals"]


@contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """Seed the CPU generators of the process inside a `with` block; they go back afterwards.

    Args:
        seed: 0 to 2**32 - 1.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  # theirs
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # as above
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002  # as above
        torch.set_rng_state(states[2])


class _NotSaved:
    """Stands for somebody else's transform in a loaded file."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise ContractError(
            f"The transform {self.what} of another library was not saved. Put it into the "
            "pipeline again to train on; predicting needs none."
        )

    def __repr__(self) -> str:
        return self.what


class _Foreign(ItemTransform, overrides_verbs=True):
    """The base: a callable of another library, and the split that it is for."""

    def __init__(self, tfm: Callable[..., Any], split_idx: int | None = 0) -> None:
        super().__init__(split_idx=split_idx)
        self.tfm = tfm

    def to_state(self) -> dict[str, Any]:
        """What a file keeps: the name of the callable, which is not ours to save."""
        return {**vars(self), "tfm": repr(self.tfm)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The transform without its callable."""
        new = cls(_NotSaved(state["tfm"]))
        vars(new).update({key: value for key, value in state.items() if key != "tfm"})
        return new

    def apply(self, x: Any, seed: int) -> Any:
        """Apply the callable to an item or batch."""
        raise NotImplementedError

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Change `x` by the callable, in the split that it is for."""
        if self.split_idx is not None and split_idx != self.split_idx:
            return x
        seed = current().python.getrandbits(32)
        with seeded_globals(seed):
            return self.apply(x, seed)


@savable
class FromTorchvision(_Foreign):
    """A transform of torchvision (v2), or anything that takes an image tensor and returns one.

    It sees the image of an item, uint8 `(c, h, w)`, or each image of a batch by itself, so that
    every item has its own draw.

    Args:
        tfm: The callable.
        split_idx: The split that it is for: 0 training, 1 validation, None all.
        pixels_only: Say that it moves nothing, so that items may have masks, points or boxes.

    Raises:
        ContractError: An item has something on its picture that the callable would not move.

    Example:
        >>> invert = FromTorchvision(lambda x: 255 - x)
        >>> invert(TensorImage(torch.full((1, 1, 1), 55, dtype=torch.uint8)), split_idx=0)
        TensorImage([[[200]]], dtype=torch.uint8)
    """

    order = 6  # after ToTensor, before pixels become floats

    def __init__(
        self,
        tfm: Callable[[Tensor], Tensor],
        split_idx: int | None = 0,
        *,
        pixels_only: bool = False,
    ) -> None:
        super().__init__(tfm, split_idx)
        self.pixels_only = pixels_only

    def apply(self, x: Any, seed: int) -> Any:  # the generators are seeded
        """Apply the callable to every image."""
        return each_part(self._changed, x)

    def _changed(self, part: Any) -> Any:
        if isinstance(part, TensorMask | TensorPoint | TensorBBox) and not self.pixels_only:
            raise ContractError(
                f"FromTorchvision: {self.tfm!r} would leave a {type(part).__name__} where it is. "
                "Use Lamina's own geometric transforms, or say pixels_only=True if it only "
                "changes colours."
            )
        if not isinstance(part, TensorImage):
            return part
        x = plain(part)
        done = self.tfm(x) if x.ndim == 3 else torch.stack([self.tfm(one) for one in x])
        return type(part).wrap(done, like=part)


@savable
class FromAlbumentations(_Foreign):
    """A transform of albumentations, or anything that takes `image=` and returns a dict with it.

    It sees the picture of an item as an array `(h, w, c)`, and the mask as `mask=`. Points are
    given in pixels as `keypoints=`, boxes as `bboxes=` (left, top, right, bottom) together with
    `labels=`, their numbers. For these the callable is a `Compose` with
    `KeypointParams("xy", remove_invisible=False)` or
    `BboxParams("pascal_voc", label_fields=["labels"])`.

    Args:
        tfm: The callable.
        split_idx: The split that it is for: 0 training, 1 validation, None all.

    Raises:
        ContractError: The number of points changed.

    Example:
        >>> invert = FromAlbumentations(lambda image: {"image": 255 - image})
        >>> im = PILMask.create(np.array([[9]], dtype=np.uint8)), "label"
        >>> invert(im, split_idx=0) == im  # no picture, nothing to do
        True
    """

    order = 3  # on pictures that have their size

    def apply(self, x: Any, seed: int) -> Any:
        """Apply the callable to the picture and all that lies on it."""
        parts = x if isinstance(x, tuple) else (x,)
        image = next((p for p in parts if isinstance(p, PILBase) and not _is_mask(p)), None)
        if image is None:
            return x
        if hasattr(self.tfm, "set_random_seed"):
            self.tfm.set_random_seed(seed)  # pyright: ignore[reportFunctionMemberAccess]  # just asked
        done = self.tfm(image=np.array(image), **_companions(parts, image.size))
        picture = type(image).create(done["image"])
        labels = box_places(parts)[1]
        new = [
            _back(part, done, picture) if p != labels else _kept(part, done)
            for p, part in enumerate(parts)
        ]
        if not isinstance(x, tuple):
            return new[0]
        return type(x)(*new) if hasattr(x, "_fields") else type(x)(new)


def _is_mask(part: Any) -> bool:
    return isinstance(part, PILMask)


def _companions(parts: tuple[Any, ...], size: tuple[int, int]) -> dict[str, Any]:
    """What lies on the picture, as albumentations names it."""
    given: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, PILMask):
            given["mask"] = np.array(part)
        elif isinstance(part, TensorPoint):
            given["keypoints"] = in_pixels(_scaled(part, 2), size).tolist()
        elif isinstance(part, TensorBBox):
            given["bboxes"] = in_pixels(_scaled(part, 4), size).tolist()
            given["labels"] = list(range(len(given["bboxes"])))
    return given


def _scaled(part: Any, n: int) -> Any:
    scaled(part)  # refuses pixels
    return part.reshape(-1, n)


def _back(part: Any, done: dict[str, Any], picture: PILBase) -> Any:
    """A part of the item as the callable left it."""
    if isinstance(part, PILMask):
        return PILMask.create(done["mask"])
    if isinstance(part, PILBase):
        return picture
    if isinstance(part, TensorPoint):
        points = _coordinates(done["keypoints"], 2, picture.size)
        if points.numel() != part.numel():
            raise ContractError(
                f"FromAlbumentations: {part.numel() // 2} points became {len(points)}. Give "
                "KeypointParams(..., remove_invisible=False), so that they stay in order."
            )
        return TensorPoint(points.view(part.shape), meta=PointsMeta(picture.size))
    if isinstance(part, TensorBBox):
        boxes = _coordinates(done["bboxes"], 4, picture.size)
        return TensorBBox(boxes, meta=PointsMeta(picture.size))
    return part


def _coordinates(values: Any, n: int, size: tuple[int, int]) -> Tensor:
    pixels = torch.tensor(np.asarray(values, dtype=np.float32)).reshape(-1, n)
    return pixels * 2 / torch.tensor(size * (n // 2)) - 1


def _kept(labels: TensorMultiCategory, done: dict[str, Any]) -> Any:
    """The labels of the boxes that are left."""
    return labels[torch.tensor([int(k) for k in done["labels"]], dtype=torch.long)]
