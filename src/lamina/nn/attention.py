"""Attention inside convolutional networks: over positions, and over channels."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["PooledSelfAttention2d", "SEModule", "SelfAttention", "SimpleSelfAttention"]


class SelfAttention(nn.Module):
    """Every position reads from every other: `(b, c, *)` to the same, starting as the identity.

    Args:
        n_channels: Channels; queries and keys have an eighth of them.

    Source: Zhang et al. 2019, "Self-attention generative adversarial networks".
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        inner = max(1, n_channels // 8)
        self.query, self.key, self.value = (
            nn.utils.parametrizations.spectral_norm(nn.Conv1d(n_channels, n, 1, bias=False))
            for n in (inner, inner, n_channels)
        )
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the positions of `x`."""
        flat = x.flatten(2)
        q, k, v = self.query(flat), self.key(flat), self.value(flat)
        weight = torch.softmax(q.transpose(1, 2) @ k, dim=1)
        return (self.gamma * (v @ weight) + flat).reshape(x.shape)


class PooledSelfAttention2d(nn.Module):
    """Self-attention to a quarter of the positions: `(b, c, h, w)` to the same.

    Keys and values are pooled by 2; it starts as the identity.

    Args:
        n_channels: Channels; queries and keys have an eighth, values a half of them.

    Source: Brock et al. 2019, "Large scale GAN training for high fidelity natural image synthesis".
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        inner, half = max(1, n_channels // 8), max(1, n_channels // 2)
        sizes = ((n_channels, inner), (n_channels, inner), (n_channels, half), (half, n_channels))
        self.query, self.key, self.value, self.out = (
            nn.utils.parametrizations.spectral_norm(nn.Conv2d(ni, nf, 1, bias=False))
            for ni, nf in sizes
        )
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Attend from every position of `x` to the pooled ones."""
        q = self.query(x).flatten(2)
        k, v = (F.max_pool2d(layer(x), 2).flatten(2) for layer in (self.key, self.value))
        weight = torch.softmax(q.transpose(1, 2) @ k, dim=-1)
        found = (v @ weight.transpose(1, 2)).unflatten(2, x.shape[2:])
        return self.gamma * self.out(found) + x


class SimpleSelfAttention(nn.Module):
    """Self-attention with one convolution: `(b, c, *)` to the same, starting as the identity.

    Args:
        n_channels: Channels.
        ks: Kernel size of the convolution; odd.
        sym: Keep the convolution's matrix symmetric.

    Source: github.com/sdoria/SimpleSelfAttention, 2019.
    """

    def __init__(self, n_channels: int, ks: int = 1, *, sym: bool = False) -> None:
        super().__init__()
        conv = nn.Conv1d(n_channels, n_channels, ks, padding=ks // 2, bias=False)
        self.conv = nn.utils.parametrizations.spectral_norm(conv)
        self.sym = sym
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Add to `x` its own covariance, weighted."""
        flat = x.flatten(2)
        mixed = self._mix(flat)
        # (x xᵀ) conv(x): the c×c product first costs c²·n instead of c·n²
        return (self.gamma * (flat @ flat.transpose(1, 2) @ mixed) + flat).reshape(x.shape)

    def _mix(self, flat: Tensor) -> Tensor:
        weight: Tensor = self.conv.weight  # pyright: ignore[reportAssignmentType]  # parametrized
        if self.sym:
            weight = (weight + weight.transpose(0, 1)) / 2
        return nn.functional.conv1d(flat, weight, padding=weight.shape[-1] // 2)


class SEModule(nn.Module):
    """Squeeze and excite: weigh each channel by what all channels show: `(b, c, h, w)` to the same.

    Args:
        n_channels: Channels.
        reduction: The inner layer has `n_channels / reduction` channels, rounded up to 8s.
        act_cls: Activation of the inner layer.

    Source: Hu et al. 2018, "Squeeze-and-excitation networks".
    """

    def __init__(
        self, n_channels: int, reduction: int, act_cls: Callable[[], nn.Module] = nn.ReLU
    ) -> None:
        super().__init__()
        inner = math.ceil(n_channels / reduction / 8) * 8
        self.weigh = nn.Sequential(
            nn.Conv2d(n_channels, inner, 1),
            act_cls(),
            nn.Conv2d(inner, n_channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of `x`."""
        return x * self.weigh(x.mean((2, 3), keepdim=True))
