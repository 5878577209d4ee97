"""Networks of timm by their names: bodies, maps of every size, weights, and groups by depth."""

import importlib
from collections import OrderedDict
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from lamina.foundation.errors import DownloadError, MissingExtraError, UnknownNameError, needs
from lamina.foundation.paths import atomic_write
from lamina.nn.params import evaluating

__all__ = ["TimmNetwork", "find_timm_network", "groups_by_depth"]

PREFIX = "timm/"


@dataclass(frozen=True)
class TimmNetwork:
    """What builds a network of timm without its classifier.

    Args:
        name: Its name in timm, such as `convnext_atto` or `resnet50.a1_in1k`.
        maps: Whether it gives a list with the map of each size, for a U-Net.
    """

    name: str
    maps: bool = False

    def __call__(self, *, n_in: int = 3, n_out: int = 0, pretrained: bool = False) -> nn.Module:
        """Build it: `(b, n_in, h, w)` to maps `(b, c, h', w')` or, as it pools itself, `(b, c)`."""
        kind = {"features_only": True} if self.maps else _without_head(self.name)
        net = _create(self.name, in_chans=n_in, pretrained=pretrained, **kind)
        return nn.Sequential(OrderedDict(net=net)) if not self.maps else net

    def fetch(self, folder: Path) -> Path:
        """The file with its published weights in `folder`, made by timm the first time.

        Raises:
            DownloadError: timm has no weights for it, or cannot get them.
        """
        file = folder / f"timm-{self.name}{'-maps' if self.maps else ''}.safetensors"
        if file.exists():
            return file
        try:
            state = self(pretrained=True).state_dict()
        except (OSError, RuntimeError) as e:
            raise DownloadError(
                f"The weights of {PREFIX}{self.name} could not be had from timm: {e!r}. Pass "
                "pretrained=False, or weights=, a file."
            ) from e
        with atomic_write(file) as temporary:
            save_file({name: value.contiguous() for name, value in state.items()}, temporary)
        return file

    @property
    def facts(self) -> dict[str, Any]:
        """Statistics of the pictures that the weights expect, and a size that it takes."""
        cfg = _timm().get_pretrained_cfg(self.name)
        if cfg is None:
            return {}
        size = cfg.input_size[-1] if cfg.fixed_input_size else 64
        return {"stats": (tuple(cfg.mean), tuple(cfg.std)), "size_px": size}


def find_timm_network(name: str, known: tuple[str, ...]) -> TimmNetwork:
    """The network of a name, with or without `timm/` before it.

    Args:
        name: The name.
        known: Names that are not timm's, to suggest.

    Raises:
        UnknownNameError: timm has no such network.
        MissingExtraError: timm is not installed.
    """
    bare = name.removeprefix(PREFIX)
    try:
        timm = _timm()
    except MissingExtraError:
        if name == bare and get_close_matches(name, known, 1):
            raise UnknownNameError("architecture", name, known, where="timm is missing") from None
        raise
    family, _, tag = bare.partition(".")
    if not timm.is_model(family):
        raise UnknownNameError("architecture", name, [*known, *timm.list_models()], where="timm")
    tagged = timm.list_models(f"{family}.*", pretrained=True)
    if tag and bare not in tagged:
        raise UnknownNameError("architecture", name, tagged, where="timm")
    return TimmNetwork(bare)


def groups_by_depth(body: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of a network of timm, from the first layers to the last.

    Args:
        body: What `TimmNetwork` built, inside of anything that has it as its attribute `net`.
    """
    net: Any = getattr(body.net, "model", body.net)  # a transformer's maps are got from outside
    if not hasattr(net, "group_matcher"):  # one that gives maps has its stages as children
        layers = [layer for child in net.children() for layer in _opened(child)]
        return [own for layer in layers if (own := list(layer.parameters()))]
    levels = _timm().models.group_parameters(net, net.group_matcher(coarse=True))
    named = dict(net.named_parameters())
    return [[named[name] for name in levels[level]] for level in sorted(levels)]


def _opened(layer: nn.Module) -> list[nn.Module]:
    return list(layer) if isinstance(layer, nn.Sequential) else [layer]


@lru_cache(maxsize=256)
def _without_head(name: str) -> dict[str, Any]:
    """The arguments that leave the classifier away and, if it has maps then, the pooling."""
    whole = {"num_classes": 0, "global_pool": ""}
    net = _create(name, **whole)
    cfg: Any = net.default_cfg
    with evaluating(net):
        shape = net(torch.zeros(1, *cfg["input_size"])).shape
    channels = (net.num_features, getattr(net, "head_hidden_size", None))
    return whole if len(shape) == 4 and shape[1] in channels else {"num_classes": 0}


def _create(name: str, **options: Any) -> Any:
    try:  # a transformer takes pictures of any size only when asked to
        return _timm().create_model(name, dynamic_img_size=True, **options)
    except TypeError:
        return _timm().create_model(name, **options)


def _timm() -> Any:
    with needs("timm", "vision-backbones"):
        return importlib.import_module("timm")
