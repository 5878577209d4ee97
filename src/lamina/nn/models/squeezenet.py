"""SqueezeNet 1.0 and 1.1 with the state-dict names of torchvision, so that their weights load.

Children of a `SqueezeNet`: features (13 of them), classifier, flatten; the last two are the head
(`cut=-2`).
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

__all__ = ["Fire", "SqueezeNet", "squeezenet1_0", "squeezenet1_1"]


class Fire(nn.Module):
    """Squeeze the channels, expand them by 1×1 and by 3×3: `(b, ni, h, w)` to `(b, 2·nf, h, w)`.

    Source: Iandola et al. 2016, "SqueezeNet", figure 1.
    """

    def __init__(self, ni: int, squeezed: int, nf: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(ni, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, nf, 1)
        self.expand3x3 = nn.Conv2d(squeezed, nf, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Squeeze and expand `x`."""
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))


class SqueezeNet(nn.Sequential):
    """SqueezeNet, 1.1 by default: `(b, n_in, h, w)` to `(b, n_out)`.

    Args:
        n_out: Outputs.
        n_in: Channels of the image.
        p: Dropout before the last convolution.
        stem: Channels and kernel size of the first convolution.
        pools: Before which of the eight `Fire`s the picture is halved.

    Source: Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters".
    """

    def __init__(
        self,
        *,
        n_out: int = 1000,
        n_in: int = 3,
        p: float = 0.5,
        stem: tuple[int, int] = (64, 3),
        pools: tuple[int, ...] = (0, 2, 4),
    ) -> None:
        nf, ks = stem
        layers: list[nn.Module] = [nn.Conv2d(n_in, nf, ks, stride=2), nn.ReLU(inplace=True)]
        for i in range(8):
            squeezed = 16 * (i // 2 + 1)
            layers += [nn.MaxPool2d(3, stride=2, ceil_mode=True)] if i in pools else []
            layers.append(Fire(nf, squeezed, 4 * squeezed))
            nf = 8 * squeezed
        last = nn.Conv2d(nf, n_out, 1)
        classifier = (nn.Dropout(p), last, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1))
        super().__init__(
            OrderedDict(
                features=nn.Sequential(*layers),
                classifier=nn.Sequential(*classifier),
                flatten=nn.Flatten(),
            )
        )
        for m in self.modules():
            if isinstance(m, nn.Conv2d) and m.bias is not None:
                nn.init.kaiming_uniform_(m.weight)
                nn.init.zeros_(m.bias)
        nn.init.normal_(last.weight, 0, 0.01)


def squeezenet1_0(*, n_out: int = 1000, n_in: int = 3) -> SqueezeNet:
    """SqueezeNet 1.0: 1.25 million parameters, and more than twice the work of 1.1."""
    return SqueezeNet(n_out=n_out, n_in=n_in, stem=(96, 7), pools=(0, 3, 7))


def squeezenet1_1(*, n_out: int = 1000, n_in: int = 3) -> SqueezeNet:
    """SqueezeNet 1.1: 1.24 million parameters.

    Example:
        >>> squeezenet1_1(n_out=5)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 5])
    """
    return SqueezeNet(n_out=n_out, n_in=n_in)
