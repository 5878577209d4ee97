"""Bodies that give a map for every size, for models that need more than the deepest one."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.nn.params import evaluating
from lamina.vision.models.architectures import ARCHITECTURES, Architecture
from lamina.vision.models.body import cut_model, make_network

__all__ = ["MapsBody", "StagedBody", "create_staged_body"]

Maps = list[Tensor]
_MAP_DIMS = 4


class StagedBody(nn.Module):
    """A body run layer by layer: `(b, c, h, w)` to the picture and a map for each size.

    Args:
        body: Layers in a row.
        image: An empty picture, with which the sizes are found.
        n_layers: How many of the layers are used; None uses all.

    Example:
        >>> image = torch.zeros(1, 3, 8, 8)
        >>> body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2))
        >>> [tuple(x.shape) for x in StagedBody(body, image)(image)]
        [(1, 3, 8, 8), (1, 4, 8, 8), (1, 4, 4, 4)]
    """

    def __init__(self, body: nn.Sequential, image: Tensor, n_layers: int | None = None) -> None:
        super().__init__()
        layers = list(body.children())
        while len(layers) == 1 and _in_a_row(layers[0]):
            layers = list(layers[0].children())
        with evaluating(body):
            steps = list(_steps(layers[:n_layers], image))
        self.layers = nn.Sequential(*(layer for layer, _ in steps))
        sizes = [size for _, size in steps]
        self.ends = (*(i for i, (a, b) in enumerate(pairwise(sizes)) if a != b), len(sizes) - 1)

    def forward(self, x: Tensor) -> Maps:
        """Return `x` and the last map of each size, from fine to coarse."""
        maps = [x]
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in self.ends:
                maps.append(x)
        return maps


def _in_a_row(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Sequential) and type(layer).forward is nn.Sequential.forward


def _steps(layers: list[nn.Module], x: Tensor) -> Iterator[tuple[nn.Module, torch.Size]]:
    """Each layer with the size that it gives; layers that shrink more than once are opened."""
    for layer in layers:
        out = layer(x)
        if x.shape[-2] > 2 * out.shape[-2] + 1 and _in_a_row(layer):
            yield from _steps(list(layer.children()), x)
        else:
            yield layer, out.shape[-2:]
        x = out


class MapsBody(nn.Module):
    """A network that gives maps of several sizes by itself, such as timm's `features_only=True`.

    Args:
        net: `(b, c, h, w)` to a list of maps, from fine to coarse.
        image: An empty picture, with which the sizes are found.
    """

    def __init__(self, net: nn.Module, image: Tensor) -> None:
        super().__init__()
        self.net = net
        with evaluating(net):
            sizes = [m.shape[-2:] for m in net(image)]
        self.kept = tuple(i for i, size in enumerate(sizes) if size not in sizes[i + 1 :])

    def forward(self, x: Tensor) -> Maps:
        """Return `x` and the last map of each size, from fine to coarse."""
        maps = self.net(x)
        return [x, *(maps[i] for i in self.kept)]


def create_staged_body(
    arch: Architecture, image: Tensor, *, weights: str | Path | None = None, cut: int | None = None
) -> StagedBody | MapsBody:
    """The body of `arch`: an image `(b, n_in, h, w)` to itself and a map for each size.

    Args:
        arch: An entry of the table of architectures.
        image: An empty picture `(1, n_in, h, w)`, with which the sizes are found.
        weights: A file to fill the network from; None leaves it freshly initialised.
        cut: Number of children to keep; the table's when not given.

    Raises:
        ContractError: The maps have no height and width.

    Example:
        >>> from lamina.vision.models.architectures import find_architecture
        >>> image = torch.zeros(1, 3, 64, 64)
        >>> body = create_staged_body(find_architecture("resnet18"), image)
        >>> [x.shape[1] for x in body.eval()(image)]
        [3, 64, 64, 128, 256, 512]
    """
    arch = arch.for_maps
    net = make_network(arch, n_in=image.shape[1], weights=weights)
    with evaluating(net):
        own_maps = arch.name not in ARCHITECTURES and isinstance(net(image), list | tuple)
    if own_maps:
        body: StagedBody | MapsBody = MapsBody(net, image)
    else:
        layers = cut_model(net, arch.cut if cut is None else cut)
        body = StagedBody(layers, image, arch.n_dense if cut is None else None)
    with evaluating(body):
        wrong = [tuple(m.shape) for m in body(image) if m.ndim != _MAP_DIMS]
    if wrong:
        raise ContractError(
            f"{arch.name} gives a map of shape {wrong[0]}; expected (batch, channels, height, "
            "width). Pass cut=, the number of children that are the body."
        )
    return body
