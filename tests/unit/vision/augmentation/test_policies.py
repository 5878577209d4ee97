import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import PointsMeta, TensorBBox, TensorPoint, plain
from lamina.vision.augmentation.policies import (
    OPERATIONS,
    RandAugment,
    TrivialAugment,
    changed,
)
from lamina.vision.images import PILImage, PILMask

POLICIES = [RandAugment(), RandAugment(3, 25.0), TrivialAugment()]


def item():
    """A white square on black as image and mask, its middle and its box."""
    marks = np.zeros((60, 80), np.uint8)
    marks[20:40, 30:50] = 1
    box = torch.tensor([[30 / 40 - 1, 20 / 30 - 1, 50 / 40 - 1, 40 / 30 - 1]])
    meta = PointsMeta((80, 60))
    middle = TensorPoint((box[:, :2] + box[:, 2:]) / 2, meta=meta)
    image = PILImage.create(np.stack([marks * 255] * 3, -1))
    return image, PILMask.create(marks), middle, TensorBBox(box, meta=meta)


MOVES = {"ShearX": 0.3, "ShearY": -0.3, "TranslateX": 0.2, "TranslateY": -0.1, "Rotate": 25.0}


@pytest.mark.parametrize(("name", "amount"), MOVES.items())
def test_everything_moves_together(name: str, amount: float):
    image, mask, point, box = changed(item(), name, amount)
    marks = np.asarray(mask)
    assert ((np.asarray(image)[..., 0] > 127) == marks).mean() > 0.99
    assert (marks != np.asarray(item()[1])).any()
    x, y = ((plain(point)[0] + 1) / 2 * torch.tensor([80, 60])).tolist()
    ys, xs = marks.nonzero()
    assert (xs.mean() + 0.5, ys.mean() + 0.5) == pytest.approx((x, y), abs=0.5)
    edges = (plain(box)[0].view(2, 2) + 1) / 2 * torch.tensor([80, 60])
    seen = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert edges.flatten().tolist() == pytest.approx([float(s) for s in seen], abs=1.5)


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - set(MOVES)))
def test_colours_leave_places_alone(name: str):
    image, *rest = changed(item(), name, 0.5)
    assert image.size == (80, 60)
    for new, old in zip(rest, item()[1:], strict=True):
        np.testing.assert_array_equal(np.asarray(new), np.asarray(old))


def test_a_colour_is_pillow_s(photos):
    im = PILImage.create(photos / "cat.jpg")
    expected = ImageEnhance.Color(Image.open(photos / "cat.jpg").convert("RGB")).enhance(1.5)
    np.testing.assert_array_equal(np.asarray(changed(im, "Color", 0.5)), np.asarray(expected))


@pytest.mark.parametrize("tfm", POLICIES, ids=repr)
def test_every_item_has_its_own_draw_and_the_same_seed_the_same(tfm, photos):
    def made(seed: int) -> bytes:
        with using(Randomness(seed)):
            return np.asarray(tfm(PILImage.create(photos / "cat.jpg"), split_idx=0)).tobytes()

    assert len({made(seed) for seed in range(12)}) > 6
    assert made(3) == made(3)


@pytest.mark.parametrize("tfm", POLICIES, ids=repr)
def test_all_operations_are_drawn_within_their_limits(tfm):
    rng = Randomness(0).python
    plans = [op for _ in range(300) for op in tfm.plan(rng)]
    assert {name for name, _ in plans} == set(OPERATIONS)
    assert max(abs(v) for name, v in plans if name == "Brightness") <= 0.99
    assert min(v for name, v in plans if name == "Rotate") < 0


def test_a_strength_out_of_range_is_refused():
    with pytest.raises(ContractError, match=r"magnitude=31. Expected 0 to 30"):
        RandAugment(magnitude=31)
