from collections import namedtuple

import pytest
import torch

from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import (
    PointsMeta,
    TensorBBox,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorPoint,
    plain,
)
from lamina.vision.augmentation.augment import SpatialChain, aug_transforms
from lamina.vision.augmentation.geometry import identity_matrix
from lamina.vision.augmentation.lighting import Brightness, Contrast, Lighting, Saturation
from lamina.vision.augmentation.spatial import (
    DeterministicFlip,
    Dihedral,
    Flip,
    RandomResizedCropGPU,
    Rotate,
    Warp,
    Zoom,
)

SPATIAL = [
    Flip(1.0),
    Dihedral(1.0),
    Rotate(40, 1.0),
    Zoom(1.0, 1.5, 1.0),
    Warp(0.3, 1.0),
    RandomResizedCropGPU(None, 0.5),
    SpatialChain(
        [
            Flip(),
            Warp(0.2, 0.8),
            Rotate(20, 0.8),
            Zoom(1, 1.3, 0.8),
            RandomResizedCropGPU(None, 0.6),
        ]
    ),
]
Pair = namedtuple("Pair", "x y")  # noqa: PYI024  # untyped on purpose


def seeded(tfm, x, seed: int = 0, split_idx: int | None = 0):
    with using(Randomness(seed)):
        return tfm(x, split_idx=split_idx)


def images(n: int = 4, height: int = 32, width: int = 48) -> TensorImage:
    values = torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(n))
    return TensorImage(values)


