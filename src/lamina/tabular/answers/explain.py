"""What a learner's answers depend on: permutation importance, partial dependence, SHAP values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lamina.foundation.errors import ContractError, UnknownNameError, needs
from lamina.foundation.signatures import strict
from lamina.tabular.answers.prediction import outputs, run_model
from lamina.tabular.encoding.frames import is_gap
from lamina.tabular.procs import FillMissing
from lamina.tabular.recipe import encode_rows
from lamina.viz.canvas import new_axes

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["PartialDependence", "partial_dependence", "permutation_importance", "shap_values"]


@strict
def permutation_importance(
    learn: "Learner",
    rows: Any = None,
    *,
    metric: Callable[[Tensor, Any], Any] | None = None,
    higher_is_better: bool = True,
    n_repeats: int = 5,
    seed: int = 0,
) -> Any:
    """Measure how much worse the answers get when a column is shuffled.

    A column and the flag of its gaps, `<column>_na`, are shuffled together.

    Args:
        learn: A learner of tabular loaders.
        rows: A frame with targets; None takes the validation rows.
        metric: A function of (output, target) in place of the loss.
        higher_is_better: Whether more is better; for `metric` alone.
        n_repeats: Shuffles per column.
        seed: Of the shuffling.

    Returns:
        A pandas frame with a row per column, the most important first: `importance` is the mean
        loss of quality, `std` its deviation over the shuffles.

    Source: Breiman 2001, "Random forests", sec. 10; Fisher et al. 2019, "All models are wrong, but
        many are useful".
    """
    import pandas as pd

    cats, conts, *ys = _with_targets(learn, rows)
    measure, sign = (learn.loss_func, 1) if metric is None else (metric, -1)
    sign = 1 if metric is not None and not higher_is_better else sign
    draw = torch.Generator().manual_seed(seed)

    def quality(cats: Tensor, conts: Tensor) -> float:
        with torch.no_grad():
            return sign * float(measure(run_model(learn.model, cats, conts), *ys))  # pyright: ignore[reportOptionalCall] - a learner that was trained

    base = quality(cats, conts)
    found = []
    for name, at in _columns(learn.dls).items():
        worse = []
        for _ in range(n_repeats):
            order = torch.randperm(len(cats), generator=draw)
            worse.append(quality(*_shuffled(cats, conts, at, order)) - base)
        found.append((name, float(np.mean(worse)), float(np.std(worse))))
    found.sort(key=lambda row: -row[1])
    return pd.DataFrame(found, columns=["column", "importance", "std"])


@dataclass
class PartialDependence:
    """How the mean answer follows one column; see `partial_dependence`.

    Args:
        column: The column.
        values: Its values.
        answers: The mean answer for each, `(n_values, n_out)`.
        rows: The answer of each row, `(n_values, n_rows, n_out)`.
    """

    column: Any
    values: list[Any]
    answers: Tensor
    rows: Tensor

    def plot(self, out: int = -1, *, n_rows: int = 0, ax: Any = None) -> Any:
        """Draw the curve, or bars for categories; return the axes.

        Args:
            out: Which of the outputs, such as the class.
            n_rows: How many single rows to draw thinly behind it.
            ax: Where to draw; None opens a new figure.
        """
        ax = new_axes((6, 4)) if ax is None else ax
        is_number = all(isinstance(value, int | float) for value in self.values)
        at = self.values if is_number else range(len(self.values))
        for row in self.rows[:, :n_rows, out].T:
            ax.plot(at, row.tolist(), color="0.8", linewidth=0.5)
        (ax.plot if is_number else ax.bar)(at, self.answers[:, out].tolist())
        if not is_number:
            ax.set_xticks(list(at), [str(value) for value in self.values], rotation=45, ha="right")
        ax.set_xlabel(str(self.column))
        ax.set_ylabel("mean answer")
        return ax


@strict
def partial_dependence(
    learn: "Learner",
    column: Any,
    rows: Any = None,
    *,
    values: Sequence[Any] | None = None,
    n_values: int = 20,
    n_rows: int = 1000,
) -> PartialDependence:
    """Let all rows have one value of a column after another, and take the mean answer.

    The flag of a column's gaps, `<column>_na`, is lowered; for a value that is a gap it is raised.

    Args:
        learn: A learner of tabular loaders.
        column: A column that the network sees.
        rows: A frame; None takes the validation rows.
        values: What to set; None takes all levels of a category, or quantiles of numbers.
        n_values: How many quantiles.
        n_rows: At most so many rows, the first, take part.

    Raises:
        UnknownNameError: There is no such column.
        ContractError: Values are given for a column that a proc has made from another.

    Source: Friedman 2001, "Greedy function approximation", sec. 8.2; Goldstein et al. 2015,
        "Peeking inside the black box" (single rows).
    """
    dls = learn.dls
    names = [*dls.cat_names, *dls.cont_names]
    if column not in names:
        raise UnknownNameError("column", column, map(str, names), where="partial_dependence")
    cats, conts = (t[:n_rows].cpu() for t in _with_targets(learn, rows, needed=False)[:2])
    part, j = (0, dls.cat_names.index(column)) if column in dls.cat_names else (1, None)
    j = dls.cont_names.index(column) if j is None else j
    encoded = _grid(dls, (cats, conts), (part, j), values, n_values)
    codes = _flags(dls, column, values)
    answers = []
    for i, value in enumerate(encoded):
        changed = [cats.clone(), conts.clone()]
        changed[part][:, j] = value
        for at, of_gap in codes:
            changed[0][:, at] = of_gap[i if values is not None else 0]
        answers.append(outputs(learn, *changed).reshape(len(cats), -1))
    shown = _decoded(dls, (cats, conts), (part, j), encoded) if values is None else list(values)
    said = torch.stack(answers)
    return PartialDependence(column, shown, said.mean(1), said)


@strict
def shap_values(
    learn: "Learner", rows: Any = None, *, n_rows: int = 100, n_background: int = 100, seed: int = 0
) -> Any:
    """Share each answer out among the columns, by SHAP's permutation explainer.

    Args:
        learn: A learner of tabular loaders.
        rows: A frame; None takes the validation rows.
        n_rows: At most so many rows, the first, are explained.
        n_background: Training rows that stand for a column that is left out.
        seed: Of the explainer.

    Returns:
        A `shap.Explanation` of codes and numbers as the network gets them, with the names of the
        columns; `.values` is `(n_rows, n_columns, n_out)`. The plots of `shap` take it.

    Raises:
        MissingExtraError: The library `shap` is not installed.

    Source: Lundberg & Lee 2017, "A unified approach to interpreting model predictions".
    """
    with needs("shap", "tabular"):
        shap: Any = import_module("shap")
    dls = learn.dls
    n_cat = len(dls.cat_names)

    def answer(matrix: np.ndarray) -> np.ndarray:
        found = torch.from_numpy(np.ascontiguousarray(matrix))
        said = outputs(learn, found[:, :n_cat].round().long(), found[:, n_cat:].float())
        return said.reshape(len(matrix), -1).numpy()

    background = _matrix(dls.train.dataset.tensors, n_background)
    matrix = _matrix(_with_targets(learn, rows, needed=False), n_rows)
    names = [str(name) for name in (*dls.cat_names, *dls.cont_names)]
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.PermutationExplainer(answer, masker, feature_names=names, seed=seed)
    return explainer(matrix)


def _with_targets(learn: "Learner", rows: Any, *, needed: bool = True) -> tuple[Tensor, ...]:
    """Return encoded rows, with targets if they are needed."""
    if rows is not None:
        dataset = learn.dls.train.dataset
        if not needed:
            return encode_rows(learn.dls, rows)
        return dataset.new(rows, with_labels=True).tensors
    tensors = learn.dls[min(1, len(learn.dls) - 1)].dataset.tensors
    if not len(tensors[0]):
        what = "This learner has no validation rows, as one that was loaded"
        raise ContractError(f"{what}. Pass rows=... with a frame.")
    return tuple(t.cpu() for t in tensors)


def _columns(dls: Any) -> dict[Any, list[tuple[int, int]]]:
    """Which columns of codes (0) and numbers (1) belong to each column."""
    found = {name: [(1, j)] for j, name in enumerate(dls.cont_names)}
    for j, name in enumerate(dls.cat_names):
        of = str(name).removesuffix("_na")
        found.setdefault(of if of in dls.cont_names else name, []).append((0, j))
    return found


def _shuffled(
    cats: Tensor, conts: Tensor, at: list[tuple[int, int]], order: Tensor
) -> tuple[Tensor, Tensor]:
    parts = (cats.clone(), conts.clone())
    for part, j in at:
        parts[part][:, j] = parts[part][order, j]
    return parts


def _grid(
    dls: Any,
    tensors: tuple[Tensor, Tensor],
    at: tuple[int, int],
    values: Sequence[Any] | None,
    n_values: int,
) -> Tensor:
    """Return what to set in a column, as the network gets it."""
    part, j = at
    if values is not None:
        names = dls.cont_names if part else dls.cat_names
        to = dls.recipe.decode(tensors[0][:1], tensors[1][:1])
        if names[j] not in [*to.cat_names, *to.cont_names]:
            what = f"partial_dependence: {names[j]!r} is made from another column"
            raise ContractError(f"{what}, so that values cannot be set. Leave values out.")
        rows = to.table([*to.cat_names, *to.cont_names]).iloc[[0] * len(values)]
        rows = rows.reset_index(drop=True)
        rows[names[j]] = list(values)
        return encode_rows(dls, rows)[part][:, j]
    if part == 0:
        return torch.arange(1, len(dls.classes[dls.cat_names[j]]))
    return torch.quantile(tensors[1][:, j], torch.linspace(0, 1, n_values)).unique()


def _flags(dls: Any, column: Any, values: Sequence[Any] | None) -> list[tuple[int, list[int]]]:
    """Return which codes tell the gaps of a column of numbers, and what they are for values."""
    procs = [proc for proc in dls.recipe.procs if isinstance(proc, FillMissing)]
    if not any(column in proc.flags for proc in procs):
        return []
    name = f"{column}_na"
    codes = dls.classes[name].o2i
    wanted = [is_gap(value) for value in ([0] if values is None else values)]
    return [(dls.cat_names.index(name), [codes.get(flag, 0) for flag in wanted])]


def _decoded(
    dls: Any, tensors: tuple[Tensor, Tensor], at: tuple[int, int], encoded: Tensor
) -> list[Any]:
    """Return the values of a column in the units of the frame."""
    part, j = at
    if part == 0:
        levels = list(dls.classes[dls.cat_names[j]])
        return [levels[code] for code in encoded.tolist()]
    cats, conts = (t[:1].expand(len(encoded), -1).clone() for t in tensors)
    cats[:], conts[:, j] = 0, encoded  # no gaps: the flag of one would hide the number
    to = dls.recipe.decode(cats, conts)
    return [float(f"{x:.6g}") for x in to.numbers(dls.cont_names[j]).tolist()]


def _matrix(tensors: Sequence[Tensor], n: int) -> np.ndarray:
    cats, conts = tensors[:2]
    return torch.cat([cats[:n].cpu().double(), conts[:n].cpu().double()], 1).numpy()
