"""The optimizer keeps state per parameter and changes only what has a gradient."""

import copy

import pytest
import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.optim.optimizer import Optimizer
from lamina.optim.recipes import SGD, Adam
from lamina.optim.steppers import l2_reg, sgd_step, weight_decay
from lamina.optim.wiring import listwise


def groups(sizes: tuple[int, ...] = (2, 3)) -> list[list[Tensor]]:
    return [
        [torch.ones(n, requires_grad=True), torch.ones(n, n, requires_grad=True)] for n in sizes
    ]


def step(opt, grad: float = 1.0, times: int = 1) -> None:
    for _ in range(times):
        for p in opt.all_params():
            if p.requires_grad:
                p.grad = torch.full_like(p, grad)
        opt.step()
        opt.zero_grad()


def test_parameters_without_gradient_stay() -> None:
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    opt = Adam([a, b], lr=0.1)
    a.grad = torch.ones(1)
    opt.step()
    assert a.item() < 1
    assert b.item() == 1
    assert b not in opt.state


def test_each_group_has_its_own_rate() -> None:
    gs = groups()
    step(SGD(gs, lr=[0.25, 0.5]))
    assert [g[0][0].item() for g in gs] == [0.75, 0.5]


def test_writing_a_hyper_takes_effect() -> None:
    gs = groups()
    opt = SGD(gs, lr=0.25)
    opt.hypers[1]["lr"] = 0.5
    opt.param_groups[0]["lr"] = 0.125
    step(opt)
    assert [g[0][0].item() for g in gs] == [0.875, 0.5]


def test_frozen_group_is_untouched_and_keeps_its_state() -> None:
    gs = groups()
    opt = Adam(gs, lr=0.1)
    step(opt, times=2)
    before = [p.detach().clone() for p in gs[0]]
    opt.freeze()
    step(opt, times=3)
    assert [torch.equal(p, b) for p, b in zip(gs[0], before, strict=True)] == [True, True]
    opt.unfreeze()
    step(opt)
    assert [opt.state[g[0]]["step"] for g in gs] == [3, 6]
    assert not torch.equal(gs[0][0], before[0])


def test_late_start_is_debiased_by_its_own_steps() -> None:
    late, alone = groups(), groups()
    opt, reference = Adam(late, lr=0.1), Adam(alone[0], lr=0.1)
    opt.freeze()
    step(opt, times=5)
    opt.unfreeze()
    step(opt, grad=2.0, times=2)
    step(reference, grad=2.0, times=2)
    torch.testing.assert_close(late[0], alone[0])


def test_freezing_drops_left_over_gradients() -> None:
    gs = groups()
    opt = SGD(gs, lr=0.1)
    for p in opt.all_params():
        p.grad = torch.ones_like(p)
    opt.freeze()
    opt.step()
    assert gs[0][0].tolist() == [1.0, 1.0]


def test_clear_state_forgets_steps_but_not_marks() -> None:
    gs = groups()
    opt = Adam(gs, lr=0.1)
    opt.mark(gs[0], do_wd=False, force_train=True)
    step(opt, times=3)
    opt.clear_state()
    opt.freeze()
    step(opt)
    assert [opt.state[p]["step"] for p in opt.all_params()] == [1, 1, 1, 1]


def test_state_dict_continues_mid_run() -> None:
    ours, theirs = groups(), groups()
    opt, other = Adam(ours, lr=0.1), Adam(theirs, lr=0.5)
    step(opt, times=3)
    with torch.no_grad():
        for p, q in zip(opt.all_params(), other.all_params(), strict=True):
            q.copy_(p)
    other.load_state_dict(copy.deepcopy(opt.state_dict()))
    step(opt, grad=-2.0, times=3)
    step(other, grad=-2.0, times=3)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=0)


