"""MobileNetV2 with the state-dict names of torchvision, so that published weights load.

Children of a `MobileNetV2`: features (19 of them), pool, flatten, classifier; the last three are
the head (`cut=-3`).
"""

from collections import OrderedDict

from torch import Tensor, nn

__all__ = ["InvertedResidual", "MobileNetV2", "mobilenet_v2"]

# expansion, channels, blocks, stride of the first block: table 2 of the paper
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _conv_bn(ni: int, nf: int, ks: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(ni, nf, ks, stride, (ks - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(nf), nn.ReLU6(inplace=True))


def round_channels(n: float, divisor: int = 8) -> int:
    """`n` rounded to a multiple of `divisor`, never more than a tenth below `n`.

    Example:
        >>> round_channels(33.0), round_channels(10.0)
        (32, 16)
    """
    rounded = max(divisor, int(n + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * n else rounded + divisor


class InvertedResidual(nn.Module):
    """Expand, depthwise 3×3, project; a shortcut where the shape stays.

    Shapes: `(b, ni, h, w)` to `(b, nf, h/stride, w/stride)`.

    Source: Sandler et al. 2018, "MobileNetV2", figure 4.
    """

    def __init__(self, ni: int, nf: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = ni * expansion
        self.conv = nn.Sequential(
            *([_conv_bn(ni, inner, 1)] if expansion != 1 else []),
            _conv_bn(inner, inner, 3, stride, groups=inner),
            nn.Conv2d(inner, nf, 1, bias=False),
            nn.BatchNorm2d(nf),
        )
        self.has_shortcut = stride == 1 and ni == nf

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x`, and add it where the shape stays."""
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class MobileNetV2(nn.Sequential):
    """A light convolutional network: `(b, n_in, h, w)` to `(b, n_out)`.

    Args:
        n_out: Outputs of the last layer.
        n_in: Channels of the image.
        widen: Factor on all channels.
        p: Dropout before the last layer.

    Source: Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks".
    """

    def __init__(
        self, *, n_out: int = 1000, n_in: int = 3, widen: float = 1.0, p: float = 0.2
    ) -> None:
        ni, last = round_channels(32 * widen), round_channels(1280 * max(1.0, widen))
        layers: list[nn.Module] = [_conv_bn(n_in, ni, 3, 2)]
        for expansion, channels, n_blocks, stride in _STAGES:
            nf = round_channels(channels * widen)
            for i in range(n_blocks):
                layers.append(InvertedResidual(ni, nf, stride if i == 0 else 1, expansion))
                ni = nf
        layers.append(_conv_bn(ni, last, 1))
        super().__init__(
            OrderedDict(
                features=nn.Sequential(*layers),
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                classifier=nn.Sequential(nn.Dropout(p), nn.Linear(last, n_out)),
            )
        )
        _start(self)


def _start(model: nn.Module) -> None:
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out")
        elif isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0, 0.01)
            nn.init.zeros_(m.bias)


def mobilenet_v2(*, n_out: int = 1000, n_in: int = 3, widen: float = 1.0) -> MobileNetV2:
    """MobileNetV2: 3.5 million parameters at `widen=1`.

    Example:
        >>> import torch
        >>> mobilenet_v2(n_out=5)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 5])
    """
    return MobileNetV2(n_out=n_out, n_in=n_in, widen=widen)
