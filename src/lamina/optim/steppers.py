"""Steppers: what changes the parameters (or their gradients), given the hyper-parameters.

All are list-wise (see `wiring`) and work in place. `do_wd` is a mark of the parameter.
"""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise and fused kernels under names with an underscore only.

from math import sqrt

import torch
from torch import Tensor

from lamina.optim.stats import debias
from lamina.optim.wiring import listwise

__all__ = ["adam_step", "l2_reg", "momentum_step", "sgd_step", "weight_decay"]


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
