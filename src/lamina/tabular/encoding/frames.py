"""Data frames at the border: columns of pandas, polars, Arrow, cuDF and plain Python as tensors.

Inside, a table is a set of tensors; only this module knows the libraries that frames come from.
Each has an adapter that uses the library's own fast ways, and none is imported unless a frame of it
is given. cuDF columns stay on their GPU; that adapter has not been exercised on one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lamina.foundation.errors import ContractError, DataError, closest

__all__ = [
    "Frame", "as_dates", "as_dict", "as_frame", "factorize", "has_nan", "is_gap", "seen_levels",
]  # fmt: skip

Levels = tuple[Tensor, list[Any]]


class Frame(ABC):
    """The columns of a table, whichever library holds it.

    Args:
        native: the frame of the library.
        names: the names of its columns, in order.
        size: the number of rows.

    Raises:
        DataError: two columns have the same name.
    """

    def __init__(self, native: Any, names: Sequence[Any], size: int) -> None:
        self.native, self.names, self.size = native, list(names), size
        self._known = set(self.names)
        if len(self._known) < len(self.names):
            twice = sorted({str(n) for n in self.names if self.names.count(n) > 1})
            what = f"The frame has several columns named {', '.join(map(repr, twice))}"
            raise DataError(f"{what}. Rename or drop them, so that a name means one column.")

    def __len__(self) -> int:
        return self.size

    def __contains__(self, name: object) -> bool:
        return name in self._known

    @abstractmethod
    def kind(self, name: Any) -> str:
        """Return what a column holds, as numpy's letters: b, i, u, f, M (dates), O (all else)."""

    @abstractmethod
    def numbers(self, name: Any) -> Tensor:
        """Return a column of numbers as float64; gaps are NaN."""

    def dates(self, name: Any) -> np.ndarray:
        """Return a column of dates as datetime64[us], gaps as NaT; texts are read as dates.

        Raises:
            DataError: a value cannot be read as a date.
        """
        return _dates(self.native[name], name)

    @abstractmethod
    def objects(self, name: Any) -> np.ndarray:
        """Return a column as Python objects."""

    @abstractmethod
    def factorize(self, name: Any) -> Levels:
        """Return for each row which of the levels it has, -1 for gaps; and the levels."""

    def prepare(self, names: Sequence[Any]) -> None:  # noqa: B027 - most have nothing to do
        """Get ready to factorize columns, where the library is faster with all at once."""

    def is_ordered(self, name: Any) -> bool:
        """Tell whether the levels of a column come in an order of their own."""
        return False

    def rows(self, names: Sequence[Any]) -> list[dict[Any, Any]]:
        """Return the rows as dicts of some columns; meant for few of them."""
        columns = [self.objects(name).tolist() for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def require(self, names: Sequence[Any], where: str) -> None:
        """Check that columns are there.

        Raises:
            DataError: some are missing; the message says which name is closest.
        """
        missing = [name for name in names if name not in self._known]
        if not missing:
            return
        hints = [_missing(name, self.names) for name in missing]
        raise DataError(f"{where}: the frame has no column {', '.join(hints)}.")


class _Pandas(Frame):
    def __init__(self, native: Any) -> None:
        super().__init__(native, native.columns, len(native))

    def kind(self, name: Any) -> str:
        kind = getattr(self.native[name].dtype, "kind", "O")
        return kind if kind in "biufM" else "O"

    def numbers(self, name: Any) -> Tensor:
        column = self.native[name]
        if isinstance(column.dtype, np.dtype):
            return _floats(column.to_numpy())
        return _floats(column.to_numpy(dtype=np.float64, na_value=np.nan))

    def objects(self, name: Any) -> np.ndarray:
        return self.native[name].to_numpy(dtype=object)

    def factorize(self, name: Any) -> Levels:
        import pandas as pd

        column = self.native[name]
        if self.is_ordered(name):
            return _codes(column.cat.codes.to_numpy()), column.cat.categories.tolist()
        storage = getattr(column.dtype, "storage", "")
        if storage == "pyarrow":
            return _arrow_levels(column.array.__arrow_array__())
        if storage == "python":
            column = column.to_numpy(dtype=object)  # twice as fast as the same strings in pandas
        codes, levels = pd.factorize(column)
        return _codes(codes), levels.tolist()

    def is_ordered(self, name: Any) -> bool:
        return hasattr(self.native[name].dtype, "categories")


class _Polars(Frame):
    def __init__(self, native: Any) -> None:
        import polars as pl

        if not hasattr(pl, "Categories"):
            what = f"tabular: frames of polars {pl.__version__} are not read"
            raise ContractError(f"{what}. Install polars 1.32 or newer, or give df.to_pandas().")
        super().__init__(native, native.columns, native.height)
        self._texts: dict[Any, Any] = {}

    def kind(self, name: Any) -> str:
        import polars as pl

        dtype = self.native.schema[name]
        if dtype == pl.Boolean:
            return "b"
        if dtype.is_integer():
            return "i"
        return "f" if dtype.is_numeric() else "M" if dtype in (pl.Date, pl.Datetime) else "O"

    def numbers(self, name: Any) -> Tensor:
        import polars as pl

        return _floats(self.native[name].cast(pl.Float64).to_numpy())  # a null is NaN

    def dates(self, name: Any) -> np.ndarray:
        return _dates(self.native[name].to_numpy(), name)

    def objects(self, name: Any) -> np.ndarray:
        return _object_array(self.native[name].to_list())

    def prepare(self, names: Sequence[Any]) -> None:
        import polars as pl

        texts = [n for n in names if self.native.schema.get(n) in (pl.String, pl.Categorical)]
        casts = [pl.col(n).cast(pl.Categorical(pl.Categories.random())) for n in texts]
        found = self.native.select(casts)  # several threads; each column counts from 0
        codes = found.select(pl.all().to_physical().fill_null(2**32 - 1))
        self._texts.update((n, (codes[n], _polars_levels(found[n]))) for n in texts)

    def factorize(self, name: Any) -> Levels:
        import polars as pl

        column = self.native[name]
        if self.is_ordered(name):
            codes = column.to_physical().cast(pl.Int64).fill_null(-1)
            return _codes(codes.to_numpy()), column.dtype.categories.to_list()
        if column.dtype not in (pl.String, pl.Categorical):
            is_plain = self.kind(name) in ("bf" if column.null_count() else "bfi")
            return factorize(column.to_numpy() if is_plain else self.objects(name))
        if name not in self._texts:
            self.prepare([name])
        codes, levels = self._texts.pop(name)
        return _codes(codes.to_numpy().view(np.int32)), levels.to_list()  # a gap has become -1

    def is_ordered(self, name: Any) -> bool:
        return type(self.native.schema[name]).__name__ == "Enum"


class _Arrow(Frame):
    def __init__(self, native: Any) -> None:
        super().__init__(native, native.schema.names, native.num_rows)

    def _column(self, name: Any) -> Any:
        column = self.native.column(name)
        return column.combine_chunks() if hasattr(column, "combine_chunks") else column

    def kind(self, name: Any) -> str:
        from pyarrow import types

        kind = self.native.schema.field(name).type
        tests = {
            "b": types.is_boolean,
            "i": types.is_integer,
            "f": lambda t: types.is_floating(t) or types.is_decimal(t),
            "M": lambda t: types.is_date(t) or types.is_timestamp(t),
        }
        return next((letter for letter, test in tests.items() if test(kind)), "O")

    def numbers(self, name: Any) -> Tensor:
        column = self._column(name)
        column = column.cast("int8") if self.kind(name) == "b" else column
        return _floats(column.cast("float64").to_numpy(zero_copy_only=False))

    def dates(self, name: Any) -> np.ndarray:
        return _dates(self._column(name).to_numpy(zero_copy_only=False), name)

    def objects(self, name: Any) -> np.ndarray:
        return _object_array(self._column(name).to_pylist())

    def factorize(self, name: Any) -> Levels:
        return _arrow_levels(self.native.column(name))

    def is_ordered(self, name: Any) -> bool:
        return bool(getattr(self.native.schema.field(name).type, "ordered", False))


class _Cudf(_Pandas):
    """cuDF speaks like pandas; numbers and codes are handed to torch on the GPU through DLPack."""

    def numbers(self, name: Any) -> Tensor:
        column = self.native[name].astype("float64").fillna(float("nan"))
        return torch.from_dlpack(column.values)

    def dates(self, name: Any) -> np.ndarray:
        return _dates(self.native[name].to_pandas(), name)

    def objects(self, name: Any) -> np.ndarray:
        return self.native[name].to_pandas().to_numpy(dtype=object)

    def factorize(self, name: Any) -> Levels:
        column = self.native[name]
        if self.is_ordered(name):
            codes, levels = column.cat.codes.fillna(-1).values, column.cat.categories
        else:
            codes, levels = column.factorize()
        return torch.from_dlpack(codes).long(), levels.to_arrow().to_pylist()


class _Plain(Frame):
    """A dict of columns."""

    def __init__(self, native: Mapping[Any, Any]) -> None:
        if alone := [name for name, values in native.items() if not hasattr(values, "__iter__")]:
            raise DataError(f"The columns {alone} hold one value, others several. Give lists.")
        columns = {name: _object_or_array(values) for name, values in native.items()}
        sizes = {len(column) for column in columns.values()} or {0}
        if len(sizes) > 1:
            listed = ", ".join(f"{name!r}: {len(column)}" for name, column in columns.items())
            raise DataError(f"The columns differ in length ({listed}). Give all the same length.")
        super().__init__(columns, list(columns), sizes.pop())

    def kind(self, name: Any) -> str:
        return _kind_of(self.native[name])

    def numbers(self, name: Any) -> Tensor:
        return _floats(self.native[name])

    def objects(self, name: Any) -> np.ndarray:
        return self.native[name].astype(object)

    def factorize(self, name: Any) -> Levels:
        return factorize(self.native[name])


_ADAPTERS: dict[tuple[str, str], Callable[[Any], Frame]] = {
    ("pandas", "DataFrame"): _Pandas,
    ("polars", "DataFrame"): _Polars,
    ("polars", "LazyFrame"): lambda frame: _Polars(frame.collect()),
    ("pyarrow", "Table"): _Arrow,
    ("pyarrow", "RecordBatch"): _Arrow,
    ("cudf", "DataFrame"): _Cudf,
}


def as_frame(data: Any) -> Frame:
    """Return the columns of a table.

    Args:
        data: a frame of pandas, polars, Arrow or cuDF; a dict of columns; a list of dicts or of
            pandas rows; or a `Frame`.

    Raises:
        DataError: it is none of these.

    Example:
        >>> frame = as_frame([{"age": 30, "job": "cook"}, {"age": None, "job": "poet"}])
        >>> frame.numbers("age"), frame.factorize("job")
        (tensor([30., nan], dtype=torch.float64), (tensor([0, 1]), ['cook', 'poet']))
    """
    if isinstance(data, Frame):
        return data
    for kind in type(data).__mro__:
        adapter = _ADAPTERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if adapter is not None:
            return adapter(data)
    if isinstance(data, Mapping):
        return _Plain(data)
    if isinstance(data, Sequence) and not isinstance(data, str):
        return _Plain(_columns_of([as_dict(row) for row in data]))
    raise DataError(
        f"tabular: got {type(data).__name__} where a table was expected. Give a data frame of "
        "pandas, polars, Arrow or cuDF, a dict of columns, or a list of dicts."
    )


def as_dict(row: Any) -> dict[Any, Any]:
    """Return a row, a dict or a pandas Series, as a dict.

    Raises:
        DataError: it is neither.
    """
    if isinstance(row, Mapping):
        return dict(row)
    if hasattr(row, "to_dict") and hasattr(row, "index"):
        return row.to_dict()
    what = f"tabular: got {type(row).__name__} where a row was expected"
    raise DataError(f"{what}. Give a dict from column to value, or a row of a pandas frame.")


def factorize(values: np.ndarray) -> Levels:
    """Return for each value which of the levels it is, -1 for gaps; and the levels.

    Example:
        >>> factorize(np.array(["b", None, "a", "b"], dtype=object))
        (tensor([ 0, -1,  1,  0]), ['b', 'a'])
    """
    if values.dtype.kind in "biuf" and len(values) > _FEW:
        levels, codes = np.unique(values, return_inverse=True)
        gaps = np.isnan(levels[-1]) if levels.dtype.kind == "f" else False
        codes = np.where(codes == len(levels) - 1, -1, codes) if gaps else codes
        return _codes(codes), levels[: len(levels) - int(gaps)].tolist()
    found: dict[Any, int] = {}
    rows = [-1 if is_gap(x) else found.setdefault(x, len(found)) for x in values.tolist()]
    return torch.tensor(rows, dtype=torch.int64), list(found)


def is_gap(x: Any) -> bool:
    """Tell None, NaN, NaT and pandas' NA."""
    if x is None or type(x).__name__ in ("NAType", "NaTType"):
        return True
    return x != x  # noqa: PLR0124 - NaN and NaT are not equal to themselves


def seen_levels(codes: Tensor, levels: Sequence[Any]) -> list[Any]:
    """Return those of the levels that occur among codes; -1 is a gap.

    Example:
        >>> seen_levels(torch.tensor([2, -1, 0]), ["a", "b", "c"])
        ['a', 'c']
    """
    counts = (codes + 1).bincount(minlength=len(levels) + 1)[1:].tolist()
    return [level for level, n in zip(levels, counts, strict=True) if n]


def has_nan(values: Tensor) -> bool:
    """Tell whether a tensor has NaN; the sum, one pass, answers for most that have none.

    Example:
        >>> has_nan(torch.tensor([1.0, float("nan")])), has_nan(torch.tensor([1.0, 2.0]))
        (True, False)
    """
    return bool(values.sum().isnan()) and bool(values.isnan().any())


_FEW = 64  # values below which a Python loop is the fastest


def _missing(name: Any, names: Sequence[Any]) -> str:
    near = closest(str(name), map(str, names))
    return f"{name!r} (closest is {near!r})" if near else repr(name)


def _arrow_levels(column: Any) -> Levels:
    column = column.dictionary_encode()
    column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return _codes(codes), column.dictionary.to_pylist()


def _polars_levels(column: Any) -> Any:
    """Return the texts of a column of categories of its own, in the order of their codes."""
    levels = column.dtype.categories
    if hasattr(levels, "to_series"):  # polars 2
        return levels.to_series()
    levels = column.unique().drop_nulls()
    return levels[levels.to_physical().arg_sort()]


def _codes(codes: np.ndarray) -> Tensor:
    codes = np.asarray(codes, dtype=np.int64)
    return torch.from_numpy(codes if codes.flags.writeable else codes.copy())


def _floats(values: np.ndarray) -> Tensor:
    """Bring numbers to float64 in memory that may be written."""
    if values.dtype == object:
        values = np.array([np.nan if is_gap(x) else float(x) for x in values])
    values = values.astype(np.float64, copy=False)
    return torch.from_numpy(values if values.flags.writeable else values.copy())


_NUMBERS = ("integer", "floating", "decimal", "mixed-integer", "mixed-integer-float", "integer-na")


def as_dates(values: Any, name: Any) -> Any:
    """Return values as a pandas column of dates; texts are read.

    Args:
        values: dates, texts, or a mix.
        name: the name of the column, for the message.

    Raises:
        DataError: one is no date, or they are numbers, which may mean days or seconds.

    Example:
        >>> as_dates(["2024-02-29", None], "day").dt.day.tolist()
        [29.0, nan]
    """
    import pandas as pd

    column = pd.Series(values)
    if column.notna().any() and pd.api.types.infer_dtype(column) in _NUMBERS:
        what = f"tabular: column {name!r} holds numbers where dates were expected"
        how = "Say what they are: pd.to_datetime(column, format='%Y%m%d'), or unit='s' since 1970"
        raise DataError(f"{what}. {how}.")
    try:
        return pd.to_datetime(column)
    except (TypeError, ValueError) as error:
        what = f"tabular: column {name!r} does not read as dates: {str(error).splitlines()[0]}"
        raise DataError(f"{what} Bring all to a form such as 2024-02-29.") from error


def _dates(values: Any, name: Any) -> np.ndarray:
    found = as_dates(values, name)
    found = found.dt.tz_convert(None) if found.dt.tz is not None else found
    return found.to_numpy("datetime64[us]")  # whose years go beyond 2262


def _kind_of(values: np.ndarray) -> str:
    if values.dtype.kind in "USO":
        kinds = {type(x) for x in values.tolist() if not is_gap(x)}
        is_number = bool(kinds) and kinds <= {int, float, bool}
        return ("b" if kinds == {bool} else "f") if is_number else "O"
    return values.dtype.kind


def _object_array(values: Sequence[Any]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _object_or_array(values: Any) -> np.ndarray:
    """Keep arrays, turn anything else into one; mixed values stay Python objects."""
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    if hasattr(values, "dtype"):
        array = np.asarray(values)
        if array.dtype == "M8[ns]":
            return array.astype("M8[us]")  # of which Python's dates can be made
        return array.astype(object) if array.dtype.kind in "US" else array
    values = list(values)
    kinds = {type(x) for x in values}
    return np.array(values) if kinds in ({int}, {float}, {bool}) else _object_array(values)


def _columns_of(rows: list[dict[Any, Any]]) -> dict[Any, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
