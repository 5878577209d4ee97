"""Lookahead: slow weights that follow any optimizer of stats and steppers."""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise and fused kernels under names with an underscore only.

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.optim.groups import Params
from lamina.optim.optimizer import Optimizer
from lamina.optim.recipes import Hyper, RAdam
from lamina.optim.wiring import listwise

__all__ = ["Lookahead", "lookahead_step", "ranger"]


@listwise(makes={"slow": lambda p: p.detach().clone(), "fast_steps": lambda _: 0})
def lookahead_step(
    ps: list[Tensor],
    _gs: list[Tensor],
    *,
    slow: list[Tensor],
    fast_steps: list[int],
    k: int = 6,
    alpha: float = 0.5,
) -> dict[str, list[int]]:
    """Every `k` steps: `slow <- slow + alpha * (p - slow)` and `p <- slow`.

    Source: Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019,
    algorithm 1.
    """
    steps = [n + 1 for n in fast_steps]
    due = [i for i, n in enumerate(steps) if n >= k]
    if due:
        there, here = [slow[i] for i in due], [ps[i] for i in due]
        torch._foreach_lerp_(there, here, alpha)
        torch._foreach_copy_(here, there)
    return {"fast_steps": [0 if n >= k else n for n in steps]}


def Lookahead(opt: Optimizer, k: int = 6, alpha: float = 0.5) -> Optimizer:  # noqa: N802 - the name of the method
    """Let slow weights follow an optimizer: every `k` steps they move part of the way to its.

    Args:
        opt: the fast optimizer; its groups, marks, hyper-parameters and state are taken over.
        k: after how many steps the slow weights move; then the fast ones go back to them.
        alpha: how much of the way.

    Raises:
        ContractError: `opt` is of another kind, such as an `OptimWrapper`.

    Example:
        >>> from lamina.optim.recipes import SGD
        >>> Lookahead(SGD([torch.zeros(1)], lr=0.1)).hypers
        [{'lr': 0.1, 'wd': 0.0, 'k': 6, 'alpha': 0.5}]

    Source: Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019.
    """
    if type(opt) is not Optimizer:
        raise ContractError(
            f"Lookahead follows an Optimizer of stats and steppers; got {type(opt).__name__}. Give "
            "it one of the recipes."
        )
    cbs = [*opt.cbs, lookahead_step]
    made = Optimizer(opt.groups, cbs, fused=opt.fused, **opt.hypers[0], k=k, alpha=alpha)
    for mine, theirs in zip(made.hypers, opt.hypers, strict=True):
        mine.update(theirs)
    made.frozen_idx, made.state, made._marks = opt.frozen_idx, opt.state, opt._marks
    return made


def ranger(  # noqa: PLR0913 - RAdam's hyper-parameters and Lookahead's
    params: Params,
    lr: Hyper,
    mom: Hyper = 0.95,
    wd: Hyper = 0.01,
    eps: Hyper = 1e-6,
    k: int = 6,
    alpha: float = 0.5,
    *,
    sqr_mom: Hyper = 0.99,
    beta: Hyper = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """`Lookahead` around `RAdam`; see there for the arguments.

    Example:
        >>> weights = torch.ones(2, requires_grad=True)
        >>> weights.grad = torch.tensor([1.0, -1.0])
        >>> ranger([weights], lr=0.1).step()
        >>> weights
        tensor([0.8990, 1.0990], requires_grad=True)

    Source: Wright, "Ranger: a synergistic optimizer", 2019.
    """
    fast = RAdam(params, lr, mom, sqr_mom, eps, wd, beta, decouple_wd=decouple_wd)
    return Lookahead(fast, k, alpha)
