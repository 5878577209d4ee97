"""Our networks are torchvision's: the same names, the same numbers, weights go both ways."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

from lamina.nn.models import mobilenet, resnet, squeezenet
from lamina.vision.models.architectures import ARCHITECTURES
from lamina.vision.models.body import load_weights
from lamina.vision.models.model import create_vision_model, split_groups

pytestmark = pytest.mark.interop

OURS = {
    "resnet18": resnet.resnet18,
    "resnet34": resnet.resnet34,
    "resnet50": resnet.resnet50,
    "mobilenet_v2": mobilenet.mobilenet_v2,
    "squeezenet1_1": squeezenet.squeezenet1_1,
    "squeezenet1_0": squeezenet.squeezenet1_0,
    **{name: ARCHITECTURES[name].make for name in ("alexnet", "vgg11_bn", "densenet121")},
}
LARGER = ("resnet101", "resnet152", "vgg13_bn", "vgg16_bn", "vgg19_bn")
LARGER += ("densenet161", "densenet169", "densenet201")
EXACT = {"rtol": 0, "atol": 0}


def theirs(name: str) -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.get_model(name, weights=None)


def shaken(model: nn.Module) -> nn.Module:
    """Give the normalization layers statistics and weights that a fresh network does not have."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
    return model


def photos(n: int = 2) -> torch.Tensor:
    return torch.randn(n, 3, 96, 96, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", [*OURS, *LARGER])
def test_names_and_shapes_are_the_same(name: str):
    with torch.device("meta"):
        ours, other = ARCHITECTURES[name].make().state_dict(), theirs(name).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in other.items()}


@pytest.mark.parametrize("name", OURS)
def test_their_weights_give_their_output_in_ours(name: str):
    other, ours = shaken(theirs(name)).eval(), OURS[name]().eval()
    ours.load_state_dict(other.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(photos()), other(photos()), **EXACT)


@pytest.mark.parametrize("name", OURS)
def test_our_weights_give_our_output_in_theirs(name: str):
    ours, other = shaken(OURS[name]()).eval(), theirs(name).eval()
    other.load_state_dict(ours.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(other(photos()), ours(photos()), **EXACT)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_gradients_and_running_statistics_agree(name: str):
    other, ours = theirs(name).train(), OURS[name]().train()
    ours.load_state_dict(other.state_dict())
    for model in (other, ours):
        model(photos(4)).square().mean().backward()
    grads = {n: p.grad for n, p in other.named_parameters()}
    for n, p in ours.named_parameters():
        torch.testing.assert_close(p.grad, grads[n], **EXACT)
    for n, value in ours.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[n], **EXACT)


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1"])
def test_the_bundled_weights_work_in_torchvision(samples, name):
    weights = load_file(samples / f"{name}-imagenet.safetensors")
    other, ours = theirs(name).eval(), OURS[name]().eval()
    other.load_state_dict(weights)
    ours.load_state_dict(weights)
    with torch.no_grad():
        torch.testing.assert_close(ours(photos()), other(photos()), **EXACT)


@pytest.mark.parametrize("name", OURS)
def test_a_file_saved_from_their_model_loads(name: str, tmp_path: Path):
    other, ours = shaken(theirs(name)).eval(), OURS[name]().eval()
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    load_weights(ours, tmp_path / "weights.pth")
    with torch.no_grad():
        torch.testing.assert_close(ours(photos()), other(photos()), **EXACT)


def test_their_file_starts_a_vision_model(tmp_path: Path):
    other = shaken(theirs("resnet18")).eval()
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    model = create_vision_model("resnet18", 5, weights=tmp_path / "weights.pth").eval()
    features = nn.Sequential(*list(other.children())[:-2])
    with torch.no_grad():
        torch.testing.assert_close(model.body(photos()), features(photos()), **EXACT)


def test_their_network_is_an_architecture():
    def densenet(*, n_in: int, n_out: int) -> nn.Module:
        assert n_in == 3
        return torchvision.models.densenet121(num_classes=n_out)

    model = create_vision_model(densenet, 5, cut=1)
    assert model(photos()).shape == (2, 5)
    assert [len(group) > 0 for group in split_groups(model)] == [True, True]


def test_vision_leaves_torchvision_alone():
    code = "import sys, lamina.vision.all; print('torchvision' in sys.modules)"
    run = [sys.executable, "-c", code]
    assert subprocess.run(run, check=True, capture_output=True, text=True).stdout == "False\n"
