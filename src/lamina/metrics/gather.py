"""Metrics that need all predictions at once, scikit-learn's functions, and threshold search."""

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from math import sqrt
from typing import Any, Literal

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError, UnknownNameError, refuse_unknown
from lamina.metrics.base import Metric, MetricFunc, flatten_check, state_of
from lamina.tensor.tree import to_np

__all__ = ["AccumMetric", "Activation", "optim_metric", "skm_to_fastai"]

Activation = Literal["no", "softmax", "sigmoid", "binary_softmax"]
_ACTIVATIONS = ("no", "softmax", "sigmoid", "binary_softmax")
_SECTION = (sqrt(5) - 1) / 2


class AccumMetric(Metric):
    """A function of all predictions and targets, which stay on the device until the end.

    Called with predictions and targets, it gives the value for these.

    Args:
        func: `func(preds, targs)`.
        dim_argmax: take the class with the highest score along this dimension.
        activation: what is applied to predictions first; "binary_softmax" gives the probability
            of the last of the classes along the last dimension.
        thresh: then 1 for predictions from this on, 0 for others.
        to_np: give the function NumPy arrays.
        invert_arg: give the function targets first, as scikit-learn has it.
        flatten: flatten predictions and targets, which need the same size.
        name: the name that is shown; by default the function's.

    Raises:
        UnknownNameError: there is no such activation.

    Example:
        >>> metric = AccumMetric(lambda preds, targs: (preds - targs).abs().max(), name="worst")
        >>> metric.update(torch.ones(2), torch.zeros(2))
        >>> metric.update(torch.ones(1), torch.tensor([4.0]))
        >>> metric.value
        3.0
    """

    def __init__(
        self,
        func: MetricFunc,
        dim_argmax: int | None = None,
        activation: Activation = "no",
        thresh: float | None = None,
        *,
        to_np: bool = False,
        invert_arg: bool = False,
        flatten: bool = True,
        name: str | None = None,
    ) -> None:
        if activation not in _ACTIVATIONS:
            raise UnknownNameError("activation", activation, _ACTIVATIONS, where="AccumMetric")
        self.activation: Activation = activation
        self.func, self.dim_argmax, self.thresh = func, dim_argmax, thresh
        self.to_np, self.invert_arg, self.flatten = to_np, invert_arg, flatten
        self._name = name or _name_of(func)
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.batches: list[tuple[Tensor, ...]] = []

    def update(self, pred: Any, *targs: Any) -> None:
        """Take in one batch of predictions and targets."""
        pred = self._prepared(pred.detach())
        if self.flatten:
            targs = tuple(flatten_check(pred, targ)[1] for targ in targs)
            pred = pred.reshape(-1)
        self.batches.append((pred, *targs))

    def __call__(self, preds: Any, *targs: Any) -> Any:
        """Return the value for these predictions and targets, tensors or arrays."""
        alone = copy(self)
        alone.reset()
        alone.update(torch.as_tensor(preds), *(torch.as_tensor(t) for t in targs))
        return alone.value

    @property
    def value(self) -> Any:
        """What the function gives for all that was taken in; None if that was nothing."""
        if not self.batches:
            return None
        args = list(self.state().values())
        args = to_np([_as_float(arg.cpu()) for arg in args]) if self.to_np else args
        value = self.func(*(reversed(args) if self.invert_arg else args))
        is_number = getattr(value, "ndim", None) == 0 or isinstance(value, int)
        return float(value) if is_number else value

    @property
    def name(self) -> str:
        """The name that is shown."""
        return self._name

    def state(self) -> dict[str, Tensor]:
        """Return all predictions and targets."""
        fields = [torch.cat(parts) for parts in zip(*self.batches, strict=True)]
        return {f"{'targ' if i else 'pred'}{i or ''}": field for i, field in enumerate(fields)}

    def merge(self, other: Metric | Mapping[str, Tensor]) -> None:
        """Add what another metric of this kind gathered, or its `state()`."""
        theirs = tuple(state_of(other).values())
        if theirs:
            device = self.batches[0][0].device if self.batches else theirs[0].device
            self.batches.append(tuple(t.to(device) for t in theirs))

    def _prepared(self, pred: Tensor) -> Tensor:
        """Apply activation, argmax and threshold."""
        if self.activation == "sigmoid":
            pred = pred.sigmoid()
        elif self.activation != "no":
            pred = pred.softmax(-1 if self.dim_argmax is None else self.dim_argmax)
            pred = pred[..., -1] if self.activation == "binary_softmax" else pred
        if self.dim_argmax is not None:
            pred = pred.argmax(self.dim_argmax)
        return pred if self.thresh is None else (pred >= self.thresh).long()


