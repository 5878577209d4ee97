"""Stats: what an optimizer remembers about each parameter's gradients.

All are list-wise (see `wiring`): they update their state in place with one call over all tensors.
"""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise and fused kernels under names with an underscore only.

import torch
from torch import Tensor

from lamina.optim.wiring import listwise

__all__ = ["average_grad", "average_sqr_grad", "debias", "step_stat"]


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
