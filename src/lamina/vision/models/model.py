"""A vision model: the body of an architecture and a head, in parameter groups."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Unpack

import torch
from torch import nn

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.nn.init import InitFunc, apply_init
from lamina.nn.params import evaluating
from lamina.vision.models.architectures import Architecture, Groups, find_architecture
from lamina.vision.models.body import create_body
from lamina.vision.models.head import HeadArgs, create_head

__all__ = ["VisionModel", "create_vision_model", "split_groups"]


class VisionModel(nn.Sequential):
    """A body and a head: `(b, n_in, h, w)` to `(b, n_out)`.

    Args:
        body: From an image to features.
        head: From features to outputs.
        groups: Where the body's layers are split into parameter groups, counted over its children
            or, when it has one child, over those of the child; or what gives the body's groups.
    """

    def __init__(self, body: nn.Module, head: nn.Module, groups: Groups = ()) -> None:
        super().__init__()
        self.body, self.head, self.groups = body, head, groups


@savable("lamina.vision:model")
def create_vision_model(
    arch: str | Callable[..., nn.Module] | Architecture,
    n_out: int,
    *,
    n_in: int = 3,
    weights: str | Path | None = None,
    cut: int | None = None,
    custom_head: nn.Module | None = None,
    init: InitFunc | None = nn.init.kaiming_normal_,
    **head: Unpack[HeadArgs],
) -> VisionModel:
    """The body of `arch` under a new head.

    Args:
        arch: A name or function of the table of architectures, a name of timm's, or any callable
            that takes `n_in` and `n_out`.
        n_out: Outputs.
        n_in: Channels of the image.
        weights: A file with the weights of the whole published network; None starts afresh.
        cut: Children of the network that are the body, when the table's choice does not suit.
        custom_head: Used in place of `create_head(...)`.
        init: Starts the head's weights; with `y_range` the last ones are then made small.
        head: Options of `create_head`.

    Example:
        >>> model = create_vision_model("resnet18", 5)
        >>> [type(part).__name__ for part in model.children()]
        ['Sequential', 'Sequential']
    """
    if custom_head is not None and head:
        raise ContractError("create_vision_model: give custom_head or options of a head, not both.")
    found = find_architecture(arch)
    body = create_body(found, n_in=n_in, weights=weights, cut=cut)
    top = custom_head
    if top is None:
        n_features, *maps = _shape(body, n_in, found.size_px)
        top = create_head(n_features, n_out, **{"pool": bool(maps), **head})
    if init is not None:
        apply_init(top, init)
    if head.get("y_range") is not None:
        _start_in_the_middle(top)
    return VisionModel(body, top, found.groups if cut is None else ())


def _shape(body: nn.Module, n_in: int, size_px: int) -> torch.Size:
    """What the body makes of a picture: channels, and height and width unless it pools itself."""
    with evaluating(body):
        return body(torch.zeros(1, n_in, size_px, size_px)).shape[1:]


@torch.no_grad()
def _start_in_the_middle(head: nn.Module) -> None:
    """Let bounded outputs start near the middle, where the bound has its steepest slope."""
    *_, last = (m for m in head.modules() if isinstance(m, nn.Linear))
    last.weight *= 0.01


def split_groups(model: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of a `VisionModel` from the first layers to the head.

    Raises:
        ContractError: The model has no body and head.

    Example:
        >>> [len(group) for group in split_groups(create_vision_model("resnet18", 5))]
        [30, 30, 6]
    """
    if not isinstance(model, VisionModel):
        raise ContractError(
            f"split_groups: {type(model).__name__} is no VisionModel. Pass splitter= instead."
        )
    head = list(model.head.parameters())
    if callable(model.groups):
        return [*model.groups(model.body), head]
    if not model.groups:
        return [list(model.body.parameters()), head]
    layers = list(model.body.children())
    while len(layers) == 1:
        layers = list(layers[0].children())
    edges = [0, *model.groups, len(layers)]
    parts = [layers[a:b] for a, b in pairwise(edges)]
    return [*([p for layer in part for p in layer.parameters()] for part in parts), head]
