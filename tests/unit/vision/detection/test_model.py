"""The detector's network: on several bodies, with gradients, exported, split into groups."""

import pytest
import torch

from lamina.foundation.errors import ContractError
from lamina.vision.detection.model import BOX, CELL, LOGITS, create_detection_model


@pytest.mark.parametrize("arch", ["resnet18", "mobilenet_v2", "squeezenet1_1"])
def test_every_body_gives_boxes_that_lie_around_their_cells(arch):
    out = create_detection_model(arch, 3).eval()(torch.rand(2, 3, 96, 64))
    centre = (out[..., BOX][..., :2] + out[..., BOX][..., 2:]) / 2

    assert out.shape[::2] == (2, 11)
    assert ((centre - out[..., CELL][..., :2]).abs() < out[..., CELL][..., 2:]).all()
    assert (out[..., BOX][..., 2:] > out[..., BOX][..., :2]).all()


def test_a_new_head_expects_few_objects():
    out = create_detection_model("resnet18", 2).eval()(torch.rand(1, 3, 64, 64))

    assert out[..., LOGITS].sigmoid().mean().item() == pytest.approx(0.01, abs=0.005)


def test_gradients_reach_every_parameter():
    model = create_detection_model("resnet18", 2)
    model(torch.rand(2, 3, 64, 64)).sum().backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None]

    assert unused == []


def test_the_network_is_exported_and_says_the_same():
    model = create_detection_model("resnet18", 2).eval()
    x = torch.rand(1, 3, 64, 64)
    exported = torch.export.export(model, (x,)).module()

    assert torch.allclose(exported(x), model(x), atol=1e-5)


def test_a_body_without_coarse_maps_is_refused():
    with pytest.raises(ContractError, match="Pass a lower min_stride"):
        create_detection_model("resnet18", 2, min_stride=128)
