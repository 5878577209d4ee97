"""Recipes: the named optimizers, each a list of stats and steppers."""

from collections.abc import Callable
from functools import partial
from typing import Any

from lamina.optim.groups import Params
from lamina.optim.optimizer import Optimizer
from lamina.optim.stats import average_grad, average_sqr_grad, step_stat
from lamina.optim.steppers import adam_step, l2_reg, momentum_step, sgd_step, weight_decay

__all__ = ["SGD", "Adam"]

Hyper = float | slice | list[float] | tuple[float, ...]


def SGD(  # noqa: N802 - the name in the papers
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.0,
    wd: Hyper = 0.0,
    *,
    decouple_wd: bool = True,
) -> Optimizer:
    """Stochastic gradient descent, with momentum if `mom` is not 0.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate.
        mom: momentum, not dampened; with 0 there is none, and no hyper-parameter `mom`.
        wd: weight decay.
        decouple_wd: decay the weights themselves, instead of adding `wd * p` to the gradient.

    Example:
        >>> import torch
        >>> SGD([torch.zeros(2)], lr=0.1, mom=0.9).cbs
        [weight_decay(makes nothing), average_grad(makes grad_avg), momentum_step(makes nothing)]

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning",
    ICML 2013 (the momentum).
    """
    cbs = _decay(decouple_wd=decouple_wd)
    if mom == 0:
        return Optimizer(params, [*cbs, sgd_step], lr=lr, wd=wd)
    return Optimizer(params, [*cbs, average_grad, momentum_step], lr=lr, mom=mom, wd=wd)


def Adam(  # noqa: N802 - the name in the paper
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.9,
    sqr_mom: Hyper = 0.99,
    eps: Hyper = 1e-5,
    wd: Hyper = 0.01,
    *,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam, with decoupled weight decay (AdamW) unless told otherwise.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate.
        mom: the decay of the average of gradients (beta 1).
        sqr_mom: the decay of the average of squared gradients (beta 2).
        eps: added to the root of that average.
        wd: weight decay.
        decouple_wd: decay the weights themselves, instead of adding `wd * p` to the gradient.

    Example:
        >>> import torch
        >>> Adam([torch.zeros(2)], lr=0.1).hypers
        [{'lr': 0.1, 'mom': 0.9, 'sqr_mom': 0.99, 'eps': 1e-05, 'wd': 0.01}]

    Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2.
    """
    averages = [partial(average_grad, dampening=True), average_sqr_grad]
    cbs = [*_decay(decouple_wd=decouple_wd), *averages, step_stat, adam_step]
    return Optimizer(params, cbs, lr=lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd)


def _decay(*, decouple_wd: bool) -> list[Callable[..., Any]]:
    return [weight_decay if decouple_wd else l2_reg]