def test_loaded_state_is_a_copy_in_the_parameters_layout() -> None:
    p = torch.ones(1, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    opt = Adam([p], lr=0.1)
    step(opt)
    saved = opt.state_dict()
    saved["state"][0]["grad_avg"] = saved["state"][0]["grad_avg"].contiguous()
    opt.load_state_dict(saved)
    loaded = opt.state[p]["grad_avg"]
    assert loaded.stride() == p.stride()
    assert loaded is not saved["state"][0]["grad_avg"]


def test_state_of_other_groups_is_refused() -> None:
    with pytest.raises(ContractError, match=r"groups of \[2, 2\] parameters; this optimizer has"):
        Adam(groups((2,)), lr=0.1).load_state_dict(Adam(groups(), lr=0.1).state_dict())


def test_state_in_another_order_is_refused() -> None:
    with pytest.raises(ContractError, match=r"parameter 0 is \(3,\) here and \(2,\)"):
        Adam(groups((3, 2)), lr=0.1).load_state_dict(Adam(groups(), lr=0.1).state_dict())


def test_state_of_another_kind_is_refused() -> None:
    opt = SGD(groups(), lr=0.1, mom=0.9)
    step(opt)
    with pytest.raises(ContractError, match=r"\['eps', 'sqr_avg', 'sqr_mom', 'step'\] differ"):
        Adam(groups(), lr=0.1).load_state_dict(opt.state_dict())


def test_no_weight_decay_where_marked() -> None:
    (ps,) = groups((2,))
    opt = SGD(ps, lr=0.5, wd=0.5)
    opt.mark(ps[:1], do_wd=False)
    step(opt, grad=0.0)
    assert [p.flatten()[0].item() for p in ps] == [1.0, 0.75]


def test_own_mark_reaches_the_function_that_reads_it() -> None:
    def scaled_step(p, *, lr, scale=None):
        p.sub_(p.grad, alpha=lr * (scale or 1))

    (ps,) = groups((2,))
    opt = Optimizer(ps, [scaled_step], lr=0.25)
    opt.mark(ps[:1], scale=2)
    step(opt)
    assert [p.flatten()[0].item() for p in ps] == [0.5, 0.75]


def test_decay_is_decoupled_or_in_the_gradient() -> None:
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    step(Optimizer([a], [weight_decay, sgd_step], lr=0.5, wd=0.5), grad=1.0)
    step(Optimizer([b], [l2_reg, sgd_step], lr=0.5, wd=0.5), grad=1.0)
    assert (a.item(), b.item()) == (0.25, 0.25)


def test_many_large_tensors_all_move_once() -> None:
    ps = [torch.ones(n, requires_grad=True) for n in (200_000, 3, 90_000, 90_000, 1)]
    step(Optimizer(ps, SGD(ps, lr=0.25).cbs, lr=0.25, wd=0.0))
    assert [(p.min().item(), p.max().item()) for p in ps] == [(0.75, 0.75)] * 5


@pytest.mark.parametrize("fused", [True, False])
def test_mixed_dtypes(fused: bool) -> None:
    dtypes = (torch.float32, torch.float64, torch.bfloat16)
    ps = [torch.ones(2, dtype=d, requires_grad=True) for d in dtypes]
    step(Optimizer(ps, Adam(ps, lr=0.5, wd=0.0).cbs, fused=fused, **Adam(ps, lr=0.5).hypers[0]))
    assert [p[0].item() for p in ps] == pytest.approx([0.495] * 3, abs=1e-2)


def test_listwise_state_starts_from_its_declaration() -> None:
    @listwise(makes={"best": lambda p: torch.full_like(p, torch.inf)})
    def lowest(ps, gs, *, best):
        return {"best": torch._foreach_minimum(best, gs)}

    (ps,) = groups((2,))
    opt = Optimizer(ps, [lowest])
    step(opt, 2.0)
    step(opt, 3.0)
    assert opt.state[ps[0]]["best"].tolist() == [2.0, 2.0]


def test_deepcopy_with_its_parameters_runs_on() -> None:
    pair = copy.deepcopy((opt := Adam(groups(), lr=0.1), opt.all_params()))
    step(pair[0])
    assert pair[0].all_params()[0] is pair[1][0]
    assert opt.all_params()[0].tolist() == [1.0, 1.0]
