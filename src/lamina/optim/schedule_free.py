"""Schedule-Free: an average of the iterates in place of a decaying learning rate."""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise and fused kernels under names with an underscore only.

from collections.abc import Callable, Sequence
from functools import partial
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.optim.groups import Params
from lamina.optim.optimizer import Optimizer
from lamina.optim.recipes import Hyper
from lamina.optim.stats import average_sqr_grad, debias, step_stat
from lamina.optim.steppers import l2_reg
from lamina.optim.wiring import alike, listwise

__all__ = [
    "ScheduleFree",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "rms_scale",
    "schedule_free_step",
]

# ruff: noqa: N802 - the recipes have the names of the paper


@listwise()
def rms_scale(
    _ps: list[Tensor],
    gs: list[Tensor],
    *,
    sqr_mom: float,
    eps: float,
    step: list[int],
    sqr_avg: list[Tensor],
) -> None:
    """`g <- g / (sqrt(v) + eps)`, with v debiased: Adam's scale for any stepper that follows."""
    for n, (grads, sqrs) in alike(step, gs, sqr_avg):
        denoms = torch._foreach_sqrt(sqrs)
        torch._foreach_div_(denoms, sqrt(debias(sqr_mom, 1 - sqr_mom, n)))
        torch._foreach_add_(denoms, eps)
        torch._foreach_div_(grads, denoms)


@listwise(makes={"base": lambda p: p.detach().clone(), "trust": lambda _: (0.0, 0.0)})
def schedule_free_step(
    ps: list[Tensor],
    gs: list[Tensor],
    *,
    lr: float,
    beta: float,
    step: list[int],
    base: list[Tensor],
    trust: list[tuple[float, float]],
    n_warmup: int = 0,
) -> dict[str, list[tuple[float, float]]]:
    """One step of the base sequence z, of its average x, and of y between them, which is `p`.

    `z <- z - lr * g`, `x <- (1 - c) * x + c * z`, `y <- (1 - beta) * z + beta * x`, where c is the
    part of this step's `max(lr)^2` in the sum of all.

    Args:
        ps: the parameters, y.
        gs: the gradients at y, scaled and with weight decay as wanted.
        lr: the learning rate.
        beta: how near y is to the average. It has to stay the same: bind it with `partial`.
        step: the number of steps, from 1.
        base: z.
        trust: the highest rate so far and the sum of weights.
        n_warmup: for that many steps the rate grows from 0 to `lr`.

    Source: Defazio et al., "The Road Less Scheduled", NeurIPS 2024, algorithm 1 and its code.
    """
    keys = list(zip(step, trust, strict=True))
    found: dict[tuple[int, tuple[float, float]], tuple[float, float]] = {}
    for key, (ys, grads, zs) in alike(keys, ps, gs, base):
        n, (highest, total) = key
        rate = lr * min(1.0, n / n_warmup) if n_warmup else lr
        highest = max(highest, rate)
        total += highest**2
        c = highest**2 / total if total else 0.0
        torch._foreach_lerp_(ys, zs, c)
        torch._foreach_add_(ys, grads, alpha=rate * (beta * (1 - c) - 1))
        torch._foreach_add_(zs, grads, alpha=-rate)
        found[key] = (highest, total)
    return {"trust": [found[key] for key in keys]}


