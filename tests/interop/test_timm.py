"""timm's ResNets have torchvision's names, and so do ours: weights go both ways."""

import pytest
import timm
import torch

from lamina.nn.models import resnet
from lamina.vision.models.model import create_vision_model, split_groups
from lamina.vision.models.unet import create_unet_model

pytestmark = pytest.mark.interop

NAMES = ["resnet18", "resnet50"]


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_timm_load_and_give_the_same_output(name: str):
    torch.manual_seed(0)
    other = timm.create_model(name, pretrained=False).eval()
    ours = getattr(resnet, name)().eval()
    ours.load_state_dict(other.state_dict())
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours(x), other(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_our_weights_load_in_timm(name: str):
    other = timm.create_model(name, pretrained=False)
    result = other.load_state_dict(getattr(resnet, name)().state_dict())
    assert not result.missing_keys
    assert not result.unexpected_keys


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "efficientnet_b0"])
@pytest.mark.parametrize("n_in", [3, 1])
def test_a_timm_network_is_an_architecture(name: str, n_in: int):
    def features(*, n_in: int, n_out: int) -> torch.nn.Module:
        whole = timm.create_model(name, in_chans=n_in, num_classes=0, global_pool="")
        return torch.nn.Sequential(whole, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

    model = create_vision_model(features, 5, n_in=n_in).eval()
    assert model(torch.zeros(2, n_in, 64, 64)).shape == (2, 5)
    body, head = split_groups(model)
    assert len(body) + len(head) == len(list(model.parameters()))


def test_a_timm_resnet_is_cut_before_its_pool():
    def whole(*, n_in: int, n_out: int) -> torch.nn.Module:
        return timm.create_model("resnet18", in_chans=n_in, num_classes=n_out)

    model = create_vision_model(whole, 5)
    assert [n for n, _ in model.body.named_children()][-1] == "layer4"
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 5)


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "efficientnet_b0"])
def test_a_unet_stands_on_the_features_of_timm(name: str):
    def features(*, n_in: int, n_out: int) -> torch.nn.Module:
        return timm.create_model(name, in_chans=n_in, features_only=True)

    model = create_unet_model(features, 2, (64, 64)).eval()
    expected = timm.create_model(name, features_only=True).feature_info.channels()
    x = torch.randn(1, 3, 70, 91)
    assert [m.shape[1] for m in model.body(x)] == [3, *expected]
    program = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(program(x), model(x))
    assert model(x).shape == (1, 2, 70, 91)


@pytest.mark.parametrize("name", ["convnext_atto", "efficientnet_b0", "densenet121"])
def test_a_unet_finds_the_stages_of_a_whole_timm_network(name: str):
    def whole(*, n_in: int, n_out: int) -> torch.nn.Module:
        return timm.create_model(name, in_chans=n_in, num_classes=n_out)

    model = create_unet_model(whole, 2, (64, 64)).eval()
    sizes = [m.shape[-1] for m in model.body(torch.zeros(1, 3, 64, 64))]
    assert sizes[1:] == [32, 16, 8, 4, 2][-len(sizes) + 1 :]
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 2, 64, 64)
