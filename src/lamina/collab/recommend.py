"""What to recommend: the best items for users, items like an item, and how good that is."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.collab.metrics import ranking_metrics
from lamina.foundation.errors import ContractError, DataError, UnknownNameError
from lamina.foundation.signatures import strict
from lamina.nn.params import evaluating
from lamina.tabular.recipe import encode_rows

__all__ = ["evaluate_ranking", "recommend", "similar_items"]

_SCORES = 4_000_000  # scores in memory at once
Unknown = Literal["error", "popular"]


@strict
def recommend(
    learn: Any,
    user: Any = None,
    k: int = 10,
    *,
    exclude_seen: bool = True,
    unknown: Unknown = "error",
) -> Any:
    """Return the `k` best items for a user, several users, or all.

    Args:
        learn: A learner of `collab_learner`.
        user: A user's name; a dict with the features of one who may be new; a list, an array or a
            column of names; None for all users, which are worked on in blocks.
        k: How many items.
        exclude_seen: Whether items of the user's training rows are left out.
        unknown: What happens for a name that training did not have: an error, or the items with
            most training rows.

    Returns:
        A frame with columns of user, item and "score", best first; without that of users for one.

    Raises:
        UnknownNameError: The user is not known, and `unknown` is "error".
        DataError: Names are texts where those of training were none, or the reverse.
        ContractError: An exported learner has no rows to exclude, or `k` is below 1.
    """
    if k < 1:
        raise ContractError(f"recommend: k is {k}. Give the number of items, at least 1.")
    if unknown not in ("error", "popular"):
        raise UnknownNameError("way", unknown, ("error", "popular"), where="recommend: unknown")
    names = learn.dls.classes[learn.dls.cat_names[0]]
    if isinstance(user, Mapping):
        rows = encode_rows(learn.dls, {**dict.fromkeys(_optional(learn)), **user})
        return _table(learn, [None], rows, k, exclude_seen=exclude_seen).iloc[:, 1:]
    is_many = user is None or (hasattr(user, "__iter__") and not isinstance(user, str | bytes))
    users = list(names)[1:] if user is None else list(user) if is_many else [user]
    codes = _codes(users, names, unknown)
    rows = _user_rows(learn, codes)
    table = _table(learn, users, rows, k, exclude_seen=exclude_seen, popular=True)
    return table if is_many else table.iloc[:, 1:]


@strict
def similar_items(learn: Any, item: Any, k: int = 10) -> Any:
    """Return the `k` items whose vectors point most nearly the same way.

    Args:
        learn: A learner of `collab_learner`, of a dot product or of layers.
        item: The item's name.
        k: How many items.

    Returns:
        A frame with the column of items and "similarity", the cosine.

    Raises:
        UnknownNameError: The item is not known.
    """
    import pandas as pd

    name = learn.dls.cat_names[1]
    levels = list(learn.dls.classes[name])
    if item not in levels[1:]:
        raise UnknownNameError("item", str(item), map(str, levels[1:]), where="similar_items")
    with torch.no_grad():
        vectors = F.normalize(_item_vectors(learn).float().cpu(), dim=1)
    code = levels.index(item)
    likeness = vectors @ vectors[code]
    likeness[[0, code]] = -torch.inf
    best = likeness.topk(min(k, len(levels) - 2))
    found = [levels[i] for i in best.indices.tolist()]
    return pd.DataFrame({name: found, "similarity": best.values.numpy()})


@strict
def evaluate_ranking(
    learn: Any, k: int = 10, *, ds_idx: int = 1, threshold: float | None = None
) -> dict[str, float]:
    """Return recall, NDCG, MAP, MRR and hit rate at `k`, and coverage, on a validation set.

    All items compete that the user has no training row of, and only these can be relevant. Users
    and items that training did not have do not count.

    Args:
        learn: A learner of `collab_learner`.
        k: How many recommendations count.
        ds_idx: Which set of rows says what is relevant.
        threshold: The rating from which an item is relevant; None takes every row.

    Returns:
        See `ranking_metrics`; `coverage@k` is the share of all items that anyone gets.

    Raises:
        DataError: No row is relevant.
    """
    cats, _, *ys = (t.cpu() for t in learn.dls.loaders[ds_idx].dataset.tensors)
    good = (cats[:, :2] > 0).all(1)
    if threshold is not None:
        good &= ys[0].flatten() >= threshold
    n_items = len(learn.model.catalogue.counts)
    keys = (cats[good, 0] * n_items + cats[good, 1]).unique()
    keys = keys[~torch.isin(keys, _seen(learn, n_items))]
    users, relevant = (keys // n_items).unique(return_counts=True)
    if not len(users):
        raise DataError(
            "evaluate_ranking: no row is relevant, of a user and an item that training had, but "
            "not together. Lower threshold, or check the set."
        )
    n_ranks = min(k, n_items - 1)
    hits, shown = [], torch.zeros(n_items, dtype=torch.bool)
    rows = _user_rows(learn, users)
    for codes, scores in _best(learn, rows, n_ranks, exclude_seen=True):
        done = sum(map(len, hits))
        wanted = users[done : done + len(codes), None] * n_items + codes
        at = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
        real = scores > -torch.inf
        hits.append((keys[at] == wanted) & real)
        shown[codes[real]] = True
    values = ranking_metrics(F.pad(torch.cat(hits), (0, k - n_ranks)), relevant, k)
    return {**values, f"coverage@{k}": float(shown.sum() / (n_items - 1))}


def _optional(learn: Any) -> list[Any]:
    """Return the columns that a row of a user need not have: its name, and those of items."""
    items = learn.model.catalogue
    cats = [learn.dls.cat_names[i] for i in (0, *items.item_cats)]
    names = cats + [learn.dls.cont_names[i] for i in items.item_conts]
    return [*names, *(str(name).removesuffix("_Elapsed") for name in names)]  # and dates of items


def _codes(users: list[Any], names: Any, unknown: Unknown) -> Tensor:
    known = {name: i for i, name in enumerate(names) if i}
    kinds = {isinstance(name, str) for name in known}
    if odd := [user for user in users if len(kinds) == 1 and isinstance(user, str) not in kinds]:
        first = next(iter(known))
        raise DataError(
            f"recommend: got the user {odd[0]!r} ({type(odd[0]).__name__}), but users have names "
            f"such as {first!r}. Convert it to {type(first).__name__}."
        )
    strange = [user for user in users if user not in known]
    if strange and unknown == "error":
        raise UnknownNameError("user", str(strange[0]), map(str, known), where="recommend")
    return torch.tensor([known.get(user, 0) for user in users], dtype=torch.int64)


def _user_rows(learn: Any, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return a row for each user, with the features of one of the training rows."""
    n_cat, n_cont = len(learn.dls.cat_names), len(learn.dls.cont_names)
    n = len(learn.dls.classes[learn.dls.cat_names[0]])
    cats, conts = torch.zeros(n, n_cat, dtype=torch.int64), torch.zeros(n, n_cont)
    rows = [t.cpu() for t in learn.dls.train.dataset.tensors[:2]]
    cats[rows[0][:, 0]], conts[rows[0][:, 0]] = rows[0], rows[1]
    cats[:, 0] = torch.arange(n)
    return cats[codes], conts[codes]


