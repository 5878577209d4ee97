import pytest
import torch
from torch import nn

from lamina.nn.conv import ConvLayer
from lamina.nn.hooks import (
    Hook,
    Hooks,
    dummy_eval,
    hook_output,
    hook_outputs,
    layer_info,
    model_sizes,
)
from lamina.nn.norm import NormType
from lamina.nn.params import num_features


def hooks_on(model):
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())


@pytest.fixture
def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2))


@pytest.mark.parametrize("make", [hook_output, lambda m: hook_outputs([m, m[0]])])
def test_hooks_are_removed_after_an_error(net, make):
    with pytest.raises(RuntimeError), make(net):
        net(torch.zeros(1, 1, 1))
    assert hooks_on(net) == 0


def test_no_hook_stays_when_one_of_the_modules_fails(net):
    def modules():
        yield net[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Hooks(modules(), print)
    assert hooks_on(net) == 0


def test_a_hook_sees_input_and_output(net):
    x = torch.randn(2, 3, 8, 8)
    with Hook(net[2], lambda m, i, o: (i[0].shape, o.shape)) as hook:
        net(x)
    assert hook.stored == ((2, 4, 8, 8), (2, 4, 4, 4))


def test_outputs_have_no_history_unless_asked_for(net):
    x = torch.randn(2, 3, 8, 8)
    with hook_output(net) as hook, hook_output(net, detach=False) as with_history:
        net(x)
    assert not hook.stored.requires_grad
    assert with_history.stored.requires_grad


def test_gradients_can_be_kept():
    layer = nn.Linear(2, 1)
    with hook_output(layer, grad=True) as hook:
        layer(torch.ones(3, 2, requires_grad=True)).sum().backward()
    assert torch.equal(hook.stored[0], torch.ones(3, 1))


def test_sizes_of_children_leave_the_model_as_it_was(net):
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net[1].eval()
    assert [tuple(s) for s in model_sizes(net, (8, 6))][-1] == (1, 4, 4, 3)
    assert (net.training, net[1].training) == (True, False)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


@pytest.mark.parametrize("look", [dummy_eval, model_sizes, num_features])
def test_the_mode_of_a_model_that_fails_is_put_back(look):
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Linear(1, 1))
    with pytest.raises(RuntimeError):
        look(net)
    assert net.training
    assert hooks_on(net) == 0


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3), requires_grad=False)
        self.body = nn.Sequential(ConvLayer(3, 4, norm_type=NormType.Weight), nn.Flatten())
        self.unused = nn.Linear(1, 1)

    def forward(self, x):
        return self.body(x * self.scale[:, None, None])


def test_layers_with_their_sizes():
    found = layer_info(Scaled(), torch.zeros(2, 3, 4, 4))
    assert [(x.name, x.kind, x.shape and tuple(x.shape)) for x in found] == [
        ("scale", "Parameter", (3,)),
        ("body.0.0", "Conv2d", (2, 4, 4, 4)),
        ("body.0.1", "ReLU", (2, 4, 4, 4)),
        ("body.1", "Flatten", (2, 64)),
        ("unused", "Linear", None),
    ]
    assert sum(x.n_params for x in found) == sum(p.numel() for p in Scaled().parameters())
    assert found[0].n_trained == 0


def test_layers_that_give_tuples_show_their_first_output():
    net = nn.LSTM(3, 5, batch_first=True)
    assert layer_info(net, torch.zeros(2, 6, 3))[0].shape == (2, 6, 5)


def test_a_hook_can_be_switched_off(net):
    with hook_output(net) as hook:
        hook.on = False
        net(torch.zeros(2, 3, 8, 8))
    assert hook.stored is None
