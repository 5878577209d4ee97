"""Steps that look for flat minima."""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise kernels under names with an underscore only.

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.accumulation import GradientAccumulation
from lamina.train.callbacks.techniques.batchnorm import kept_statistics

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["SAM"]


class SAM(Callback):
    """Step along the gradient at the worst point nearby, at the cost of a second pass.

    Args:
        rho: How far away that point is.
        adaptive: Whether distances count relative to the size of each weight; `rho` should then
            be about ten times as large.

    With "fp16" the second pass has no scaled loss; prefer "bf16".

    Raises:
        ContractError: Together with `GradientAccumulation`, whose earlier batches are gone.

    Source: Foret et al., "Sharpness-Aware Minimization", 2021; Kwon et al., "ASAM", 2021.
    """

    order: ClassVar[int] = 10
    run_after = ("MixedPrecision",)
    run_before = ("GradientClip",)
    run_valid = False

    def __init__(self, rho: float = 0.05, *, adaptive: bool = False) -> None:
        super().__init__()
        self.rho, self.adaptive = rho, adaptive

    def before_fit(self, learn: "Learner") -> None:
        if any(isinstance(cb, GradientAccumulation) for cb in learn.cbs):
            raise ContractError(
                "SAM: the second pass needs all batches of a step, which GradientAccumulation no "
                "longer has. Use one of the two."
            )

    def before_step(self, learn: "Learner") -> None:
        params = learn.opt.all_params(with_grad=True)
        if not params:
            return
        before = [p.detach().clone() for p in params]
        self._climb(params)
        try:
            with kept_statistics(learn.model):
                learn.reevaluate()
        finally:
            with torch.no_grad():
                torch._foreach_copy_(params, before)

    @torch.no_grad()
    def _climb(self, params: list[Tensor]) -> None:
        ways = [p.grad for p in params if p.grad is not None]
        sizes = torch._foreach_abs(params) if self.adaptive else None
        if sizes is not None:
            ways = torch._foreach_mul(ways, sizes)
        far = self.rho / (nn.utils.get_total_norm(ways) + 1e-12)
        if sizes is not None:
            ways = torch._foreach_mul(ways, sizes)
        torch._foreach_add_(params, torch._foreach_mul(ways, far))
