"""Pictures, masks, points and boxes stay together whatever is done to them."""

import numpy as np
import pytest
import torch

from lamina.data.pipeline import Pipeline
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.collate import collate
from lamina.tensor.types import TensorBBox, TensorImage, TensorMask, TensorPoint, in_pixels, plain
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.resize import RandomResizedCrop, Resize
from lamina.vision.augmentation.spatial import Dihedral
from lamina.vision.augmentation.symmetry import FlipItem
from lamina.vision.images import PILImage, PILMask
from lamina.vision.opening import ToTensor
from lamina.vision.targets.points import PointScaler

DRAWS = 200
HEIGHT, WIDTH = 90, 120
ITEM = [
    [Resize(96)],
    [Resize((80, 100), "squish"), FlipItem()],
    [Resize(96, "pad", "zeros"), FlipItem()],
    [RandomResizedCrop((96, 80), min_scale=0.6), FlipItem()],
]
BATCH = [
    [],
    [Dihedral()],
    aug_transforms(pad_mode="zeros", max_rotate=30.0, max_lighting=0.0),
    aug_transforms(pad_mode="zeros", size=(72, 104), max_lighting=0.0),
]


def scene(seed: int) -> tuple[PILImage, PILMask, TensorPoint, TensorBBox]:
    """A white rectangle on black; its mask, its centre and its box."""
    rng = np.random.default_rng(seed)
    left, top = rng.integers(30, 60), rng.integers(25, 45)
    right, bottom = left + rng.integers(12, 30), top + rng.integers(12, 30)
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[top:bottom, left:right] = 1
    centre = TensorPoint([[(left + right) / 2, (top + bottom) / 2]])
    image = PILImage.create(np.stack([pixels * 255] * 3, -1))
    return image, PILMask.create(pixels), centre, TensorBBox([[left, top, right, bottom]])


def drawn(seed: int, item_tfms: list, batch_tfms: list) -> tuple:
    with using(Randomness(seed)):
        item = Pipeline([PointScaler(), *item_tfms, ToTensor()], split_idx=0)(scene(seed))
        image, *rest = collate([item])
        return Pipeline(batch_tfms, split_idx=0)((TensorImage(image / 255), *rest))


def assert_together(image, mask, point, box) -> None:
    height, width = mask.shape[-2:]
    (x, y), edges = in_pixels(point)[0, 0].tolist(), in_pixels(box)[0, 0]
    assert mask[0, int(y), int(x)] == 1
    assert image[0, 0, int(y), int(x)] > 0.9
    rows, columns = plain(mask)[0].nonzero().unbind(1)
    seen = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    limits = torch.tensor([width, height, width, height])
    expected = torch.minimum(edges.clamp(min=0), limits)
    assert (seen - expected).abs().max() < 2.5, (seen, expected)
    assert ((plain(image)[0, 0] > 0.5) != plain(mask)[0].bool()).float().mean() < 0.02


def is_within(box: TensorBBox) -> bool:
    return bool((plain(box).abs() < 0.97).all())


@pytest.mark.parametrize("item_tfms", ITEM, ids=lambda tfms: type(tfms[0]).__name__)
@pytest.mark.parametrize("batch_tfms", BATCH, ids=len)
def test_all_parts_move_together(item_tfms, batch_tfms):
    n_within = 0
    for seed in range(DRAWS):
        parts = drawn(seed, item_tfms, batch_tfms)
        assert list(map(type, parts)) == [TensorImage, TensorMask, TensorPoint, TensorBBox]
        if is_within(parts[3]):
            n_within += 1
            assert_together(*parts)
    assert n_within > DRAWS / 3


@pytest.mark.parametrize("item_tfms", ITEM, ids=lambda tfms: type(tfms[0]).__name__)
def test_coordinates_know_the_size_of_their_picture(item_tfms):
    for batch_tfms in BATCH:
        image, _, point, box = drawn(0, item_tfms, batch_tfms)
        size = image.shape[-1], image.shape[-2]
        assert point.meta.size == box.meta.size == size
