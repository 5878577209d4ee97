"""Steppers: what changes the parameters (or their gradients), given the hyper-parameters.

All are list-wise (see `wiring`) and work in place. `do_wd` is a mark of the parameter.
"""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise and fused kernels under names with an underscore only.

from math import sqrt

import torch
from torch import Tensor
from torch.nn.functional import softplus

from lamina.optim.stats import debias
from lamina.optim.wiring import alike, listwise

__all__ = [
    "adam_step",
    "adan_step",
    "l2_reg",
    "lamb_step",
    "larc_step",
    "lion_step",
    "momentum_step",
    "prox_decay",
    "qhadam_step",
    "radam_step",
    "rms_prop_step",
    "sgd_step",
    "weight_decay",
]


@listwise()
def weight_decay(
    ps: list[Tensor], _gs: list[Tensor], *, lr: float, wd: float, do_wd: bool = True
) -> None:
    """`p <- p * (1 - lr * wd)`: decay of the weights themselves, apart from the gradient.

    Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """
    if do_wd and wd != 0:
        torch._foreach_mul_(ps, 1 - lr * wd)


@listwise()
def l2_reg(ps: list[Tensor], gs: list[Tensor], *, wd: float, do_wd: bool = True) -> None:
    """`g <- g + wd * p`: the gradient of an L2 penalty on the weights."""
    if do_wd and wd != 0:
        torch._foreach_add_(gs, ps, alpha=wd)


@listwise()
def sgd_step(ps: list[Tensor], gs: list[Tensor], *, lr: float) -> None:
    """`p <- p - lr * g`."""
    torch._foreach_add_(ps, gs, alpha=-lr)


@listwise()
def momentum_step(
    ps: list[Tensor], _gs: list[Tensor], *, lr: float, grad_avg: list[Tensor]
) -> None:
    """`p <- p - lr * grad_avg`.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning",
    ICML 2013.
    """
    torch._foreach_add_(ps, grad_avg, alpha=-lr)


@listwise()
def adam_step(
    ps: list[Tensor],
    _gs: list[Tensor],
    *,
    lr: float,
    mom: float,
    sqr_mom: float,
    eps: float,
    step: list[int],
    grad_avg: list[Tensor],
    sqr_avg: list[Tensor],
) -> None:
    """`p <- p - lr * m / (sqrt(v) + eps)`, with m and v the debiased averages.

    Expects dampened averages: `partial(average_grad, dampening=True)`.

    Source: Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    """
    scales = {n: sqrt(debias(sqr_mom, 1 - sqr_mom, n)) for n in set(step)}
    sizes = {n: -lr / debias(mom, 1 - mom, n) for n in set(step)}
    denoms = torch._foreach_sqrt(sqr_avg)
    torch._foreach_div_(denoms, [scales[n] for n in step])
    torch._foreach_add_(denoms, eps)
    torch._foreach_addcdiv_(ps, grad_avg, denoms, [sizes[n] for n in step])


@listwise()
def prox_decay(
    ps: list[Tensor], _gs: list[Tensor], *, lr: float, wd: float, do_wd: bool = True
) -> None:
    """`p <- p / (1 + lr * wd)`, after the step: the proximal form of `weight_decay`.

    Source: Xie et al., "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep
    Models", 2022, algorithm 1.
    """
    if do_wd and wd != 0:
        torch._foreach_div_(ps, 1 + lr * wd)


@listwise()
def rms_prop_step(
    ps: list[Tensor],
    gs: list[Tensor],
    *,
    lr: float,
    eps: float,
    sqr_avg: list[Tensor],
    grad_avg: list[Tensor] | None = None,
) -> None:
    """`p <- p - lr * g / (sqrt(v) + eps)`, with the average of gradients for g if there is one.

    Source: Tieleman & Hinton, "Lecture 6.5: RMSProp", COURSERA, 2012.
    """
    denoms = torch._foreach_sqrt(sqr_avg)
    torch._foreach_add_(denoms, eps)
    torch._foreach_addcdiv_(ps, gs if grad_avg is None else grad_avg, denoms, -lr)


@listwise()
def radam_step(
    ps: list[Tensor],
    _gs: list[Tensor],
    *,
    lr: float,
    mom: float,
    sqr_mom: float,
    eps: float,
    step: list[int],
    grad_avg: list[Tensor],
    sqr_avg: list[Tensor],
    beta: float = 0.0,
) -> None:
    """Adam's step times the rectification; without the denominator while its variance is unknown.

    Args:
        ps: the parameters.
        _gs: their gradients.
        lr: the learning rate.
        mom: the decay of the average of gradients.
        sqr_mom: the decay of the average of squares.
        eps: added to the root of that average.
        step: the number of steps, from 1.
        grad_avg: the dampened average of gradients.
        sqr_avg: the average of squares.
        beta: if not 0, the denominator goes through a softplus with this beta.

    Source: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020,
    algorithm 2; Tong et al., "Calibrating the Adaptive Learning Rate to Improve Convergence of
    ADAM", 2019 (the softplus).
    """
    most = 2 / (1 - sqr_mom) - 1
    for n, (qs, avgs, sqrs) in alike(step, ps, grad_avg, sqr_avg):
        size = -lr / debias(mom, 1 - mom, n)
        r = most - 2 * n * sqr_mom**n / (1 - sqr_mom**n)
        if r <= 5:
            torch._foreach_add_(qs, avgs, alpha=size)
            continue
        size *= sqrt((r - 4) * (r - 2) * most / ((most - 4) * (most - 2) * r))
        denoms = _denominators(sqrs, debias(sqr_mom, 1 - sqr_mom, n), eps)
        if beta:
            denoms = [softplus(d, beta) for d in denoms]
        torch._foreach_addcdiv_(qs, avgs, denoms, size)


