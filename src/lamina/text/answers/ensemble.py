"""Several learners that answer together, such as one that reads forwards and one backwards."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict

__all__ = ["ensemble_preds"]


@strict
def ensemble_preds(
    learners: Sequence[Any],
    ds_idx: int = 1,
    items: Any = None,
    *,
    weights: Sequence[float] | None = None,
) -> tuple[Tensor, Any]:
    """Return the mean of several learners' predictions, in the order of the items.

    Each learner goes through its own loaders, so that each may read texts in its own way.

    Args:
        learners: Learners of the same items and targets.
        ds_idx: Which of their loaders to predict.
        items: Texts to predict in place of them.
        weights: How much each counts; all the same when not given.

    Returns:
        Predictions and targets; targets are None for texts without.

    Raises:
        ContractError: There is no learner, or their items, targets or weights do not belong
            together.
    """
    shares = [1.0] * len(learners) if weights is None else list(weights)
    if not learners or len(shares) != len(learners) or sum(shares) <= 0:
        raise ContractError(
            f"ensemble_preds: {len(learners)} learners and the weights {shares}. Give at least one "
            "learner, and one weight for each, which together are more than 0."
        )
    vocabs = [str(getattr(learn.dls.task, "vocab", None)) for learn in learners]
    answers = [
        learn.get_preds(ds_idx, dl=None if items is None else learn.dls.test_dl(items))
        for learn in learners
    ]
    preds, targets = zip(*answers, strict=True)
    if len(set(vocabs)) > 1 or not all(_same(targets[0], other) for other in targets[1:]):
        raise ContractError(
            "ensemble_preds: the learners do not have the same items, targets and labels in the "
            "same order. Make their loaders with the same split, such as by the same seed=..."
        )
    mixed = sum(share * pred for share, pred in zip(shares, preds, strict=True)) / sum(shares)
    return torch.as_tensor(mixed), targets[0]


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    return torch.equal(torch.as_tensor(a), torch.as_tensor(b))
