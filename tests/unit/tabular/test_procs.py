import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lamina.foundation.errors import ContractError, DataError, UnknownArgumentError
from lamina.foundation.registry import savable
from lamina.tabular.core import Tabular
from lamina.tabular.encoding.columns import Columns
from lamina.tabular.procs import Categorify, FillMissing, FillStrategy, Normalize, TabularProc
from lamina.tabular.recipe import TabularRecipe, encode_rows
from lamina.tensor.bundle import read_bundle, write_bundle

NAN = float("nan")


@pytest.fixture
def to():
    df = {"job": ["poet", "cook", "monk"], "age": [20.0, NAN, 40.0], "pay": [1.0, 2.0, 900.0]}
    return Tabular(df, cat_names="job", cont_names=["age", "pay"], splits=[[0, 1], [2]])


def test_procs_learn_from_training_rows_only(to):
    assert to.classes["job"] == ["#na#", "cook", "poet"]
    fill, normalize = to.recipe.procs[0], to.recipe.procs[2]
    assert fill.fills == {"age": 20.0, "pay": 1.5}
    assert normalize.mean == {"age": 20.0, "pay": 1.5}


def test_a_level_that_training_lacks_has_code_0(to):
    assert to.valid.tensors[0].tolist() == [[0, 1]]


def test_gaps_in_training_get_a_flag(to):
    assert to.cat_names == ["job", "age_na"]
    assert to.classes["age_na"] == ["#na#", False, True]
    assert to.tensors[0][:, 1].tolist() == [1, 2, 1]


def test_a_gap_where_training_had_none_is_filled(to):
    """Defect G5."""
    _, conts = encode_rows(to, {"job": "cook", "age": 20.0, "pay": None})
    assert conts.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [(FillStrategy.median, 3.0), (FillStrategy.mode, 1.0), (FillStrategy.constant, 7.0)],
)
def test_strategies_of_filling(strategy, expected):
    table = Columns({"x": [1.0, 1.0, NAN, 5.0, 9.0]}, cont_names=["x"])
    proc = FillMissing(strategy, add_col=False, fill_vals={"x": 7.0} if expected == 7 else {})
    proc.setup(table)
    assert proc(table)["x"][2] == expected
    assert table.cat_names == []


def test_values_of_filling_belong_to_columns_of_numbers():
    with pytest.raises(UnknownArgumentError, match=r"fill_vals: .*'agee'\. Did you mean 'age'"):
        Tabular({"age": [1.0]}, FillMissing("constant", fill_vals={"agee": 2}), cont_names="age")


def test_flags_do_not_take_the_place_of_columns():
    df = {"age": [1.0, NAN], "age_na": ["p", "q"]}
    with pytest.raises(DataError, match=r"adds \['age_na'\], which the frame has\. Rename"):
        Tabular(df, cat_names="age_na", cont_names="age")
    assert Tabular(df, cont_names="age").cat_names == ["age_na"]


def test_procs_may_serve_several_tables():
    procs = [Categorify(), FillMissing(), Normalize()]
    first = Tabular({"job": ["cook"], "age": [20.0]}, procs, "job", "age")
    second = Tabular({"job": ["poet"], "age": [90.0]}, procs, "job", "age")
    assert [to.classes["job"][1] for to in (first, second)] == ["cook", "poet"]
    assert encode_rows(first, {"job": "cook", "age": 20.0})[1].tolist() == [[0.0]]


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ContractError, match=r"fill_strategy='mean'\. Expected"):
        FillStrategy.named("mean")


def test_normalize_uses_the_deviation_of_the_whole_training_set():
    values = np.random.default_rng(0).normal(5, 3, 100)
    to = Tabular({"x": values}, cont_names="x", cat_names=[])
    expected = (values - values.mean()) / (values.std() + 1e-7)
    np.testing.assert_allclose(to.tensors[1][:, 0], expected, rtol=1e-5, atol=1e-6)


