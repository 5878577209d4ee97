import sys

import pytest
import torch
from torch import nn

from lamina.foundation.errors import ContractError
from lamina.nn.activations import (
    Mish,
    Swish,
    inplace_relu,
    mish,
    sigmoid,
    sigmoid_,
    swish,
    vleaky_relu,
)
from lamina.nn.attention import PooledSelfAttention2d, SelfAttention, SEModule, SimpleSelfAttention
from lamina.nn.combine import (
    Cat,
    Debugger,
    PartialLambda,
    ProdLayer,
    SimpleCNN,
    TimeDistributed,
    ToTensorBase,
    sequential,
)
from lamina.nn.conv import ConvLayer
from lamina.nn.embed import Embedding, trunc_normal_
from lamina.nn.init import init_default, init_linear
from lamina.nn.linear import (
    Flatten,
    Lambda,
    LinBnDrop,
    ResizeBatch,
    SigmoidRange,
    View,
    sigmoid_range,
)
from lamina.nn.models.xresnet import SEBlock, SeparableBlock, SEResNeXtBlock
from lamina.nn.norm import BatchNorm, BatchNorm1dFlat, InstanceNorm, NormType
from lamina.nn.params import ParameterModule, children_and_parameters, flatten_model
from lamina.nn.pool import (
    AdaptiveAvgPool,
    AdaptiveConcatPool1d,
    AdaptiveConcatPool2d,
    AvgPool,
    MaxPool,
    PoolFlatten,
    PoolType,
    adaptive_pool,
)
from lamina.nn.shortcut import MergeLayer, ResBlock, SequentialEx
from lamina.nn.upsample import PixelShuffle_ICNR, icnr_init
from lamina.tensor.types import TensorImage, plain

IMAGE, SEQUENCE, ROWS = (2, 8, 8, 8), (2, 8, 6), (2, 8)
LAYERS = [
    (AdaptiveConcatPool1d(), SEQUENCE),
    (AdaptiveConcatPool2d(2), IMAGE),
    (AdaptiveAvgPool(2), IMAGE),
    (AvgPool(2), IMAGE),
    (BatchNorm(8), IMAGE),
    (BatchNorm1dFlat(6), SEQUENCE),
    (Cat([nn.Conv2d(8, 3, 1), nn.Conv2d(8, 2, 1)]), IMAGE),
    (ConvLayer(8, 4, norm_type=NormType.Weight), IMAGE),
    (ConvLayer(8, 4, transpose=True, norm_type=NormType.Spectral), IMAGE),
    (Flatten(), IMAGE),
    (Flatten(full=True), IMAGE),
    (InstanceNorm(8, ndim=1), SEQUENCE),
    (Lambda(torch.relu), ROWS),
    (LinBnDrop(8, 4, p=0.1, act=nn.ReLU()), ROWS),
    (MaxPool(2), IMAGE),
    (Mish(), ROWS),
    (PartialLambda(torch.clamp, min=0.0), ROWS),
    (PixelShuffle_ICNR(8, 4, blur=True), IMAGE),
    (PixelShuffle_ICNR(8, norm_type=None), IMAGE),
    (PoolFlatten("Cat"), IMAGE),
    (PooledSelfAttention2d(8), IMAGE),
    (ResBlock(1, 8, 16, 2, reduction=8, sa=True), IMAGE),
    (ResizeBatch(16, 3), SEQUENCE),
    (SEBlock(1, 8, 16, 2), IMAGE),
    (SEModule(8, 2), IMAGE),
    (SEResNeXtBlock(4, 2, 16, groups=2), IMAGE),
    (SelfAttention(8), IMAGE),
    (SeparableBlock(1, 8, 8), IMAGE),
    (SequentialEx(nn.ReLU(), MergeLayer(torch.maximum)), IMAGE),
    (SequentialEx(nn.ReLU(), ProdLayer()), IMAGE),
    (SigmoidRange(0, 5), ROWS),
    (SimpleCNN([8, 4, 2]), IMAGE),
    (SimpleSelfAttention(8, sym=True), IMAGE),
    (Swish(), ROWS),
    (TimeDistributed(nn.Linear(6, 3)), SEQUENCE),
    (TimeDistributed(nn.Linear(6, 3), low_memory=True), SEQUENCE),
    (View(4, 4), ROWS),
]


@pytest.mark.parametrize(
    ("layer", "shape"), LAYERS, ids=[type(layer).__name__ for layer, _ in LAYERS]
)
def test_every_layer_exports(layer, shape):
    x, layer = torch.randn(shape), layer.eval()
    exported = torch.export.export(layer, (x,)).module()
    torch.testing.assert_close(exported(x), layer(x))


def test_embeddings_export():
    layer, x = Embedding(5, 3), torch.tensor([[0, 4]])
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), layer(x))


