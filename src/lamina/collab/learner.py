"""`collab_learner`: a network for ratings or choices, and a learner that recommends."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from torch import nn

from lamina.collab.models import EmbeddingDotBias, EmbeddingNN, TowerDot, create_collab_model
from lamina.collab.negatives import NegativeSampling, RankingLoss
from lamina.collab.recommend import evaluate_ranking, recommend, similar_items
from lamina.foundation.errors import ContractError, UnknownNameError, refuse_unknown
from lamina.foundation.registry import savable
from lamina.foundation.signatures import signature_names
from lamina.nn.init import first_weights
from lamina.nn.losses import MSELossFlat
from lamina.tabular.learner import TabularLearner
from lamina.tabular.models.embedding_mlp import TabularConfig, get_emb_sz
from lamina.tabular.remember import remember_columns
from lamina.train.learner import LearnerArgs
from lamina.train.persistence import ModelSpec

__all__ = ["CollabLearner", "collab_learner"]

OBJECTIVES = ("rating", "bpr", "sampled_softmax")


class CollabLearner(TabularLearner):
    """A learner of users and items; see `collab_learner`."""

    recommend = recommend
    similar_items = similar_items
    evaluate_ranking = evaluate_ranking

    @staticmethod
    @savable("lamina.collab:learner")
    def rebuild(  # pyright: ignore[reportIncompatibleVariableOverride] - None becomes a function
        dls: Any, model: nn.Module, loss_func: Callable[..., Any]
    ) -> "CollabLearner":
        """Make the learner that `load_learner` returns."""
        return CollabLearner(dls, _with_names(model, dls), loss_func)


def collab_learner(  # noqa: PLR0913 - the known signature
    dls: Any,
    n_factors: int = 50,
    use_nn: bool = False,  # noqa: FBT001 - the known signature
    emb_szs: Mapping[str, int] | None = None,
    layers: Sequence[int] | None = None,
    config: Mapping[str, Any] | None = None,
    y_range: tuple[float, float] | None = None,
    *,
    objective: str = "rating",
    negatives: int = 1,
    exclude_seen: bool = True,
    **options: Unpack[LearnerArgs],
) -> CollabLearner:
    """A learner with a network for the users and items of `dls`.

    Without further columns it is `EmbeddingDotBias`, with them `TowerDot`; `EmbeddingNN` if asked.

    Args:
        dls: The loaders, of `CollabDataLoaders`.
        n_factors: Size of the vectors of the dot product.
        use_nn: Whether layers take the place of the dot product.
        emb_szs: Embedding sizes by column, of the layers.
        layers: Sizes of the hidden layers; `[n_factors]` if not given.
        config: Further options of the network.
        y_range: Bounds of the output.
        objective: "rating" learns the numbers; "bpr" and "sampled_softmax" learn that what was
            chosen is better than what is drawn at random.
        negatives: How many items are drawn per row.
        exclude_seen: Whether items of the user's training rows are not drawn.
        options: Of `Learner`: `loss_func` (default that of the objective), `metrics`, `lr`...

    Raises:
        UnknownArgumentError: A name in `options` or `config` is unknown.
        UnknownNameError: There is no such objective.

    Example:
        >>> from lamina.collab.loaders import CollabDataLoaders
        >>> df = {"user": [*"aabb"] * 4, "film": ["x", "y"] * 8, "rating": [1.0, 2.0] * 8}
        >>> dls = CollabDataLoaders.from_df(df, bs=4, seed=42, device="cpu")
        >>> learn = collab_learner(dls, n_factors=5, y_range=(0, 5.5), seed=42)
        >>> learn.recommend("a", k=2, exclude_seen=False).columns.tolist()
        ['film', 'score']

    Source: Howard & Gugger 2020, "fastai: a layered API for deep learning".
    """
    own = set(signature_names(collab_learner)) - {"options"}
    refuse_unknown("collab_learner", options, [*own, *LearnerArgs.__annotations__])
    if objective not in OBJECTIVES:
        raise UnknownNameError("objective", objective, OBJECTIVES, where="collab_learner")
    implicit = objective != "rating"
    if implicit and y_range is not None:
        raise ContractError(
            f"collab_learner: y_range with objective={objective!r}, of which only the order of "
            "scores counts. Leave y_range out."
        )
    own_loss = RankingLoss(objective) if implicit else MSELossFlat()  # pyright: ignore[reportArgumentType] - checked above
    given: dict[str, Any] = {**(config or {}), **({"y_range": y_range} if y_range else {})}
    if use_nn:
        given |= {"emb_szs": get_emb_sz(dls, emb_szs), "layers": list(layers or [n_factors])}
    else:
        given["n_factors"] = n_factors
        if not implicit:
            given.setdefault("start", _start(dls, given.get("y_range")))
    spec = _spec(dls, given, use_nn=use_nn)
    with first_weights(options.get("seed")):
        model = _with_names(spec.build(), dls)
    model.catalogue.fill(*dls.train.dataset.tensors[:2])  # pyright: ignore[reportCallIssue,reportAttributeAccessIssue] - a `Catalogue`
    if options.get("loss_func") is None:
        options["loss_func"] = own_loss
    learn = CollabLearner(dls, model, **options)
    learn.model_spec = spec
    if implicit:
        learn.add_cb(NegativeSampling(negatives, exclude_seen=exclude_seen))
    return learn


def _start(dls: Any, y_range: tuple[float, float] | None) -> float:
    """Return the score, before bounds, that gives the mean of the training rows."""
    mean = float(dls.train.dataset.tensors[2].double().mean())
    if y_range is None:
        return mean
    share = (mean - y_range[0]) / (y_range[1] - y_range[0])
    return math.log(share / (1 - share)) if 0 < share < 1 else 0.0


def _spec(dls: Any, config: dict[str, Any], *, use_nn: bool) -> ModelSpec:
    has_more = len(dls.cat_names) > 2 or len(dls.cont_names) > 0
    kind = "nn" if use_nn else "towers" if has_more else "dot"
    found = {"dot": EmbeddingDotBias, "towers": TowerDot, "nn": EmbeddingNN}[kind]
    known = {*signature_names(found), *(TabularConfig.__annotations__ if use_nn else ())}
    refuse_unknown("collab_learner: config", config, known)
    columns = getattr(dls, "item_columns", [])
    sides = {
        f"item_{part}s": [i for i, n in enumerate(names) if _source(n, columns) and i not in skip]
        for part, names, skip in (("cat", dls.cat_names, (0, 1)), ("cont", dls.cont_names, ()))
    }
    sizes = [len(dls.classes[name]) for name in dls.cat_names]
    kwargs = {"kind": kind, "sizes": sizes, "n_cont": len(dls.cont_names), "config": config}
    return ModelSpec(create_collab_model, {**kwargs, **sides})


def _source(name: Any, columns: list[Any]) -> bool:
    """Tell whether a column, or the one whose gaps it marks, is among these."""
    return name in columns or (isinstance(name, str) and name.removesuffix("_na") in columns)


def _with_names(model: nn.Module, dls: Any) -> nn.Module:
    remember_columns(model, dls)
    if isinstance(model, EmbeddingDotBias):
        model.classes = {name: dls.classes[name] for name in dls.cat_names[:2]}
    return model
