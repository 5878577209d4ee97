"""Gradients of bounded size."""

from typing import TYPE_CHECKING, ClassVar

from torch import nn

from lamina.train.callback import Callback

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["GradientClip"]


class GradientClip(Callback):
    """Scale the gradients down before a step when their norm is too large.

    Args:
        max_norm: The largest norm of all gradients together.
        norm_type: Which norm; infinity takes the largest element.

    Source: Pascanu et al., "On the difficulty of training recurrent neural networks", 2013.
    """

    order: ClassVar[int] = 11  # after gradients are complete and unscaled
    run_valid = False

    def __init__(self, max_norm: float = 1.0, norm_type: float = 2.0) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type

    def before_step(self, learn: "Learner") -> None:
        params = learn.opt.all_params(with_grad=True)
        nn.utils.clip_grad_norm_(params, self.max_norm, self.norm_type)
