"""Prediction with the mean over augmented versions of each item."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import base_seed, derive
from lamina.foundation.signatures import strict
from lamina.tensor.tree import leaves, rebuild
from lamina.train.fitting import Callbacks
from lamina.train.prediction import get_preds

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["tta"]


@strict
def tta(
    learn: "Learner",
    ds_idx: int = 1,
    dl: Any = None,
    n: int = 4,
    *,
    beta: float = 0.25,
    use_max: bool = False,
    item_tfms: Any = None,
    batch_tfms: Any = None,
    cbs: Callbacks | None = None,
) -> tuple[Any, Any]:
    """Predict a set from several augmented versions of each item and the item itself.

    What is drawn for a version follows from the seed, so the answers are the same every time.

    Args:
        learn: The learner.
        ds_idx: Which of the learner's loaders to predict.
        dl: A loader to predict in place of them, such as `dls.test_dl(items)`.
        n: How many versions, made by the transforms of training.
        beta: The weight of the prediction for the plain item; the mean of the versions has the
            rest.
        use_max: Whether to take the largest of all predictions in place of the means.
        item_tfms: In place of the loader's own `after_item` for the versions.
        batch_tfms: In place of the loader's own `after_batch` for the versions.
        cbs: Callbacks for these passes only.

    Returns:
        Predictions and targets in the order of the data set, as from `get_preds`.

    Raises:
        ContractError: The loader has no transforms, or `n` is below 1.
    """
    dl = learn.dls[ds_idx] if dl is None else dl
    if n < 1 or not hasattr(dl, "new"):
        raise ContractError(f"tta: n={n}, {dl!r}. Give n of 1 or more, and a loader of Lamina.")
    changed = {"after_item": item_tfms, "after_batch": batch_tfms}
    changed = {stage: tfms for stage, tfms in changed.items() if tfms is not None}
    plain, targs = get_preds(learn, ds_idx, dl, cbs=cbs)
    split = getattr(dl.dataset, "set_split_idx", lambda _: nullcontext())
    total = plain if use_max else None
    with split(0):
        for i in range(n):
            version = _version(learn, dl, i, changed)
            total = _joined(total, get_preds(learn, ds_idx, version, cbs=cbs)[0], use_max=use_max)
    if use_max:
        return total, targs
    return _map2(lambda t, p: torch.lerp(t / n, p, beta), total, plain), targs


def _version(learn: "Learner", dl: Any, i: int, changed: dict[str, Any]) -> Any:
    """A loader for the same items in order, with draws of its own."""
    seed = base_seed() if learn.seed is None else learn.seed
    new = dl.new(shuffle=False, drop_last=False, seed=derive(seed, "tta", i), **changed)
    for pipeline in getattr(new, "pipelines", {}).values():
        pipeline.split_idx = 0
    return new


def _joined(total: Any, preds: Any, *, use_max: bool) -> Any:
    if total is None:
        return preds
    return _map2(torch.maximum if use_max else torch.add, total, preds)


def _map2(fn: Any, first: Any, second: Any) -> Any:
    """Apply a function to the tensors of two trees, pair by pair."""
    if isinstance(first, Tensor):
        return fn(first, second)
    pairs = zip(leaves(first), leaves(second), strict=True)
    return rebuild(first, [fn(a, b) for a, b in pairs])
