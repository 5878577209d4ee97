"""Importance, partial dependence and SHAP values of a network that learnt a known rule."""

import numpy as np
import pandas as pd
import pytest
import torch

from lamina.data.block import RegressionBlock
from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.metrics.classify import accuracy
from lamina.tabular.answers.explain import (
    partial_dependence,
    permutation_importance,
    shap_values,
)
from lamina.tabular.learner import tabular_learner
from lamina.tabular.loaders import TabularDataLoaders
from lamina.train.persistence import load_learner
from lamina.viz.canvas import close


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(0)
    n = 800
    age, job = rng.uniform(20, 70, n), rng.choice(["cook", "poet"], n)
    df = pd.DataFrame({"job": job, "age": age, "noise": rng.normal(size=n)})
    df["pay"] = df["age"] / 10 + 2 * (df["job"] == "cook")
    df["rich"] = np.where(df["pay"] > 5, "yes", "no")
    df.loc[::9, "noise"] = np.nan
    return df


def fitted(df, y_names, **options):
    dls = TabularDataLoaders.from_df(
        df,
        cat_names=["job"],
        cont_names=["age", "noise"],
        y_names=y_names,
        bs=32,
        seed=1,
        **options,
    )
    learn = tabular_learner(dls, layers=[32], default_cbs=False, seed=0)
    learn.fit_one_cycle(15, 0.02)
    return learn


@pytest.fixture(scope="module")
def pay(df):
    return fitted(df, "pay", y_block=RegressionBlock())


@pytest.fixture(scope="module")
def rich(df):
    return fitted(df, "rich")


def test_what_decides_is_important(pay):
    table = permutation_importance(pay)
    assert table["column"].tolist() == ["age", "job", "noise"]
    # Shuffling adds twice the variance of what the column contributes.
    spread = 2 * np.var([2.0, 6.5]) / 2.25**2 * (50 / 10) ** 2 / 12
    assert table["importance"][0] == pytest.approx(spread, rel=0.25)
    assert abs(table["importance"][2]) < 0.1


def test_importance_by_a_metric_on_other_rows(rich, df):
    table = permutation_importance(rich, df, metric=accuracy, n_repeats=2)
    assert table["importance"][0] > 0.1
    same = permutation_importance(rich, df, metric=accuracy, n_repeats=2)
    pd.testing.assert_frame_equal(table, same)


def test_an_error_counts_the_other_way(rich):
    def error(pred, targ):
        return 1 - accuracy(pred, targ)

    one = permutation_importance(rich, metric=error, higher_is_better=False)
    two = permutation_importance(rich, metric=accuracy)
    np.testing.assert_allclose(one["importance"], two["importance"], atol=1e-6)


def test_the_answer_follows_a_number_in_its_own_units(pay):
    curve = partial_dependence(pay, "age", n_values=11)
    assert 20 <= curve.values[0] < curve.values[-1] <= 70
    slope = np.polyfit(curve.values, curve.answers[:, 0], 1)[0]
    assert slope == pytest.approx(0.1, rel=0.15)


def test_given_values_are_taken_as_they_are(pay):
    curve = partial_dependence(pay, "age", values=[30, 60])
    assert curve.values == [30, 60]
    rise = (curve.answers[1] - curve.answers[0]).item()
    assert rise == pytest.approx(3, rel=0.15)


def test_levels_of_a_category(pay):
    bars = partial_dependence(pay, "job")
    assert bars.values == ["cook", "poet"]
    assert (bars.answers[0] - bars.answers[1]).item() == pytest.approx(2, rel=0.15)
    torch.testing.assert_close(bars.rows.mean(1), bars.answers)


@pytest.fixture(scope="module")
def odd():
    """Columns with numbers for names, a gap in the first row, and dates."""
    rows = range(32)
    days = pd.date_range("2001-01-01", periods=32, freq="MS")
    df = pd.DataFrame({0: [np.nan, *rows[1:]], 1: 0.5, "day": days, "y": [x / 7 for x in rows]})
    dls = TabularDataLoaders.from_df(df, y_names="y", date_names="day", splits=[rows, rows], bs=8)
    return tabular_learner(dls, layers=[4], default_cbs=False)


def test_columns_may_have_numbers_for_names_and_gaps(odd):
    assert partial_dependence(odd, 0, values=[1.0, 2.0]).answers.shape == (2, 1)
    assert partial_dependence(odd, 0, n_values=3).values == pytest.approx([1, 16, 31])


@pytest.mark.parametrize("values", [None, [1.0, 2.0]])
def test_rows_with_a_gap_lose_its_flag(odd, values):
    curve = partial_dependence(odd, 0, values=values)
    same = pd.DataFrame({0: curve.values[-1:], 1: 0.5, "day": pd.Timestamp("2001-01-01")})
    torch.testing.assert_close(curve.rows[-1, :1], odd.predict(same)[2], atol=1e-4, rtol=0)


def test_a_gap_may_be_set(odd):
    gap = partial_dependence(odd, 0, values=[np.nan]).rows[0, :1]
    row = pd.DataFrame({0: [np.nan], 1: 0.5, "day": pd.Timestamp("2001-01-01")})
    torch.testing.assert_close(gap, odd.predict(row)[2], atol=1e-4, rtol=0)


def test_parts_of_dates_have_curves_but_no_values_of_their_own(odd):
    assert partial_dependence(odd, "day_Year").values[-1] == pytest.approx(2003)
    for column in ("day_Year", "0_na"):
        with pytest.raises(ContractError, match=r"is made from another column.*Leave values out"):
            partial_dependence(odd, column, values=[1])


@pytest.mark.parametrize("column", ["age", "job"])
def test_the_curve_is_drawn(pay, column):
    ax = partial_dependence(pay, column).plot(n_rows=3)
    assert ax.get_xlabel() == column
    close(ax)


def test_an_unknown_column_is_refused(pay):
    with pytest.raises(UnknownNameError, match="Did you mean 'age'"):
        partial_dependence(pay, "agee")


def test_a_loaded_learner_needs_rows(pay, df, tmp_path):
    loaded = load_learner(pay.export(tmp_path / "pay.lamina"))
    with pytest.raises(ContractError, match=r"no validation rows.*Pass rows="):
        permutation_importance(loaded)
    assert len(partial_dependence(loaded, "job", df).values) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the libraries that shap loads
def test_shap_values_add_up_to_the_answer(pay, df):
    pytest.importorskip("shap")
    found = shap_values(pay, df, n_rows=5, n_background=20)
    total = found.values.sum(1).reshape(5) + found.base_values.reshape(5)
    np.testing.assert_allclose(total, pay.predict(df.iloc[:5])[2].flatten(), atol=0.02)
    assert found.feature_names[:1] == ["job"]
