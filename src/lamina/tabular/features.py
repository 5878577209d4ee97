"""Helpers that prepare frames: parts of dates, time since events, kinds of columns, less memory."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from lamina.foundation.errors import DataError, closest
from lamina.foundation.signatures import strict
from lamina.tabular.encoding.frames import as_dates, as_frame
from lamina.tabular.recipe import names_of

__all__ = [
    "DATE_FLAGS",
    "DATE_PARTS",
    "TIME_PARTS",
    "add_datepart",
    "add_elapsed_times",
    "cont_cat_split",
    "date_parts",
    "df_shrink",
    "df_shrink_dtypes",
    "make_date",
]

DATE_PARTS = ("Year", "Month", "Week", "Day", "Dayofweek", "Dayofyear")
DATE_FLAGS = tuple(
    f"Is_{unit}_{end}" for unit in ("month", "quarter", "year") for end in ("end", "start")
)
TIME_PARTS = ("Hour", "Minute", "Second")
_ATTRIBUTES = {"Dayofweek": "day_of_week", "Dayofyear": "day_of_year"}  # of pandas


@strict
def make_date(df: Any, date_field: Any) -> None:
    """Make a column of a pandas frame hold dates, in place.

    Args:
        df: the frame.
        date_field: the column.

    Raises:
        DataError: there is no such column, or it does not read as dates.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"day": ["2024-02-29"]})
        >>> make_date(df, "day")
        >>> df["day"].dt.day.item()
        29
    """
    _require(df, [date_field], "make_date")
    if df[date_field].dtype.kind != "M":
        df[date_field] = as_dates(df[date_field], date_field)


def date_parts(dates: Any, *, time: bool = False) -> dict[str, np.ndarray]:
    """Return the parts of dates: numbers with NaN where a date is missing, and truth values.

    Args:
        dates: a pandas column, or an array of datetime64.
        time: whether to add hour, minute and second.

    Returns:
        The parts by name, then `Elapsed`: seconds since 1970.
    """
    import pandas as pd

    index: Any = pd.DatetimeIndex(np.asarray(dates))
    weeks = index.isocalendar().week
    parts: dict[str, np.ndarray] = {}
    for name in (*DATE_PARTS, *DATE_FLAGS, *(TIME_PARTS if time else ())):
        found = weeks if name == "Week" else getattr(index, _ATTRIBUTES.get(name, name.lower()))
        is_flag = name in DATE_FLAGS
        parts[name] = np.asarray(found, dtype=bool) if is_flag else _floats(found)
    seconds = index.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    parts["Elapsed"] = np.where(index.isna(), np.nan, seconds)
    return parts


@strict
def add_datepart(
    df: Any,
    field_name: Any,
    prefix: str | None = None,
    drop: bool = True,  # noqa: FBT001 - the known signature
    time: bool = False,  # noqa: FBT001 - the known signature
) -> Any:
    """Add the parts of a column of dates to a pandas frame, in place, and return it.

    Args:
        df: the frame.
        field_name: the column.
        prefix: begins the new names; None takes the column's name without a final "Date".
        drop: whether to drop the column.
        time: whether to add hour, minute and second.

    Raises:
        DataError: there is no such column.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"saleDate": ["2024-02-29", "2024-12-31"]})
        >>> add_datepart(df, "saleDate")[["saleWeek", "saleIs_year_end"]].values.tolist()
        [[9, False], [1, True]]
    """
    make_date(df, field_name)
    start = str(field_name) if prefix is None else prefix
    if prefix is None and start.lower().endswith("date"):
        start = start[:-4]
    has_gaps = bool(df[field_name].isna().any())
    for name, values in date_parts(df[field_name], time=time).items():
        whole = not has_gaps and name != "Elapsed" and values.dtype != bool
        df[start + name] = values.astype(np.int32) if whole else values
    if drop:
        del df[field_name]
    return df


@strict
def add_elapsed_times(df: Any, field_names: Any, date_field: Any, base_field: Any) -> Any:
    """Add, for events in rows of a group, the days since and until one, and how many there are.

    For each event column: `After<event>` (days since the last one, 0 before the first),
    `Before<event>` (days until the next one, as a negative number, 0 after the last),
    `<event>_bw` and `<event>_fw` (events in seven rows, looking back and ahead).

    Args:
        df: a pandas frame; it stays as it is.
        field_names: the columns of events, true where one happened.
        date_field: the column of dates.
        base_field: the column of the groups.

    Returns:
        A frame with the same rows in the same order and the new columns.

    Raises:
        DataError: a column is missing.

    Example:
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-01", periods=4)
        >>> df = pd.DataFrame({"day": days, "shop": 1, "sale": [False, True, False, False]})
        >>> add_elapsed_times(df, ["sale"], "day", "shop")["Aftersale"].tolist()
        [0, 0, 1, 2]
    """
    names = [field_names] if isinstance(field_names, str) else list(field_names)
    _require(df, [*names, date_field, base_field], "add_elapsed_times")
    out = df.reset_index(drop=True)
    make_date(out, date_field)
    ordered = out.sort_values([base_field, date_field], kind="stable")
    groups, days = ordered[base_field], ordered[date_field]
    for name in names:
        event = ordered[name].astype(object).where(ordered[name].notna(), False).astype(bool)
        at = days.where(event)
        for label, filled in (
            ("After", at.groupby(groups).ffill()),
            ("Before", at.groupby(groups).bfill()),
        ):
            out[f"{label}{name}"] = (days - filled).dt.days.fillna(0).astype(int)
        for label, step in (("_bw", 1), ("_fw", -1)):
            counts = event.astype(float)[::step].groupby(groups[::step])
            out[f"{name}{label}"] = counts.rolling(7, min_periods=1).sum().droplevel(0)
    return out.set_axis(df.index)


@strict
def cont_cat_split(df: Any, max_card: int = 20, dep_var: Any = None) -> tuple[list[Any], list[Any]]:
    """Tell the columns of numbers from those of categories, in the order of the frame.

    Fractions are numbers, and so are whole numbers with more than `max_card` different values.

    Args:
        df: a frame of any kind that `Tabular` takes.
        max_card: see above.
        dep_var: the column to predict, or several: in neither list.

    Returns:
        The names of the columns of numbers, and those of the columns of categories.

    Example:
        >>> cont_cat_split({"age": [0.5, 1.0], "rooms": [1, 2], "y": [0, 1]}, dep_var="y")
        (['age'], ['rooms'])
    """
    frame = as_frame(df)
    left_out = names_of(dep_var)
    conts: list[Any] = []
    cats: list[Any] = []
    for name in (name for name in frame.names if name not in left_out):
        kind = "O" if frame.is_ordered(name) else frame.kind(name)
        gaps = frame.numbers(name).unique().isnan() if kind in "iu" else torch.zeros(0)
        is_number = kind == "f" or len(gaps) - int(gaps.sum()) > max_card  # each NaN is its own
        (conts if is_number else cats).append(name)
    return conts, cats


def df_shrink_dtypes(
    df: Any,
    skip: Sequence[Any] = (),
    obj2cat: bool = True,  # noqa: FBT001 - the known signature
    int2uint: bool = False,  # noqa: FBT001 - the known signature
) -> dict[Any, str]:
    """Return the smallest type that holds each column of a pandas frame, where it is another one.

    Args:
        df: the frame.
        skip: columns to leave as they are.
        obj2cat: whether texts become categories; columns of lists stay.
        int2uint: whether whole numbers without negative ones become unsigned.

    Example:
        >>> import pandas as pd
        >>> df_shrink_dtypes(pd.DataFrame({"i": [-100, 0, 100], "f": [0.5, 1.0, 2.0]}))
        {'i': 'int8', 'f': 'float32'}
    """
    found: dict[Any, str] = {}
    for name in (name for name in df.columns if name not in skip):
        column = df[name]
        kind = getattr(column.dtype, "kind", "O")
        if kind in "iuf" and isinstance(column.dtype, np.dtype):
            found[name] = _smallest(column, kind, int2uint=int2uint)
        elif kind in "OU" and obj2cat and _can_be_levels(column):
            found[name] = "category"
    return {name: dtype for name, dtype in found.items() if dtype != str(df[name].dtype)}


@strict
def df_shrink(
    df: Any,
    skip: Sequence[Any] = (),
    obj2cat: bool = True,  # noqa: FBT001 - the known signature
    int2uint: bool = False,  # noqa: FBT001 - the known signature
) -> Any:
    """Return a pandas frame with each column in the smallest type that holds it.

    Args:
        df: the frame; it stays as it is.
        skip: columns to leave as they are.
        obj2cat: whether texts become categories.
        int2uint: whether whole numbers without negative ones become unsigned.

    Example:
        >>> import pandas as pd
        >>> str(df_shrink(pd.DataFrame({"i": [1, 2]})).dtypes["i"])
        'int8'
    """
    return df.astype(df_shrink_dtypes(df, skip, obj2cat, int2uint))


def _can_be_levels(column: Any) -> bool:
    try:
        return not hasattr(column.dtype, "categories") and set(column) is not None
    except TypeError:  # a list or a set
        return False


def _smallest(column: Any, kind: str, *, int2uint: bool) -> str:
    if kind == "f":  # never to half precision, which few operations can use
        largest = np.finfo(np.float32).max
        fits = bool((column.abs().replace(np.inf, 0).fillna(0) <= largest).all())
        return "float32" if fits else "float64"
    low, high = (column.min(), column.max()) if len(column) else (0, 0)
    start = "uint" if int2uint and low >= 0 else "int"
    sizes = (f"{start}{bits}" for bits in (8, 16, 32, 64))
    fitting = (t for t in sizes if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    return next(fitting, str(column.dtype))


def _floats(values: Any) -> np.ndarray:
    import pandas as pd

    return pd.Series(values).to_numpy(dtype=np.float64, na_value=np.nan)


def _require(df: Any, names: Iterable[Any], where: str) -> None:
    if not hasattr(df, "iloc"):
        raise DataError(f"{where}: got {type(df).__name__}, not pandas. Give df.to_pandas().")
    for name in names:
        if name not in df.columns:
            near = closest(str(name), map(str, df.columns))
            hint = f" The closest is {near!r}." if near else ""
            raise DataError(f"{where}: the frame has no column {name!r}.{hint}")
