"""timm's ResNets have torchvision's names, and so do ours: weights go both ways."""

import pytest
import timm
import torch

from lamina.nn import resnet

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