def test_activations_are_their_formulas():
    x = torch.linspace(-5, 5, 50)
    torch.testing.assert_close(swish(x), x * x.sigmoid())
    torch.testing.assert_close(mish(x), x * torch.tanh(torch.log1p(x.exp())))
    torch.testing.assert_close(vleaky_relu(x.clone()), torch.where(x < 0, 0.3 * x, x))


def test_sigmoid_keeps_away_from_its_ends():
    x = torch.tensor([-1e4, 1e4])
    assert sigmoid(x, eps=0.125).tolist() == [0.125, 0.875]
    assert sigmoid_(x, eps=0.125) is x


def test_truncated_normal_numbers():
    x = trunc_normal_(torch.empty(10_000), mean=3.0, std=0.5)
    assert x.sub(3).abs().max() < 1
    assert x.mean().item() == pytest.approx(3, abs=0.05)


def test_a_shuffled_start_repeats_its_pixels():
    layer = PixelShuffle_ICNR(4, 2, act_cls=None)
    out = layer(torch.randn(1, 4, 3, 3))
    torch.testing.assert_close(out[..., ::2, ::2], out[..., 1::2, 1::2])


def test_filters_that_do_not_fit_the_scale_are_refused():
    with pytest.raises(ContractError, match=r"groups of 4\. Give the convolution 4 filters"):
        icnr_init(torch.empty(6, 3, 1, 1))


def test_layers_side_by_side():
    x = torch.randn(2, 3)
    assert torch.equal(Cat([nn.Identity(), nn.ReLU()], dim=0)(x), torch.cat([x, x.relu()]))


def test_a_simple_network_has_one_kernel_size_for_each_convolution():
    with pytest.raises(ContractError, match="3 filters make 2 convolutions; got 1 kernel"):
        SimpleCNN([3, 4, 5], kernel_sizes=[3])


class SumAndProduct(nn.Module):
    def forward(self, x, y):
        return x + y, x * y


@pytest.mark.parametrize("low_memory", [False, True])
@pytest.mark.parametrize("tdim", [1, 2])
def test_several_sequences_through_one_module(low_memory, tdim):
    x, y = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    total, product = TimeDistributed(SumAndProduct(), low_memory=low_memory, tdim=tdim)(x, y)
    torch.testing.assert_close(total, x + y)
    torch.testing.assert_close(product, x * y)


def test_sequential_leaves_a_single_module_alone():
    one = nn.ReLU()
    assert sequential(one) is one
    assert len(sequential(one, one)) == 2


def test_a_layer_can_give_a_semantic_type():
    out = ToTensorBase(TensorImage)(torch.zeros(3, 2, 2))
    assert type(out) is TensorImage
    assert type(plain(out)) is torch.Tensor


class WithOwnParameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU())


def test_parameters_of_a_model_count_as_its_layers():
    model = WithOwnParameter()
    kinds = [type(layer) for layer in children_and_parameters(model)]
    assert kinds == [nn.Sequential, ParameterModule]
    assert [type(layer) for layer in flatten_model(model)] == [nn.Linear, nn.ReLU, ParameterModule]
    assert flatten_model(model)[-1].val is model.scale


def test_pooled_attention_starts_as_the_identity():
    x = torch.randn(IMAGE)
    torch.testing.assert_close(PooledSelfAttention2d(8)(x), x)


def test_pools_by_name():
    x = torch.randn(IMAGE)
    mean, largest = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    expected = {"Avg": [mean], "Max": [largest], "Cat": [largest, mean]}
    for name, parts in expected.items():
        assert PoolType(name) is getattr(PoolType, name)
        torch.testing.assert_close(adaptive_pool(name)(1)(x), torch.cat(parts, dim=1))


def test_norms_start_as_they_are_named():
    assert InstanceNorm(2, norm_type=NormType.InstanceZero).weight.tolist() == [0, 0]
    assert BatchNorm(2, ndim=3).weight.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("act", "bound"), [(nn.ReLU(), (6 / 100) ** 0.5), (nn.Tanh(), (6 / 200) ** 0.5)]
)
def test_weights_start_for_the_activation_that_follows(act, bound):
    layer = nn.Linear(100, 100)
    init_linear(layer, act, bias_std=0)
    assert 0.95 * bound < layer.weight.abs().max().item() <= bound
    assert not layer.bias.any()


def test_the_default_start_leaves_norms_alone():
    norm = init_default(BatchNorm(3))
    assert (norm.weight.tolist(), norm.bias.tolist()) == ([1, 1, 1], [0, 0, 0])


def test_a_range_for_numbers():
    x = torch.tensor([-100.0, 0.0, 100.0])
    assert sigmoid_range(x, 1, 5).tolist() == [1, 3, 5]


def test_an_activation_may_overwrite_its_input():
    x = torch.tensor([-1.0, 1.0])
    assert inplace_relu()(x) is x


def test_the_debugger_is_called_where_the_layer_stands(monkeypatch):
    stops = []
    monkeypatch.setattr(sys, "breakpointhook", lambda: stops.append(1))
    assert Debugger()(torch.ones(1)).item() == 1
    assert stops == [1]
