"""Lamina's optimizers give the numbers of `torch.optim`, in every form they can run in."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lamina.optim.optimizer import Optimizer
from lamina.optim.recipes import SGD, Adam
from lamina.optim.wrap import OptimWrapper

ADAM = {"lr": 0.01, "eps": 1e-5}
TORCH_ADAM = {"lr": 0.01, "eps": 1e-5, "betas": (0.9, 0.99)}
SHAPES = [(5, 3), (3,), (4, 3, 2, 2), ()]

RECIPES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "adamw": (
        partial(Adam, **ADAM, wd=0.1),
        partial(torch.optim.AdamW, **TORCH_ADAM, weight_decay=0.1),
    ),
    "adam with l2": (
        partial(Adam, **ADAM, wd=0.1, decouple_wd=False),
        partial(torch.optim.Adam, **TORCH_ADAM, weight_decay=0.1),
    ),
    "adam": (
        partial(Adam, **ADAM, wd=0.0),
        partial(torch.optim.Adam, **TORCH_ADAM),
    ),
    "sgd": (partial(SGD, lr=0.1), partial(torch.optim.SGD, lr=0.1)),
    "sgd with l2": (
        partial(SGD, lr=0.1, wd=0.1, decouple_wd=False),
        partial(torch.optim.SGD, lr=0.1, weight_decay=0.1),
    ),
    "momentum": (
        partial(SGD, lr=0.1, mom=0.9),
        partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    ),
    "momentum with l2": (
        partial(SGD, lr=0.1, mom=0.9, wd=0.1, decouple_wd=False),
        partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=0.1),
    ),
    "wrapped": (
        partial(OptimWrapper, opt=torch.optim.AdamW, lr=0.01, wd=0.1, mom=0.8),
        partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1, betas=(0.8, 0.999)),
    ),
}


def make_params(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in SHAPES
    ]


def train(opt: Any, params: list[Tensor], steps: int = 20) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        for p in params:
            p.grad = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype) + p
        opt.step()
        opt.zero_grad()
    return [p.detach() for p in params]


def generic(opt: Optimizer) -> Optimizer:
    return Optimizer(opt.groups, opt.cbs, fused=False, **opt.hypers[0])


@pytest.mark.parametrize("name", RECIPES)
def test_equals_torch(name: str) -> None:
    ours, theirs = RECIPES[name]
    a, b = make_params(), make_params()
    torch.testing.assert_close(train(ours(a), a), train(theirs(b), b), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "wrapped"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_generic_form_equals_fused_form(name: str, dtype: torch.dtype) -> None:
    a, b = make_params(dtype), make_params(dtype)
    fused, plain = RECIPES[name][0](a), generic(RECIPES[name][0](b))
    torch.testing.assert_close(train(fused, a), train(plain, b), rtol=1e-6, atol=1e-6)


def test_per_parameter_form_equals_list_form() -> None:
    def average(p, mom, grad_avg=None):
        grad_avg = torch.zeros_like(p) if grad_avg is None else grad_avg
        return {"grad_avg": grad_avg * mom + p.grad}

    def step(p, lr, grad_avg):
        p.sub_(lr * grad_avg)

    a, b = make_params(), make_params()
    ours = Optimizer(a, [average, step], lr=0.1, mom=0.9)
    theirs = SGD(b, lr=0.1, mom=0.9)
    torch.testing.assert_close(train(ours, a), train(theirs, b), rtol=1e-9, atol=1e-9)


def test_marked_parameters_equal_a_torch_group_without_decay() -> None:
    a, b = make_params(), make_params()
    ours = Adam(a, **ADAM, wd=0.1)
    ours.mark([a[1], a[3]], do_wd=False)
    theirs = torch.optim.AdamW(
        [{"params": [b[0], b[2]]}, {"params": [b[1], b[3]], "weight_decay": 0.0}],
        **TORCH_ADAM,
        weight_decay=0.1,
    )
    torch.testing.assert_close(train(ours, a), train(theirs, b), rtol=1e-9, atol=1e-9)


def test_wrapped_marks_equal_our_own() -> None:
    a, b = make_params(), make_params()
    ours = Adam(a, **ADAM, wd=0.1)
    theirs = OptimWrapper(b, torch.optim.AdamW, **TORCH_ADAM, wd=0.1)
    ours.mark([a[1]], do_wd=False)
    theirs.mark([b[1]], do_wd=False)
    torch.testing.assert_close(train(ours, a), train(theirs, b), rtol=1e-9, atol=1e-9)
