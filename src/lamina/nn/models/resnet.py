"""The plain residual networks, 18 to 152 layers, with the state-dict names of torchvision.

Published ImageNet weights therefore load with `model.load_state_dict(...)`. Children of a `ResNet`:
conv1, bn1, relu, maxpool, layer1 to layer4, avgpool, flatten, fc; the last three are the head
(`cut=-3`).
"""

from collections import OrderedDict

from torch import Tensor, nn

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "ResNet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
]


def _shortcut(ni: int, nf: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and ni == nf:
        return None
    conv = nn.Conv2d(ni, nf, 1, stride=stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(nf))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and the shortcut: `(b, ni, h, w)` to `(b, nf, h/stride, w/stride)`.

    Source: He et al. 2016, figure 5 left.
    """

    expansion = 1

    def __init__(self, ni: int, nf: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(ni, nf, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(nf)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(nf, nf, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(nf)
        self.downsample = _shortcut(ni, nf, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolutions of `x` to the shortcut."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions around a quarter of the channels; the 3×3 strides.

    Shapes: `(b, ni, h, w)` to `(b, 4·nf, h/stride, w/stride)`.

    Source: He et al. 2016, figure 5 right; the stride in the 3×3 as in "ResNet v1.5".
    """

    expansion = 4

    def __init__(self, ni: int, nf: int, stride: int = 1) -> None:
        super().__init__()
        wide = nf * self.expansion
        self.conv1 = nn.Conv2d(ni, nf, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(nf)
        self.conv2 = nn.Conv2d(nf, nf, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(nf)
        self.conv3 = nn.Conv2d(nf, wide, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(wide)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(ni, wide, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolutions of `x` to the shortcut."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Sequential):
    """A residual network: `(b, n_in, h, w)` to `(b, n_out)`.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: Blocks in each of the four stages.
        n_out: Outputs of the last layer.
        n_in: Channels of the image.

    Example:
        >>> import torch
        >>> resnet18(n_out=10)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 10])

    Source: He et al. 2016, "Deep residual learning for image recognition".
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: tuple[int, int, int, int],
        *,
        n_out: int = 1000,
        n_in: int = 3,
    ) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv2d(n_in, 64, 7, stride=2, padding=3, bias=False),
            bn1=nn.BatchNorm2d(64),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.MaxPool2d(3, stride=2, padding=1),
        )
        ni = 64
        for i, n_blocks in enumerate(layers):
            nf = 64 * 2**i
            first = block(ni, nf, stride=1 if i == 0 else 2)
            ni = nf * block.expansion
            parts[f"layer{i + 1}"] = nn.Sequential(
                first, *(block(ni, nf) for _ in range(n_blocks - 1))
            )
        parts["avgpool"] = nn.AdaptiveAvgPool2d(1)
        parts["flatten"] = nn.Flatten()
        parts["fc"] = nn.Linear(ni, n_out)
        super().__init__(parts)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")


def resnet18(*, n_out: int = 1000, n_in: int = 3) -> ResNet:
    """ResNet-18: 11.7 million parameters."""
    return ResNet(BasicBlock, (2, 2, 2, 2), n_out=n_out, n_in=n_in)


def resnet34(*, n_out: int = 1000, n_in: int = 3) -> ResNet:
    """ResNet-34: 21.8 million parameters."""
    return ResNet(BasicBlock, (3, 4, 6, 3), n_out=n_out, n_in=n_in)


def resnet50(*, n_out: int = 1000, n_in: int = 3) -> ResNet:
    """ResNet-50: 25.6 million parameters."""
    return ResNet(Bottleneck, (3, 4, 6, 3), n_out=n_out, n_in=n_in)


def resnet101(*, n_out: int = 1000, n_in: int = 3) -> ResNet:
    """ResNet-101: 44.5 million parameters."""
    return ResNet(Bottleneck, (3, 4, 23, 3), n_out=n_out, n_in=n_in)


def resnet152(*, n_out: int = 1000, n_in: int = 3) -> ResNet:
    """ResNet-152: 60.2 million parameters."""
    return ResNet(Bottleneck, (3, 8, 36, 3), n_out=n_out, n_in=n_in)