def _table(
    learn: Any,
    users: list[Any],
    rows: tuple[Tensor, Tensor],
    k: int,
    *,
    exclude_seen: bool,
    popular: bool = False,
) -> Any:
    import pandas as pd

    user, item = learn.dls.cat_names[:2]
    levels = list(learn.dls.classes[item])
    k = min(k, len(levels) - 1)
    parts = list(_best(learn, rows, k, exclude_seen=exclude_seen, popular=popular))
    codes, scores = (torch.cat(part) for part in zip(*parts, strict=True))
    real = (scores > -torch.inf).flatten().numpy()
    table = {
        user: [name for name in users for _ in range(codes.shape[1])],
        item: [levels[i] for i in codes.flatten().tolist()],
        "score": scores.flatten().numpy(),
    }
    return pd.DataFrame(table)[real].reset_index(drop=True)


@torch.no_grad()
def _best(
    learn: Any,
    rows: tuple[Tensor, Tensor],
    k: int,
    *,
    exclude_seen: bool,
    popular: bool = False,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Give the codes and scores of the best items, for one block of users after the other.

    Strangers get what is popular if it is asked for, or if no features speak for them.
    """
    model, n_items = learn.model, len(learn.model.catalogue.counts)
    seen = _seen(learn, n_items) if exclude_seen else None
    block = max(1, _SCORES // n_items)
    for cats, conts in zip(rows[0].split(block), rows[1].split(block), strict=True):
        with evaluating(model):
            scores = _scores(model, cats, conts)
        by_count = popular or (cats.shape[1] == 2 and not conts.shape[1])
        strange = (cats[:, 0] == 0) & by_count
        scores = torch.where(strange[:, None], model.catalogue.counts.cpu().float(), scores)
        scores[:, 0] = -torch.inf
        if seen is not None:
            first, last = (torch.searchsorted(seen, (cats[:, 0] + i) * n_items) for i in (0, 1))
            at = torch.arange(len(cats)).repeat_interleave(last - first)
            runs = zip(first.tolist(), last.tolist(), strict=True)
            pairs = [seen[:0], *(seen[a:b] for a, b in runs)]
            scores[at, torch.cat(pairs) % n_items] = -torch.inf
        best = scores.topk(k, dim=1)
        yield best.indices, best.values


def _seen(learn: Any, n_items: int) -> Tensor:
    cats = learn.dls.train.dataset.tensors[0].cpu()
    if not len(cats):
        raise ContractError(
            "recommend: an exported learner has no training rows, so what was seen is not known. "
            "Pass exclude_seen=False."
        )
    cats = cats[cats[:, 0] > 0]
    return (cats[:, 0] * n_items + cats[:, 1]).unique()


def _scores(model: Any, cats: Tensor, conts: Tensor) -> Tensor:
    """Return the scores of all items for each row's user: `(b, n_items)` on the CPU."""
    items, place = model.catalogue, model.catalogue.counts.device
    cats, conts = cats.to(place), conts.to(place)
    if hasattr(model, "user_side"):
        user, user_bias = model.user_side(cats, conts)
        item, item_bias = model.item_side(items.cats, items.conts)
        return model.bound(user @ item.T + user_bias[:, None] + item_bias).float().cpu()
    n = len(items.counts)
    every = torch.arange(n, device=place).repeat(len(cats))
    pairs = items.beside(cats.repeat_interleave(n, 0), conts.repeat_interleave(n, 0), every)
    chunks = zip(pairs[0].split(65_536), pairs[1].split(65_536), strict=True)
    said = torch.cat([model(a, b).flatten() for a, b in chunks])
    return said.reshape(len(cats), n).float().cpu()


def _item_vectors(learn: Any) -> Tensor:
    model = learn.model
    with evaluating(model):
        if hasattr(model, "item_side"):
            return model.item_side(model.catalogue.cats, model.catalogue.conts)[0]
        return model.tables()[1]
