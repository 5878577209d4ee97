"""Ranking metrics over lists of recommended items; one row is a user, all users at once."""

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict

__all__ = ["ranking_metrics"]


@strict
def ranking_metrics(hits: Tensor, relevant: Tensor, k: int) -> dict[str, float]:
    """Return the means over users of the usual measures of the first `k` recommendations.

    Users without a relevant item do not count; with none at all every value is NaN.

    Args:
        hits: `(users, >= k)`, true where the item recommended at that rank is relevant.
        relevant: `(users,)`, how many relevant items each user has.
        k: how many recommendations count.

    Returns:
        `recall@k` (hits of all relevant), `ndcg@k` (gains 1, discount log2(rank + 1)), `map@k`
        (precisions at hits over min(k, relevant)), `mrr@k` (1 / rank of the first hit) and
        `hit_rate@k`.

    Raises:
        ContractError: fewer than `k` ranks were given, or `k` is below 1.

    Example:
        >>> ranking_metrics(torch.tensor([[True, False]]), torch.tensor([2]), k=2)["recall@2"]
        0.5

    Source: Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002.
    """
    if not 1 <= k <= hits.shape[1]:
        raise ContractError(
            f"ranking_metrics: k is {k}, for {hits.shape[1]} ranks. Give k from 1 to that number."
        )
    counted = relevant > 0
    hit, n = hits[counted, :k].double(), relevant[counted].double()
    ranks = torch.arange(1, k + 1, device=hits.device, dtype=torch.float64)
    gains = 1 / (ranks + 1).log2()
    best = n.clamp(max=k)
    precision = hit.cumsum(1) / ranks
    values = {
        "recall": hit.sum(1) / n,
        "ndcg": hit @ gains / gains.cumsum(0)[best.long() - 1],
        "map": (precision * hit).sum(1) / best,
        "mrr": (hit / ranks).amax(1),
        "hit_rate": hit.amax(1),
    }
    return {f"{name}@{k}": float(value.mean()) for name, value in values.items()}