def blob(n: int, height: int = 96, width: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    """A rectangle of ones in each picture, and its box from -1 to 1."""
    pixels, boxes = torch.zeros(n, height, width), []
    for i in range(n):
        left, top, right, bottom = 30 + 3 * i, 20 + 2 * i, 70 + 3 * i, 50 + 2 * i
        pixels[i, top:bottom, left:right] = 1
        boxes.append([[left / 64 - 1, top / 48 - 1, right / 64 - 1, bottom / 48 - 1]])
    return pixels, torch.tensor(boxes)


@pytest.mark.parametrize("tfm", SPATIAL, ids=repr)
@pytest.mark.parametrize("seed", range(5))
def test_image_mask_points_and_boxes_agree(tfm, seed: int):
    pixels, boxes = blob(6)
    centre = TensorPoint((boxes[..., :2] + boxes[..., 2:]) / 2)
    given = TensorImage(pixels[:, None]), TensorMask(pixels.long()), centre, TensorBBox(boxes)
    image, mask, points, moved = map(plain, seeded(tfm, given, seed))
    assert ((image[:, 0] > 0.5) == mask.bool()).float().mean() > 0.998
    for i in range(6):
        x, y = pixel_of(points[i, 0], mask[i].shape)
        assert mask[i, y, x] == 1
        covers(moved[i, 0], mask[i], hull_is_tight=isinstance(tfm, Flip | Dihedral | Zoom))


def pixel_of(point: torch.Tensor, size: torch.Size) -> tuple[int, int]:
    height, width = size
    return int((point[0] + 1) / 2 * width), int((point[1] + 1) / 2 * height)


def covers(box: torch.Tensor, mask: torch.Tensor, *, hull_is_tight: bool) -> None:
    """Check that a box holds all pixels of a mask that is inside the picture, within a pixel."""
    height, width = mask.shape
    ys, xs = mask.nonzero(as_tuple=True)
    seen = torch.stack([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).float()
    px = (box + 1) / 2 * torch.tensor([width, height, width, height])
    bounds = torch.tensor([width, height, width, height]).float()
    inside = px.clamp(min=torch.zeros(4), max=bounds)
    assert (inside[:2] <= seen[:2] + 1).all()
    assert (inside[2:] >= seen[2:] - 1).all()
    if hull_is_tight:
        assert (inside - seen).abs().max() <= 1.5


@pytest.mark.parametrize("tfm", SPATIAL, ids=repr)
def test_the_same_seed_gives_the_same_batch(tfm):
    first, again, other = (plain(seeded(tfm, images(8), s)) for s in (1, 1, 2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert isinstance(tfm, Flip) or not torch.equal(first, other)


@pytest.mark.parametrize("tfm", SPATIAL[2:], ids=repr)
def test_every_item_has_its_own_draw(tfm):
    same = TensorImage(images(1).expand(8, -1, -1, -1))
    out = seeded(tfm, same)
    assert len({tuple(x.flatten().tolist()) for x in plain(out)}) > 4


@pytest.mark.parametrize("tfm", [*SPATIAL, Lighting(0.3, 0.3, 0.3)], ids=repr)
@pytest.mark.parametrize("split_idx", [1, 2, None])
def test_only_training_is_changed(tfm, split_idx):
    x = images()
    assert seeded(tfm, x, split_idx=split_idx) is x


def test_a_size_holds_in_every_split():
    for split_idx in (0, 1, None):
        given = images(), TensorMask(torch.zeros(4, 32, 48, dtype=torch.long))
        image, mask = seeded(Rotate(size=(20, 24)), given, split_idx=split_idx)
        assert image.shape == (4, 3, 20, 24)
        assert mask.shape == (4, 20, 24)


def test_a_size_alone_only_resizes():
    (tfm,) = aug_transforms(
        do_flip=False, max_rotate=0, max_zoom=1, max_warp=0, max_lighting=0, size=16
    )
    x = images(2, 32, 32)
    expected = torch.nn.functional.avg_pool2d(plain(x), 2)
    for split_idx in (0, 1):
        torch.testing.assert_close(plain(seeded(tfm, x, split_idx=split_idx)), expected)


def test_a_chain_multiplies_the_matrices_of_its_parts():
    chain = SPATIAL[-1]
    with using(Randomness(3)):
        product = chain.matrices(5, 0.75)
    with using(Randomness(3)):
        first, *rest = [t.matrices(5, 0.75) for t in chain.tfms]
    for matrix in rest:
        first = first @ matrix
    torch.testing.assert_close(product, first)


def test_a_chain_of_nothing_is_the_identity():
    torch.testing.assert_close(SpatialChain().matrices(2, 1.0), identity_matrix(2))


@pytest.mark.parametrize("tfm", [t(p=0.0) for t in (Flip, Dihedral, Rotate, Zoom, Warp)], ids=repr)
def test_no_probability_is_the_identity(tfm):
    torch.testing.assert_close(tfm.matrices(4, 1.0), identity_matrix(4))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_a_mask_keeps_its_values_and_type(dtype: torch.dtype):
    mask = TensorMask(torch.randint(0, 7, (4, 32, 32)).to(dtype) * 30)
    out = seeded(SPATIAL[-1], (images(4, 32, 32), mask))[1]
    assert out.dtype == dtype
    assert set(out.unique().tolist()) <= set(mask.unique().tolist())


def test_a_flip_of_a_mask_is_exact():
    mask = TensorMask(torch.randint(0, 9, (3, 30, 50)))
    assert torch.equal(plain(seeded(Flip(1.0), mask)), plain(mask).flip(-1))


def test_types_metadata_and_strangers_are_kept():
    meta = PointsMeta(size=(48, 32))
    points = TensorPoint(torch.zeros(4, 2, 2), meta=meta)
    label = TensorCategory(torch.arange(4))
    out = seeded(SPATIAL[-1], (images(), points, label, "text"))
    assert [type(o) for o in out] == [TensorImage, TensorPoint, TensorCategory, str]
    assert out[1].meta == meta
    assert out[2] is label
    assert type(seeded(Flip(), Pair(images(), label))) is Pair


@pytest.mark.parametrize("tfm", [Flip(1.0), Brightness()])
@pytest.mark.parametrize("x", [torch.rand(3, 8, 8), torch.ones(2, 3, 8, 8, dtype=torch.uint8)])
def test_what_is_no_batch_of_floats_is_refused(tfm, x):
    with pytest.raises(ContractError, match=r"image of shape .* Expected floats \(b, c"):
        seeded(tfm, TensorImage(x))


def test_without_a_picture_nothing_happens():
    points = TensorPoint(torch.zeros(4, 2, 2))
    assert seeded(Flip(1.0), points) is points
    assert seeded(Brightness(), "text") == "text"


def test_light_is_the_same_for_all_images_of_an_item():
    x, y = seeded(Lighting(0.5, 0.5, 0.5, p=1.0), (images(), images()))
    torch.testing.assert_close(plain(x), plain(y), rtol=0, atol=0)


@pytest.mark.parametrize("tfm", [Brightness(0.5, 1), Contrast(0.5, 1), Saturation(0.5, 1)])
def test_light_changes_and_stays_in_range(tfm):
    x = images()
    out = plain(seeded(tfm, x))
    assert ((out >= 0) & (out <= 1)).all()
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in zip(out, plain(x), strict=True))


def test_light_with_no_amount_or_chance_is_the_identity():
    x = images()
    for tfm in (Lighting(), Lighting(0.5, 0.5, 0.5, p=0.0)):
        torch.testing.assert_close(plain(seeded(tfm, x)), plain(x), rtol=0, atol=1e-6)


def test_a_chain_with_light_is_the_chain_and_then_the_light():
    x, light = images(), Lighting(0.4, 0.4, 0.4)
    together = seeded(SpatialChain([Rotate()], light), x)
    with using(Randomness(0)):
        apart = light(SpatialChain([Rotate()])(x, split_idx=0), split_idx=0)
    torch.testing.assert_close(plain(together), plain(apart), rtol=0, atol=0)


def test_light_alone_needs_no_chain():
    off = {"do_flip": False, "max_rotate": 0, "max_zoom": 1, "max_warp": 0}
    (light,) = aug_transforms(**off)
    assert isinstance(light, Lighting)


def test_brightness_is_as_far_up_as_down():
    grey = TensorImage(torch.full((2000, 1, 1, 1), 0.5))
    out = plain(seeded(Brightness(0.2, p=1.0), grey)).flatten()
    assert (out.min().item(), out.max().item()) == pytest.approx((0.4, 0.6), abs=2e-3)
    assert out.mean().item() == pytest.approx(0.5, abs=5e-3)


def test_the_usual_augmentation():
    (chain,) = aug_transforms(size=24)
    light = chain.light
    assert [type(t) for t in chain.tfms] == [Flip, Warp, Rotate, Zoom]
    assert (chain.size, chain.mode, chain.pad_mode) == (24, "bilinear", "reflection")
    assert (light.brightness, light.contrast, light.saturation, light.p) == (0.2, 0.2, 0.0, 0.75)


def test_options_of_the_usual_augmentation():
    chain, extra = aug_transforms(
        mult=2, flip_vert=True, p_affine=0.5, p_lighting=0.6, max_zoom=1.0, xtra_tfms=[Flip()]
    )
    assert repr(chain.tfms) == repr([Dihedral(), Warp(0.4, 0.5), Rotate(20.0, 0.5)])
    assert (chain.light.contrast, chain.light.p) == (0.4, 0.6)
    assert isinstance(extra, Flip)


def test_everything_can_be_off():
    off = {"do_flip": False, "max_rotate": 0, "max_zoom": 1, "max_warp": 0, "max_lighting": 0}
    assert aug_transforms(**off) == []


def test_an_unknown_option_is_refused_with_the_closest():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'max_rotate'"):
        aug_transforms(max_rotation=10)


def test_amounts_that_make_no_sense_are_refused():
    with pytest.raises(ContractError, match=r"Warp: magnitude=0.8. Expected 0 to 0.5"):
        Warp(0.8)
    with pytest.raises(ContractError, match=r"Lighting: contrast=1.0. Expected 0 \(off\)"):
        Contrast(1.0)


def test_a_perspective_of_the_largest_magnitude_has_no_horizon():
    corners = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]])
    with using(Randomness(0)):
        depth = (Warp(0.5, 1.0).matrices(1000, 1.0) @ corners.mT)[:, 2]
    assert depth.min() > 0


def test_a_chain_crops_in_the_middle_outside_training():
    chain = SpatialChain([Flip(), RandomResizedCropGPU(None, valid_scale=0.5)], size=4)
    x = TensorImage(torch.arange(8.0).expand(1, 1, 8, 8))
    torch.testing.assert_close(
        plain(chain(x, split_idx=1)[0, 0, 0]), torch.tensor([2.0, 3.0, 4.0, 5.0])
    )


def test_the_usual_augmentation_can_crop():
    (chain,) = aug_transforms(size=(24, 48), min_scale=0.5, batch=True)
    crop = chain.tfms[-1]
    assert (crop.min_scale, crop.ratio, chain.batch, chain.light.batch) == (
        *(0.5, (2.0, 2.0)),
        *(True, True),
    )
    with pytest.raises(ContractError, match=r"min_scale=0.5 without a size. Give size="):
        aug_transforms(min_scale=0.5)


def test_versions_reach_the_parts_of_a_chain():
    chain = SpatialChain([DeterministicFlip()])
    chain.set_version(1)
    assert chain.matrices(1, 1.0)[0, 0, 0] == -1
