"""Batch augmentation against a slow reference: one pixel at a time, in double precision."""

import math

import pytest
import torch
from torch import Tensor

from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import TensorImage, plain
from lamina.vision.augmentation.augment import SpatialChain, aug_transforms


def reflected(i: int, n: int) -> int:
    """The pixel of a row of `n` that lies at `i` when the row is mirrored at both its edges."""
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


def looked_up(image: Tensor, x: float, y: float) -> Tensor:
    """The colour at the place `x`, `y` in pixels, between the four pixels around it."""
    height, width = image.shape[1:]
    left, top = math.floor(x), math.floor(y)
    total = torch.zeros(len(image), dtype=torch.float64)
    for row, weight_y in ((top, top + 1 - y), (top + 1, y - top)):
        for column, weight_x in ((left, left + 1 - x), (left + 1, x - left)):
            at = image[:, reflected(row, height), reflected(column, width)].double()
            total += weight_x * weight_y * at
    return total


def slowly_moved(image: Tensor, matrix: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = size
    out = torch.zeros(len(image), height, width, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            at = [(2 * column + 1) / width - 1, (2 * row + 1) / height - 1, 1]
            x, y, w = (matrix.double() @ torch.tensor(at, dtype=torch.float64)).tolist()
            px = ((x / w + 1) * image.shape[2] - 1) / 2
            py = ((y / w + 1) * image.shape[1] - 1) / 2
            out[:, row, column] = looked_up(image, px, py)
    return out


@pytest.mark.parametrize("size", [None, (9, 14)])
@pytest.mark.parametrize("seed", range(3))
def test_the_usual_geometry_is_one_bilinear_look_up(seed: int, size: tuple[int, int] | None):
    x = torch.rand(3, 2, 12, 10, generator=torch.Generator().manual_seed(seed))
    (tfm,) = aug_transforms(max_lighting=0, max_rotate=40, max_warp=0.4, p_affine=1.0, size=size)
    assert isinstance(tfm, SpatialChain)
    with using(Randomness(seed)):
        out = plain(tfm(TensorImage(x), split_idx=0))
    with using(Randomness(seed)):
        matrices = tfm.matrices(3, 12 / 10)
    for moved, image, matrix in zip(out, x, matrices, strict=True):
        expected = slowly_moved(image, matrix, size or (12, 10))
        torch.testing.assert_close(moved.double(), expected, rtol=0, atol=1e-4)
