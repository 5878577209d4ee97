"""QRNN: the scan is the recurrence, windows reach back, and it reads like an AWD-LSTM."""

import pytest
import torch

from lamina.foundation.errors import ContractError
from lamina.text.models.qrnn import AWD_QRNN, QRNN, QRNNLayer, forget_mult


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(1)


def recurrence(values, forget, start):
    states = [start]
    for t in range(values.shape[1]):
        states.append(forget[:, t] * states[-1] + (1 - forget[:, t]) * values[:, t])
    return torch.stack(states[1:], 1)


def inputs(time):
    values = torch.randn(2, time, 3, dtype=torch.float64, requires_grad=True)
    forget = torch.rand(2, time, 3, dtype=torch.float64).requires_grad_()
    return values, forget, torch.randn(2, 3, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("step", [None, 1, 3, 4, 11, 50])
@pytest.mark.parametrize("time", [1, 2, 11])
def test_the_scan_is_the_recurrence_whatever_its_chunks(time, step):
    given = inputs(time)
    ours, plain = forget_mult(*given, step=step), recurrence(*given)
    grad = torch.randn_like(plain)

    assert torch.allclose(ours, plain)
    for a, b in zip(
        torch.autograd.grad(ours, given, grad), torch.autograd.grad(plain, given, grad), strict=True
    ):
        assert torch.allclose(a, b)


def test_its_gradient_is_right():
    assert torch.autograd.gradcheck(lambda *x: forget_mult(*x, step=3), inputs(7))


@pytest.mark.parametrize("step", [None, 2])
def test_the_gradient_has_a_gradient(step):
    assert torch.autograd.gradgradcheck(lambda *x: forget_mult(*x, step=step), inputs(4))


def test_a_scan_without_a_start_begins_at_zero():
    values, forget, _ = inputs(5)

    assert torch.allclose(
        forget_mult(values, forget), forget_mult(values, forget, torch.zeros(2, 3))
    )


@pytest.mark.parametrize("window", [1, 2])
def test_a_layer_goes_on_where_it_stopped(window):
    layer = QRNNLayer(4, 6, window)
    x = torch.randn(2, 9, 4)
    first, state = layer(x[:, :4])
    second, _ = layer(x[:, 4:], state)

    assert torch.allclose(torch.cat([first, second], 1), layer(x)[0], atol=1e-6)


def test_a_window_of_two_sees_the_word_before():
    layer = QRNNLayer(4, 6, 2)
    seen = layer.gates[0].weight[:, 4:]  # of the word before
    x = torch.randn(1, 3, 4)
    layer(x)[0][:, 0].sum().backward()
    assert (layer.gates[0].weight.grad[:, 4:] == 0).all()

    layer(x)[0][:, 1].sum().backward()
    assert seen.shape == (18, 4)
    assert (layer.gates[0].weight.grad[:, 4:] != 0).any()


def test_zoneout_keeps_the_state():
    layer = QRNNLayer(4, 6, zoneout=1.0, output_gate=False)

    assert (layer(torch.randn(2, 5, 4))[0] == 0).all()
    assert (layer.eval()(torch.randn(2, 5, 4))[0] != 0).all()


def test_both_directions():
    layer = QRNNLayer(4, 6, bidir=True)
    turned = QRNNLayer(4, 6, bidir=True)
    turned.gates[0], turned.gates[1] = layer.gates[1], layer.gates[0]
    x = torch.randn(2, 5, 4)
    forth, back = layer(x)[0].chunk(2, 2)

    assert torch.allclose(turned(x.flip(1))[0].flip(1), torch.cat([back, forth], 2))


def test_a_stack_keeps_the_states_of_all_layers():
    model = QRNN(4, 6, n_layers=3)
    x = torch.randn(2, 8, 4)
    first, states = model(x[:, :3])
    second, _ = model(x[:, 3:], states)

    assert torch.allclose(torch.cat([first, second], 1), model(x)[0], atol=1e-6)


def test_the_reader_keeps_its_state_between_calls():
    model = AWD_QRNN(40, 8, 12, 3).eval()
    x = torch.randint(5, 40, (2, 12))
    whole = model(x)
    model.reset()
    parts = torch.cat([model(part) for part in x.split(4, dim=1)], 1)

    assert torch.allclose(parts, whole, atol=1e-6)


def test_another_window_is_refused():
    with pytest.raises(ContractError, match=r"window=3 is not possible\. Give 1"):
        QRNNLayer(4, 6, 3)
