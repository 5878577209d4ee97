"""Transforms of torchvision v2 in a pipeline of Lamina."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from lamina.data.normalize import IntToFloatTensor
from lamina.data.pipeline import Pipeline
from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import TensorImage, TensorMask, plain
from lamina.vision.augmentation.adapters import FromTorchvision
from lamina.vision.images import PILImage
from lamina.vision.opening import ToTensor

pytestmark = pytest.mark.interop


def pixels(*shape: int) -> torch.Tensor:
    made = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=made)


def seeded(tfm, x, seed: int = 0, split_idx: int = 0):
    with using(Randomness(seed)):
        return tfm(x, split_idx=split_idx)


@pytest.mark.parametrize(
    "tfm",
    [
        v2.RandAugment(),
        v2.TrivialAugmentWide(),
        v2.ColorJitter(0.4, 0.4),
        v2.RandomAffine(30),
        v2.Compose([v2.RandomResizedCrop(24), v2.RandomHorizontalFlip()]),
    ],
    ids=lambda t: type(t).__name__,
)
def test_each_item_has_its_own_draw_by_the_seed(tfm):
    x = TensorImage(pixels(3, 32, 32).expand(8, -1, -1, -1))
    state = torch.get_rng_state()
    first, again = (plain(seeded(FromTorchvision(tfm), x, s)) for s in (1, 1))
    assert torch.equal(first, again)
    assert len({tuple(one.flatten().tolist()) for one in first}) > 3
    assert torch.equal(torch.get_rng_state(), state)


def test_it_stands_in_a_pipeline_between_tensor_and_floats():
    invert = FromTorchvision(v2.RandomInvert(1.0))
    steps = Pipeline([IntToFloatTensor(), invert, ToTensor()], split_idx=0)
    out = steps(PILImage.create(np.full((4, 4, 3), 55, np.uint8)))
    torch.testing.assert_close(plain(out), torch.full((3, 4, 4), 200 / 255))


def test_what_moves_needs_our_own_transforms_for_masks():
    pair = TensorImage(pixels(3, 8, 8)), TensorMask(torch.zeros(8, 8))
    with pytest.raises(ContractError, match=r"RandomHorizontalFlip.* would leave a TensorMask"):
        seeded(FromTorchvision(v2.RandomHorizontalFlip()), pair)
    assert seeded(FromTorchvision(v2.ColorJitter(0.5), pixels_only=True), pair)[1] is pair[1]
