"""PyTorch's fused kernels, put in where a run of stats and steppers is exactly what one does.

A fused kernel reads and writes each tensor once; the list-wise functions pass over memory once
per operation. The numbers are the same up to rounding. One visible difference: a fused kernel
adds an L2 penalty to a copy of the gradient, `l2_reg` to the gradient itself.
"""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise and fused kernels under names with an underscore only.

from collections.abc import Callable, Sequence
from functools import partial
from typing import NotRequired, TypedDict, Unpack

import torch
from torch import Tensor

from lamina.optim.stats import average_grad, average_sqr_grad, step_stat
from lamina.optim.steppers import adam_step, l2_reg, momentum_step, weight_decay
from lamina.optim.wiring import Part, listwise, read_part

__all__ = ["fuse", "is_fusable"]


class _Hypers(TypedDict):
    """The hyper-parameters and marks that all kernels read."""

    lr: float
    mom: float
    wd: NotRequired[float]
    do_wd: NotRequired[bool]


class _AdamHypers(_Hypers):
    """Those that Adam reads besides."""

    sqr_mom: float
    eps: float


@listwise()
def _fused_adam(
    ps: list[Tensor],
    gs: list[Tensor],
    *,
    kernel: Callable[..., None],
    decay: bool,
    step: list[int],
    grad_avg: list[Tensor],
    sqr_avg: list[Tensor],
    **hypers: Unpack[_AdamHypers],
) -> dict[str, list[int]]:
    steps = [n + 1 for n in step]
    kernel(
        ps, gs, grad_avg, sqr_avg, [], _step_tensors(steps, ps[0]),
        lr=hypers["lr"], beta1=hypers["mom"], beta2=hypers["sqr_mom"], eps=hypers["eps"],
        weight_decay=_decay(hypers) if decay else 0.0, amsgrad=False, maximize=False,
    )  # fmt: skip
    return {"step": steps}


@listwise()
def _fused_sgd(
    ps: list[Tensor],
    gs: list[Tensor],
    *,
    decay: bool,
    grad_avg: list[Tensor],
    **hypers: Unpack[_Hypers],
) -> None:
    torch._fused_sgd_(
        ps, gs, grad_avg, lr=hypers["lr"], momentum=hypers["mom"],
        weight_decay=_decay(hypers) if decay else 0.0, dampening=0.0,
        nesterov=False, maximize=False, is_first_step=False,
    )  # fmt: skip


def fuse(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Replace every run of parts that a fused kernel computes by that kernel.

    Example:
        >>> parts = [read_part(f) for f in (l2_reg, average_grad, momentum_step)]
        >>> [part.name for part in fuse(parts)]
        ['_fused_sgd']
    """
    out: list[Part] = []
    rest = tuple(parts)
    while rest:
        length, part = _match(rest)
        out.append(part)
        rest = rest[length:]
    return tuple(out)


def is_fusable(p: Tensor) -> bool:
    """Tell whether the fused kernels take this parameter with the gradient that it has now.

    They walk over memory, so that a gradient in another memory layout would be misread.

    Example:
        >>> p = torch.zeros(2, 3)
        >>> p.grad = torch.ones(2, 3)
        >>> is_fusable(p)
        True
        >>> p.grad = torch.ones(3, 2).T
        >>> is_fusable(p)
        False
    """
    if p.grad is None or p.device.type not in {"cpu", "cuda"} or not p.is_floating_point():
        return False
    strides = zip(p.shape, p.stride(), p.grad.stride(), strict=True)
    return all(size == 1 or ours == theirs for size, ours, theirs in strides)


def _match(parts: tuple[Part, ...]) -> tuple[int, Part]:
    """Return the kernel for the longest known run at the front, or the first part itself."""
    keys = tuple(part.key for part in parts)
    for pattern, kernel in _KERNELS:
        if keys[: len(pattern)] == pattern:
            return len(pattern), kernel
    return 1, parts[0]


def _step_tensors(steps: list[int], like: Tensor) -> list[Tensor]:
    """Return the step counts as the kernels want them; equal counts share one tensor."""
    made = {n: torch.full((), n, dtype=torch.float32, device=like.device) for n in set(steps)}
    return [made[n] for n in steps]


def _decay(hypers: _Hypers | _AdamHypers) -> float:
    return hypers.get("wd", 0.0) if hypers.get("do_wd", True) else 0.0


def _keys(*cbs: Callable[..., object]) -> tuple[object, ...]:
    return tuple(read_part(cb).key for cb in cbs)


_ADAM = _keys(partial(average_grad, dampening=True), average_sqr_grad, step_stat, adam_step)
_MOMENTUM = _keys(average_grad, momentum_step)
_KERNELS = tuple(
    (pattern, read_part(kernel))
    for pattern, kernel in (
        (_keys(weight_decay) + _ADAM, partial(_fused_adam, kernel=torch._fused_adamw_, decay=True)),
        (_keys(l2_reg) + _ADAM, partial(_fused_adam, kernel=torch._fused_adam_, decay=True)),
        (_ADAM, partial(_fused_adam, kernel=torch._fused_adam_, decay=False)),
        (_keys(l2_reg) + _MOMENTUM, partial(_fused_sgd, decay=True)),
        (_MOMENTUM, partial(_fused_sgd, decay=False)),
    )
)
