"""Laws that hold for every item and batch transform of vision."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.foundation.seeding import Randomness, using
from lamina.tensor.bundle import read_bundle, write_bundle
from lamina.tensor.types import (
    PointsMeta,
    TensorBase,
    TensorBBox,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorPoint,
    plain,
)
from lamina.vision.augmentation.augment import SpatialChain, aug_transforms
from lamina.vision.augmentation.erasing import RandomErasing
from lamina.vision.augmentation.lighting import Brightness, Contrast, Hue, Lighting, Saturation
from lamina.vision.augmentation.policies import RandAugment, TrivialAugment
from lamina.vision.augmentation.resize import (
    CropPad,
    RandomCrop,
    RandomResizedCrop,
    RatioResize,
    Resize,
)
from lamina.vision.augmentation.spatial import (
    DeterministicDihedral,
    Dihedral,
    Flip,
    RandomResizedCropGPU,
    Rotate,
    Warp,
    Zoom,
)
from lamina.vision.augmentation.symmetry import DihedralItem, FlipItem
from lamina.vision.images import PILBase, PILImage, PILImageBW, PILMask
from lamina.vision.opening import OpenImage, ToTensor

ITEM = [
    Resize(24),
    Resize((16, 24), "squish"),
    Resize((16, 24), "pad", "border"),
    RandomResizedCrop(24, min_scale=0.4),
    FlipItem(),
    DihedralItem(),
    CropPad((16, 24), "reflection"),
    RandomCrop(24),
    RatioResize(20),
    RandAugment(),
    TrivialAugment(),
]
BATCH = [
    Flip(),
    Dihedral(),
    Rotate(20.0, size=(16, 24)),
    Zoom(1.0, 1.5),
    RandomResizedCropGPU((16, 24)),
    DeterministicDihedral(),
    Warp(0.3, pad_mode="zeros"),
    SpatialChain([Flip(), Rotate()], size=24),
    Brightness(),
    Contrast(),
    Saturation(),
    Hue(),
    Lighting(0.3, 0.3, 0.3, hue=0.2, batch=True),
    *aug_transforms(size=24, mult=1.5, flip_vert=True, min_scale=0.6),
]
OPENING = [OpenImage(), OpenImage(PILImageBW), ToTensor()]
SPLITS = st.sampled_from([0, 1, 2, None])
SEEDS = st.integers(0, 2**64 - 1)
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def items(draw) -> tuple[Any, ...]:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    values = np.random.default_rng(draw(SEEDS)).integers(0, 256, (height, width, 3), np.uint8)
    image, mask = PILImage.create(values), PILMask.create(values[..., 0] // 32)
    points = TensorPoint([[-0.5, 0.25]], meta=PointsMeta(image.size))
    boxes = TensorBBox([[-0.5, -0.5, 0.25, 1.0]], meta=PointsMeta(image.size))
    return image, mask, points, boxes, "label"


@st.composite
def batches(draw) -> tuple[TensorBase, ...]:
    n, height, width = (draw(st.integers(1, most)) for most in (4, 40, 40))
    made = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    points = torch.rand(n, 2, 2, generator=made) * 2 - 1
    return (
        TensorImage(torch.rand(n, 3, height, width, generator=made)),
        TensorMask(torch.randint(0, 8, (n, height, width), generator=made)),
        TensorPoint(points),
        TensorBBox(torch.cat([points, points + 0.3], -1)),
        TensorCategory(torch.arange(n)),
    )


def apply(tfm, x, seed: int, split_idx: int | None):
    with using(Randomness(seed)):
        return tfm(x, split_idx=split_idx)


def values(x) -> list[np.ndarray]:
    parts = x if isinstance(x, tuple) else (x,)
    return [np.asarray(plain(p)) for p in parts]


def assert_same(a, b) -> None:
    for one, two in zip(values(a), values(b), strict=True):
        np.testing.assert_array_equal(one, two)


def reloaded(tfm, folder: Path) -> list:
    """Return a transform after a journey through a saved file, and through pickle."""
    file = write_bundle(folder / "tfm.bundle", tfm, kind="transform")
    return [read_bundle(file).object, pickle.loads(pickle.dumps(tfm))]


def examples_of(tfm):
    if tfm in OPENING:
        return items().map(lambda item: (np.asarray(item[0]) if tfm in OPENING[:2] else item[0],))
    return items() if tfm in ITEM else batches()


ERASING = [RandomErasing(), RandomErasing(1.0, 0.1, max_count=3)]


every = pytest.mark.parametrize("tfm", [*ITEM, *BATCH, *ERASING, *OPENING], ids=repr)
random_ones = pytest.mark.parametrize("tfm", [*ITEM, *BATCH, *ERASING], ids=repr)


@every
def test_a_saved_or_pickled_transform_does_the_same(tfm, tmp_path_factory):
    copies = reloaded(tfm, tmp_path_factory.mktemp("saved"))

    @few
    @given(examples_of(tfm), SEEDS)
    def law(x, seed):
        for copy in copies:
            assert repr(copy) == repr(tfm)
            assert_same(apply(copy, x, seed, 0), apply(tfm, x, seed, 0))

    law()


@random_ones
def test_the_same_seed_gives_the_same_result_whatever_ran_before(tfm):
    @few
    @given(examples_of(tfm), SEEDS, SPLITS)
    def law(x, seed, split_idx):
        first = apply(tfm, x, seed, split_idx)
        apply(tfm, x, seed + 1, 0)
        assert_same(apply(tfm, x, seed, split_idx), first)

    law()


@random_ones
def test_nothing_touches_the_input_or_the_global_generators(tfm):
    @few
    @given(examples_of(tfm), SEEDS)
    def law(x, seed):
        before, state = [v.copy() for v in values(x)], torch.get_rng_state()
        apply(tfm, x, seed, 0)
        for old, now in zip(before, values(x), strict=True):
            np.testing.assert_array_equal(old, now)
        assert torch.equal(torch.get_rng_state(), state)

    law()


@pytest.mark.parametrize("tfm", [*ITEM, *BATCH, ToTensor()], ids=repr)
@pytest.mark.parametrize("split_idx", [0, 1, None])
def test_strangers_are_untouched(tfm, split_idx):
    stranger = object()
    assert apply(tfm, stranger, 0, split_idx) is stranger
    assert apply(tfm, (stranger, 3), 0, split_idx) == (stranger, 3)


@random_ones
def test_types_stay(tfm):
    @few
    @given(examples_of(tfm), SEEDS, SPLITS)
    def law(x, seed, split_idx):
        assert list(map(type, apply(tfm, x, seed, split_idx))) == list(map(type, x))

    law()


def is_whole(tfm) -> bool:
    """Whether a batch transform shows everything outside training."""
    return not any(isinstance(t, RandomResizedCropGPU) for t in getattr(tfm, "tfms", [tfm]))


@pytest.mark.parametrize("tfm", BATCH, ids=repr)
def test_outside_training_only_the_size_changes(tfm):
    @few
    @given(batches(), SEEDS, st.sampled_from([1, 2, None]))
    def law(x, seed, split_idx):
        image, mask, *rest = apply(tfm, x, seed, split_idx)
        if getattr(tfm, "size", None) is None:
            assert image is x[0]
        assert image.shape[2:] == mask.shape[1:]
        for new, old in zip(rest, x[2:], strict=True) if is_whole(tfm) else ():
            torch.testing.assert_close(plain(new), plain(old))

    law()


@pytest.mark.parametrize("tfm", ITEM, ids=repr)
def test_outside_training_nothing_is_random(tfm):
    @few
    @given(items(), SEEDS, st.sampled_from([1, 2, None]))
    def law(x, seed, split_idx):
        assert_same(apply(tfm, x, seed, split_idx), apply(tfm, x, seed + 1, split_idx))

    law()


@pytest.mark.parametrize("tfm", [*ITEM, *BATCH], ids=repr)
def test_images_stay_in_range_and_masks_invent_no_class(tfm):
    @few
    @given(examples_of(tfm), SEEDS)
    def law(x, seed):
        image, mask = values(apply(tfm, x, seed, 0))[:2]
        assert image.min() >= 0
        assert image.max() <= (255 if isinstance(x[0], PILBase) else 1 + 1e-5)
        assert set(np.unique(mask)) <= set(np.unique(values(x)[1])) | {0}

    law()


def item_with_a_box() -> tuple[Any, ...]:
    """A white rectangle on black, the same as a mask, its middle and its box."""
    marks = np.zeros((64, 96), np.uint8)
    marks[20:40, 30:70] = 1
    image, mask = PILImage.create(np.stack([marks * 255] * 3, -1)), PILMask.create(marks)
    box = torch.tensor([[30 / 48 - 1, 20 / 32 - 1, 70 / 48 - 1, 40 / 32 - 1]])
    meta = PointsMeta(image.size)
    middle = (box[:, :2] + box[:, 2:]) / 2
    return image, mask, TensorPoint(middle, meta=meta), TensorBBox(box, meta=meta)


PLACING = [t for t in ITEM if not isinstance(t, RandAugment | TrivialAugment)]


@pytest.mark.parametrize("tfm", PLACING, ids=repr)
def test_the_parts_of_an_item_agree_under_200_draws(tfm):
    for seed in range(200):
        image, mask, point, box = apply(tfm, item_with_a_box(), seed, 0)
        width, height = image.size
        marks, white = np.asarray(mask), np.asarray(image)[..., 0] > 127
        assert (marks != white).mean() < 0.06
        size = torch.tensor([width, height])
        assert point.meta == box.meta == PointsMeta((width, height))
        (left, top), (right, bottom) = ((plain(box).view(2, 2) + 1) / 2 * size).tolist()
        ys, xs = marks.nonzero()
        if len(xs):
            assert (left - 1 <= xs.min() + 0.5) & (xs.max() + 0.5 <= right + 1)
            assert (top - 1 <= ys.min() + 0.5) & (ys.max() + 0.5 <= bottom + 1)
        x, y = ((plain(point)[0] + 1) / 2 * size).tolist()
        if 1 < x < width - 1 and 1 < y < height - 1:
            assert marks[int(y), int(x)] == 1
