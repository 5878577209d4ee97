"""The two networks: one makes pictures from noise, one tells them from real pictures."""

from collections.abc import Mapping
from functools import partial, reduce
from operator import or_
from typing import Any, Unpack

from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.nn.conv import ConvArgs, ConvLayer
from lamina.nn.linear import Flatten
from lamina.nn.norm import NormType
from lamina.nn.shortcut import MergeLayer, SequentialEx

__all__ = ["DenseResBlock", "GANModule", "basic_critic", "basic_generator", "gan_critic"]

_LEAKY: dict[str, Any] = {"act_cls": partial(nn.LeakyReLU, 0.2)}
_PADDED: dict[str, Any] = {"padding": 1}
_UP: dict[str, Any] = {"transpose": True}
_SMALLEST = 4  # what the innermost layers make or see


class GANModule(nn.Module):
    """A generator and a critic in one model, of which one is called.

    Args:
        generator: Makes pictures.
        critic: Judges pictures.
        gen_mode: Whether the generator is called; callbacks switch it.

    Example:
        >>> import torch
        >>> model = GANModule(nn.Linear(2, 3), nn.Linear(3, 1), gen_mode=True)
        >>> model(torch.zeros(4, 2)).shape
        torch.Size([4, 3])
    """

    def __init__(self, generator: nn.Module, critic: nn.Module, *, gen_mode: bool = False) -> None:
        super().__init__()
        self.generator, self.critic, self.gen_mode = generator, critic, gen_mode

    def forward(self, *inputs: Tensor) -> Tensor:
        """Call the network whose turn it is."""
        return (self.generator if self.gen_mode else self.critic)(*inputs)


@savable
def basic_generator(
    out_size: int,
    n_channels: int,
    in_sz: int = 100,
    n_features: int = 64,
    n_extra_layers: int = 0,
    **options: Unpack[ConvArgs],
) -> nn.Sequential:
    """Transposed convolutions from noise `(b, in_sz)` to pictures in [-1, 1].

    Args:
        out_size: Height and width of the pictures, a power of 2 from 8 on.
        n_channels: Channels of the pictures.
        in_sz: Size of the noise.
        n_features: Channels before the last layer.
        n_extra_layers: Convolutions before the last layer.
        options: Of the `ConvLayer`s.

    Raises:
        ContractError: The size is no such power.

    Example:
        >>> import torch
        >>> basic_generator(16, 3)(torch.randn(2, 100)).shape
        torch.Size([2, 3, 16, 16])

    Source: Radford et al. 2016, "DCGAN".
    """
    _check_size("basic_generator", out_size)
    size, nf = _SMALLEST, n_features * out_size // (2 * _SMALLEST)
    layers: list[nn.Module] = [nn.Unflatten(1, (in_sz, 1, 1))]
    layers.append(_conv(in_sz, nf, 4, 1, _UP, options))
    while size < out_size // 2:
        layers.append(_conv(nf, nf // 2, 4, 2, _UP, _PADDED, options))
        size, nf = size * 2, nf // 2
    layers += [ConvLayer(nf, nf, **options) for _ in range(n_extra_layers)]
    layers += [nn.ConvTranspose2d(nf, n_channels, 4, 2, 1, bias=False), nn.Tanh()]
    return nn.Sequential(*layers)


@savable
def basic_critic(
    in_size: int,
    n_channels: int,
    n_features: int = 64,
    n_extra_layers: int = 0,
    **options: Unpack[ConvArgs],
) -> nn.Sequential:
    """Convolutions from pictures to one number each, `(b,)`, large for one of two kinds.

    Args:
        in_size: Height and width of the pictures, a power of 2 from 8 on.
        n_channels: Channels of the pictures.
        n_features: Channels after the first layer; each further one has twice as many.
        n_extra_layers: Convolutions after the first layer.
        options: Of the `ConvLayer`s.

    Raises:
        ContractError: The size is no such power.

    Example:
        >>> import torch
        >>> basic_critic(16, 3)(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2])

    Source: Radford et al. 2016, "DCGAN".
    """
    _check_size("basic_critic", in_size)
    layers: list[nn.Module] = [
        _conv(n_channels, n_features, 4, 2, _LEAKY, options, _PADDED, {"norm_type": None})
    ]
    layers += [_conv(n_features, n_features, 3, 1, _LEAKY, options) for _ in range(n_extra_layers)]
    size, nf = in_size // 2, n_features
    while size > _SMALLEST:
        layers.append(_conv(nf, nf * 2, 4, 2, _LEAKY, _PADDED, options))
        size, nf = size // 2, nf * 2
    last = ConvLayer(nf, 1, 4, 1, padding=0, norm_type=None, act_cls=None)
    return nn.Sequential(*layers, last, nn.Flatten(0))


@savable
def DenseResBlock(nf: int, **options: Unpack[ConvArgs]) -> SequentialEx:  # noqa: N802  # as a class
    """Two convolutions beside their input: `(b, nf, h, w)` to `(b, 2 * nf, h, w)`.

    Args:
        nf: Channels in.
        options: Of the `ConvLayer`s.

    Example:
        >>> import torch
        >>> DenseResBlock(4)(torch.zeros(1, 4, 8, 8)).shape
        torch.Size([1, 8, 8, 8])
    """
    return SequentialEx(*(ConvLayer(nf, nf, **options) for _ in range(2)), MergeLayer(dense=True))


@savable
def gan_critic(
    n_channels: int = 3, nf: int = 128, n_blocks: int = 3, p: float = 0.15
) -> nn.Sequential:
    """A critic with spectral norm for pictures of 32 pixels or more: several numbers for each.

    Each block halves the picture and doubles the channels. What it gives for a picture are the
    judgements of its parts, so its loss is an `AdaptiveLoss`.

    Args:
        n_channels: Channels of the pictures.
        nf: Channels after the first layer.
        n_blocks: How many blocks.
        p: Dropout of channels before each block; half of it before the first.

    Example:
        >>> import torch
        >>> gan_critic(nf=8)(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 1])

    Source: Miyato et al. 2018, "Spectral normalization".
    """
    spectral = {**_LEAKY, "norm_type": NormType.Spectral}
    layers: list[nn.Module] = [
        _conv(n_channels, nf, 4, 2, _PADDED, spectral),
        nn.Dropout2d(p / 2),
        DenseResBlock(nf, **spectral),
    ]
    nf *= 2
    for _ in range(n_blocks):
        layers += [nn.Dropout2d(p), _conv(nf, nf * 2, 4, 2, _PADDED, spectral)]
        nf *= 2
    last = ConvLayer(nf, 1, 4, padding=0, bias=False, act_cls=None, norm_type=NormType.Spectral)
    return nn.Sequential(*layers, last, Flatten())


def _conv(ni: int, nf: int, ks: int, stride: int, *options: Mapping[str, Any]) -> ConvLayer:
    """A layer with the options of all, later ones over earlier ones."""
    return ConvLayer(ni, nf, ks, stride, **reduce(or_, map(dict, options)))


def _check_size(where: str, size: int) -> None:
    if size < 2 * _SMALLEST or size & (size - 1):
        raise ContractError(f"{where}: a size of {size}. Expected a power of 2, 8 or more.")
