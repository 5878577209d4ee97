import numpy as np
import pandas as pd
import polars as pl
import pytest

from lamina.foundation.errors import DataError
from lamina.tabular.features import (
    add_datepart,
    add_elapsed_times,
    cont_cat_split,
    df_shrink,
    df_shrink_dtypes,
    make_date,
)


def test_parts_of_a_date():
    df = add_datepart(pd.DataFrame({"saleDate": ["2019-12-31", "2020-02-29"]}), "saleDate")
    assert df.iloc[0].to_dict() == {
        "saleYear": 2019,
        "saleMonth": 12,
        "saleWeek": 1,
        "saleDay": 31,
        "saleDayofweek": 1,
        "saleDayofyear": 365,
        "saleIs_month_end": True,
        "saleIs_month_start": False,
        "saleIs_quarter_end": True,
        "saleIs_quarter_start": False,
        "saleIs_year_end": True,
        "saleIs_year_start": False,
        "saleElapsed": 1577750400.0,
    }


def test_times_prefix_and_keeping_the_column():
    df = pd.DataFrame({"at": pd.to_datetime(["2020-01-01 10:20:30", None])})
    add_datepart(df, "at", prefix="t_", drop=False, time=True)
    assert df.loc[0, ["t_Hour", "t_Minute", "t_Second"]].tolist() == [10, 20, 30]
    assert np.isnan(df.loc[1, "t_Elapsed"])
    assert "at" in df


def test_make_date_names_a_missing_column():
    with pytest.raises(DataError, match=r"make_date: .* no column 'dat'\. The closest is 'date'\."):
        make_date(pd.DataFrame({"date": []}), "dat")


def test_times_since_and_until_events():
    df = pd.DataFrame(
        {
            "date": ["2019-12-04", "2019-11-29", "2019-11-15", "2019-10-24"],
            "event": [False, True, False, True],
            "base": [1, 1, 2, 2],
        }
    )
    found = add_elapsed_times(df, ["event"], "date", "base")
    assert found["Afterevent"].tolist() == [5, 0, 22, 0]
    assert found["Beforeevent"].tolist() == [0, 0, 0, 0]
    assert found["event_bw"].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert found["event_fw"].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert df["date"][0] == "2019-12-04"


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_numbers_and_categories(make):
    df = make({"few": [1, 2] * 15, "many": [*range(30)], "part": [0.5] * 30, "y": [1] * 30})
    assert cont_cat_split(df, 20, "y") == (["many", "part"], ["few"])
    assert cont_cat_split(df, 1, ["y"]) == (["few", "many", "part"], [])


def test_smallest_types():
    df = pd.DataFrame(
        {
            "i": [-100, 0, 100],
            "u": [0, 10, 254],
            "f": [1.0, 2.0, 3.0],
            "huge": [1e300, 0.0, 0.0],
            "t": ["a", "b", "a"],
        }
    )
    assert df_shrink_dtypes(df) == {"i": "int8", "u": "int16", "f": "float32", "t": "category"}
    assert df_shrink_dtypes(df, ["t"], int2uint=True)["u"] == "uint8"
    pd.testing.assert_frame_equal(df_shrink(df, obj2cat=False), df, check_dtype=False)


def test_gaps_are_not_counted_as_values():
    few = [1, 2, None] * 10
    nullable = pd.DataFrame({"few": pd.array(few, dtype="Int64"), 7: 0})
    for df in (nullable, pl.DataFrame({"few": few, "7": [0] * 30})):
        assert cont_cat_split(df, dep_var=df.columns[1]) == ([], ["few"])


def test_years_far_away():
    df = add_datepart(pd.DataFrame({"d": pd.array(["3000-01-01"], "datetime64[us]")}), "d")
    assert df[["dYear", "dElapsed"]].values.tolist() == [[3000, 32_503_680_000.0]]


def test_rows_of_one_index_and_missing_events():
    days = pd.date_range("2024-01-01", periods=4)[::-1]
    df = pd.DataFrame({"day": days, "shop": 1, "sale": [None, None, True, None]}, index=[5] * 4)
    found = add_elapsed_times(df, ["sale"], "day", "shop")
    assert found["Aftersale"].tolist() == [2, 1, 0, 0]
    assert found["sale_bw"].tolist() == [1.0, 1.0, 1.0, 0.0]
    assert found.index.tolist() == [5] * 4


def test_frames_and_dates_that_cannot_be_used_are_named():
    with pytest.raises(DataError, match=r"make_date: got DataFrame, not pandas\. Give"):
        add_datepart(pl.DataFrame({"d": ["2024-02-29"]}), "d")
    with pytest.raises(DataError, match=r"column 'd' does not read as dates: .*soon"):
        add_datepart(pd.DataFrame({"d": ["soon"]}), "d")


@pytest.mark.parametrize("days", [[20200101], [20200101.0, None], pd.array([1, None], "Int64")])
def test_numbers_are_no_dates(days):
    with pytest.raises(DataError, match=r"'d' holds numbers where .*\. Say .*format='%Y%m%d'"):
        add_datepart(pd.DataFrame({"d": days}), "d")


def test_a_column_of_gaps_reads_as_dates():
    assert add_datepart(pd.DataFrame({"d": [np.nan]}), "d")["dElapsed"].isna().all()


def test_columns_of_lists_are_not_shrunk():
    assert df_shrink_dtypes(pd.DataFrame({"d": [[1]], "e": ["a"]})) == {"e": "category"}
