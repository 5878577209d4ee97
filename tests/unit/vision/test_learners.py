"""A seed decides the first weights of a model, the data the number of its outputs."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamina.data.block import DataBlock, RegressionBlock
from lamina.data.loaders import DataLoaders
from lamina.data.split import RandomSplitter
from lamina.foundation.errors import ContractError
from lamina.tensor.types import TensorBBox
from lamina.train.learner import Learner
from lamina.train.persistence import ModelSpec
from lamina.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock, MaskBlock, PointBlock
from lamina.vision.detection.learner import detection_learner
from lamina.vision.gan.learner import GANLearner
from lamina.vision.gan.models import basic_critic, basic_generator
from lamina.vision.learner import unet_learner, vision_learner


def network(*, n_in: int, n_out: int) -> nn.Module:
    """A body of eight pixels per cell, a pool and a classifier."""
    convs = (nn.Conv2d(i, o, 3, 2, 1) for i, o in ((n_in, 4), (4, 6), (6, 8)))
    return nn.Sequential(*convs, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, n_out))


def loaders(*targets: object, get_y: object) -> DataLoaders:
    """Loaders of four pictures of 32 pixels."""
    block = DataBlock(
        (ImageBlock(), *targets), get_x=lambda _: np.zeros((32, 32, 3), np.uint8), get_y=get_y,
        splitter=RandomSplitter(0.5, seed=42), n_inp=1,
    )  # fmt: skip
    return block.dataloaders(range(4), bs=2, device="cpu")


def classifier(seed: int | None, **options: Any) -> Learner:
    dls = loaders(RegressionBlock(), get_y=float)
    return vision_learner(dls, network, pretrained=False, seed=seed, **options)


def keypoints(seed: int | None) -> Learner:
    dls = loaders(PointBlock(), get_y=lambda _: [[3, 4], [5, 6]])
    return vision_learner(dls, network, pretrained=False, seed=seed)


def unet(seed: int | None, **options: Any) -> Learner:
    dls = loaders(MaskBlock(["a", "b"]), get_y=lambda _: np.zeros((32, 32), np.uint8))
    return unet_learner(dls, network, pretrained=False, seed=seed, **options)


def detector(seed: int | None, **options: Any) -> Learner:
    boxes = [lambda _: TensorBBox([[2.0, 2, 20, 20]]), lambda _: ["a"]]
    dls = loaders(BBoxBlock(), BBoxLblBlock(), get_y=boxes)
    return detection_learner(dls, network, pretrained=False, seed=seed, **options)


def gan(seed: int | None, make: Callable[..., Learner] = GANLearner.wgan) -> Learner:
    generator = ModelSpec(basic_generator, {"out_size": 8, "n_channels": 1, "n_features": 4})
    critic = ModelSpec(basic_critic, {"in_size": 8, "n_channels": 1, "n_features": 4})
    return make(([], []), generator, critic, seed=seed)


def drawn() -> tuple[float, float, float]:
    return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002 - the global one


LEARNERS = [classifier, keypoints, unet, detector, gan]


@pytest.mark.parametrize("make", LEARNERS)
def test_the_same_seed_gives_the_same_bits(make: Callable[[int | None], Learner]):
    def weights(seed: int, generator: int) -> dict[str, Tensor]:
        torch.manual_seed(generator)
        return dict(make(seed).model.state_dict())

    exact = partial(torch.testing.assert_close, rtol=0, atol=0)
    exact(weights(7, generator=1), weights(7, generator=2))
    with pytest.raises(AssertionError):
        exact(weights(7, generator=1), weights(8, generator=1))


@pytest.mark.parametrize("make", LEARNERS)
def test_the_global_generators_stay_as_they_are(make: Callable[[int | None], Learner]):
    def seeded() -> None:
        random.seed(3)
        np.random.seed(3)  # noqa: NPY002 - as above
        torch.manual_seed(3)

    seeded()
    expected = drawn()
    seeded()
    make(7)
    assert drawn() == expected


@pytest.mark.parametrize(("make", "needed"), [(classifier, 1), (unet, 2), (detector, 2)])
def test_outputs_that_do_not_fit_the_data_are_refused(make: Callable[..., Learner], needed: int):
    with pytest.raises(ContractError, match=rf"n_out=5, but the target .* needs {needed}\. Leave"):
        make(7, n_out=5)
    make(7, n_out=needed)
    make(7, n_out=5, loss_func=nn.MSELoss())
