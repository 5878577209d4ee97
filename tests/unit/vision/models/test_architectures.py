"""What every architecture of the table can do: under a head, in a U-Net, in a detector."""

from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from lamina.foundation.errors import MissingExtraError, UnknownNameError
from lamina.optim.recipes import SGD
from lamina.vision.detection.model import create_detection_model
from lamina.vision.models.architectures import ARCHITECTURES, Architecture
from lamina.vision.models.model import VisionModel, create_vision_model, split_groups
from lamina.vision.models.unet import create_unet_model

SOME = {"resnet18", "mobilenet_v2", "squeezenet1_1", "xresnet18", "xresnet18_deeper"}
QUICK = {"classifier": SOME, "unet": SOME, "detector": {"squeezenet1_1"}}
# a U-Net on these has 100 to 600 million weights: what it is is checked, not what it computes
HEAVY = {
    *("resnet50", "resnet101", "resnet152", "xresnet152", "xse_resnet101", "xse_resnet152"),
    *("densenet121", "densenet161", "densenet169", "densenet201"),
}
KINDS = {
    "classifier": create_vision_model,
    "unet": create_unet_model,
    "detector": partial(create_detection_model, n_levels=7),  # as many as the deepest have
}
CASES = [
    pytest.param(kind, name, marks=() if name in QUICK[kind] else pytest.mark.slow)
    for name in ARCHITECTURES.names()
    for kind in KINDS
]


def narrow(name: str) -> Architecture:
    """The architecture with half of its channels, where its builder can do that."""
    arch = ARCHITECTURES[name]
    return replace(arch, build=partial(arch.build, widen=0.5)) if name[0] == "x" else arch


def frozen(model: VisionModel) -> set[int]:
    """The parameters of the frozen groups."""
    groups = split_groups(model)
    SGD(groups, lr=0.1).freeze_to(len(groups) - 1)
    return {id(p) for p in model.parameters() if not p.requires_grad}


def fits(out: torch.Tensor, kind: str) -> bool:
    """Whether outputs for two pictures of 64 pixels and three classes have their shape."""
    if kind == "detector":
        return out.shape[::2] == (2, 11)
    return out.shape == ((2, 3) if kind == "classifier" else (2, 3, 64, 64))


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_it_builds_trains_freezes_splits_and_exports(kind: str, name: str):
    with torch.device("meta" if kind == "unet" and name in HEAVY else "cpu"):
        model, x = KINDS[kind](narrow(name), 3), torch.randn(2, 3, 64, 64)
    out = model(x)
    out.square().mean().backward()
    assert fits(out, kind)
    assert all(p.grad is not None for p in model.parameters())
    groups = split_groups(model)
    assert len(groups) == 3
    assert sum(map(len, groups)) == len(list(model.parameters()))
    assert frozen(model) == {id(p) for p in model.body.parameters()}
    model.eval()
    program: nn.Module = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(program(x), model(x))


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is installed")
def test_without_timm_a_name_says_what_is_missing_or_meant():
    with pytest.raises(MissingExtraError, match=r"lamina\[vision-backbones\]"):
        create_vision_model("convnext_atto", 2)
    with pytest.raises(UnknownNameError, match="Did you mean 'resnet18'"):
        create_vision_model("resnet_18", 2)
