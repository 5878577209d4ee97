"""Rows of tables as they were, beside their targets and what was predicted for them."""

from math import isfinite, log10
from typing import Any

from torch import Tensor

from lamina.data.category import MultiCategory
from lamina.tabular.recipe import TabularRecipe
from lamina.viz.tables import Table

__all__ = ["results_table", "rows_table"]


def rows_table(
    recipe: TabularRecipe, batch: Any, max_n: int = 10, *, title: str | None = None
) -> Table:
    """Return a batch as a table of decoded columns and targets.

    Args:
        recipe: what the batch was made with.
        batch: codes, numbers, and targets if there are any.
        max_n: how many rows at most.
        title: a line above the table.
    """
    inputs = _inputs(recipe, batch, max_n)
    return _table({**inputs, **target_columns(recipe, batch[2:], max_n)}, title)


def results_table(
    recipe: TabularRecipe, batch: Any, preds: Any, max_n: int = 10, *, title: str | None = None
) -> Table:
    """Return a batch as a table, each target beside its prediction, `<column>_pred`.

    Args:
        recipe: what the batch was made with.
        batch: codes, numbers, and targets if there are any.
        preds: the answers, in the form of the targets.
        max_n: how many rows at most.
        title: a line above the table.
    """
    columns = _inputs(recipe, batch, max_n)
    answers = preds if isinstance(preds, tuple) else (preds,)
    columns |= target_columns(recipe, batch[2:], max_n)
    columns |= target_columns(recipe, answers, max_n, suffix="_pred")
    return _table(columns, title)


def target_columns(
    recipe: TabularRecipe, values: Any, max_n: int | None = None, suffix: str = ""
) -> dict[str, list[Any]]:
    """Return decoded targets by the names of their columns.

    Args:
        recipe: what they were made with.
        values: one tensor per target; fewer are fine.
        max_n: how many rows at most; None is all.
        suffix: added to the names.
    """
    out: dict[str, list[Any]] = {}
    for target, tensor in zip(recipe.targets, values, strict=False):
        rows = [target.decode(value) for value in tensor[:max_n].cpu()]
        if len(target.names) == 1 or (rows and isinstance(rows[0], MultiCategory)):
            out[f"{';'.join(map(str, target.names))}{suffix}"] = [_alone(row) for row in rows]
            continue
        for j, name in enumerate(target.names):
            out[f"{name}{suffix}"] = [row[j] for row in rows]
    return out


def _inputs(recipe: TabularRecipe, batch: Any, max_n: int) -> dict[str, list[Any]]:
    to = recipe.decode(batch[0][:max_n], batch[1][:max_n])
    names = [*to.cat_names, *to.cont_names]
    return {str(name): _listed(to[name]) for name in names}


def _table(columns: dict[str, list[Any]], title: str | None) -> Table:
    return Table(list(columns), [list(row) for row in zip(*columns.values(), strict=True)], title)


def _listed(column: Any) -> list[Any]:
    values = column.tolist()
    if not isinstance(column, Tensor):
        return ["#na#" if x is None else x for x in values]
    largest = max((abs(x) for x in values if isfinite(x)), default=0.0)
    digits = 5 - int(log10(largest)) if largest else 0  # float32 has no more
    return [f"{round(x, digits) + 0.0:.6g}" for x in values]


def _alone(row: Any) -> Any:
    if isinstance(row, MultiCategory):
        return ";".join(map(str, row))
    return row[0] if isinstance(row, list) and len(row) == 1 else row
