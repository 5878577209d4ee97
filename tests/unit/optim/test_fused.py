"""Fused kernels stand in for exactly the runs of parts that they compute."""

from functools import partial

import torch

from lamina.optim.fused import fuse
from lamina.optim.optimizer import Optimizer
from lamina.optim.recipes import SGD, Adam
from lamina.optim.stats import average_grad
from lamina.optim.steppers import momentum_step, sgd_step
from lamina.optim.wiring import read_part


def names(cbs) -> list[str]:
    return [part.name for part in fuse([read_part(cb) for cb in cbs])]


def params():
    return [torch.ones(2, requires_grad=True)]


def test_recipes_are_fused() -> None:
    assert names(Adam(params(), lr=0.1).cbs) == ["_fused_adam"]
    assert names(Adam(params(), lr=0.1, decouple_wd=False).cbs) == ["_fused_adam"]
    assert names(SGD(params(), lr=0.1, mom=0.9, decouple_wd=False).cbs) == ["_fused_sgd"]
    assert names(SGD(params(), lr=0.1, mom=0.9).cbs) == ["weight_decay", "_fused_sgd"]


def test_parts_around_a_run_stay() -> None:
    def clip(p):
        p.grad.clamp_(-1, 1)

    assert names([clip, *Adam(params(), lr=0.1).cbs, clip]) == ["clip", "_fused_adam", "clip"]


def test_other_compositions_are_not_fused() -> None:
    damped = partial(average_grad, dampening=True)
    assert names([damped, momentum_step]) == ["average_grad", "momentum_step"]
    assert names([sgd_step]) == ["sgd_step"]


def test_decay_before_an_unrelated_part_still_counts_once() -> None:
    def nothing(p):
        pass

    a, b = params(), params()
    cbs = Adam(a, lr=0.1).cbs
    opts = [Adam(a, lr=0.1, wd=0.5), Optimizer(b, [cbs[0], nothing, *cbs[1:]], **_hypers())]
    for opt in opts:
        opt.all_params()[0].grad = torch.ones(2)
        opt.step()
    torch.testing.assert_close(a, b)


def test_gradients_in_another_memory_layout_are_read_right() -> None:
    a = torch.zeros(1, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    b = torch.zeros(1, 3, 4, 4, requires_grad=True)
    for p in (a, b):
        p.grad = torch.arange(-24.0, 24.0).reshape(1, 3, 4, 4)
        SGD([p], lr=1.0, mom=0.9).step()
    assert a.stride() != b.stride()
    assert torch.equal(a, b)


def _hypers() -> dict[str, float]:
    return Adam(params(), lr=0.1, wd=0.5).hypers[0]
