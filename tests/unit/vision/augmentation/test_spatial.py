import numpy as np
import pytest
import torch
from torch import nn

from lamina.data.block import DataBlock, RegressionBlock
from lamina.data.normalize import IntToFloatTensor
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import TensorImage, plain
from lamina.train.learner import Learner
from lamina.vision.augmentation.draws import DeterministicDraw
from lamina.vision.augmentation.spatial import (
    DeterministicDihedral,
    DeterministicFlip,
    Dihedral,
    Flip,
    RandomResizedCropGPU,
    Rotate,
    Warp,
    Zoom,
)
from lamina.vision.blocks import ImageBlock


def drawn_matrices(tfm, n: int = 200, aspect: float = 1.0, seed: int = 0) -> torch.Tensor:
    with using(Randomness(seed)):
        return tfm.matrices(n, aspect)


def edges(matrices: torch.Tensor) -> torch.Tensor:
    """What part of the picture is shown: left, top, right, bottom from -1 to 1."""
    half, centre = matrices[:, :2, :2].diagonal(dim1=1, dim2=2), matrices[:, :2, 2]
    return torch.cat([centre - half, centre + half], 1)


def version(tfm, x, i: int) -> torch.Tensor:
    tfm.set_version(i)
    return plain(tfm(x, split_idx=0))


def test_every_item_has_its_own_crop_inside_the_picture():
    shown = edges(drawn_matrices(RandomResizedCropGPU(32)))
    assert len({tuple(e) for e in shown.tolist()}) == 200
    assert shown.abs().max() <= 1 + 1e-6


@pytest.mark.parametrize("aspect", [0.5, 1.0, 1.5])
def test_a_crop_keeps_to_its_area_and_aspect(aspect: float):
    tfm = RandomResizedCropGPU(32, 0.2, (0.8, 1.25), max_scale=0.4)
    width, height = ((edges(drawn_matrices(tfm, aspect=aspect)) * 0.5) @ SIDES).unbind(1)
    assert 0.2 - 1e-6 <= (width * height).min() < (width * height).max() <= 0.4 + 1e-6
    ratio = width / (height * aspect)
    assert ratio.min().item() == pytest.approx(0.8, rel=0.1)
    assert ratio.max().item() == pytest.approx(1.25, rel=0.1)


SIDES = torch.tensor([[-1.0, 0], [0, -1], [1, 0], [0, 1]])


def test_a_crop_that_never_fits_is_the_middle():
    shown = edges(drawn_matrices(RandomResizedCropGPU(8, 0.9, (2.0, 2.0)), n=3))
    torch.testing.assert_close(shown, torch.tensor([[-1, -0.5, 1, 0.5]]).expand(3, 4))


def test_outside_training_a_crop_shows_the_middle():
    x = TensorImage(torch.arange(8.0).expand(1, 1, 8, 8))
    out = RandomResizedCropGPU(4, valid_scale=0.5)(x, split_idx=1)
    torch.testing.assert_close(plain(out[0, 0, 0]), torch.tensor([2.0, 3, 4, 5]))


@pytest.mark.parametrize(
    "tfm", [Rotate(p=1.0), Zoom(p=1.0), Warp(p=1.0), Dihedral(1.0), RandomResizedCropGPU(8)]
)
def test_one_draw_for_the_whole_batch_on_demand(tfm):
    x = TensorImage(torch.rand(1, 3, 16, 16).expand(6, -1, -1, -1))
    tfm.batch = True
    with using(Randomness(3)):
        out = plain(tfm(x, split_idx=0))
    assert out.shape[0] == 6
    assert not torch.equal(out[0], plain(x[0]))
    torch.testing.assert_close(out, out[:1].expand_as(out), rtol=0, atol=0)


def test_a_draw_can_be_given():
    by_value = Rotate(p=1.0, draw=30.0).matrices(2, 1.0)
    by_function = Rotate(p=1.0, draw=lambda n: torch.full((n,), 30.0)).matrices(2, 1.0)
    torch.testing.assert_close(by_value, by_function)
    assert by_value[0, 0, 0].item() == pytest.approx(0.75**0.5)
    assert Flip(draw=1).matrices(1, 1.0)[0, 0, 0] == -1
    zoom = Zoom(p=1.0, draw=2, draw_x=0, draw_y=1).matrices(1, 1.0)
    torch.testing.assert_close(edges(zoom), torch.tensor([[-1.0, 0, 0, 1]]))
    torch.testing.assert_close(Warp(p=1.0, draw_x=0, draw_y=0).matrices(1, 1.0)[0], torch.eye(3))


def test_deterministic_versions_go_through_all_symmetries():
    x = TensorImage(torch.rand(2, 3, 16, 16))
    tfm = DeterministicDihedral()
    made = [version(tfm, x, i) for i in range(8)]
    assert torch.equal(made[0], plain(x))
    assert len({tuple(m.flatten().tolist()) for m in made}) == 8
    torch.testing.assert_close(version(tfm, x, 8), made[0])


def test_a_deterministic_flip_mirrors_every_second_version():
    x = TensorImage(torch.rand(2, 3, 16, 16))
    tfm = DeterministicFlip()
    torch.testing.assert_close(version(tfm, x, 1), plain(x).flip(-1))
    torch.testing.assert_close(version(tfm, x, 2), plain(x))


def test_a_deterministic_draw_begins_anew():
    draw = DeterministicDraw([1.0, 2.0])
    assert [DeterministicDraw(draw.vals, i)(1).item() for i in range(3)] == [1, 2, 1]


def test_tta_asks_for_one_version_after_the_other():
    pictures = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 3), np.uint8)
    block = DataBlock((ImageBlock, RegressionBlock(n_out=1)), get_x=pictures.__getitem__, get_y=int)
    dls = block.dataloaders(range(8), bs=2, device="cpu")
    learn = Learner(dls, nn.Sequential(nn.Flatten(), nn.Linear(108, 1)))
    tfms = [IntToFloatTensor(), DeterministicDihedral()]
    both, _ = learn.tta(n=8, beta=0.0, batch_tfms=tfms)
    x = torch.tensor(pictures[list(dls.valid_ds.tls[0].items)]).movedim(-1, 1) / 255
    turned = [y for z in (x, x.mT) for y in (z, z.flip(-1), z.flip(-2), z.flip(-1, -2))]
    expected = torch.stack([learn.model(y) for y in turned]).mean(0).detach()
    torch.testing.assert_close(both, expected.view_as(both), rtol=0, atol=1e-4)
