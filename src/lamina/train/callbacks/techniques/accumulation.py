"""Steps on the gradients of several batches."""

# pyright: reportPrivateImportUsage=false
# torch publishes its list-wise kernels under names with an underscore only.

from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.tensor.tree import find_bs
from lamina.train.callback import Callback
from lamina.train.events import CancelBatch, CancelTrain

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["GradientAccumulation"]


class GradientAccumulation(Callback):
    """Let the optimizer step once per group of batches, on the mean loss over all their items.

    The last group of an epoch steps too, even if it is smaller; its mean is over its own items.
    The loss that is shown stays that of each batch.

    Args:
        n_acc: The size of a group; it is complete when it has as many items, or batches.
        unit: What `n_acc` counts: "items" or "batches".

    Attributes:
        steps: The steps of the optimizer in this fit.
    """

    order: ClassVar[int] = 6
    run_valid = False

    def __init__(self, n_acc: int = 32, unit: Literal["items", "batches"] = "items") -> None:
        super().__init__()
        if unit not in {"items", "batches"}:
            raise UnknownNameError("unit", unit, ("items", "batches"), where="GradientAccumulation")
        if n_acc < 1:
            raise ContractError(f"GradientAccumulation: n_acc is {n_acc}; it must be 1 or more.")
        self.n_acc, self.unit = n_acc, unit
        self.steps = 0
        self._start_group()

    def _start_group(self) -> None:
        self._items = self._batches = 0
        self._expected = float(self.n_acc)  # what losses are divided by until the step
        self._is_last = False

    def before_fit(self, learn: "Learner") -> None:
        self.steps = 0
        self._start_group()

    def before_backward(self, learn: "Learner") -> None:
        n = find_bs(learn.xb)
        if not self._batches and self.unit == "batches":
            self._expected = float(self.n_acc * n)
        learn.loss_grad = learn.loss_grad * (n / self._expected)

    def after_backward(self, learn: "Learner") -> None:
        if learn.exc is None:
            self._items += find_bs(learn.xb)
            self._batches += 1

    def before_step(self, learn: "Learner") -> None:
        done = self._items if self.unit == "items" else self._batches
        ends = self._is_last or learn.iter + 1 == learn.n_iter
        if done < self.n_acc and not ends:
            raise CancelBatch
        grads = [p.grad for p in learn.opt.all_params(with_grad=True)]
        if grads and self._items != self._expected:
            torch._foreach_mul_(grads, self._expected / self._items)
        self.steps += 1
        self._start_group()

    def after_train(self, learn: "Learner") -> None:
        """Step on what is left when the loader ended without notice, or the epoch was cut short."""
        ended = learn.exc is None or isinstance(learn.exc, CancelTrain)
        if self._items and ended:
            outer, learn.exc = learn.exc, None  # the step itself is not interrupted
            self._is_last = True
            learn.take_step()
            learn.exc = outer
        self._start_group()
        learn.opt.zero_grad()
