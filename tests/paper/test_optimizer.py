"""The paper's optimizers: stats and steppers in a list, and user functions per parameter."""

from functools import partial

import pytest
import torch
from torch import Tensor

from lamina.optim.optimizer import Optimizer
from lamina.optim.recipes import Adam
from lamina.optim.stats import average_grad, average_sqr_grad, step_stat
from lamina.optim.steppers import adam_step, l2_reg, weight_decay

HYPERS = {"lr": 0.01, "mom": 0.9, "sqr_mom": 0.99, "eps": 1e-5, "wd": 0.1}


def paper_adam(params, *, decouple_wd: bool = True) -> Optimizer:
    cbs = [weight_decay] if decouple_wd else [l2_reg]
    cbs += [partial(average_grad, dampening=True), average_sqr_grad, step_stat, adam_step]
    return Optimizer(params, cbs, **HYPERS)


def train(make) -> list[Tensor]:
    params = [torch.linspace(-1, 1, 6, dtype=torch.float64).requires_grad_() for _ in range(2)]
    opt = make(params)
    for i in range(5):
        sum((p**2 * (i - 2)).sum() for p in params).backward()
        opt.step()
        opt.zero_grad()
    return params


@pytest.mark.parametrize("decouple_wd", [True, False])
def test_the_papers_adam_is_our_adam(decouple_wd: bool) -> None:
    ours = train(partial(Adam, **HYPERS, decouple_wd=decouple_wd))
    torch.testing.assert_close(train(partial(paper_adam, decouple_wd=decouple_wd)), ours)


def test_functions_per_parameter_in_the_papers_form() -> None:
    def average(p, mom, grad_avg=None, **kwargs):
        if grad_avg is None:
            grad_avg = torch.zeros_like(p.grad.data)
        return {"grad_avg": grad_avg * mom + p.grad.data * (1 - mom)}

    def average_sqr(p, sqr_mom, sqr_avg=None, **kwargs):
        if sqr_avg is None:
            sqr_avg = torch.zeros_like(p.grad.data)
        return {"sqr_avg": sqr_avg * sqr_mom + p.grad.data**2 * (1 - sqr_mom)}

    def count(p, step=0, **kwargs):
        return {"step": step + 1}

    def decay(p, lr, wd, do_wd=True, **kwargs):
        if do_wd and wd != 0:
            p.data.mul_(1 - lr * wd)

    def move(p, lr, mom, step, sqr_mom, grad_avg, sqr_avg, eps, **kwargs):
        m, v = grad_avg / (1 - mom**step), sqr_avg / (1 - sqr_mom**step)
        p.data.addcdiv_(m, v.sqrt() + eps, value=-lr)

    cbs = [decay, average, average_sqr, count, move]
    expected = train(partial(Adam, **HYPERS))
    torch.testing.assert_close(train(lambda ps: Optimizer(ps, cbs, **HYPERS)), expected)


def test_a_function_per_parameter_beside_list_wise_ones() -> None:
    seen = []

    def watch(p, grad_avg, step, **kwargs):
        seen.append((step, kwargs["lr"], torch.equal(grad_avg, p.grad * 0.1)))

    params = [torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)]
    cbs = [*paper_adam(params).cbs, watch]
    opt = Optimizer(params, cbs, **HYPERS)
    for p in params:
        p.grad = torch.ones_like(p)
    opt.step()
    assert seen == [(1, 0.01, True), (1, 0.01, True)]