def test_texts_where_training_had_numbers_are_refused():
    to = Tabular({"year": [2001, 2002]}, cat_names="year")
    with pytest.raises(DataError, match=r"'year' holds '2001' \(str\), but .* 2001\. Convert"):
        encode_rows(to, {"year": "2001"})
    with pytest.raises(DataError, match=r"'year' holds '2001' \(str\)"):
        encode_rows(to, pd.DataFrame({"year": ["2001"] * 20}))
    assert encode_rows(to, {"year": 2002.0})[0].tolist() == [[2]]
    texts = Tabular({"year": ["2001"]}, cat_names="year")
    for year in (2001, np.int64(2001), np.float32(2001)):
        with pytest.raises(DataError, match=r"'year' holds .*2001.* such as '2001'\. Convert"):
            encode_rows(texts, {"year": year})


def test_texts_among_the_numbers_are_refused(to):
    with pytest.raises(DataError, match=r"'age' holds 'x' where"):
        encode_rows(to, {"job": "cook", "age": "x", "pay": 1})
    frame = pd.DataFrame({"job": ["cook"] * 20, "age": ["x"] * 20, "pay": [1] * 20})
    with pytest.raises(DataError, match=r"'age' holds 'x' where numbers were expected\. Convert"):
        encode_rows(to, frame)


def test_given_levels_are_kept():
    proc = Categorify({"job": ["poet", "cook", "king"]})
    to = Tabular({"job": ["cook"]}, procs=[proc], cat_names="job")
    assert to.classes["job"] == ["#na#", "poet", "cook", "king"]


@savable("test:double_age")
def double_age(to):
    to["age"] = to["age"] * 2


class Ratio(TabularProc):
    order = -1

    def encodes(self, to):
        to["ratio"] = to["a"] / to["b"]
        to.cont_names.append("ratio")

    def decodes(self, to):
        to.cont_names.remove("ratio")


def test_a_function_is_a_proc():
    to = Tabular({"age": [1.0, 2.0]}, procs=[double_age], cont_names="age", cat_names=[])
    assert to.tensors[1].tolist() == [[2.0], [4.0]]


def test_a_user_proc_adds_a_column_also_to_new_rows():
    df = {"a": [1.0, 6.0], "b": [2.0, 3.0]}
    to = Tabular(df, procs=[Ratio], cont_names=["a", "b"], cat_names=[])
    assert to.cont_names == ["a", "b", "ratio"]
    assert encode_rows(to, {"a": 9, "b": 3})[1].tolist() == [[9.0, 3.0, 3.0]]
    assert list(to.decode()) == ["a", "b"]


def test_a_recipe_goes_through_a_file(to, tmp_path):
    procs = [Categorify, FillMissing, Normalize, double_age]
    recipe = Tabular({"age": [1.0, NAN], "job": ["a", "b"]}, procs, "job", "age").recipe
    path = write_bundle(tmp_path / "recipe.lamina", recipe, kind="test")
    loaded: TabularRecipe = read_bundle(path).object
    row = {"age": 3.0, "job": "b"}
    assert all(map(torch.equal, recipe.encode(row), loaded.encode(row)))
    assert loaded.cats == ["job", "age_na"]


cells = st.one_of(st.none(), st.sampled_from(["a", "b", "ü", ""]))
numbers = st.one_of(st.none(), st.floats(-1e6, 1e6, width=32))


@given(rows=st.lists(st.tuples(cells, numbers), min_size=1, max_size=12))
def test_decoding_gives_back_what_was_encoded(rows):
    df = {"c": [c for c, _ in rows], "x": [x for _, x in rows]}
    back = Tabular(df, cat_names="c", cont_names="x").decode()
    assert [c if isinstance(c, str) else None for c in back["c"]] == df["c"]
    there = [x for x in df["x"] if x is not None]
    scale = max(map(abs, there), default=0.0)
    found = [NAN if x is None else x for x in df["x"]]
    np.testing.assert_allclose(back["x"], found, atol=1e-5 + 1e-5 * scale)


