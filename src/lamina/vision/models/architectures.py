"""The table of architectures: how each is built, cut and grouped, and where its weights are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from lamina.data.external.urls import Source
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import Registry, name_of, savable
from lamina.nn.models.mobilenet import mobilenet_v2
from lamina.nn.models.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from lamina.nn.models.squeezenet import squeezenet1_0, squeezenet1_1
from lamina.nn.models.xresnet import XRESNETS
from lamina.vision.models import from_timm
from lamina.vision.models.published import alexnet, densenet, vgg_bn

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Stats",
    "cifar_stats",
    "find_architecture",
    "imagenet_stats",
    "mnist_stats",
]

Stats = tuple[tuple[float, ...], tuple[float, ...]]

imagenet_stats: Stats = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of the channels of ImageNet's photographs, in [0, 1]."""

cifar_stats: Stats = ((0.491, 0.482, 0.447), (0.247, 0.243, 0.261))
"""The same of CIFAR's."""

mnist_stats: Stats = ((0.131,), (0.308,))
"""The same of MNIST's digits, which have one channel."""

Build = Callable[..., nn.Module]
Groups = tuple[int, ...] | Callable[[nn.Module], list[list[nn.Parameter]]]


@dataclass(frozen=True)
class Architecture:
    """What has to be known of a network to use it as a backbone.

    Args:
        name: Its name.
        build: Makes the whole network; takes `n_out=` and the keyword `in_arg`.
        cut: Children of the network that are the body: `children[:cut]`. None cuts before the
            last child that pools.
        groups: Where the flattened first level of the body is split into parameter groups, or what
            gives the groups of a body.
        weights: The published weights, if any.
        stats: Channel means and deviations that the weights expect.
        in_arg: The keyword of `build` for the number of input channels.
        n_dense: Layers of the body that dense predictions use, where the last ones only widen for
            the classifier. None uses all.
        size_px: Height and width of a picture that the body takes in any case.
        maps: The same network as one that gives the maps of all sizes, if that is another one.
        fetch: Gets the published weights into a folder, in place of `weights`.
    """

    name: str
    build: Build
    cut: int | None = None
    groups: Groups = ()
    weights: Source | None = None
    stats: Stats = imagenet_stats
    in_arg: str = "n_in"
    n_dense: int | None = None
    size_px: int = 64
    maps: "Architecture | None" = None
    fetch: Callable[[Path], Path] | None = None

    def make(self, *, n_in: int = 3, n_out: int = 1000) -> nn.Module:
        """The whole network, freshly initialised."""
        return self.build(**{self.in_arg: n_in}, n_out=n_out)

    @property
    def for_maps(self) -> "Architecture":
        """The architecture to use where the maps of all sizes are needed."""
        return self.maps or self


ARCHITECTURES: Registry[Architecture] = Registry("architecture")
"""All architectures by name; `ARCHITECTURES.register(name)` adds one."""

_TORCH = "https://download.pytorch.org/models/"


def _published(file: str, megabytes: float) -> Source:
    # the eight hex digits in the file's name are the start of its SHA-256
    return Source(f"{_TORCH}{file}", megabytes, sha256=file.rpartition("-")[2].partition(".")[0])


def _add(name: str, build: Build, **facts: Any) -> None:
    savable(f"lamina.architecture:{name}")(build)
    ARCHITECTURES.register(name)(Architecture(name, build, **facts))


for _build, _cut, _group, _n_dense, _megabytes in (
    (mobilenet_v2, -3, 7, 18, 7.0),
    (squeezenet1_1, -2, 5, None, 2.5),
):
    _sample = f"{_build.__name__}-imagenet"
    _weights = Source(f"sample:{_sample}", _megabytes, sample=_sample)
    _facts = {"cut": _cut, "groups": (_group,), "n_dense": _n_dense, "weights": _weights}
    _add(_build.__name__, _build, **_facts)

for _build, _cut, _group, _file, _megabytes in (
    (resnet18, -3, 6, "resnet18-f37072fd.pth", 46.8),
    (resnet34, -3, 6, "resnet34-b627a593.pth", 87.3),
    (resnet50, -3, 6, "resnet50-11ad3fa6.pth", 102.5),
    (resnet101, -3, 6, "resnet101-cd907fc2.pth", 178.8),
    (resnet152, -3, 6, "resnet152-f82ba261.pth", 241.6),
    (squeezenet1_0, -2, 5, "squeezenet1_0-b66bff10.pth", 4.8),
    (alexnet, -3, 6, "alexnet-owt-7be5be79.pth", 233.1),
    (partial(vgg_bn, (1, 1, 2, 2, 2)), -3, 22, "vgg11_bn-6002323d.pth", 506.9),
    (partial(vgg_bn, (2, 2, 2, 2, 2)), -3, 22, "vgg13_bn-abd245e5.pth", 507.6),
    (partial(vgg_bn, (2, 2, 3, 3, 3)), -3, 22, "vgg16_bn-6c64b313.pth", 527.9),
    (partial(vgg_bn, (2, 2, 4, 4, 4)), -3, 22, "vgg19_bn-c79401a0.pth", 548.1),
    (partial(densenet, (6, 12, 24, 16), 32, 64), -3, 7, "densenet121-a639ec97.pth", 30.8),
    (partial(densenet, (6, 12, 36, 24), 48, 96), -3, 7, "densenet161-8d451a50.pth", 110.4),
    (partial(densenet, (6, 12, 32, 32), 32, 64), -3, 7, "densenet169-b2777c0a.pth", 54.7),
    (partial(densenet, (6, 12, 48, 32), 32, 64), -3, 7, "densenet201-c1103571.pth", 77.4),
):
    _weights = _published(_file, _megabytes)
    _add(_file.partition("-")[0], _build, cut=_cut, groups=(_group,), weights=_weights)

for _name, _xresnet in XRESNETS.items():
    _add(_name, _xresnet, cut=-4, groups=(3,), in_arg="c_in")


def find_architecture(arch: str | Build | Architecture) -> Architecture:
    """The entry of the table for a name or for one of its functions.

    A name that is not in the table, or has `timm/` before it, is one of timm's networks. Any other
    callable that takes `n_in` and `n_out` is taken as an architecture without published weights,
    cut before its last pooling layer.

    Raises:
        UnknownNameError: No architecture has this name.
        MissingExtraError: The name is not in the table, and timm is not installed.
        ContractError: `arch` is neither a name nor callable.

    Example:
        >>> find_architecture("resnet18") is find_architecture(resnet18)
        True
    """
    if isinstance(arch, Architecture):
        return arch
    if isinstance(arch, str):
        return ARCHITECTURES[arch] if arch in ARCHITECTURES else _of_timm(arch)
    if not callable(arch):
        raise ContractError(f"An architecture is a name or a function, not {arch!r}.")
    known = (name_of(arch) or "").removeprefix("lamina.architecture:")
    if known in ARCHITECTURES:
        return ARCHITECTURES[known]
    return Architecture(getattr(arch, "__name__", repr(arch)), arch)


def _of_timm(name: str) -> Architecture:
    body = from_timm.find_timm_network(name, ARCHITECTURES.names())
    maps = from_timm.TimmNetwork(body.name, maps=True)
    groups, name = from_timm.groups_by_depth, from_timm.PREFIX + body.name
    same: dict[str, Any] = {"name": name, "groups": groups, **body.facts}
    with_maps = Architecture(build=maps, fetch=maps.fetch, **same)
    return Architecture(build=body, fetch=body.fetch, cut=1, maps=with_maps, **same)
