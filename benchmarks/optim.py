"""Optimizer steps against the fastest form of `torch.optim`, and zero_grad against its own."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from _timing import Row, interleaved_us, print_rows
from lamina.optim.optimizer import Optimizer
from lamina.optim.recipes import SGD, Adam, RAdam, RMSProp

ADAMW = partial(torch.optim.AdamW, lr=1e-3, betas=(0.9, 0.99), eps=1e-5, weight_decay=0.01)
FORMS: tuple[dict[str, Any], ...] = ({"fused": True}, {"foreach": True}, {"foreach": False})


def resnet34_like() -> list[Tensor]:
    """Return tensors with the sizes of a ResNet-34's blocks (21 million parameters)."""
    blocks = [(64, 6), (128, 8), (256, 12), (512, 6)]
    sizes = [s for width, n in blocks for s in [(width, width, 3, 3), (width,), (width,)] * n]
    return _with_grads(sizes)


def small_500() -> list[Tensor]:
    """Return 500 tensors of 1024 elements."""
    return _with_grads([(32, 32)] * 500)


def mlp() -> list[Tensor]:
    """Return the parameters of a tiny network, where the calls are all the cost."""
    return _with_grads([(50, 20), (50,), (50, 50), (50,), (2, 50), (2,)])


def main() -> bool:
    """Print all rows."""
    torch.set_num_threads(1)
    rows: list[Row] = []
    for make, n in ((resnet34_like, 2), (small_500, 20), (mlp, 1000)):
        name = make.__name__
        adamw = [ADAMW(make(), **form).step for form in FORMS]
        rows.append(_row(f"Adam, {name}", Adam(make(), lr=1e-3).step, adamw, 1.1, n))
        sgd = partial(torch.optim.SGD, lr=1e-3, momentum=0.9, weight_decay=0.01)
        theirs = [sgd(make(), **form).step for form in FORMS]
        ours = SGD(make(), lr=1e-3, mom=0.9, wd=0.01, decouple_wd=False)
        rows.append(_row(f"SGD, {name}", ours.step, theirs, 1.1, n))
        rows.append(_row(f"composed, {name}", _generic(make()).step, adamw[1:2], 1.0, n))
        for recipe, theirs in ((RAdam, torch.optim.RAdam), (RMSProp, torch.optim.RMSprop)):
            foreach = [theirs(make(), lr=1e-3, foreach=True).step]
            ours = recipe(make(), lr=1e-3)
            rows.append(_row(f"{recipe.__name__}, {name}", ours.step, foreach, 1.1, n))
        zero = [torch.optim.SGD(make(), lr=0.1).zero_grad]
        rows.append(_row(f"zero_grad, {name}", SGD(make(), lr=0.1).zero_grad, zero, 1.1, n))
    return print_rows(rows)


def _with_grads(sizes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    params = [torch.randn(size).requires_grad_() for size in sizes]
    for p in params:
        p.grad = torch.randn_like(p)
    return params


def _generic(params: list[Tensor]) -> Optimizer:
    adam = Adam(params, lr=1e-3)
    return Optimizer(params, adam.cbs, fused=False, **adam.hypers[0])


def _row(
    name: str,
    ours: Callable[[], object],
    theirs: Sequence[Callable[[], object]],
    goal: float,
    n: int,
) -> Row:
    """Compare with the fastest of the references."""
    mine, *others = interleaved_us([ours, *theirs], n, repeats=9)
    return Row(name, mine, min(others), kind="ratio", goal=goal)


if __name__ == "__main__":
    sys.exit(not main())
