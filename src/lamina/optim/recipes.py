"""Recipes: the named optimizers, each a list of stats and steppers."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from lamina.optim.groups import Params, split_groups
from lamina.optim.optimizer import Optimizer
from lamina.optim.stats import (
    average_grad,
    average_grad_change,
    average_sqr_grad,
    larc_layer_lr,
    step_stat,
)
from lamina.optim.steppers import (
    adam_step,
    adan_step,
    l2_reg,
    lamb_step,
    larc_step,
    lion_step,
    momentum_step,
    prox_decay,
    qhadam_step,
    radam_step,
    rms_prop_step,
    sgd_step,
    weight_decay,
)
from lamina.optim.wrap import OptimWrapper

__all__ = ["LBFGS", "SGD", "Adam", "Adan", "Lamb", "Larc", "Lion", "QHAdam", "RAdam", "RMSProp"]

# ruff: noqa: N802 - the recipes have the names of their papers

Hyper = float | slice | list[float] | tuple[float, ...]


def SGD(
    params: Params, lr: Hyper, mom: Hyper = 0.0, wd: Hyper = 0.0, *, decouple_wd: bool = True
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


def Adam(
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
    cbs = [*_decay(decouple_wd=decouple_wd), *_ADAM_STATS, adam_step]
    return Optimizer(params, cbs, lr=lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd)


def RMSProp(
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.0,
    sqr_mom: Hyper = 0.99,
    eps: Hyper = 1e-8,
    wd: Hyper = 0.0,
    *,
    decouple_wd: bool = True,
) -> Optimizer:
    """RMSProp: gradients over the root of the average of their squares.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate.
        mom: momentum of the gradients, before they are divided; with 0 there is none.
        sqr_mom: the decay of the average of squared gradients.
        eps: added to the root of that average.
        wd: weight decay.
        decouple_wd: decay the weights themselves, instead of adding `wd * p` to the gradient.

    Source: Tieleman & Hinton, "Lecture 6.5: RMSProp", COURSERA, 2012.
    """
    hypers: dict[str, Any] = {"lr": lr, "sqr_mom": sqr_mom, "eps": eps, "wd": wd} | (
        {} if mom == 0 else {"mom": mom}
    )
    stats = [average_sqr_grad] if mom == 0 else [average_grad, average_sqr_grad]
    return Optimizer(params, [*_decay(decouple_wd=decouple_wd), *stats, rms_prop_step], **hypers)


def RAdam(
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.9,
    sqr_mom: Hyper = 0.99,
    eps: Hyper = 1e-5,
    wd: Hyper = 0.0,
    beta: Hyper = 0.0,
    *,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam with a rectified rate: like momentum at first, then warming up by itself.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate.
        mom: the decay of the average of gradients (beta 1).
        sqr_mom: the decay of the average of squared gradients (beta 2).
        eps: added to the root of that average.
        wd: weight decay.
        beta: if not 0, the denominator goes through a softplus with this beta (SAdam).
        decouple_wd: decay the weights themselves, instead of adding `wd * p` to the gradient.

    Example:
        >>> import torch
        >>> weights = torch.ones(2, requires_grad=True)
        >>> weights.grad = torch.tensor([1.0, -1.0])
        >>> RAdam([weights], lr=0.1).step()
        >>> weights
        tensor([0.9000, 1.1000], requires_grad=True)

    Source: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020.
    """
    cbs = [*_decay(decouple_wd=decouple_wd), *_ADAM_STATS, radam_step]
    return Optimizer(params, cbs, lr=lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd, beta=beta)


