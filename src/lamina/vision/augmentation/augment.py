"""The usual augmentation: geometry as one matrix and one interpolation, light in one pass."""

from dataclasses import dataclass, field
from functools import reduce
from typing import Any, TypedDict, Unpack

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.foundation.registry import savable
from lamina.vision.augmentation.geometry import identity_matrix
from lamina.vision.augmentation.lighting import Lighting
from lamina.vision.augmentation.resize import Size, image_size
from lamina.vision.augmentation.spatial import (
    Dihedral,
    Flip,
    RandomResizedCropGPU,
    Rotate,
    SpatialTransform,
    Warp,
    Zoom,
)

__all__ = ["AugArgs", "SpatialChain", "aug_transforms"]


@savable
@dataclass(repr=False)
class SpatialChain(SpatialTransform, overrides_verbs=True):
    """Several geometric transforms as one matrix and one interpolation, then a change of light.

    Args:
        tfms: In the order in which they happen; their own sizes and modes do not count. A crop
            comes last, for the others take the picture to have its own aspect.
        light: Applied to the result, which costs less than a transform of its own.

    Example:
        >>> from lamina.tensor.types import TensorImage
        >>> tfm = SpatialChain([Flip(), Rotate(20.0)], Lighting(0.2), size=24)
        >>> tfm(TensorImage(torch.rand(2, 3, 32, 32)), split_idx=0).shape
        torch.Size([2, 3, 24, 24])
    """

    tfms: list[SpatialTransform] = field(default_factory=list)
    light: Lighting | None = None

    def matrices(self, n: int, aspect: float) -> Tensor:
        """The product of the draws of all transforms."""
        return reduce(torch.matmul, (t.matrices(n, aspect) for t in self.tfms), identity_matrix(n))

    def fixed(self, n: int, aspect: float) -> Tensor:
        """The product of what the transforms do outside training."""
        return reduce(torch.matmul, (t.fixed(n, aspect) for t in self.tfms), identity_matrix(n))

    def set_version(self, version: int) -> None:
        """Tell all transforms."""
        for tfm in self.tfms:
            tfm.set_version(version)

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Move every element of the batch `x` that has a place, and relight its images."""
        done = super().__call__(x, split_idx)
        if self.light is None or split_idx != 0:
            return done
        return self.light.relit(done, in_place=done is not x)


class AugArgs(TypedDict, total=False):
    """Options of `aug_transforms`, explained there."""

    mult: float
    do_flip: bool
    flip_vert: bool
    max_rotate: float
    min_zoom: float
    max_zoom: float
    max_lighting: float
    max_warp: float
    p_affine: float
    p_lighting: float
    xtra_tfms: list[Any] | None
    size: Size | None
    mode: str
    pad_mode: str
    batch: bool
    min_scale: float


_AUG_DEFAULTS: dict[str, Any] = {
    "mult": 1.0,
    "do_flip": True,
    "flip_vert": False,
    "max_rotate": 10.0,
    "min_zoom": 1.0,
    "max_zoom": 1.1,
    "max_lighting": 0.2,
    "max_warp": 0.2,
    "p_affine": 0.75,
    "p_lighting": 0.75,
    "xtra_tfms": None,
    "size": None,
    "mode": "bilinear",
    "pad_mode": "reflection",
    "batch": False,
    "min_scale": 1.0,
}


def aug_transforms(**options: Unpack[AugArgs]) -> list[Any]:
    """The usual augmentation of photographs, as one batch transform and `xtra_tfms`.

    Args:
        options: `do_flip` (True) mirrors half of the items, with `flip_vert` (False) all eight
            symmetries; `max_rotate` (10) degrees; `min_zoom`, `max_zoom` (1, 1.1); `max_warp` (0.2)
            of perspective; `max_lighting` (0.2) of brightness and contrast; `mult` (1) scales
            rotation, warp and lighting; `p_affine`, `p_lighting` (0.75) are the probabilities of
            each but the flip; `size`, `mode`, `pad_mode`, `batch` as in `SpatialTransform`;
            `min_scale` (1) below 1 shows a part of random area, brought to `size`; `xtra_tfms`
            (None) are added. There is no `align_corners`: a picture's edges are the edges of its
            pixels, so that sizes don't shift it.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
        ContractError: `min_scale` is below 1 and there is no `size`.

    Example:
        >>> (tfm,) = aug_transforms(size=224, max_warp=0.0, max_zoom=1.0)
        >>> [type(t).__name__ for t in (*tfm.tfms, tfm.light)]
        ['Flip', 'Rotate', 'Lighting']
    """
    refuse_unknown("aug_transforms", options, _AUG_DEFAULTS)
    o = {**_AUG_DEFAULTS, **options}
    spatial = _geometry(o)
    amount = o["max_lighting"] * o["mult"]
    light = Lighting(amount, amount, p=o["p_lighting"], batch=o["batch"]) if amount else None
    xtra = o["xtra_tfms"] or []
    if spatial or o["size"] is not None:
        same = {key: o[key] for key in ("size", "mode", "pad_mode", "batch")}
        return [SpatialChain(spatial, light, **same), *xtra]
    return [*([] if light is None else [light]), *xtra]


def _geometry(o: dict[str, Any]) -> list[SpatialTransform]:
    p, mult = o["p_affine"], o["mult"]
    spatial: list[SpatialTransform] = []
    if o["do_flip"]:
        spatial.append(Dihedral() if o["flip_vert"] else Flip())
    if o["max_warp"]:
        spatial.append(Warp(o["max_warp"] * mult, p))
    if o["max_rotate"]:
        spatial.append(Rotate(o["max_rotate"] * mult, p))
    if o["min_zoom"] != 1 or o["max_zoom"] != 1:
        spatial.append(Zoom(o["min_zoom"], o["max_zoom"], p))
    if o["min_scale"] != 1:
        if o["size"] is None:
            raise ContractError(
                f"aug_transforms: min_scale={o['min_scale']} without a size. Give size=, which is "
                "what the random parts are brought to."
            )
        width, height = image_size(o["size"])
        aspect = width / height
        spatial.append(RandomResizedCropGPU(None, o["min_scale"], (aspect, aspect)))
    return spatial