@given(rows=st.lists(st.tuples(cells, numbers), min_size=2, max_size=12))
def test_a_row_alone_is_encoded_as_in_a_frame(rows):
    frame = pd.DataFrame({"c": [c for c, _ in rows], "x": [x for _, x in rows]})
    recipe = Tabular(frame.iloc[: len(rows) // 2 + 1], cat_names="c", cont_names="x").recipe
    whole = recipe.tensors(recipe.apply(frame))
    for i, (c, x) in enumerate(rows):
        cats, conts = recipe.encode({"x": x, "c": c, "more": 1})
        assert torch.equal(cats[0], whole[0][i])
        assert torch.equal(conts[0], whole[1][i])


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_the_median_is_that_of_numpy(values):
    found = FillStrategy.named("median")(torch.tensor(values, dtype=torch.float64))
    assert found == float(np.median(values))


def test_infinite_numbers_are_no_gaps():
    to = Tabular({"x": [np.inf, -np.inf, 1.0, NAN]}, cont_names="x", procs=FillMissing)
    assert to.tensors[1][:, 0].tolist() == [np.inf, -np.inf, 1.0, 1.0]
    assert to.tensors[0][:, 0].tolist() == [0, 0, 0, 1]


def test_numbers_that_come_as_objects_keep_their_digits():
    times = [1_700_000_000 + i for i in range(3)]
    whole = Tabular({"t": np.array(times)}, cont_names="t").tensors[1]
    for kind in (np.int64, Decimal, int):
        frame = pd.DataFrame({"t": pd.Series([kind(t) for t in times], dtype=object)})
        assert torch.equal(Tabular(frame, cont_names="t").tensors[1], whole)


def test_one_text_among_many_numbers_is_named(to):
    column = pd.Series([1.5] * 1500 + ["?"], dtype=object)
    with pytest.raises(DataError, match=r"'x' holds '\?' where numbers were expected"):
        Tabular(pd.DataFrame({"x": column}), cont_names="x")
    with pytest.raises(DataError, match=r"'age' holds Timestamp\(.*\) where a number was expected"):
        encode_rows(to, {"job": "cook", "age": pd.Timestamp("2024-02-29"), "pay": 1})


def test_infinite_numbers_are_refused_by_name(to):
    with pytest.raises(DataError, match=r"'x' holds infinite numbers\. Put others"):
        Tabular({"x": [1.0, np.inf]}, cont_names="x", splits=[[0], [1]])
    row = {"job": "cook", "age": 20.0, "pay": -np.inf}
    for rows in (row, [row] * 20):
        with pytest.raises(DataError, match=r"'pay' holds infinite numbers"):
            encode_rows(to, rows)


@pytest.mark.parametrize("value", [[1], {1}])
def test_a_list_is_no_category_of_a_row(to, value):
    with pytest.raises(DataError, match=r"'job' cannot be one of categories .*\. Make texts"):
        encode_rows(to, [{"job": value, "age": 20.0, "pay": 1.0}])


def test_levels_without_an_order_are_refused_by_name():
    with pytest.raises(DataError, match=r"'s' cannot be one of categories .*\. Make texts"):
        Tabular({"s": [1, (2, 3)]}, cat_names="s")


DAYS = [dt.date(2024, 2, 29), dt.date(2024, 3, 1)]
MOMENTS = [pd.Timestamp("2024-02-29 10:30", tz="UTC"), pd.Timestamp("2024-03-01", tz="UTC")]


@pytest.mark.parametrize("days", [DAYS, MOMENTS, np.array(DAYS, dtype="M8[ns]")])
def test_dates_as_categories_go_through_a_file(days, tmp_path):
    recipe = Tabular({"day": days}, cat_names="day").recipe
    path = write_bundle(tmp_path / "recipe.lamina", recipe, kind="test")
    loaded: TabularRecipe = read_bundle(path).object
    assert loaded.classes["day"] == recipe.classes["day"]
    assert loaded.encode({"day": days})[0].tolist() == [[1], [2]]


def test_levels_that_no_file_holds_are_refused_by_the_column(tmp_path):
    recipe = Tabular({"span": pd.cut(pd.Series([1, 2, 3]), 3)}, cat_names="span").recipe
    with pytest.raises(ContractError, match=r"'span' has levels that no file .*\. Make texts"):
        write_bundle(tmp_path / "recipe.lamina", recipe, kind="test")