def skm_to_fastai(
    func: MetricFunc,
    is_class: bool = True,  # noqa: FBT001 - the paper's signature
    thresh: float | None = None,
    axis: int = -1,
    activation: Activation | None = None,
    *,
    flatten: bool = True,
    name: str | None = None,
    **kwargs: Any,
) -> AccumMetric:
    """Make a metric of a function of scikit-learn, `func(y_true, y_pred)`.

    Args:
        func: the function.
        is_class: it wants classes; False if it wants scores.
        thresh: for several labels at once: a label is predicted from this probability on.
        axis: where the classes are, if one of them is to be chosen.
        activation: see `AccumMetric`; by default a sigmoid if there is a threshold.
        flatten: flatten predictions and targets.
        name: the name that is shown.
        kwargs: further arguments of the function.

    Raises:
        UnknownArgumentError: the function takes no such argument.

    Example:
        >>> from sklearn.metrics import accuracy_score
        >>> metric = skm_to_fastai(accuracy_score)
        >>> metric(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
        0.5

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, generic metrics.
    """
    params = inspect.signature(func).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in params.values()):
        refuse_unknown("skm_to_fastai", kwargs, list(params)[2:])
    if activation is None:
        activation = "sigmoid" if is_class and thresh is not None else "no"
    return AccumMetric(
        partial(func, **kwargs), axis if is_class and thresh is None else None, activation, thresh,
        to_np=True, invert_arg=True, flatten=flatten, name=name,
    )  # fmt: skip


def optim_metric(
    f: MetricFunc,
    argname: str,
    bounds: tuple[float, float],
    tol: float = 0.01,
    *,
    do_neg: bool = True,
    get_x: bool = False,
) -> AccumMetric:
    """Make a metric that is the best over one of its arguments, such as a threshold.

    The interval is looked at in 20 places, and around the best of them with the golden section,
    until the best argument is known up to `tol`.

    Args:
        f: `f(preds, targs, argname=...)`.
        argname: the argument to search.
        bounds: the lowest and the highest value.
        tol: how exactly the argument is found.
        do_neg: more is better; False to look for the lowest value.
        get_x: give the argument too: `(argument, value)`.

    Example:
        >>> from lamina.metrics.classify import accuracy_multi
        >>> best = optim_metric(accuracy_multi, "thresh", (0.1, 0.9), get_x=True)
        >>> thresh, value = best(torch.tensor([[-1.0, 0.5]]), torch.tensor([[0, 1]]))
        >>> value
        1.0
    """
    low, high = bounds
    if not low < high or tol <= 0:
        raise ContractError(
            f"optim_metric: bounds are {bounds} and tol is {tol}; expected a lower bound, a higher "
            "one and a tolerance above 0."
        )

    def best(preds: Any, targs: Any) -> Any:
        def cost(x: float) -> float:
            value = float(f(preds, targs, **{argname: x}))
            return -value if do_neg else value

        x, least = _minimum(cost, low, high, tol)
        value = -least if do_neg else least
        return (x, value) if get_x else value

    return AccumMetric(best, flatten=False, name=_name_of(f))


def _minimum(cost: Callable[[float], float], low: float, high: float, tol: float) -> Any:
    """Return where a function is least, and how much it is there."""
    gap = (high - low) / 19
    seen = [(cost(low + i * gap), low + i * gap) for i in range(20)]
    _, x = min(seen)
    low, high = max(low, x - gap), min(high, x + gap)
    while high - low > tol:
        step = _SECTION * (high - low)
        left, right = (cost(high - step), high - step), (cost(low + step), low + step)
        seen += [left, right]
        low, high = (low, right[1]) if left <= right else (left[1], high)
    least, x = min(seen)
    return x, least


def _name_of(func: Any) -> str:
    func = func.func if isinstance(func, partial) else func
    return getattr(func, "__name__", type(func).__name__.lower())


def _as_float(x: Tensor) -> Tensor:
    """Bring what NumPy has no type for into one that it has."""
    return x.float() if x.dtype == torch.bfloat16 else x