@listwise()
def qhadam_step(  # noqa: PLR0913 - its keywords are what it reads
    ps: list[Tensor],
    gs: list[Tensor],
    *,
    lr: float,
    mom: float,
    sqr_mom: float,
    nu_1: float,
    nu_2: float,
    eps: float,
    step: list[int],
    grad_avg: list[Tensor],
    sqr_avg: list[Tensor],
) -> None:
    """Adam's step with both averages mixed with the gradient of now, `nu` being their part.

    Source: Ma & Yarats, "Quasi-hyperbolic momentum and Adam for deep learning", ICLR 2019,
    section 4.
    """
    for n, (qs, hs, avgs, sqrs) in alike(step, ps, gs, grad_avg, sqr_avg):
        tops = torch._foreach_mul(avgs, nu_1 / debias(mom, 1 - mom, n))
        torch._foreach_add_(tops, hs, alpha=1 - nu_1)
        mixed = torch._foreach_mul(sqrs, nu_2 / debias(sqr_mom, 1 - sqr_mom, n))
        if nu_2 != 1:
            torch._foreach_addcmul_(mixed, hs, hs, 1 - nu_2)
        torch._foreach_addcdiv_(qs, tops, _denominators(mixed, 1.0, eps), -lr)


@listwise()
def larc_step(
    ps: list[Tensor],
    gs: list[Tensor],
    *,
    local_lr: list[Tensor],
    grad_avg: list[Tensor] | None = None,
) -> None:
    """`p <- p - local_lr * g`, with the average of gradients for g if there is one.

    Source: You, Gitman & Ginsburg, "Large Batch Training of Convolutional Networks", 2017.
    """
    torch._foreach_addcmul_(ps, gs if grad_avg is None else grad_avg, local_lr, -1)


@listwise()
def lamb_step(
    ps: list[Tensor],
    _gs: list[Tensor],
    *,
    lr: float,
    mom: float,
    sqr_mom: float,
    eps: float,
    step: list[int],
    grad_avg: list[Tensor],
    sqr_avg: list[Tensor],
) -> None:
    """Adam's step s times `min(|p| / |s|, 10)` for each tensor, or times 1 if either is zero.

    Source: You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
    ICLR 2020, algorithm 2.
    """
    for n, (qs, avgs, sqrs) in alike(step, ps, grad_avg, sqr_avg):
        steps = torch._foreach_div(avgs, debias(mom, 1 - mom, n))
        denoms = _denominators(sqrs, debias(sqr_mom, 1 - sqr_mom, n), eps)
        torch._foreach_div_(steps, denoms)
        weight, size = torch.stack(torch._foreach_norm(qs)), torch.stack(torch._foreach_norm(steps))
        trust = (weight / size).clamp(max=10).where((weight > 0) & (size > 0), 1.0)
        torch._foreach_addcmul_(qs, steps, list(trust.unbind()), -lr)


@listwise(makes=["grad_avg"])
def lion_step(
    ps: list[Tensor],
    gs: list[Tensor],
    *,
    lr: float,
    mom: float,
    avg_mom: float,
    grad_avg: list[Tensor],
) -> None:
    """`p <- p - lr * sign(mom * m + (1 - mom) * g)`, and then m as average with `avg_mom`.

    Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023,
    program 1.
    """
    signs = torch._foreach_lerp(grad_avg, gs, 1 - mom)
    torch._foreach_sign_(signs)
    torch._foreach_add_(ps, signs, alpha=-lr)
    torch._foreach_lerp_(grad_avg, gs, 1 - avg_mom)


@listwise()
def adan_step(  # noqa: PLR0913 - its keywords are what it reads
    ps: list[Tensor],
    _gs: list[Tensor],
    *,
    lr: float,
    mom: float,
    change_mom: float,
    sqr_mom: float,
    eps: float,
    step: list[int],
    grad_avg: list[Tensor],
    change_avg: list[Tensor],
    sqr_avg: list[Tensor],
) -> None:
    """`p <- p - lr * (m + change_mom * c) / (sqrt(v) + eps)`, with m, c and v debiased.

    Source: Xie et al., "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep
    Models", 2022, algorithm 1; the debiasing is that of the authors' code.
    """
    for n, (qs, avgs, changes, sqrs) in alike(step, ps, grad_avg, change_avg, sqr_avg):
        denoms = _denominators(sqrs, debias(sqr_mom, 1 - sqr_mom, n), eps)
        torch._foreach_addcdiv_(qs, avgs, denoms, -lr / debias(mom, 1 - mom, n))
        size = -lr * change_mom / debias(change_mom, 1 - change_mom, n)
        torch._foreach_addcdiv_(qs, changes, denoms, size)


def _denominators(
    sqr_avg: list[Tensor] | tuple[Tensor, ...], correction: float, eps: float
) -> list[Tensor]:
    """Return `sqrt(v / correction) + eps`."""
    denoms = list(torch._foreach_sqrt(sqr_avg))
    torch._foreach_div_(denoms, sqrt(correction))
    torch._foreach_add_(denoms, eps)
    return denoms
