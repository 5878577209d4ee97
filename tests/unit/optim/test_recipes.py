"""What is special about single recipes; that they equal their papers is tested in parity."""

import pytest
import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.optim.lookahead import Lookahead, ranger
from lamina.optim.muon import Muon, orthogonalize
from lamina.optim.recipes import LBFGS, SGD, Adam, Larc, RMSProp
from lamina.optim.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from lamina.optim.wrap import OptimWrapper


def param(*values: float) -> Tensor:
    return torch.tensor(values, requires_grad=True)


def step(opt, grad: float = 1.0, times: int = 1) -> None:
    for _ in range(times):
        for p in opt.all_params():
            p.grad = torch.full_like(p, grad)
        opt.step()


def test_a_tensor_of_zeros_learns_with_larc() -> None:
    p = param(0.0, 0.0)
    step(Larc([p], lr=0.5, mom=0.0))
    assert p.tolist() == [-0.5, -0.5]


def test_no_momentum_no_hyper() -> None:
    for make in (Larc, RMSProp):
        assert "mom" not in make([param(1.0)], lr=0.1, mom=0.0).hypers[0]


def test_lookahead_takes_over_what_the_optimizer_has() -> None:
    a, b = param(1.0), param(2.0)
    fast = Adam([[a], [b]], lr=slice(0.01, 0.1))
    fast.mark([a], do_wd=False)
    step(fast)
    fast.freeze()
    slow = Lookahead(fast)
    assert [h["lr"] for h in slow.hypers] == pytest.approx([0.01, 0.1])
    assert slow.frozen_idx == 1
    b.grad = torch.ones(1)
    slow.step()
    assert [slow.state[p]["step"] for p in (a, b)] == [1, 2]


def test_lookahead_hypers_can_change() -> None:
    p = param(1.0)
    opt = Lookahead(SGD([p], lr=0.25), k=6, alpha=0.5)
    opt.set_hypers(k=2)
    step(opt, times=2)
    assert p.item() == 0.75


def test_lookahead_refuses_what_has_no_steppers() -> None:
    wrapped = OptimWrapper([param(1.0)], torch.optim.SGD, lr=0.1)
    with pytest.raises(ContractError, match=r"got OptimWrapper\. Give it one of the recipes"):
        Lookahead(wrapped)


def test_ranger_has_its_defaults() -> None:
    hypers = ranger([param(1.0)], lr=0.1).hypers[0]
    assert {k: hypers[k] for k in ("mom", "wd", "eps", "k", "alpha")} == {
        "mom": 0.95,
        "wd": 0.01,
        "eps": 1e-6,
        "k": 6,
        "alpha": 0.5,
    }


def test_muon_leaves_marked_matrices_to_adam() -> None:
    a, b = torch.ones(4, 3), torch.ones(4, 3)
    opt = Muon([a, b], lr=0.1)
    opt.mark([b], muon=False)
    step(opt)
    assert opt.state[a]["sqr_avg"] is None
    assert opt.state[b]["sqr_avg"].shape == (4, 3)


@pytest.mark.parametrize("shape", [(6, 3), (3, 6)])
def test_orthogonal_steps_have_singular_values_near_one(shape) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalize(x))
    assert values.min() > 0.65
    assert values.max() < 1.25


def test_a_gradient_of_zeros_stays_zero() -> None:
    assert torch.equal(orthogonalize(torch.zeros(2, 3)), torch.zeros(2, 3))


def test_schedule_free_switches_once() -> None:
    p = param(1.0)
    opt = ScheduleFreeSGD([p], lr=0.1)
    step(opt, times=3)
    opt.eval()
    average = p.item()
    opt.eval()
    assert p.item() == average
    with pytest.raises(ContractError, match=r"hold the average\. Call train\(\) before training"):
        opt.step()


def test_schedule_free_saves_which_weights_it_holds() -> None:
    p = param(1.0)
    opt = ScheduleFreeAdamW([p], lr=0.1)
    step(opt, times=3)
    opt.eval()
    q = p.detach().clone().requires_grad_()
    again = ScheduleFreeAdamW([q], lr=0.1)
    again.load_state_dict(opt.state_dict())
    for each in (opt, again):
        each.train()
    assert torch.equal(p, q)


def test_schedule_free_momentum_has_to_be_a_part() -> None:
    with pytest.raises(ContractError, match="beta is 0; expected 0 < beta <= 1"):
        ScheduleFreeSGD([param(1.0)], lr=0.1, mom=0)


def test_other_optimizers_have_one_set_of_weights() -> None:
    p = param(1.0)
    for opt in (Adam([p], lr=0.1), OptimWrapper([p], torch.optim.SGD, lr=0.1)):
        opt.eval()
        opt.train()
    assert p.item() == 1.0


def test_a_closure_is_called_with_gradients_on() -> None:
    p = param(1.0)
    opt = SGD([p], lr=0.25)

    def closure() -> Tensor:
        loss = p.square().sum()
        loss.backward()
        return loss

    assert opt.step(closure).item() == 1.0
    assert p.item() == 0.5


def test_lbfgs_finds_a_minimum_in_few_steps() -> None:
    p, q = param(-1.5), param(2.0)
    opt = LBFGS([[p], [q]])

    def closure() -> Tensor:
        opt.zero_grad()
        loss = ((1 - p) ** 2 + 10 * (q - p**2) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(5):
        opt.step(closure)
    assert [p.item(), q.item()] == pytest.approx([1.0, 1.0], abs=1e-3)


def test_lbfgs_asks_for_a_closure() -> None:
    opt = LBFGS([param(1.0)])
    assert opt.needs_closure
    assert not SGD([param(1.0)], lr=0.1).needs_closure
    with pytest.raises(
        ContractError, match=r"LBFGS computes the loss repeatedly .* step\(closure\)"
    ):
        opt.step()
