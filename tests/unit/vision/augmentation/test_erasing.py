import pytest
import torch

from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import TensorImage, TensorMask, plain
from lamina.vision.augmentation.erasing import RandomErasing


def erased(tfm: RandomErasing, n: int = 200, seed: int = 0) -> torch.Tensor:
    """Which pixels of a batch of zeros were covered, `(n, h, w)`."""
    with using(Randomness(seed)):
        return plain(tfm(TensorImage(torch.zeros(n, 3, 40, 60)), split_idx=0)).ne(0).any(1)


def test_every_item_has_its_own_rectangle_of_the_area_asked_for():
    holes = erased(RandomErasing(p=1.0, sl=0.1, sh=0.2))
    area = holes.flatten(1).float().mean(1)
    assert 0.08 < area.min() < 0.12 < area.max() < 0.22
    assert len({tuple(h.flatten().tolist()) for h in holes}) > 190


def test_a_hole_is_a_rectangle():
    for hole in erased(RandomErasing(p=1.0, sl=0.05), n=20):
        ys, xs = hole.nonzero(as_tuple=True)
        assert hole.sum() == (ys.max() - ys.min() + 1) * (xs.max() - xs.min() + 1)


def test_half_of_the_items_are_left_alone():
    assert 70 < erased(RandomErasing(sl=0.1)).flatten(1).any(1).sum() < 130


def test_several_rectangles_share_the_area():
    area = erased(RandomErasing(1.0, 0.3, 0.3, max_count=4)).flatten(1).float().mean(1)
    assert area.max() < 0.33


def test_the_noise_is_standard_and_counted():
    with using(Randomness(1)):
        done = RandomErasing(1.0, 1.0, 1.0, 1.0)(TensorImage(torch.zeros(8, 3, 64, 64)), 0)
    noise = plain(done)[plain(done) != 0]
    assert noise.mean().item() == pytest.approx(0, abs=0.02)
    assert noise.std().item() == pytest.approx(1, abs=0.02)
    state = torch.get_rng_state()
    assert torch.equal(erased(RandomErasing(), seed=3), erased(RandomErasing(), seed=3))
    assert torch.equal(torch.get_rng_state(), state)


def test_only_images_in_training_are_covered():
    x, mask = TensorImage(torch.zeros(4, 3, 8, 8)), TensorMask(torch.zeros(4, 8, 8))
    tfm = RandomErasing(1.0, 0.2)
    assert tfm((x, mask), split_idx=0)[1] is mask
    assert tfm(x, split_idx=1) is x
    assert not plain(x).any()


def test_amounts_that_make_no_sense_are_refused():
    with pytest.raises(ContractError, match=r"sl=0.5, sh=0.3.*: expected 0 <= sl <= sh <= 1"):
        RandomErasing(sl=0.5)