def QHAdam(
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.999,
    sqr_mom: Hyper = 0.999,
    nu_1: Hyper = 0.7,
    nu_2: Hyper = 1.0,
    eps: Hyper = 1e-8,
    wd: Hyper = 0.0,
    *,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam with quasi-hyperbolic averages.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate.
        mom: the decay of the average of gradients (beta 1).
        sqr_mom: the decay of the average of squared gradients (beta 2).
        nu_1: the part of the average of gradients; the rest is the gradient of now.
        nu_2: the part of the average of squares.
        eps: added to the root.
        wd: weight decay.
        decouple_wd: decay the weights themselves, instead of adding `wd * p` to the gradient.

    Example:
        >>> import torch
        >>> weights = torch.ones(2, requires_grad=True)
        >>> weights.grad = torch.tensor([1.0, -1.0])
        >>> QHAdam([weights], lr=0.1).step()
        >>> weights
        tensor([0.9000, 1.1000], requires_grad=True)

    Source: Ma & Yarats, "Quasi-hyperbolic momentum and Adam for deep learning", ICLR 2019.
    """
    hypers: dict[str, Any] = {
        "lr": lr,
        "mom": mom,
        "sqr_mom": sqr_mom,
        "nu_1": nu_1,
        "nu_2": nu_2,
        "eps": eps,
    }
    cbs = [*_decay(decouple_wd=decouple_wd), *_ADAM_STATS, qhadam_step]
    return Optimizer(params, cbs, **hypers, wd=wd)


def Larc(
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.9,
    *,
    clip: bool = True,
    trust_coeff: Hyper = 0.02,
    eps: Hyper = 1e-8,
    wd: Hyper = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """Momentum with a rate for each tensor, in proportion to its norm (LARC; LARS without `clip`).

    Args:
        params: tensors, or groups of tensors.
        lr: the global learning rate.
        mom: momentum, not dampened; with 0 there is none.
        clip: no tensor's rate is above `lr`.
        trust_coeff: how far a tensor may move, relative to its norm.
        eps: keeps the division finite.
        wd: weight decay, also counted in the rate.
        decouple_wd: decay the weights themselves, instead of adding `wd * p` to the gradient.

    Example:
        >>> import torch
        >>> weights = torch.ones(2, requires_grad=True)
        >>> weights.grad = torch.tensor([1.0, -1.0])
        >>> Larc([weights], lr=0.1).step()
        >>> weights
        tensor([0.9980, 1.0020], requires_grad=True)

    Source: You, Gitman & Ginsburg, "Large Batch Training of Convolutional Networks", 2017.
    """
    hypers: dict[str, Any] = {"lr": lr, "trust_coeff": trust_coeff, "eps": eps, "wd": wd}
    hypers |= {} if mom == 0 else {"mom": mom}
    stats = [partial(larc_layer_lr, clip=clip)]
    stats = stats if mom == 0 else [average_grad, *stats]
    return Optimizer(params, [*_decay(decouple_wd=decouple_wd), *stats, larc_step], **hypers)


def Lamb(
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.9,
    sqr_mom: Hyper = 0.99,
    eps: Hyper = 1e-5,
    wd: Hyper = 0.0,
    *,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam with steps in proportion to the norm of each tensor, for large batches.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate.
        mom: the decay of the average of gradients (beta 1).
        sqr_mom: the decay of the average of squared gradients (beta 2).
        eps: added to the root of that average.
        wd: weight decay, which does not count in the norm of the step.
        decouple_wd: decay the weights themselves, instead of adding `wd * p` to the gradient.

    Example:
        >>> import torch
        >>> weights = torch.ones(2, requires_grad=True)
        >>> weights.grad = torch.tensor([1.0, -1.0])
        >>> Lamb([weights], lr=0.1).step()
        >>> weights
        tensor([0.9000, 1.1000], requires_grad=True)

    Source: You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
    ICLR 2020.
    """
    cbs = [*_decay(decouple_wd=decouple_wd), *_ADAM_STATS, lamb_step]
    return Optimizer(params, cbs, lr=lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd)


def Lion(
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.9,
    avg_mom: Hyper = 0.99,
    wd: Hyper = 0.0,
    *,
    decouple_wd: bool = True,
) -> Optimizer:
    """Steps of equal size in the direction of the sign of momentum; half of Adam's memory.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate; a third to a tenth of Adam's.
        mom: the weight of the average in the step (beta 1).
        avg_mom: the decay of the average itself (beta 2).
        wd: weight decay; three to ten times Adam's.
        decouple_wd: decay the weights themselves, instead of adding `wd * p` to the gradient.

    Example:
        >>> import torch
        >>> weights = torch.ones(2, requires_grad=True)
        >>> weights.grad = torch.tensor([1.0, -1.0])
        >>> Lion([weights], lr=0.1).step()
        >>> weights
        tensor([0.9000, 1.1000], requires_grad=True)

    Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023.
    """
    cbs = [*_decay(decouple_wd=decouple_wd), lion_step]
    return Optimizer(params, cbs, lr=lr, mom=mom, avg_mom=avg_mom, wd=wd)


def Adan(
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.98,
    change_mom: Hyper = 0.92,
    sqr_mom: Hyper = 0.99,
    eps: Hyper = 1e-8,
    wd: Hyper = 0.0,
    *,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam with Nesterov momentum, estimated from how the gradient changes.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate.
        mom: the decay of the average of gradients (1 - beta 1 in the paper).
        change_mom: the decay of the average of their changes (1 - beta 2).
        sqr_mom: the decay of the average of squares (1 - beta 3).
        eps: added to the root of that average.
        wd: weight decay.
        decouple_wd: decay the weights after the step, in the paper's proximal form, instead of
            adding `wd * p` to the gradient.

    Example:
        >>> import torch
        >>> weights = torch.ones(2, requires_grad=True)
        >>> weights.grad = torch.tensor([1.0, -1.0])
        >>> Adan([weights], lr=0.1).step()
        >>> weights
        tensor([0.9000, 1.1000], requires_grad=True)

    Source: Xie et al., "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep
    Models", 2022.
    """
    hypers: dict[str, Any] = {
        "lr": lr,
        "mom": mom,
        "change_mom": change_mom,
        "sqr_mom": sqr_mom,
        "eps": eps,
    }
    cbs = [step_stat, partial(average_grad, dampening=True), average_grad_change, adan_step]
    cbs = [*cbs, prox_decay] if decouple_wd else [l2_reg, *cbs]
    return Optimizer(params, cbs, **hypers, wd=wd)


def LBFGS(
    params: Params,
    lr: float = 1.0,
    *,
    history_size: int = 10,
    max_iter: int = 20,
    line_search_fn: str | None = "strong_wolfe",
) -> OptimWrapper:
    """L-BFGS of PyTorch, for small problems without noise; all groups become one.

    Its `step` needs a closure that computes the loss and the gradients anew.

    Args:
        params: tensors, or groups of tensors.
        lr: the first length of a step.
        history_size: how many updates make up the estimate of the curvature.
        max_iter: iterations per step, with at least one call of the closure each.
        line_search_fn: "strong_wolfe", or None for steps of length `lr`.

    Example:
        >>> import torch
        >>> p = torch.tensor([3.0, -2.0], requires_grad=True)
        >>> opt = LBFGS([p])
        >>> def closure():
        ...     opt.zero_grad()
        ...     loss = (p - 1).square().sum()
        ...     loss.backward()
        ...     return loss
        >>> first = opt.step(closure)
        >>> p.round(decimals=4).tolist()
        [1.0, 1.0]

    Source: Liu & Nocedal, "On the limited memory BFGS method for large scale optimization", 1989.
    """
    every = [p for group in split_groups(params) for p in group]
    extra = {"history_size": history_size, "max_iter": max_iter, "line_search_fn": line_search_fn}
    return OptimWrapper(every, torch.optim.LBFGS, lr=lr, **extra)


_ADAM_STATS = (partial(average_grad, dampening=True), average_sqr_grad, step_stat)


def _decay(*, decouple_wd: bool) -> list[Callable[..., Any]]:
    return [weight_decay if decouple_wd else l2_reg]
