import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from lamina.foundation.errors import ContractError, DataError
from lamina.tabular.core import Tabular
from lamina.tabular.encoding.frames import as_frame

DATA = {
    "job": ["cook", None, "poet", "cook"],
    "age": [30, 41, 28, 55],
    "pay": [1.5, None, 2.5, 4.0],
    "is_old": [False, True, False, True],
    "kept": ["yes", "no", "yes", "no"],
}
MAKERS = [
    pd.DataFrame,
    lambda data: pd.DataFrame(data).convert_dtypes(),
    lambda data: pd.DataFrame(data).convert_dtypes(dtype_backend="pyarrow"),
    pl.DataFrame,
    lambda data: pl.DataFrame(data).lazy(),
    pa.table,
    lambda data: pa.table(data).to_batches()[0],
    dict,
    lambda data: pd.DataFrame(data).to_dict("records"),
]


def tabular(df):
    return Tabular(df, cat_names=["job", "is_old"], cont_names=["age", "pay"], y_names="kept")


@pytest.mark.parametrize("make", MAKERS)
def test_every_library_gives_the_same_tensors(make):
    expected, found = tabular(pd.DataFrame(DATA)), tabular(make(DATA))
    assert expected.classes == found.classes
    assert all(map(torch.equal, expected.tensors, found.tensors))


def test_cudf_gives_the_same_tensors_on_its_gpu():
    cudf = pytest.importorskip("cudf")
    expected, found = tabular(pd.DataFrame(DATA)), tabular(cudf.DataFrame(DATA))
    assert {tensor.device.type for tensor in found.tensors} == {"cuda"}
    assert expected.classes == found.classes
    assert all(map(torch.equal, expected.tensors, (tensor.cpu() for tensor in found.tensors)))


@pytest.mark.parametrize("make", MAKERS)
def test_kinds_of_columns(make):
    frame = as_frame(make(DATA))
    kinds = [frame.kind(name) for name in ("job", "pay", "is_old")]
    assert kinds == ["O", "f", "b"]
    assert frame.kind("age") in "if"


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(pd.Categorical(["mid", "low", None], ["low", "mid", "high"])),
        pl.Series(["mid", "low", None], dtype=pl.Enum(["low", "mid", "high"])),
        pa.DictionaryArray.from_arrays([1, 0, None], ["low", "mid", "high"], ordered=True),
    ],
)
def test_categories_with_an_order_keep_it(column):
    make = {"pandas": pd.DataFrame, "polars": pl.DataFrame}.get(
        type(column).__module__.partition(".")[0], pa.table
    )
    to = Tabular(make({"size": column}), cat_names="size")
    assert to.classes["size"] == ["#na#", "low", "mid", "high"]
    assert to.tensors[0][:, 0].tolist() == [2, 1, 0]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_dates_are_read_from_texts_and_dates(make):
    texts = as_frame(make({"day": ["2024-02-29", None]})).dates("day")
    dates = as_frame(make({"day": np.array(["2024-02-29", "NaT"], "datetime64[ns]")})).dates("day")
    np.testing.assert_array_equal(texts, dates)


def test_whole_numbers_with_gaps_are_levels_without_a_fraction():
    codes, levels = as_frame(pa.table({"n": [3, None, 3]})).factorize("n")
    assert (codes.tolist(), levels) == ([0, -1, 0], [3])


def test_numbers_do_not_share_memory_with_a_read_only_column():
    values = as_frame(pa.table({"x": [1.0, 2.0]})).numbers("x")
    values += 1
    assert values.tolist() == [2.0, 3.0]


def test_columns_of_one_name_are_refused():
    with pytest.raises(DataError, match=r"several columns named 'a'\. Rename"):
        as_frame(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_columns_of_different_length_are_refused():
    with pytest.raises(DataError, match=r"differ in length \('a': 1, 'b': 2\)\. Give all"):
        as_frame({"a": [1], "b": [1, 2]})


def test_single_values_beside_columns_are_refused():
    with pytest.raises(DataError, match=r"columns \['b'\] hold one value, others several\. Give"):
        as_frame({"a": [1, 2], "b": 3})


def test_what_is_no_table_is_refused():
    with pytest.raises(DataError, match=r"got int where a table was expected\. Give a data frame"):
        as_frame(3)


def test_arrow_strings_of_pandas_in_several_chunks_or_none():
    parts = [pd.Series(x, dtype="string[pyarrow]") for x in (["b", None], ["a", "b"])]
    frame = pd.DataFrame({"x": pd.concat(parts, ignore_index=True)})
    codes, levels = as_frame(frame).factorize("x")
    assert (codes.tolist(), levels) == ([0, -1, 1, 0], ["b", "a"])
    codes, levels = as_frame(frame[:0]).factorize("x")
    assert (codes.tolist(), levels) == ([], [])


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Categorical(pl.Categories("own"))])
def test_texts_of_polars_are_numbered_column_by_column_as_they_appear(kind):
    texts = {"x": ["z", "b", None, "a", "b"], "y": ["q", "b", "q", "q", None]}
    frame = as_frame(pl.DataFrame(texts, schema=dict.fromkeys(texts, kind))[1:])
    expected = {"x": ([0, -1, 1, 0], ["b", "a"]), "y": ([0, 1, 1, -1], ["b", "q"])}
    for prepared in ((), ("x", "y"), ("y", "missing")):
        frame.prepare(prepared)
        for name, (codes, levels) in expected.items():
            found = frame.factorize(name)
            assert (found[0].tolist(), found[1]) == (codes, levels)
    nothing = as_frame(frame.native.clear()).factorize("x")
    assert (nothing[0].tolist(), nothing[1]) == ([], [])


def test_polars_that_is_too_old_is_named(monkeypatch):
    monkeypatch.delattr(pl, "Categories")
    with pytest.raises(ContractError, match=r"not read\. Install polars 1\.32 or newer, or give"):
        as_frame(pl.DataFrame({"x": ["a"]}))


def test_large_numbers_beside_gaps_stay_apart():
    ids = [2**60 + 1, 2**60 + 2, None] * 30
    codes, levels = as_frame(pl.DataFrame({"id": ids})).factorize("id")
    assert (codes[:3].tolist(), levels) == ([0, 1, -1], ids[:2])


def test_lengths_of_time_may_be_categories():
    lengths = [dt.timedelta(days=2), None, dt.timedelta(days=1)]
    to = Tabular(pl.DataFrame({"wait": lengths}), cat_names="wait")
    assert to.tensors[0][:, 0].tolist() == [2, 0, 1]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_lists_are_no_categories(make):
    with pytest.raises(DataError, match=r"column 'l' cannot be one of categories .*\. Make texts"):
        Tabular(make({"l": [[1, 2], [3]]}), cat_names="l")


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_what_is_no_date_is_refused_by_name(make):
    with pytest.raises(DataError, match=r"column 'day' does not read as dates: .*soon.* Bring"):
        as_frame(make({"day": ["2024-02-29", "soon"]})).dates("day")
