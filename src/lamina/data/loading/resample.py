"""Training loaders that draw their items: some more often than others, or only a part per pass."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from lamina.foundation.errors import ContractError, DataError
from lamina.tensor.random import generator

__all__ = ["partial", "weighted"]


def weighted(dls: Any, wgts: Sequence[float] | Any) -> Any:
    """Let the training loader draw items with replacement, as often as their weights say.

    Args:
        dls: the `DataLoaders`; they are changed and returned.
        wgts: a weight per training item, or per item of the whole data set.

    Raises:
        DataError: the weights do not fit the items, or are no weights.
    """
    n = dls.train.n
    try:
        weights = torch.as_tensor(wgts, dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"weighted_dataloaders: {error}. Give a list of numbers.") from error
    picked, n_whole = getattr(dls.train.dataset, "origin", None) or (None, n)
    if weights.shape == (n_whole,) != (n,):
        weights = weights[picked]
    if weights.shape != (n,):
        whole = f", or {n_whole} for all items" if n_whole != n else ""
        got = " x ".join(map(str, weights.shape)) or 1
        what = f"weighted_dataloaders: got {got} weights for {n} training items"
        raise DataError(f"{what}. Give {n}, one per training item{whole}.")
    if not (weights.isfinite().all() and (weights >= 0).all() and weights.sum() > 0):
        raise DataError(
            "weighted_dataloaders: weights must be finite numbers from 0, not all 0; the smallest "
            f"is {weights.min():g}, the largest {weights.max():g}."
        )
    bounds = weights.cumsum(0)

    def draw() -> list[int]:
        at = torch.rand(n, dtype=torch.float64, generator=generator()) * bounds[-1]
        return torch.searchsorted(bounds, at, right=True).clamp_(max=n - 1).tolist()

    return _with_train(dls, draw, n=n)


def partial(dls: Any, partial_n: int) -> Any:
    """Let every pass of the training loader use other items, drawn without replacement.

    Args:
        dls: the `DataLoaders`; they are changed and returned.
        partial_n: how many items a pass uses.

    Raises:
        ContractError: it is less than 1.
    """
    if partial_n < 1:
        raise ContractError(f"partial_dataloaders: partial_n={partial_n}. Give 1 or more.")
    n = dls.train.n

    def draw() -> list[int]:
        return torch.randperm(n, generator=generator())[:partial_n].tolist()

    return _with_train(dls, draw, n=min(n, partial_n))


def _with_train(dls: Any, draw: Callable[[], list[int]], *, n: int) -> Any:
    dls.loaders[0] = dls.train.new(get_idxs=draw, n=n)
    return dls
