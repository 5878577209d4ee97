"""Training on mixtures of items: MixUp and CutMix."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import base_seed, derive
from lamina.foundation.signatures import allowed_keywords
from lamina.nn.losses import NoneReduce
from lamina.tensor.tree import find_bs, map_tree
from lamina.train.callback import Callback

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["CutMix", "MixHandler", "MixUp"]


class MixHandler(Callback):
    """The common part: every item is mixed with another one, and so is its loss.

    The targets of the batch stay as they are; the loss is that of the item's own target and that
    of the other's, in the proportion in which the inputs are mixed. Each item has its own draw,
    which follows from the seed, the epoch and the batch. A subclass defines `mix`.

    Args:
        alpha: The parts are drawn from Beta(alpha, alpha): small values mix little.
    """

    run_valid = False

    def __init__(self, alpha: float = 0.5) -> None:
        super().__init__()
        if alpha <= 0:
            raise ContractError(f"{type(self).__name__}: alpha is {alpha}; it must be above 0.")
        self.alpha = alpha
        self._loss_func: Any = None

    def mix(
        self, xb: tuple[Any, ...], other: Tensor, draw: np.random.Generator
    ) -> tuple[tuple[Any, ...], np.ndarray]:
        """Return new inputs, and the part that each item keeps of itself.

        Args:
            xb: The inputs; not to be written to.
            other: The index of the item that each is mixed with.
            draw: Where chance comes from.
        """
        raise NotImplementedError

    def before_batch(self, learn: "Learner") -> None:
        seed = base_seed() if learn.seed is None else learn.seed
        draw = np.random.default_rng(derive(seed, self.name, learn.epochs_done, learn.iter))
        device = _first(learn.xb).device
        other = _sent(draw.permutation(find_bs(learn.xb)), device)
        learn.xb, kept = self.mix(learn.xb, other, draw)
        parts = _sent(kept.astype(np.float32), device)
        self._loss_func = learn.loss_func
        learn.loss_func = _MixedLoss(self._loss_func, other, parts, type(self).__name__)

    def after_batch(self, learn: "Learner") -> None:
        if self._loss_func is not None:
            learn.loss_func, self._loss_func = self._loss_func, None


class MixUp(MixHandler):
    """Train on weighted means of two items; the larger part is the item's own.

    Args:
        alpha: The parts are drawn from Beta(alpha, alpha).

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.
    """

    def __init__(self, alpha: float = 0.4) -> None:
        super().__init__(alpha)

    def mix(
        self, xb: tuple[Any, ...], other: Tensor, draw: np.random.Generator
    ) -> tuple[tuple[Any, ...], np.ndarray]:
        part = draw.beta(self.alpha, self.alpha, len(other))
        part = np.maximum(part, 1 - part)

        def mixed(x: Tensor) -> Tensor:
            if not x.is_floating_point():
                return x
            weight = (
                _sent(part.astype(np.float32), x.device).to(x.dtype).view(-1, *[1] * (x.ndim - 1))
            )
            return torch.lerp(x[other], x, weight)

        if not _first(xb).is_floating_point():
            raise ContractError(
                f"MixUp: the input is {_first(xb).dtype}, which cannot be averaged. Give floats, "
                "for pictures with the batch transform IntToFloatTensor, or use CutMix."
            )
        return map_tree(mixed, xb), part


class CutMix(MixHandler):
    """Train on pictures with a rectangle from another picture.

    Args:
        alpha: The part of the area that stays is drawn from Beta(alpha, alpha).

    Source: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers", 2019.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha)

    def mix(
        self, xb: tuple[Any, ...], other: Tensor, draw: np.random.Generator
    ) -> tuple[tuple[Any, ...], np.ndarray]:
        x = _first(xb)
        if x.ndim != 4:
            raise ContractError(
                f"CutMix: the input is {tuple(x.shape)}; pictures are (batch, channels, height, "
                "width). MixUp works for other inputs."
            )
        n, side = len(other), np.sqrt(1 - draw.beta(self.alpha, self.alpha, len(other)))
        rows, height = _inside(x.shape[2], side, draw.random(n))
        columns, width = _inside(x.shape[3], side, draw.random(n))
        inside = rows[:, None, :, None] & columns[:, None, None, :]
        cut = torch.where(_sent(inside, x.device), x[other], x)
        return (cut, *xb[1:]), 1 - height * width / (x.shape[2] * x.shape[3])


class _MixedLoss:
    """The mean of the losses for two targets of each item, weighted item by item."""

    def __init__(self, loss_func: Any, other: Tensor, parts: Tensor, where: str) -> None:
        self.loss_func, self.other, self.parts = loss_func, other, parts
        if not hasattr(loss_func, "reduction") and "reduction" not in _keywords(loss_func):
            raise ContractError(
                f"{where}: the loss must give one value per item. Give it an attribute or an "
                'argument `reduction` that may be "none", as the losses of PyTorch have.'
            )

    def __call__(self, pred: Any, *targets: Tensor) -> Tensor:
        own = self._per_item(pred, targets)
        others = self._per_item(pred, tuple(y[self.other] for y in targets))
        return torch.lerp(others, own, self.parts.to(own.dtype)).mean()

    def _per_item(self, pred: Any, targets: tuple[Tensor, ...]) -> Tensor:
        with NoneReduce(self.loss_func) as loss_func:
            losses = loss_func(pred, *targets)
        return losses.reshape(len(self.parts), -1).mean(1)


def _sent(values: np.ndarray, device: torch.device) -> Tensor:
    """Send numbers to a device; where that is possible without waiting for it."""
    return torch.from_numpy(values).to(device, non_blocking=device.type == "cuda")


def _keywords(fn: Callable[..., Any]) -> frozenset[str]:
    return allowed_keywords(fn) or frozenset({"reduction"})


def _first(xb: tuple[Any, ...]) -> Tensor:
    x = next(iter(xb[0].values())) if isinstance(xb[0], dict) else xb[0]
    if not isinstance(x, Tensor):
        raise ContractError(f"MixUp and CutMix mix tensors; the input is a {type(x).__name__}.")
    return x


def _inside(size: int, share: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut an interval per item out of `size` pixels; return where it is, and its length."""
    centre, half = place * size, share * size / 2
    start, end = np.round(centre - half).clip(0), np.round(centre + half).clip(max=size)
    pixel = np.arange(size)
    return (pixel >= start[:, None]) & (pixel < end[:, None]), end - start
