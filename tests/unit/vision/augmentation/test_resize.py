from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import Randomness, using
from lamina.vision.augmentation.resize import (
    RESAMPLES,
    CropPad,
    RandomCrop,
    RandomResizedCrop,
    RatioResize,
    Resize,
    image_size,
)
from lamina.vision.augmentation.symmetry import FlipItem
from lamina.vision.images import PILImage, PILMask

Pair = namedtuple("Pair", "image mask")  # noqa: PYI024  # untyped on purpose


def gradient(width: int, height: int) -> np.ndarray:
    """Red grows from left to right, green from top to bottom; blue is zero."""
    x = np.linspace(0, 255, width).round().astype(np.uint8)
    y = np.linspace(0, 255, height).round().astype(np.uint8)
    return np.stack([*np.meshgrid(x, y), np.zeros((height, width), np.uint8)], -1)


def pair(width: int = 96, height: int = 64) -> tuple[PILImage, PILMask]:
    """A picture, and a mask with the same values as its red channel."""
    pixels = gradient(width, height)
    return PILImage.create(pixels), PILMask.create(pixels[..., 0])


def seeded(tfm, item, seed: int = 0, split_idx: int = 0):
    with using(Randomness(seed)):
        return tfm(item, split_idx=split_idx)


def plain_resize(file: Path, size: int) -> np.ndarray:
    im = Image.open(file).convert("RGB")
    return np.asarray(im.resize((size, size), Image.Resampling.BILINEAR), dtype=float)


TRANSFORMS = [
    Resize((40, 56)),
    Resize((40, 56), "squish"),
    Resize((40, 56), "pad"),
    Resize((40, 56), "pad", "zeros"),
    Resize((40, 56), "pad", "border"),
    RandomResizedCrop((40, 56), min_scale=0.3),
    CropPad((40, 56)),
    RandomCrop((40, 56), "border"),
]


@pytest.mark.parametrize("tfm", TRANSFORMS, ids=repr)
@pytest.mark.parametrize("split_idx", [0, 1, None])
@pytest.mark.parametrize("size", [(96, 64), (64, 96), (30, 20), (56, 40), (1, 300)])
def test_the_size_is_height_and_width(tfm, split_idx, size):
    for part in seeded(tfm, pair(*size), split_idx=split_idx):
        assert part.size == (56, 40)


@pytest.mark.parametrize("tfm", TRANSFORMS, ids=repr)
@pytest.mark.parametrize("seed", range(8))
def test_a_picture_and_its_mask_agree(tfm, seed):
    image, mask = seeded(tfm, pair(), seed)
    red = np.asarray(image)[..., 0].astype(int)
    assert np.abs(red - np.asarray(mask)).max() <= 8  # one pixel of the gradient, both ways


def test_squish_shows_everything():
    im = np.asarray(Resize(32, "squish")(pair()[0]))
    assert im[0, 0].max() < 8
    assert im[-1, -1, :2].min() > 247


@pytest.mark.parametrize("split_idx", [1, None])
def test_crop_is_in_the_middle_outside_training(split_idx):
    im = np.asarray(seeded(Resize(64), pair()[0], split_idx=split_idx))
    np.testing.assert_array_equal(im, gradient(96, 64)[:, 16:80])


def test_crop_is_anywhere_in_training():
    lefts = [int(np.asarray(seeded(Resize(64), pair()[0], s))[0, 0, 0]) for s in range(60)]
    assert min(lefts) < 10
    assert max(lefts) > 75  # at most a third of 255


@pytest.mark.parametrize(
    ("pad_mode", "row"), [("zeros", [0, 0]), ("border", [10, 10]), ("reflection", [30, 20])]
)
def test_pad_fills_up(pad_mode, row):
    im = PILMask.create(np.repeat(np.array([[10], [20], [30], [40]], np.uint8), 8, axis=1))
    padded = np.asarray(Resize(8, "pad", pad_mode)(im))
    assert padded[:2, 0].tolist() == row
    np.testing.assert_array_equal(padded[2:6], np.asarray(im))


