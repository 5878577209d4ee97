"""Stats: what an optimizer remembers about each parameter's gradients.

All are list-wise (see `wiring`): they update their state in place with one call over all tensors.
"""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise and fused kernels under names with an underscore only.

import torch
from torch import Tensor

from lamina.optim.wiring import alike, listwise

__all__ = [
    "average_grad",
    "average_grad_change",
    "average_sqr_grad",
    "debias",
    "larc_layer_lr",
    "step_stat",
]


@listwise(makes=["grad_avg"])
def average_grad(
    _ps: list[Tensor],
    gs: list[Tensor],
    *,
    mom: float,
    grad_avg: list[Tensor],
    dampening: bool = False,
) -> None:
    """`grad_avg <- mom * grad_avg + g`, with dampening `mom * grad_avg + (1 - mom) * g`.

    Args:
        _ps: the parameters.
        gs: their gradients.
        mom: how much of the average is kept.
        grad_avg: the running average, one per parameter.
        dampening: weigh the new gradient by `1 - mom`, as Adam does. Bind it with `partial`.
    """
    torch._foreach_mul_(grad_avg, mom)
    torch._foreach_add_(grad_avg, gs, alpha=1 - mom if dampening else 1)


@listwise(makes=["sqr_avg"])
def average_sqr_grad(
    _ps: list[Tensor],
    gs: list[Tensor],
    *,
    sqr_mom: float,
    sqr_avg: list[Tensor],
    dampening: bool = True,
) -> None:
    """`sqr_avg <- sqr_mom * sqr_avg + (1 - sqr_mom) * g^2`.

    Args:
        _ps: the parameters.
        gs: their gradients.
        sqr_mom: how much of the average is kept.
        sqr_avg: the running average, one per parameter.
        dampening: weigh the new square by `1 - sqr_mom`; without it by 1.
    """
    torch._foreach_mul_(sqr_avg, sqr_mom)
    torch._foreach_addcmul_(sqr_avg, gs, gs, 1 - sqr_mom if dampening else 1)


@listwise(makes={"step": lambda _: 0})
def step_stat(_ps: list[Tensor], _gs: list[Tensor], *, step: list[int]) -> dict[str, list[int]]:
    """`step <- step + 1`, for each parameter on its own: one that was frozen has fewer steps."""
    return {"step": [n + 1 for n in step]}


@listwise(makes=["last_grad", "change_avg", "sqr_avg"])
def average_grad_change(
    _ps: list[Tensor],
    gs: list[Tensor],
    *,
    change_mom: float,
    sqr_mom: float,
    step: list[int],
    last_grad: list[Tensor],
    change_avg: list[Tensor],
    sqr_avg: list[Tensor],
) -> None:
    """Averages of `d = g - last g` and of `(g + change_mom * d)^2`, both dampened; d starts at 0.

    Source: Xie et al., "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep
    Models", 2022, algorithm 1.
    """
    for n, (last, now) in alike(step, last_grad, gs):
        if n == 1:
            torch._foreach_copy_(last, now)
    change = torch._foreach_sub(gs, last_grad)
    torch._foreach_copy_(last_grad, gs)
    torch._foreach_lerp_(change_avg, change, 1 - change_mom)
    torch._foreach_mul_(change, change_mom)
    torch._foreach_add_(change, gs)
    torch._foreach_mul_(sqr_avg, sqr_mom)
    torch._foreach_addcmul_(sqr_avg, change, change, 1 - sqr_mom)


@listwise(makes={"local_lr": lambda p: p.new_zeros(())})
def larc_layer_lr(
    ps: list[Tensor],
    gs: list[Tensor],
    *,
    lr: float,
    trust_coeff: float,
    wd: float,
    eps: float,
    clip: bool = True,
    do_wd: bool = True,
) -> dict[str, list[Tensor]]:
    """`local_lr <- lr * trust_coeff * |p| / (|g| + wd * |p| + eps)`, one rate per tensor.

    A tensor that is all zeros, or has no gradient to speak of, gets `lr`.

    Args:
        ps: the parameters.
        gs: their gradients.
        lr: the global rate.
        trust_coeff: how far a tensor may move, relative to its norm.
        wd: weight decay, which counts as part of the gradient.
        eps: keeps the division finite.
        clip: no rate is above `lr` (LARC); without it this is LARS. Bind it with `partial`.
        do_wd: a mark: whether these parameters have weight decay.

    Source: You, Gitman & Ginsburg, "Large Batch Training of Convolutional Networks", 2017.
    """
    weights, grads = torch.stack(torch._foreach_norm(ps)), torch.stack(torch._foreach_norm(gs))
    rates = lr * trust_coeff * weights / (grads + wd * do_wd * weights + eps)
    rates = rates.where((weights > 0) & (grads > 0), lr)
    return {"local_lr": list((rates.clamp(max=lr) if clip else rates).unbind())}


def debias(mom: float, damp: float, step: int) -> float:
    """Return what a running average of ones, started at zero, is after `step` steps.

    Args:
        mom: how much of the average is kept per step.
        damp: the weight of the new value.
        step: the number of steps, from 1.

    Example:
        >>> round(debias(0.9, 0.1, 2), 4)
        0.19
    """
    return damp * (1 - mom**step) / (1 - mom)
