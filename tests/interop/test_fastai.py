"""Weights of fastai's networks fit ours in the order in which they stand; the answers are the same.

So `docs/tutorials/from_fastai.ipynb` moves them.
"""

import warnings

import pytest
import torch
from torch import Tensor, nn

from lamina.tabular.models.embedding_mlp import TabularModel
from lamina.vision.models.model import create_vision_model
from lamina.vision.models.unet import create_unet_model

pytestmark = pytest.mark.interop

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    fastai = pytest.importorskip("fastai.vision.all")
    tabular = pytest.importorskip("fastai.tabular.all")


def carry(old: nn.Module, new: nn.Module) -> None:
    weights = dict(zip(new.state_dict(), old.state_dict().values(), strict=True))
    new.load_state_dict(weights)


def same(old: nn.Module, new: nn.Module, *inputs: Tensor) -> bool:
    for part in old.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
    carry(old, new)
    with torch.no_grad():
        return torch.equal(old.eval()(*inputs), new.eval()(*inputs))


@pytest.mark.parametrize("arch", ["resnet18", "resnet50", "squeezenet1_1", "xresnet18"])
def test_vision_models(arch: str) -> None:
    make = getattr(fastai, arch, None) or getattr(fastai.models, arch)
    old = fastai.create_vision_model(make, 3, pretrained=False)
    assert same(old, create_vision_model(arch, 3), torch.randn(2, 3, 64, 64))


def test_u_nets() -> None:
    body = fastai.create_body(fastai.resnet18(weights=None), cut=-2)
    old = fastai.DynamicUnet(body, 3, (64, 64))
    assert same(old, create_unet_model("resnet18", 3), torch.randn(1, 3, 64, 64))


def test_tabular_models() -> None:
    given = [(5, 3), (7, 4)], 3, 2, [20, 10]
    inputs = torch.tensor([[1, 2], [3, 4]]), torch.randn(2, 3)
    assert same(tabular.TabularModel(*given), TabularModel(*given), *inputs)