class ScheduleFree(Optimizer):
    """An optimizer with two sets of weights: `train()` for the gradients, `eval()` for their use.

    It begins in training. Between `eval()` and `train()` the parameters hold the average, and
    `step` is refused.

    Args:
        params: tensors, or groups of tensors.
        cbs: stats and steppers that end with `schedule_free_step`.
        beta: how near the training weights are to the average.
        hypers: values of hyper-parameters.

    Attributes:
        training: whether the parameters hold the weights to train.

    Source: Defazio et al., "The Road Less Scheduled", NeurIPS 2024.
    """

    def __init__(
        self, params: Params, cbs: Sequence[Callable[..., Any]], beta: float, **hypers: Any
    ) -> None:
        if not 0 < beta <= 1:
            raise ContractError(f"ScheduleFree: beta is {beta}; expected 0 < beta <= 1, as 0.9.")
        last = partial(schedule_free_step, beta=beta)
        super().__init__(params, [*cbs, last], **hypers)
        self.beta, self.training = beta, True

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; see `Optimizer.step`.

        Raises:
            ContractError: the parameters hold the average.
        """
        if not self.training:
            raise ContractError(
                "ScheduleFree.step: the parameters hold the average. Call train() before training."
            )
        return super().step(closure)

    def train(self) -> None:
        """Put the weights to train in place."""
        self._switch(training=True, weight=1 - self.beta)

    def eval(self) -> None:
        """Put the averaged weights in place."""
        self._switch(training=False, weight=1 - 1 / self.beta)

    def state_dict(self) -> dict[str, Any]:
        """Return hyper-parameters and state, and which weights the parameters hold."""
        return super().state_dict() | {"training": self.training}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, with parameters from the same moment."""
        super().load_state_dict(saved)
        self.training = saved["training"]

    @torch.no_grad()
    def _switch(self, *, training: bool, weight: float) -> None:
        """Move along the line through base and average."""
        if self.training is not training:
            for p, state in self.state.items():
                p.lerp_(state["base"], weight)
        self.training = training


def ScheduleFreeAdamW(
    params: Params,
    lr: Hyper,
    mom: float = 0.9,
    sqr_mom: Hyper = 0.999,
    eps: Hyper = 1e-8,
    wd: Hyper = 0.0,
    *,
    n_warmup: Hyper = 0,
    decouple_wd: bool = True,
) -> ScheduleFree:
    """AdamW without a schedule; train at a constant rate.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate; one to ten times AdamW's.
        mom: how near the training weights are to the average (beta 1); no hyper-parameter.
        sqr_mom: the decay of the average of squared gradients (beta 2).
        eps: added to the root of that average.
        wd: weight decay.
        n_warmup: for that many steps the rate grows from 0 to `lr`.
        decouple_wd: decay the weights themselves, instead of adding `wd * p` to the gradient.

    Example:
        >>> weights = torch.ones(2, requires_grad=True)
        >>> weights.grad = torch.tensor([1.0, -1.0])
        >>> ScheduleFreeAdamW([weights], lr=0.1).step()
        >>> weights
        tensor([0.9000, 1.1000], requires_grad=True)

    Source: Defazio et al., "The Road Less Scheduled", NeurIPS 2024.
    """
    scale = [average_sqr_grad, step_stat, rms_scale]
    cbs = [*scale, l2_reg] if decouple_wd else [l2_reg, *scale]
    hypers = {"lr": lr, "sqr_mom": sqr_mom, "eps": eps, "wd": wd, "n_warmup": n_warmup}
    return ScheduleFree(params, cbs, mom, **hypers)


def ScheduleFreeSGD(
    params: Params, lr: Hyper, mom: float = 0.9, wd: Hyper = 0.0, *, n_warmup: Hyper = 0
) -> ScheduleFree:
    """SGD without a schedule; train at a constant rate.

    Args:
        params: tensors, or groups of tensors.
        lr: the learning rate; ten to fifty times that of SGD with momentum.
        mom: how near the training weights are to the average; no hyper-parameter.
        wd: weight decay, at the training weights.
        n_warmup: for that many steps the rate grows from 0 to `lr`.

    Example:
        >>> p = torch.tensor([1.0], requires_grad=True)
        >>> opt = ScheduleFreeSGD([p], lr=0.5)
        >>> for _ in range(50):
        ...     p.square().sum().backward()
        ...     opt.step()
        ...     opt.zero_grad()
        >>> opt.eval()
        >>> bool(p.abs() < 0.1)
        True

    Source: Defazio et al., "The Road Less Scheduled", NeurIPS 2024.
    """
    return ScheduleFree(params, [l2_reg, step_stat], mom, lr=lr, wd=wd, n_warmup=n_warmup)
