# ruff: noqa: D102 - the events are documented in lamina.train.events
"""The learning rate finder: a short training with a growing rate, and what the curve suggests."""

import math
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.tensor.random import get_random_states, set_random_states
from lamina.train.callback import Callback
from lamina.train.events import CancelBatch, CancelFit, CancelValid
from lamina.viz.curves import plot_lr

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = [
    "LRCurve",
    "LRFinder",
    "Suggester",
    "lr_find",
    "minimum",
    "slide",
    "steep",
    "unchanged",
    "valley",
]

Suggester = Callable[[Sequence[float], Sequence[float]], float]
_MIN_POINTS = 6


def valley(lrs: Sequence[float], losses: Sequence[float]) -> float:
    """Suggest the middle of the longest falling part of the curve.

    Args:
        lrs: Learning rates, ascending.
        losses: The loss at each.

    Example:
        >>> valley([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 9])
        3
    """
    ends: list[float] = []  # ends[k]: the best last value of a falling subsequence of k + 1 points
    last = 0
    for i, loss in enumerate(losses):
        k = bisect_left(ends, -loss)
        if k == len(ends):
            last = i
        ends[k : k + 1] = [-loss]
    start = max(0, last - len(ends) + 1)
    return lrs[start + (last - start) // 2]


def minimum(lrs: Sequence[float], losses: Sequence[float]) -> float:
    """Suggest a tenth of the rate with the lowest loss, the rule of the paper.

    Example:
        >>> minimum([0.1, 1.0, 10.0], [3.0, 1.0, 2.0])
        0.1
    """
    return lrs[min(range(len(losses)), key=losses.__getitem__)] / 10


def steep(lrs: Sequence[float], losses: Sequence[float]) -> float:
    """Suggest the rate at which the loss falls fastest, over a fifth of the curve at a time.

    Example:
        >>> steep([1, 2, 3, 4], [5.0, 4.9, 1.0, 0.9])
        2
    """
    n = len(losses)
    reach = max(1, n // 10)
    rises = [losses[min(n - 1, i + reach)] - losses[max(0, i - reach)] for i in range(n)]
    return lrs[min(range(n), key=rises.__getitem__)]


@strict
def slide(
    lrs: Sequence[float],
    losses: Sequence[float],
    lr_diff: int = 15,
    thresh: float = 0.005,
    adjust_value: float = 1.0,
) -> float:
    """Suggest the rate left of an interval that slides from the end until it lies flat.

    Args:
        lrs: Learning rates, ascending.
        losses: The loss at each.
        lr_diff: The width of the interval in points; less if there are few points.
        thresh: The interval is flat when the slopes at its ends differ by no more.
        adjust_value: The suggestion is multiplied by this.

    Example:
        >>> slide([1, 2, 3, 4], [3.0, 2.0, 1.0, 9.0], lr_diff=1)
        1.0
    """
    slopes = _slopes(losses)
    left = max(0, len(slopes) - 1 - lr_diff)
    width = len(slopes) - 1 - left
    while left > 0 and abs(slopes[left + width] - slopes[left]) > thresh:
        left -= 1
    return float(lrs[left]) * adjust_value


def _slopes(losses: Sequence[float]) -> list[float]:
    """The change of the loss per point: central differences, one-sided at the ends."""
    n = len(losses)
    spans = [(max(0, i - 1), min(n - 1, i + 1)) for i in range(n)]
    return [(losses[b] - losses[a]) / max(1, b - a) for a, b in spans]


@dataclass(frozen=True)
class LRCurve:
    """The losses at growing learning rates, and the rates that they suggest.

    Unpacks to the suggestions that were asked for: `lr_min, lr_steep = learn.lr_find(...)`.

    Attributes:
        lrs: The learning rates that were tried.
        losses: The smoothed loss at each.
        asked: The suggestions asked for, by name.

    Example:
        >>> lrs = [10.0**i for i in range(-6, 2)]
        >>> curve = LRCurve(lrs, [2.0, 2.0, 1.9, 1.5, 1.0, 0.5, 0.4, 3.0])
        >>> curve.minimum
        0.01
    """

    lrs: list[float] = field(repr=False)
    losses: list[float] = field(repr=False)
    asked: dict[str, float] = field(default_factory=dict)

    @property
    def valley(self) -> float:
        """The middle of the longest falling part."""
        return valley(*self._inner())

    @property
    def minimum(self) -> float:
        """A tenth of the rate with the lowest loss."""
        return minimum(*self._inner())

    @property
    def steep(self) -> float:
        """The rate at which the loss falls fastest."""
        return steep(*self._inner())

    @property
    def slide(self) -> float:
        """The rate left of a flat interval."""
        return slide(*self._inner())

    def suggest(self, *funcs: Suggester) -> "LRCurve":
        """Return the same curve with the suggestions of these functions asked for."""
        asked = {_name(func): func(*self._inner()) for func in funcs}
        return LRCurve(self.lrs, self.losses, asked)

    def plot(self, ax: Any = None) -> Any:
        """Draw the curve with the suggestions that were asked for; return the axes."""
        return plot_lr(self.lrs, self.losses, suggestions=self.asked, ax=ax)

    def __iter__(self) -> Iterator[float]:
        return iter(self.asked.values())

    def _inner(self) -> tuple[list[float], list[float]]:
        """The part that suggestions look at: without the start, and without the rise at the end."""
        n = len(self.lrs)
        if n < 2:
            raise ContractError(
                f"lr_find: only {n} points were measured, too few for a suggestion. Let it train "
                "for more batches (num_it), or start at a lower rate."
            )
        first = min(n // 10, max(0, n - _MIN_POINTS))
        last = n - min(5, max(0, n - first - _MIN_POINTS))
        return self.lrs[first:last], self.losses[first:last]


def _name(func: Suggester) -> str:
    return getattr(func, "__name__", None) or getattr(func, "func", func).__name__


class LRFinder(Callback):
    """Raise the learning rate by equal factors per batch and keep the loss; used by `lr_find`.

    Args:
        start_lr: The first rate.
        end_lr: The last rate.
        num_it: The number of training batches.
        stop_div: Whether to stop when the loss diverges (4 times the best, or not finite).
        beta: The smoothing of the loss.

    Attributes:
        lrs: The rates tried.
        losses: The smoothed loss at each.
    """

    order: ClassVar[int] = 60

    def __init__(
        self,
        start_lr: float = 1e-7,
        end_lr: float = 10.0,
        num_it: int = 100,
        *,
        stop_div: bool = True,
        beta: float = 0.98,
    ) -> None:
        super().__init__()
        self.start_lr, self.end_lr, self.num_it = start_lr, end_lr, num_it
        self.stop_div, self.beta = stop_div, beta
        self.lrs: list[float] = []
        self.losses: list[float] = []
        self._mean, self._best = 0.0, math.inf

    def before_batch(self, learn: "Learner") -> None:
        pct = learn.train_iter / max(1, self.num_it - 1)
        learn.opt.set_hyper("lr", self.start_lr * (self.end_lr / self.start_lr) ** pct)

    def after_batch(self, learn: "Learner") -> None:
        if learn.loss is not None and isinstance(learn.exc, CancelBatch | None):
            self._keep(float(learn.loss.detach().mean()), learn.opt.hypers[-1]["lr"])
        if learn.train_iter + 1 >= self.num_it:
            raise CancelFit

    def before_validate(self, learn: "Learner") -> None:
        raise CancelValid

    def _keep(self, loss: float, lr: float) -> None:
        if not math.isfinite(loss) and self.stop_div:
            raise CancelFit
        self._mean = self.beta * self._mean + (1 - self.beta) * loss
        smooth = self._mean / (1 - self.beta ** (len(self.losses) + 1))
        self.lrs.append(lr)
        self.losses.append(smooth)
        self._best = min(self._best, smooth)
        if self.stop_div and smooth > 4 * self._best:
            raise CancelFit


@strict
def lr_find(
    learn: "Learner",
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    num_it: int = 100,
    *,
    stop_div: bool = True,
    show_plot: bool = True,
    suggest_funcs: Suggester | Iterable[Suggester] = valley,
) -> LRCurve:
    """Train for a few batches with a growing learning rate and suggest a good one.

    Afterwards the learner is as before: weights and buffers, optimizer, and the state of every
    random stream, so a training gives the same result with or without a search before it.

    Args:
        learn: The learner.
        start_lr: The first learning rate.
        end_lr: The last learning rate, unless the loss diverges before.
        num_it: The number of training batches.
        stop_div: Whether to stop when the smoothed loss exceeds 4 times its lowest value.
        show_plot: Whether to draw the curve.
        suggest_funcs: One or more of `valley`, `minimum`, `steep`, `slide`, or functions of
            (learning rates, losses); the result unpacks to their suggestions.

    Raises:
        ContractError: `num_it` is below 6, or nothing could be measured.

    Example:
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.ones(4, 2), torch.ones(4, 1))]
        >>> loss = torch.nn.functional.mse_loss
        >>> learn = Learner((batches, batches), torch.nn.Linear(2, 1), loss, default_cbs=False)
        >>> curve = learn.lr_find(show_plot=False, suggest_funcs=(minimum, steep))
        >>> list(curve.asked)
        ['minimum', 'steep']

    Source: L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3.
    """
    if num_it < _MIN_POINTS:
        raise ContractError(f"lr_find: num_it is {num_it}; at least {_MIN_POINTS} are needed.")
    finder = LRFinder(start_lr, end_lr, num_it, stop_div=stop_div)
    with unchanged(learn), learn.added_cbs(finder):
        if learn.opt is None:
            learn.create_opt()
        learn.run_fit(num_it, purpose="find")  # an epoch has a batch at least
    funcs = (suggest_funcs,) if callable(suggest_funcs) else tuple(suggest_funcs)
    curve = LRCurve(finder.lrs, finder.losses).suggest(*funcs)
    if show_plot:
        curve.plot()
    return curve


@contextmanager
def unchanged(learn: "Learner") -> Generator[None]:
    """Put weights, optimizer, random streams and the counts of epochs back at the end."""
    train, epoch = learn.dls.train, getattr(learn.dls.train, "epoch", None)
    opt, epochs_done, states = learn.opt, learn.epochs_done, get_random_states()
    opt_state = None if opt is None else deepcopy(opt.state_dict())
    weights = {name: tensor.detach().clone() for name, tensor in _tensors(learn.model)}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, tensor in _tensors(learn.model):
                tensor.copy_(weights[name])
        learn.model.zero_grad()
        learn.opt, learn.epochs_done = opt, epochs_done
        if epoch is not None:
            train.set_epoch(epoch)
        if opt is not None:
            opt.load_state_dict(opt_state)
        set_random_states(states)


def _tensors(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()
