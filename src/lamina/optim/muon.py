"""Muon: orthogonal steps for matrices, and Adam's for everything else."""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise and fused kernels under names with an underscore only.

from functools import partial
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from lamina.optim.groups import Params
from lamina.optim.optimizer import Optimizer
from lamina.optim.recipes import Hyper
from lamina.optim.stats import step_stat
from lamina.optim.steppers import adam_step, l2_reg, weight_decay
from lamina.optim.wiring import listwise

__all__ = ["Muon", "muon_adam_step", "muon_step", "orthogonalize"]

_QUINTIC = (3.4445, -4.7750, 2.0315)  # steepest at zero, within 0.7 to 1.2 afterwards


def orthogonalize(matrix: Tensor, n_steps: int = 5) -> Tensor:
    """Return nearly U V^T for a matrix U S V^T: all its singular values come close to 1.

    Works in bfloat16 on a GPU and in the matrix's own precision on the CPU.

    Args:
        matrix: `(n, m)`.
        n_steps: Newton-Schulz iterations.

    Example:
        >>> values = torch.linalg.svdvals(orthogonalize(torch.diag(torch.tensor([9.0, 1.0]))))
        >>> bool(((values > 0.65) & (values < 1.25)).all())
        True

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
    """
    x = matrix.bfloat16() if matrix.is_cuda else matrix
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=1e-7)
    a, b, c = _QUINTIC
    for _ in range(n_steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)


@listwise(makes=["grad_avg"])
def muon_step(
    ps: list[Tensor],
    gs: list[Tensor],
    *,
    lr: float,
    mom: float,
    grad_avg: list[Tensor],
    muon: bool = True,
    nesterov: bool = True,
    match_adam: bool = True,
    n_steps: int = 5,
) -> None:
    """`p <- p - lr * scale * orthogonalize(average of g)`, for tensors of two dimensions and more.

    Args:
        ps: the parameters; filters `(out, in, h, w)` count as matrices `(out, in * h * w)`.
        gs: their gradients.
        lr: the learning rate.
        mom: the decay of the average of gradients.
        grad_avg: that average, dampened.
        muon: a mark: False leaves a matrix to Adam.
        nesterov: look ahead along the average.
        match_adam: scale by `0.2 * sqrt(max(n, m))`, for steps as large as Adam's; without it by
            `sqrt(max(1, n / m))`.
        n_steps: Newton-Schulz iterations.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024;
    Liu et al., "Muon is Scalable for LLM Training", 2025 (`match_adam`).
    """
    use = [i for i, p in enumerate(ps) if muon and p.ndim >= 2]
    if not use:
        return
    params, grads, avgs = ([xs[i] for i in use] for xs in (ps, gs, grad_avg))
    torch._foreach_lerp_(avgs, grads, 1 - mom)
    ahead = torch._foreach_lerp(grads, avgs, mom) if nesterov else avgs
    for p, update in zip(params, ahead, strict=True):
        n, m = p.shape[0], p[0].numel()
        scale = 0.2 * sqrt(max(n, m)) if match_adam else sqrt(max(1, n / m))
        step = orthogonalize(update.reshape(n, m), n_steps)
        p.sub_(step.view(p.shape), alpha=lr * scale)


@listwise(makes={"sqr_avg": lambda _: None})
def muon_adam_step(  # noqa: PLR0913 - its keywords are what it reads
    ps: list[Tensor],
    gs: list[Tensor],
    *,
    lr: float,
    adam_mom: float,
    sqr_mom: float,
    eps: float,
    step: list[int],
    grad_avg: list[Tensor],
    sqr_avg: list[Tensor | None],
    muon: bool = True,
) -> dict[str, list[Tensor | None]] | None:
    """Adam's step for what `muon_step` leaves: vectors, and what is marked `muon=False`."""
    use = [i for i, p in enumerate(ps) if not (muon and p.ndim >= 2)]
    if not use:
        return None
    params, grads, avgs = ([xs[i] for i in use] for xs in (ps, gs, grad_avg))
    sqrs = [torch.zeros_like(ps[i]) if (v := sqr_avg[i]) is None else v for i in use]
    torch._foreach_lerp_(avgs, grads, 1 - adam_mom)
    torch._foreach_mul_(sqrs, sqr_mom)
    torch._foreach_addcmul_(sqrs, grads, grads, 1 - sqr_mom)
    adam_step(
        params, grads, lr=lr, mom=adam_mom, sqr_mom=sqr_mom, eps=eps,
        step=[step[i] for i in use], grad_avg=avgs, sqr_avg=sqrs,
    )  # fmt: skip
    made = dict(zip(use, sqrs, strict=True))
    return {"sqr_avg": [made.get(i) for i in range(len(ps))]}


def Muon(  # noqa: N802 - the name of the method
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.95,
    wd: Hyper = 0.1,
    *,
    adam_mom: Hyper = 0.9,
    sqr_mom: Hyper = 0.95,
    eps: Hyper = 1e-8,
    match_adam: bool = True,
    decouple_wd: bool = True,
) -> Optimizer:
    """Orthogonal steps for the matrices of hidden layers, Adam's for everything else.

    Matrices and filters go to Muon, vectors to Adam. The authors leave embeddings and the output
    layer to Adam too: `opt.mark([model.embed.weight, model.head.weight], muon=False)`.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate, for both; with `match_adam` one that suits AdamW.
        mom: the decay of the average of gradients, with Nesterov's look ahead.
        wd: weight decay.
        adam_mom: Adam's beta 1.
        sqr_mom: Adam's beta 2.
        eps: Adam's eps.
        match_adam: make Muon's steps as large as Adam's; without it `lr` is that of the first
            publication (about 0.02).
        decouple_wd: decay the weights themselves, instead of adding `wd * p` to the gradient.

    Example:
        >>> weight, bias = torch.zeros(3, 2), torch.zeros(3)
        >>> Muon([weight, bias], lr=0.001).hypers[0]["mom"]
        0.95

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024;
    Liu et al., "Muon is Scalable for LLM Training", 2025.
    """
    hypers: dict[str, Any] = {
        "lr": lr,
        "mom": mom,
        "wd": wd,
        "adam_mom": adam_mom,
        "sqr_mom": sqr_mom,
        "eps": eps,
    }
    first = weight_decay if decouple_wd else l2_reg
    matrices = partial(muon_step, nesterov=True, n_steps=5, match_adam=match_adam)
    return Optimizer(params, [first, step_stat, matrices, muon_adam_step], **hypers)
