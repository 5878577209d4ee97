"""The two networks of a GAN: sizes, layers and what they refuse."""

import pytest
import torch
from torch import nn

from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.nn.norm import NormType
from lamina.vision.gan.models import (
    DenseResBlock,
    GANModule,
    basic_critic,
    basic_generator,
    gan_critic,
)


@pytest.mark.parametrize("size", [8, 16, 64])
@pytest.mark.parametrize("extra", [0, 2])
def test_generator_and_critic_fit_each_other(size: int, extra: int):
    make = basic_generator(size, 3, in_sz=10, n_features=8, n_extra_layers=extra)
    judge = basic_critic(size, 3, n_features=8, n_extra_layers=extra)
    made = make(torch.randn(2, 10))
    judge(made).sum().backward()
    assert made.shape == (2, 3, size, size)
    assert made.abs().max() <= 1
    assert judge(made).shape == (2,)
    assert all(p.grad is not None for p in [*make.parameters(), *judge.parameters()])


def test_channels_double_inward():
    widths = [m.out_channels for m in basic_critic(64, 1).modules() if isinstance(m, nn.Conv2d)]
    assert widths == [64, 128, 256, 512, 1]
    kinds = (nn.ConvTranspose2d,)
    widths = [m.out_channels for m in basic_generator(64, 1).modules() if isinstance(m, kinds)]
    assert widths == [512, 256, 128, 64, 1]


def test_a_block_keeps_its_input_beside_what_it_makes():
    x = torch.randn(2, 8, 5, 5)
    out = DenseResBlock(8)(x)
    assert out.shape == (2, 16, 5, 5)
    torch.testing.assert_close(out[:, 8:], x)


def test_the_spectral_critic_gives_several_judgements():
    critic = gan_critic(n_channels=1, nf=4)
    assert critic(torch.zeros(2, 1, 128, 128)).shape == (2, 25)
    assert not [m for m in critic.modules() if isinstance(m, nn.BatchNorm2d)]


def test_options_of_the_convolutions_are_passed_on_and_checked():
    critic = basic_critic(16, 3, norm_type=NormType.Instance)
    assert any(isinstance(m, nn.InstanceNorm2d) for m in critic.modules())
    with pytest.raises(UnknownArgumentError, match="Did you mean 'norm_type'"):
        basic_critic(16, 3, norm_typ=None)


@pytest.mark.parametrize("size", [4, 48])
def test_other_sizes_are_refused(size: int):
    with pytest.raises(ContractError, match=f"a size of {size}. Expected a power of 2"):
        basic_generator(size, 3)
    with pytest.raises(ContractError, match=f"a size of {size}. Expected a power of 2"):
        basic_critic(size, 3)


def test_one_of_the_two_is_called():
    model = GANModule(nn.Linear(2, 3), nn.Linear(3, 1))
    assert model(torch.zeros(4, 3)).shape == (4, 1)
    model.gen_mode = True
    assert model(torch.zeros(4, 2)).shape == (4, 3)
