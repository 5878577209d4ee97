# ruff: noqa: D102 - the events are documented in lamina.train.events
"""Prediction with the mean over augmented versions of each item."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.data.task import DenseLabels, DenseNumbers
from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import base_seed, derive
from lamina.foundation.signatures import strict
from lamina.tensor.tree import leaves, map_tree, rebuild
from lamina.train.callback import Callback
from lamina.train.fitting import Callbacks
from lamina.train.prediction import get_preds

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["View", "tta"]

_SCALES = (1.0, 1.25, 0.75)
_IMAGE_DIMS = 4


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

    Where the target is dense, such as a mask, the versions are instead the items mirrored and in
    other sizes, and what is predicted for them is brought back to its place before the mean.

    Args:
        learn: The learner.
        ds_idx: Which of the learner's loaders to predict.
        dl: A loader to predict in place of them, such as `dls.test_dl(items)`.
        n: How many versions, made by the transforms of training.
        beta: The weight of the prediction for the plain item; the mean of the versions has the
            rest.
        use_max: Whether to take the largest of all predictions in place of the means.
        item_tfms: In place of the loader's own `after_item` for the versions. With dense targets
            they, and `batch_tfms`, must leave everything at its place.
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
    task = getattr(learn.dls, "task", None)
    dense = not changed and isinstance(task, DenseLabels | DenseNumbers)
    split = getattr(dl.dataset, "set_split_idx", None)
    total = plain if use_max else None
    with nullcontext() if dense or split is None else split(0):
        for i in range(n):
            version, view = (dl, _view(i)) if dense else (_version(learn, dl, i, changed), None)
            with learn.added_cbs(view):
                preds = get_preds(learn, ds_idx, version, cbs=cbs)[0]
            total = _joined(total, preds, use_max=use_max)
    if use_max:
        return total, targs
    return _map2(lambda t, p: torch.lerp(t / n, p, beta), total, plain), targs


class View(Callback):
    """Let the model see pictures mirrored and in another size, and undo it in what it predicts.

    Args:
        mirrored: Whether left and right are exchanged.
        scale: Factor of height and width.
    """

    def __init__(self, *, mirrored: bool, scale: float) -> None:
        super().__init__()
        self.mirrored, self.scale = mirrored, scale
        self.size: tuple[int, ...] = ()

    def before_batch(self, learn: "Learner") -> None:
        self.size = tuple(learn.xb[0].shape[-2:])
        size = tuple(round(n * self.scale) for n in self.size)
        learn.xb = map_tree(lambda x: self._changed(x, size), learn.xb)

    def after_pred(self, learn: "Learner") -> None:
        learn.pred = map_tree(lambda x: self._changed(x, self.size), learn.pred)

    def _changed(self, x: Tensor, size: tuple[int, ...]) -> Tensor:
        if x.ndim != _IMAGE_DIMS:
            return x
        x = x.flip(-1) if self.mirrored else x
        return x if x.shape[-2:] == size else F.interpolate(x, size, mode="bilinear")


def _view(i: int) -> View:
    return View(mirrored=i % 2 == 0, scale=_SCALES[(i + 1) // 2 % len(_SCALES)])


def _version(learn: "Learner", dl: Any, i: int, changed: dict[str, Any]) -> Any:
    """A loader for the same items in order, with draws of its own."""
    seed = base_seed() if learn.seed is None else learn.seed
    new = dl.new(shuffle=False, drop_last=False, seed=derive(seed, "tta", i), **changed)
    for pipeline in getattr(new, "pipelines", {}).values():
        pipeline.split_idx = 0
        for tfm in pipeline:
            getattr(tfm, "set_version", lambda _: None)(i)  # those that draw nothing but go on
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
