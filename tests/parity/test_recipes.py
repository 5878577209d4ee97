"""The named optimizers against slow formulas of their papers, one tensor at a time."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lamina.optim.lookahead import Lookahead, ranger
from lamina.optim.muon import Muon
from lamina.optim.optimizer import Optimizer
from lamina.optim.recipes import SGD, Adam, Adan, Lamb, Larc, Lion, QHAdam, RAdam, RMSProp
from lamina.optim.schedule_free import ScheduleFree, ScheduleFreeAdamW, ScheduleFreeSGD

SHAPES = [(5, 3), (3,), (4, 3, 2, 2), (2, 6)]
Steps = Iterator[Tensor]
REFERENCES: dict[str, tuple[Callable[..., Optimizer], Callable[[Tensor, Steps], Tensor]]] = {}


def reference(name: str, ours: Callable[..., Optimizer]) -> Callable[..., Any]:
    def add(formula: Callable[[Tensor, Steps], Tensor]) -> Callable[..., Any]:
        REFERENCES[name] = (ours, formula)
        return formula

    return add


def averages(grads: Steps, b1: float, b2: float) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
    m = v = torch.zeros((), dtype=torch.float64)
    for t, g in enumerate(grads, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        yield t, g, m / (1 - b1**t), v / (1 - b2**t)


@reference("rmsprop with momentum", partial(RMSProp, lr=0.01, mom=0.9, wd=0.1))
def rmsprop(p, grads):
    v = m = torch.zeros_like(p)
    for g in grads:
        p = p * (1 - 0.01 * 0.1)
        m, v = 0.9 * m + g, 0.99 * v + 0.01 * g**2
        p = p - 0.01 * m / (v.sqrt() + 1e-8)
    return p


def rectified(p, grads, lr, b1, b2, eps, wd, denominator=lambda d: d):
    longest = 2 / (1 - b2) - 1
    for t, _, m, v in averages(grads, b1, b2):
        p = p * (1 - lr * wd)
        r = longest - 2 * t * b2**t / (1 - b2**t)
        if r > 5:
            top = (r - 4) * (r - 2) * longest
            scale = math.sqrt(top / ((longest - 4) * (longest - 2) * r))
            p = p - lr * scale * m / denominator(v.sqrt() + eps)
        else:
            p = p - lr * m
        yield p


@reference("radam", partial(RAdam, lr=0.01, wd=0.1))
def radam(p, grads):
    return list(rectified(p, grads, 0.01, 0.9, 0.99, 1e-5, 0.1))[-1]


@reference("sadam", partial(RAdam, lr=0.01, beta=50.0))
def sadam(p, grads):
    def soft(d):
        return (1 + (50 * d).exp()).log() / 50

    return list(rectified(p, grads, 0.01, 0.9, 0.99, 1e-5, 0.0, soft))[-1]


@reference("ranger", partial(ranger, lr=0.01))
def ranger_formula(p, grads):
    slow = p
    longest = 2 / (1 - 0.99) - 1
    for t, _, m, v in averages(grads, 0.95, 0.99):
        p = p * (1 - 0.01 * 0.01)
        r = longest - 2 * t * 0.99**t / (1 - 0.99**t)
        if r > 5:
            scale = ((r - 4) * (r - 2) * longest / ((longest - 4) * (longest - 2) * r)) ** 0.5
            p = p - 0.01 * scale * m / (v.sqrt() + 1e-6)
        else:
            p = p - 0.01 * m
        if t % 6 == 0:
            slow = p = slow + 0.5 * (p - slow)
    return p


@reference("qhadam", partial(QHAdam, lr=0.01, mom=0.9, nu_2=0.8, wd=0.1))
def qhadam(p, grads):
    for _, g, m, v in averages(grads, 0.9, 0.999):
        p = p * (1 - 0.01 * 0.1)
        top, low = 0.3 * g + 0.7 * m, 0.2 * g**2 + 0.8 * v
        p = p - 0.01 * top / (low.sqrt() + 1e-8)
    return p


def layerwise(p, grads, *, clip, mom=0.9):
    m = torch.zeros_like(p)
    for g in grads:
        decayed = g + 0.1 * p  # with decouple_wd=False the penalty is part of the gradient
        m = mom * m + decayed
        rate = 0.5 * 0.02 * p.norm() / (decayed.norm() + 0.1 * p.norm() + 1e-8)
        p = p - (min(rate, 0.5) if clip else rate) * m
    return p


LARC = partial(Larc, lr=0.5, wd=0.1, decouple_wd=False)
reference("larc", partial(LARC, clip=True))(partial(layerwise, clip=True))
reference("lars", partial(LARC, clip=False))(partial(layerwise, clip=False))
reference("lars without momentum", partial(LARC, mom=0.0, clip=False))(
    partial(layerwise, clip=False, mom=0.0)
)


@reference("lamb", partial(Lamb, lr=0.01, wd=0.1))
def lamb(p, grads):
    for _, _, m, v in averages(grads, 0.9, 0.99):
        p = p * (1 - 0.01 * 0.1)
        step = m / (v.sqrt() + 1e-5)
        p = p - 0.01 * min((p.norm() / step.norm()).item(), 10) * step
    return p


@reference("lion", partial(Lion, lr=0.01, wd=0.1))
def lion(p, grads):
    m = torch.zeros_like(p)
    for g in grads:
        p = p - 0.01 * ((0.9 * m + 0.1 * g).sign() + 0.1 * p)
        m = 0.99 * m + 0.01 * g
    return p


@reference("adan", partial(Adan, lr=0.01, wd=0.1))
def adan(p, grads):
    m = v = n = torch.zeros_like(p)
    last = None
    for t, g in enumerate(grads, 1):
        d = g - (g if last is None else last)
        m, v = 0.98 * m + 0.02 * g, 0.92 * v + 0.08 * d
        n, last = 0.99 * n + 0.01 * (g + 0.92 * d) ** 2, g
        top = m / (1 - 0.98**t) + 0.92 * v / (1 - 0.92**t)
        p = (p - 0.01 * top / ((n / (1 - 0.99**t)).sqrt() + 1e-8)) / (1 + 0.01 * 0.1)
    return p


def orthogonal(x):
    flip = x.shape[0] > x.shape[1]
    x = x.T if flip else x
    x = x / x.norm()
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x - 4.7750 * a @ x + 2.0315 * a @ a @ x
    return x.T if flip else x


def muon_formula(p, grads, scale):
    if p.ndim < 2:
        for _, _, m, v in averages(grads, 0.9, 0.95):
            p = p * (1 - 0.01 * 0.1) - 0.01 * m / (v.sqrt() + 1e-8)
        return p
    m = torch.zeros_like(p)
    for g in grads:
        m = 0.95 * m + 0.05 * g
        update = orthogonal((0.05 * g + 0.95 * m).flatten(1)).view(p.shape)
        p = p * (1 - 0.01 * 0.1) - 0.01 * scale(len(p), p[0].numel()) * update
    return p


reference("muon", partial(Muon, lr=0.01))(
    partial(muon_formula, scale=lambda n, m: 0.2 * max(n, m) ** 0.5)
)
reference("muon, first publication", partial(Muon, lr=0.01, match_adam=False))(
    partial(muon_formula, scale=lambda n, m: max(1, n / m) ** 0.5)
)


def schedule_free(p, grads, *, scaled):
    """Keep the base z and the average x; the gradients are those at y."""
    x = z = y = p
    v, total, highest = torch.zeros_like(p), 0.0, 0.0
    for t, g in enumerate(grads, 1):
        v = 0.999 * v + 0.001 * g**2
        step = g / ((v / (1 - 0.999**t)).sqrt() + 1e-8) if scaled else g
        rate = 0.01 * min(1, t / 5)
        highest = max(highest, rate)
        total += highest**2
        z = z - rate * (step + 0.1 * y)
        x = x + highest**2 / total * (z - x)
        y = 0.1 * z + 0.9 * x
    return y


reference("schedule-free adamw", partial(ScheduleFreeAdamW, lr=0.01, wd=0.1, n_warmup=5))(
    partial(schedule_free, scaled=True)
)
reference("schedule-free sgd", partial(ScheduleFreeSGD, lr=0.01, wd=0.1, n_warmup=5))(
    partial(schedule_free, scaled=False)
)


@reference("lookahead", lambda ps: Lookahead(SGD(ps, lr=0.1, mom=0.9), k=3, alpha=0.8))
def lookahead(p, grads):
    slow, m = p, torch.zeros_like(p)
    for t, g in enumerate(grads, 1):
        m = 0.9 * m + g
        p = p - 0.1 * m
        if t % 3 == 0:
            slow = p = slow + 0.8 * (p - slow)
    return p


TORCH: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "rmsprop": (partial(RMSProp, lr=0.01), partial(torch.optim.RMSprop, lr=0.01)),
    "rmsprop with l2": (
        partial(RMSProp, lr=0.01, wd=0.1, decouple_wd=False),
        partial(torch.optim.RMSprop, lr=0.01, weight_decay=0.1),
    ),
    "radam": (
        partial(RAdam, lr=0.01, eps=1e-14, sqr_mom=0.8, wd=0.1),
        partial(
            torch.optim.RAdam, lr=0.01, eps=1e-14, betas=(0.9, 0.8),
            weight_decay=0.1, decoupled_weight_decay=True,
        ),
    ),
}  # fmt: skip


def make_params() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(s, generator=generator, dtype=torch.float64) for s in SHAPES]


def gradients(p: Tensor, n: int = 20) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(p.numel())
    for _ in range(n):
        yield torch.randn(p.shape, generator=generator, dtype=torch.float64)


def run(opt: Any, params: list[Tensor], first: int = 0, last: int = 20) -> list[Tensor]:
    every = [list(gradients(p)) for p in params]
    for i in range(first, last):
        for p, grads in zip(params, every, strict=True):
            p.grad = grads[i].clone()
        opt.step()
    return params


@pytest.mark.parametrize("name", REFERENCES)
def test_equals_the_formula(name: str) -> None:
    ours, formula = REFERENCES[name]
    expected = [formula(p, gradients(p)) for p in make_params()]
    params = make_params()
    torch.testing.assert_close(run(ours(params), params), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", TORCH)
def test_equals_torch(name: str) -> None:
    ours, theirs = TORCH[name]
    a, b = make_params(), make_params()
    torch.testing.assert_close(run(ours(a), a), run(theirs(b), b), rtol=1e-6, atol=1e-6)


def test_muon_is_near_torchs_in_half_precision() -> None:
    a, b = [make_params()[0]], [make_params()[0]]
    run(Muon(a, lr=0.01, match_adam=False), a)
    run(torch.optim.Muon(b, lr=0.01), b)
    torch.testing.assert_close(a, b, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", REFERENCES)
def test_state_goes_on_in_a_new_optimizer(name: str) -> None:
    make = REFERENCES[name][0]
    whole, halves = make_params(), make_params()
    run(make(whole), whole)
    first = make(halves)
    run(first, halves, last=11)
    second = make(halves)
    second.load_state_dict(first.state_dict())
    run(second, halves, first=11)
    torch.testing.assert_close(halves, whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", REFERENCES)
def test_frozen_groups_stay_and_count_no_steps(name: str) -> None:
    params = make_params()
    opt = REFERENCES[name][0]([params[:2], params[2:]])
    opt.freeze()
    for p in params[2:]:
        p.grad = torch.ones_like(p)
    opt.step()
    assert all(torch.equal(p, q) for p, q in zip(params[:2], make_params()[:2], strict=True))
    assert not any(torch.equal(p, q) for p, q in zip(params[2:], make_params()[2:], strict=True))
    assert not any(p in opt.state for p in params[:2])


@pytest.mark.parametrize("name", REFERENCES)
def test_late_parameters_are_corrected_for_their_own_steps(name: str) -> None:
    ours, formula = REFERENCES[name]
    late, early = make_params()[0], make_params()[2]
    opt = ours([late, early])
    for i, g in enumerate(gradients(early)):
        early.grad = g
        late.grad = list(gradients(late))[i - 10] if i >= 10 else None
        opt.step()
    expected = [
        formula(make_params()[0], gradients(late, 10)),
        formula(make_params()[2], gradients(early)),
    ]
    torch.testing.assert_close([late, early], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", REFERENCES)
def test_each_group_has_its_own_rate(name: str) -> None:
    make = REFERENCES[name][0]
    params, alone = make_params(), make_params()
    opt = make([params[:2], params[2:]])
    opt.set_hyper("lr", [0.0, opt.hypers[0]["lr"]])
    run(opt, params)
    torch.testing.assert_close(params[2:], run(make(alone), alone)[2:], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(params[:2], make_params()[:2])


def test_marks_reach_every_stepper() -> None:
    a, b = make_params(), make_params()
    for make in (Adam, Lion, Adan, Lamb, Larc):
        marked, plain = make(a, lr=0.01, wd=0.5), make(b, lr=0.01, wd=0.0)
        marked.mark(a, do_wd=False)
        torch.testing.assert_close(run(marked, a), run(plain, b))


def test_schedule_free_average_is_the_papers() -> None:
    def average(p, grads):
        x = z = p
        for t, g in enumerate(grads, 1):
            z = z - 0.1 * g
            x = x + (z - x) / t
        return x

    params = make_params()
    opt = ScheduleFreeSGD(params, lr=0.1)
    assert isinstance(opt, ScheduleFree)
    run(opt, params)
    training = [p.clone() for p in params]
    opt.eval()
    torch.testing.assert_close(params, [average(p, gradients(p)) for p in make_params()])
    opt.train()
    torch.testing.assert_close(params, training)
