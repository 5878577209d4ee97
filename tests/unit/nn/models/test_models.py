import pytest
import torch
from torch import nn

from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.nn.models.mobilenet import mobilenet_v2
from lamina.nn.models.resnet import resnet18, resnet50
from lamina.nn.models.squeezenet import squeezenet1_0, squeezenet1_1
from lamina.nn.models.xresnet import XRESNETS, SeparableBlock, XResNet
from lamina.nn.params import in_channels, norm_bias_params, num_features, total_params
from lamina.nn.shortcut import MergeLayer, ResBlock, SequentialEx


@pytest.mark.parametrize(
    ("make", "n_params"),
    [
        (resnet18, 11_689_512),
        (resnet50, 25_557_032),
        (mobilenet_v2, 3_504_872),
        (squeezenet1_0, 1_248_424),
        (squeezenet1_1, 1_235_496),
    ],
)
def test_published_sizes(make, n_params):
    assert total_params(make())[0] == n_params


def test_resnet_state_dict_has_the_published_names():
    names = set(resnet50().state_dict())
    some = {"conv1.weight", "layer1.0.downsample.1.running_var", "layer4.2.bn3.bias", "fc.bias"}
    assert some <= names
    assert len(names) == 320


def test_mobilenet_state_dict_has_the_published_names():
    names = set(mobilenet_v2().state_dict())
    assert {"features.1.conv.1.weight", "features.2.conv.3.bias", "classifier.1.weight"} <= names
    assert len(names) == 314


@pytest.mark.parametrize("name", sorted(XRESNETS))
def test_every_xresnet_trains_a_step(name):
    net = XRESNETS[name](n_out=3, widen=0.5)
    out = net(torch.randn(2, 3, 64, 64))
    out.sum().backward()
    assert out.shape == (2, 3)
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("options", [{"sa": True, "sym": True}, {"act_cls": nn.Mish}, {"c_in": 1}])
def test_xresnet_options(options):
    net = XResNet(ResBlock, 1, [1, 1, 1, 1], n_out=2, widen=0.25, **options)
    assert net(torch.randn(2, options.get("c_in", 3), 64, 64)).shape == (2, 2)


def test_xresnet_in_one_dimension():
    net = XResNet(ResBlock, 1, [1, 1, 1, 1], n_out=2, widen=0.25, ndim=1, c_in=6, ks=5)
    assert net(torch.randn(2, 6, 64)).shape == (2, 2)


def test_separable_blocks():
    net = XResNet(SeparableBlock, 4, [1, 1, 1, 1], n_out=2, widen=0.25)
    assert net(torch.randn(2, 3, 64, 64)).shape == (2, 2)


def test_unknown_option_is_refused_with_the_closest():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'widen'"):
        XResNet(ResBlock, 1, [1, 1, 1, 1], wide=2)


def test_even_kernel_is_refused():
    with pytest.raises(ContractError, match="odd kernel size"):
        ResBlock(1, 8, 8, ks=2)


def test_a_residual_block_starts_as_the_identity():
    block = ResBlock(1, 8, 8)
    x = torch.rand(2, 8, 4, 4)
    torch.testing.assert_close(block(x), x, rtol=0, atol=2e-3)


def test_merge_layer_takes_any_function():
    block = SequentialEx(nn.Identity(), MergeLayer(torch.mul))
    assert block(torch.tensor([3.0])).item() == 9.0


def test_dense_merge_concatenates_channels():
    block = SequentialEx(nn.Conv2d(3, 5, 1), MergeLayer(dense=True))
    assert block(torch.zeros(1, 3, 2, 2)).shape == (1, 8, 2, 2)


def test_sequential_ex_exports():
    block = SequentialEx(nn.Linear(2, 2), MergeLayer())
    x = torch.randn(3, 2)
    exported = torch.export.export(block, (x,)).module()
    torch.testing.assert_close(exported(x), block(x))


def test_norm_bias_params_and_channels():
    net = nn.Sequential(nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2))
    assert len(norm_bias_params(net, with_bias=False)) == 2
    assert in_channels(net) == 4
    assert num_features(net.train(), n_in=4) == 2
    assert net.training
