"""AlexNet, VGG and DenseNet with the state-dict names of torchvision, so that its weights load.

Children of each network: features, perhaps relu, avgpool, flatten, classifier. The features alone
are the body.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

__all__ = ["DenseLayer", "alexnet", "densenet", "vgg_bn"]

# channels, kernel size, stride and padding
_ALEXNET = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
_WIDTHS = (64, 128, 256, 512, 512)  # of VGG
_HIDDEN = 4096


def alexnet(*, n_out: int = 1000, n_in: int = 3) -> nn.Sequential:
    """AlexNet in its form for one device: 61 million parameters, of which 2.5 are features.

    Example:
        >>> alexnet(n_out=2)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 2])

    Source: Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks".
    """
    layers: list[nn.Module] = []
    for i, (nf, ks, stride, padding) in enumerate(_ALEXNET):
        layers += [nn.Conv2d(n_in, nf, ks, stride, padding), nn.ReLU(inplace=True)]
        layers += [nn.MaxPool2d(3, stride=2)] if i in (0, 1, 4) else []
        n_in = nf
    first, second, last = _linear(n_in, 6, n_out)
    top = (nn.Dropout(), first, nn.ReLU(inplace=True), nn.Dropout(), second, nn.ReLU(inplace=True))
    return _network(layers, nn.AdaptiveAvgPool2d(6), nn.Sequential(*top, last))


def vgg_bn(n_convs: tuple[int, ...], *, n_out: int = 1000, n_in: int = 3) -> nn.Sequential:
    """A VGG with batch norm: blocks of 3×3 convolutions, each with a pool at its end.

    Args:
        n_convs: Convolutions of each of the five blocks.
        n_out: Outputs.
        n_in: Channels of the image.

    Source: Simonyan & Zisserman 2015, "Very deep convolutional networks".
    """
    layers: list[nn.Module] = []
    for n, nf in zip(n_convs, _WIDTHS, strict=True):
        for _ in range(n):
            layers += [nn.Conv2d(n_in, nf, 3, padding=1), nn.BatchNorm2d(nf), nn.ReLU(inplace=True)]
            n_in = nf
        layers.append(nn.MaxPool2d(2))
    first, second, last = _linear(n_in, 7, n_out)
    top = (first, nn.ReLU(inplace=True), nn.Dropout(), second, nn.ReLU(inplace=True), nn.Dropout())
    return _network(layers, nn.AdaptiveAvgPool2d(7), nn.Sequential(*top, last))


class DenseLayer(nn.Module):
    """1×1 and 3×3 convolutions whose result joins their input: `ni` to `ni + growth` channels.

    Args:
        ni: Channels of the input.
        growth: Channels that are added.

    Example:
        >>> DenseLayer(8, 4)(torch.zeros(1, 8, 5, 5)).shape
        torch.Size([1, 12, 5, 5])

    Source: Huang et al. 2017, "Densely connected convolutional networks", sec. 3.
    """

    def __init__(self, ni: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(ni), nn.BatchNorm2d(4 * growth)
        self.conv1 = nn.Conv2d(ni, 4 * growth, 1, bias=False)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Add channels to `x`."""
        new = self.conv1(self.norm1(x).relu_())
        return torch.cat([x, self.conv2(self.norm2(new).relu_())], 1)


def densenet(
    n_layers: tuple[int, ...], growth: int, nf: int, *, n_out: int = 1000, n_in: int = 3
) -> nn.Sequential:
    """A DenseNet: each layer sees the maps of all before it in its block.

    Args:
        n_layers: Layers of each block.
        growth: Channels that each layer adds.
        nf: Channels of the first convolution.
        n_out: Outputs.
        n_in: Channels of the image.

    Source: Huang et al. 2017, "Densely connected convolutional networks".
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv0=nn.Conv2d(n_in, nf, 7, stride=2, padding=3, bias=False),
        norm0=nn.BatchNorm2d(nf),
        relu0=nn.ReLU(inplace=True),
        pool0=nn.MaxPool2d(3, stride=2, padding=1),
    )
    for i, n in enumerate(n_layers, 1):
        layers = {f"denselayer{j + 1}": DenseLayer(nf + j * growth, growth) for j in range(n)}
        parts[f"denseblock{i}"] = nn.Sequential(OrderedDict(layers))
        nf += n * growth
        if i < len(n_layers):
            parts[f"transition{i}"] = _transition(nf)
            nf //= 2
    parts["norm5"] = nn.BatchNorm2d(nf)
    pool = nn.Sequential(nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1))
    return _network(parts, pool, nn.Linear(nf, n_out))


def _transition(nf: int) -> nn.Sequential:
    conv = nn.Conv2d(nf, nf // 2, 1, bias=False)
    layers = {"norm": nn.BatchNorm2d(nf), "relu": nn.ReLU(inplace=True), "conv": conv}
    return nn.Sequential(OrderedDict(layers, pool=nn.AvgPool2d(2)))


def _linear(nf: int, side: int, n_out: int) -> list[nn.Linear]:
    sizes = ((nf * side**2, _HIDDEN), (_HIDDEN, _HIDDEN), (_HIDDEN, n_out))
    return [nn.Linear(ni, no) for ni, no in sizes]


def _network(
    features: list[nn.Module] | OrderedDict[str, nn.Module], pool: nn.Module, classifier: nn.Module
) -> nn.Sequential:
    body = nn.Sequential(*features) if isinstance(features, list) else nn.Sequential(features)
    for m in body.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    parts = {"features": body, "avgpool": pool, "flatten": nn.Flatten(), "classifier": classifier}
    return nn.Sequential(OrderedDict(parts))