@pytest.mark.parametrize("tfm", [Resize(32), RandomResizedCrop(32)], ids=repr)
def test_the_same_seed_gives_the_same_picture(tfm):
    first, again, other = (np.asarray(seeded(tfm, pair()[0], s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("seed", range(20))
def test_a_random_crop_keeps_to_its_limits(seed):
    place = seeded_place(RandomResizedCrop(32, min_scale=0.25, max_scale=0.5), seed)
    left, top, right, bottom = place.box
    assert 0 <= left < right <= 1 + 1e-9
    assert 0 <= top < bottom <= 1 + 1e-9
    assert 0.25 - 1e-9 <= (right - left) * (bottom - top) <= 0.5 + 1e-9
    assert 3 / 4 - 1e-9 <= (right - left) * 96 / ((bottom - top) * 64) <= 4 / 3 + 1e-9


def seeded_place(tfm, seed: int):
    return tfm.place(96, 64, Randomness(seed).python)


def test_outside_training_a_random_crop_shows_the_middle():
    left, top, right, bottom = RandomResizedCrop(224).place(400, 400, None).box
    assert (left + right, top + bottom) == pytest.approx((1, 1))
    assert right - left == pytest.approx(224 / 256)


@pytest.mark.parametrize("size", [64, 100, 128, 224])
def test_a_picture_decoded_smaller_looks_the_same(photos: Path, size: int):
    tfm = Resize(size, "squish")
    differences = [
        np.abs(np.asarray(tfm(PILImage.create(file)), dtype=float) - plain_resize(file, size))
        for file in photos.glob("*.jpg")
    ]
    assert len(differences) == 10
    assert np.mean([d.mean() for d in differences]) < 1.5
    assert max(d.mean() for d in differences) < 3


def test_a_picture_that_is_not_loaded_stays_as_it_is(photos: Path):
    im = PILImage.create(photos / "cat.jpg")
    first = np.asarray(Resize(100)(im))
    assert im.size == (480, 320)
    np.testing.assert_array_equal(np.asarray(Resize(100)(im)), first)
    assert np.asarray(im).shape == (320, 480, 3)


def test_a_mask_is_never_decoded_smaller(photos: Path):
    mask = PILMask.create(photos / "cat.jpg")
    Resize(100)(mask)
    assert mask.size == (480, 320)


@pytest.mark.parametrize("shrink", [1.3, 2.5, 3, 4.8, 7.5, 10, 18])
def test_a_resize_is_within_two_grey_levels_of_pillow_s(photos: Path, shrink: float):
    files = sorted(photos.glob("*.jpg"))
    differences = [reduced_difference(file, shrink) for file in files]
    assert np.mean(differences) < 2


def reduced_difference(file: Path, shrink: float) -> float:
    """How far a picture brought down in both directions alike is from Pillow's, on average."""
    im = Image.open(file).convert("RGB")
    width, height = (round(n / shrink) for n in im.size)
    expected = np.asarray(im.resize((width, height), Image.Resampling.BILINEAR), dtype=float)
    ours = Resize((height, width), "squish")(PILImage.create(file))
    return np.abs(np.asarray(ours) - expected).mean()


@pytest.mark.parametrize("seed", range(12))
def test_a_part_of_a_file_is_what_the_part_of_the_whole_is(photos: Path, seed: int):
    file, tfm = photos / "cat.jpg", RandomResizedCrop(200, min_scale=0.1)
    loaded = PILImage.create(file)
    loaded.load()
    of_file = np.asarray(seeded(tfm, PILImage.create(file), seed))
    np.testing.assert_array_equal(of_file, np.asarray(seeded(tfm, loaded, seed)))


@pytest.mark.parametrize("seed", range(6))
def test_flip_mirrors_all_or_none(seed):
    image, mask = seeded(FlipItem(), pair(), seed)
    mirrored = seeded(FlipItem(1.0), pair())
    expected = mirrored if np.asarray(mask)[0, 0] else pair()
    for part, same in zip((image, mask), expected, strict=True):
        np.testing.assert_array_equal(np.asarray(part), np.asarray(same))


def test_flip_is_exact_and_only_in_training():
    image = pair()[0]
    np.testing.assert_array_equal(
        np.asarray(seeded(FlipItem(1.0), image)), np.asarray(image)[:, ::-1]
    )
    assert seeded(FlipItem(1.0), image, split_idx=1) is image


@pytest.mark.parametrize("tfm", [Resize(8), RandomResizedCrop(8), FlipItem(1.0)], ids=repr)
def test_strangers_and_the_tuple_s_class_are_kept(tfm):
    done = seeded(tfm, Pair(pair()[0], "label"))
    assert type(done) is Pair
    assert done.mask == "label"
    assert seeded(tfm, "label") == "label"


def test_unknown_methods_are_refused():
    with pytest.raises(ContractError, match=r"method='stretch'. Choose one of \('crop', 'squish'"):
        Resize(8, "stretch")
    with pytest.raises(ContractError, match=r"pad_mode='mirror'. Choose one of"):
        Resize(8, "pad", "mirror")
    with pytest.raises(ContractError, match=r"RandomCrop: pad_mode='mirror'. Choose one of"):
        RandomCrop(8, "mirror")


def test_a_size_is_a_square_or_height_and_width():
    assert image_size(8) == (8, 8)
    assert image_size((8, 4)) == (4, 8)


@pytest.mark.parametrize("size", [0, -1, (8, 0)])
def test_a_size_is_a_pixel_or_more(size):
    with pytest.raises(ContractError, match=r"^size=.+\. Give 1 pixel or more"):
        Resize(size)(PILImage.wrap(Image.new("RGB", (10, 10))))


@pytest.mark.parametrize("tfm", [CropPad((40, 56)), RandomCrop((40, 56))], ids=repr)
def test_a_cut_shows_the_middle_pixel_by_pixel(tfm):
    im = np.asarray(seeded(tfm, pair()[0], split_idx=1))
    np.testing.assert_array_equal(im, gradient(96, 64)[12:52, 20:76])


@pytest.mark.parametrize("seed", range(8))
def test_a_random_cut_is_a_part_of_the_picture(seed: int):
    im = np.asarray(seeded(RandomCrop((40, 56)), pair()[0], seed))
    whole = gradient(96, 64)
    (top,), (left,) = (np.flatnonzero(v == e) for v, e in edges_of(whole, im))
    np.testing.assert_array_equal(im, whole[top : top + 40, left : left + 56])


def edges_of(whole: np.ndarray, part: np.ndarray):
    """Both gradients, down and across, and where the part starts in them."""
    return (whole[:, 0, 1], part[0, 0, 1]), (whole[0, :, 0], part[0, 0, 0])


def test_a_cut_fills_up_what_is_smaller():
    im = PILMask.create(np.full((2, 3), 9, np.uint8))
    cut = np.asarray(CropPad((4, 5))(im))
    assert cut.sum() == 9 * 6
    assert cut[1:3, 1:4].min() == 9
    assert np.asarray(CropPad((4, 5), "border")(im)).min() == 9


@pytest.mark.parametrize(
    ("size", "expected"), [((96, 64), (48, 32)), ((30, 60), (24, 48)), ((1000, 1), (48, 1))]
)
def test_a_ratio_resize_keeps_the_aspect(size, expected):
    assert RatioResize(48)(pair(*size)[0]).size == expected


@pytest.mark.parametrize("how", RESAMPLES)
def test_pictures_are_resampled_as_pillow_does(how: str):
    pixels = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    ours = np.asarray(
        Resize((20, 30), "squish", resamples=(how, "nearest"))(PILImage.create(pixels))
    )
    theirs = Image.fromarray(pixels).resize((30, 20), Image.Resampling[how.upper()])
    assert np.abs(ours.astype(int) - np.asarray(theirs)).max() <= 1


def test_masks_have_a_way_of_their_own():
    resize = Resize((20, 30), "squish", resamples=("nearest", "bilinear"))
    _, mask = resize(pair(90, 60))
    assert not set(np.unique(resize(PILMask.create(np.eye(60, dtype=np.uint8) * 9)))) <= {0, 9}
    assert mask.size == (30, 20)


@pytest.mark.parametrize("kind", [Resize, RandomResizedCrop, RatioResize])
def test_constants_of_pillow_are_names(kind):
    given = Image.Resampling.BICUBIC, Image.Resampling.NEAREST
    assert kind(30, resamples=given).resamples == ("bicubic", "nearest")
    with pytest.raises(ContractError, match=r"resamples='bilinaer'. Choose one of \('nearest'"):
        kind(30, resamples=("bilinaer", "nearest"))
