"""Boosted trees on the same rows as the network, and blends of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.data.task import Regression, SingleLabel
from lamina.foundation.errors import ContractError, UnknownNameError, needs
from lamina.foundation.signatures import strict
from lamina.metrics.base import Metric, mk_metric
from lamina.tabular.answers.prediction import outputs
from lamina.tabular.recipe import encode_rows
from lamina.train.infer import infer

__all__ = ["Blend", "Boosting", "blend", "boosting_baseline"]

Metrics = Metric | Callable[..., Any] | Sequence[Metric | Callable[..., Any]]
_KINDS = ("sklearn", "lightgbm", "xgboost")


@dataclass
class Boosting:
    """Boosted trees that learnt from the rows of loaders.

    Args:
        dls: The loaders.
        model: The fitted trees of one of the libraries.
        scores: The metrics on the validation rows, by name.
    """

    dls: Any
    model: Any
    scores: dict[str, float]

    def probabilities(self, cats: Tensor, conts: Tensor) -> Tensor:
        """Return what the trees say about encoded rows: `(n, n_out)`, or `(n, 1)` numbers."""
        rows = _matrix(cats, conts)
        if isinstance(self.dls.task, Regression):
            return torch.as_tensor(self.model.predict(rows), dtype=torch.float32)[:, None]
        probs = np.zeros((len(rows), self.dls.task.n_out), dtype=np.float32)
        probs[:, np.asarray(self.model.classes_, dtype=int)] = self.model.predict_proba(rows)
        return torch.from_numpy(probs)

    def predict(self, rows: Any) -> Tensor:
        """Return the probabilities (or numbers) of a frame, a dict or a list of dicts."""
        return self.probabilities(*encode_rows(self.dls, rows))


def boosting_baseline(
    dls: Any,
    kind: str = "sklearn",
    metrics: Metrics = (),
    *,
    seed: int = 0,
    **options: Any,  # kwargs: checked by the library's own constructor
) -> Boosting:
    """Fit boosted trees to the training rows, and measure them on the validation rows.

    Codes of categories are given as categories, not as numbers, up to 254 levels a column.

    Args:
        dls: Loaders of a table, with one label or one number as target.
        kind: "sklearn" (HistGradientBoosting), "lightgbm" or "xgboost".
        metrics: As for a learner, functions of (prediction, target); none takes the one of the
            task. Predictions are log-probabilities.
        seed: Of the library's randomness.
        options: Of the library's estimator, such as `learning_rate=0.05`.

    Raises:
        ContractError: The target is neither one label nor one number, or there are no validation
            rows.
        MissingExtraError: The library is not installed.

    Example:
        >>> from lamina.tabular.loaders import TabularDataLoaders
        >>> df = {"job": ["cook", "poet"] * 50, "age": [*range(100)], "rich": ["no", "yes"] * 50}
        >>> dls = TabularDataLoaders.from_df(df, cat_names="job", y_names="rich", bs=8, seed=42)
        >>> boosting_baseline(dls).scores
        {'accuracy': 1.0}
    """
    task = dls.task
    if not (isinstance(task, SingleLabel) or (isinstance(task, Regression) and task.n_out == 1)):
        what = f"boosting_baseline: the target is {task}. Boosted trees take one label or one"
        raise ContractError(f"{what} number; make loaders with one such column in y_names.")
    valid = _validation(dls, "boosting_baseline")
    is_class = isinstance(task, SingleLabel)
    counts = [len(dls.classes[name]) for name in dls.cat_names]
    model = _make(kind, counts, len(dls.cont_names), is_class=is_class, seed=seed, **options)
    cats, conts, ys = dls.train.dataset.tensors
    columns = [i for i, n in enumerate(counts) if n <= 255]
    fit = {"categorical_feature": columns} if kind == "lightgbm" else {}
    model.fit(_matrix(cats, conts), ys.cpu().numpy().reshape(-1), **fit)
    made = Boosting(dls, model, {})
    made.scores = _scores(dls, made.probabilities(*valid[:2]), valid[2], metrics)
    return made


@dataclass
class Blend:
    """A weighted mean of what several models say; see `blend`.

    Args:
        dls: The loaders whose rows they learnt from.
        models: Learners and `Boosting`s.
        weights: The weight of each; they sum to 1.
        scores: The metrics on the validation rows, by name.
    """

    dls: Any
    models: list[Any]
    weights: list[float]
    scores: dict[str, float]

    def predict(self, rows: Any) -> Tensor:
        """Return the probabilities (or numbers) of a frame, a dict or a list of dicts."""
        cats, conts = encode_rows(self.dls, rows)
        said = torch.stack([_says(model, cats, conts) for model in self.models])
        return torch.einsum("m,mno->no", torch.tensor(self.weights), said)


@strict
def blend(*models: Any, metrics: Metrics = (), n_rounds: int = 100) -> Blend:
    """Weigh models by greedy selection on the validation rows: each round adds the best one again.

    Weights are fractions of the rounds, so that a model that does not help gets 0.

    Args:
        models: Learners and `Boosting`s of the same loaders.
        metrics: As for `boosting_baseline`.
        n_rounds: Rounds; weights are multiples of `1 / n_rounds`.

    Raises:
        ContractError: There is no model, or there are no validation rows.

    Source: Caruana et al. 2004, "Ensemble selection from libraries of models".
    """
    if not models:
        raise ContractError("blend: no models were given. Pass learners and boosted trees.")
    dls = models[0].dls
    cats, conts, ys = _validation(dls, "blend")
    said = torch.stack([_says(model, cats, conts) for model in models])
    total, counts = torch.zeros_like(said[0]), [0] * len(models)
    for n in range(1, n_rounds + 1):
        losses = [_loss(dls.task, (total + one) / n, ys) for one in said]
        best = losses.index(min(losses))
        total, counts[best] = total + said[best], counts[best] + 1
    scores = _scores(dls, total / n_rounds, ys, metrics)
    return Blend(dls, list(models), [count / n_rounds for count in counts], scores)


def _validation(dls: Any, where: str) -> tuple[Tensor, ...]:
    """Return the codes, numbers and target of the validation rows."""
    tensors = dls[1].dataset.tensors if len(dls) > 1 else ()
    if not (tensors and len(tensors[0])):
        what = f"{where}: these loaders have no validation rows"
        raise ContractError(f"{what}. Make them with valid_pct=0.2, or splits= of two parts.")
    return tensors


def _says(model: Any, cats: Tensor, conts: Tensor) -> Tensor:
    if isinstance(model, Boosting):
        return model.probabilities(cats, conts)
    return outputs(model, cats, conts).reshape(len(cats), -1)


def _loss(task: Any, probs: Tensor, ys: Tensor) -> float:
    if isinstance(task, SingleLabel):
        return F.nll_loss(probs.clamp(min=1e-7).log(), ys.cpu()).item()
    return F.mse_loss(probs.flatten(), ys.cpu().flatten()).item()


def _scores(dls: Any, probs: Tensor, ys: Tensor, metrics: Any) -> dict[str, float]:
    is_class = isinstance(dls.task, SingleLabel)
    pred = probs.clamp(min=1e-7).log() if is_class else probs
    found = {}
    for metric in map(mk_metric, _listed(metrics) or [infer(dls.task).metric]):
        metric.reset()
        metric.update(pred, ys.cpu())
        found[metric.name] = float(metric.value)
    return found


def _listed(metrics: Any) -> list[Any]:
    return [metrics] if callable(metrics) or isinstance(metrics, Metric) else list(metrics)


def _matrix(cats: Tensor, conts: Tensor) -> np.ndarray:
    return torch.cat([cats.cpu().double(), conts.cpu().double()], 1).numpy()


def _make(
    kind: str,
    counts: list[int],
    n_cont: int,
    *,
    is_class: bool,
    seed: int,
    **options: Any,  # kwargs: checked by the library's own constructor
) -> Any:
    options = {"random_state": seed, **options}
    what = "Classifier" if is_class else "Regressor"
    small = [n <= 255 for n in counts]
    with needs(kind, "tabular"):
        if kind == "sklearn":
            from sklearn import ensemble

            options.setdefault("categorical_features", [*small, *([False] * n_cont)])
            return getattr(ensemble, f"HistGradientBoosting{what}")(**options)
        if kind == "lightgbm":
            import lightgbm

            return getattr(lightgbm, f"LGBM{what}")(**{"verbose": -1, **options})
        if kind == "xgboost":
            import xgboost  # type: ignore[import-not-found]  # optional

            types = ["c" if is_small else "q" for is_small in [*small, *([False] * n_cont)]]
            options = {"enable_categorical": True, "feature_types": types, **options}
            return getattr(xgboost, f"XGB{what}")(**options)
    raise UnknownNameError("kind of trees", kind, _KINDS, where="boosting_baseline")
