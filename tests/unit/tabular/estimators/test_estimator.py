"""The estimators, by scikit-learn's own checks, and on frames."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from lamina.foundation.errors import ContractError, DataError
from lamina.tabular.estimators.estimator import TabularClassifier, TabularRegressor

QUICK = [
    TabularClassifier(layers=[32], random_state=0),
    TabularRegressor(layers=[32], random_state=0),
]


@pytest.mark.slow
@parametrize_with_checks(QUICK)  # none is excepted
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def people(n=300):
    rng = np.random.default_rng(0)
    job, age = rng.choice(["cook", "poet"], n), rng.uniform(20, 70, n)
    age[::10] = np.nan
    return pd.DataFrame({"job": job, "age": age, "seen": rng.random(n) > 0.5})


@pytest.mark.parametrize("model", ["mlp", "ft_transformer", "tabm"])
def test_frames_may_hold_texts_and_gaps(model):
    df = people()
    config = {"mlp": None, "ft_transformer": {"width": 16, "n_heads": 2}, "tabm": {"k": 4}}[model]
    layers = None if model == "ft_transformer" else [16]
    clf = TabularClassifier(model=model, layers=layers, config=config, random_state=0, epochs=20)
    target = np.where((df["job"] == "cook") & df["seen"], "yes", "no")
    clf.fit(df, target)
    assert clf.score(df, target) > 0.95
    assert clf.feature_names_in_.tolist() == ["job", "age", "seen"]


def test_it_works_in_pipelines_and_searches():
    X, y = load_iris(return_X_y=True)
    pipe = make_pipeline(
        StandardScaler(), TabularClassifier(layers=[32], epochs=40, random_state=0)
    )
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.9
    grid = GridSearchCV(TabularClassifier(epochs=3, random_state=0), {"layers": [[4], [32]]}, cv=2)
    assert grid.fit(X, y).best_params_["layers"] in ([4], [32])


def test_the_regressor_beats_the_mean():
    X, y = load_diabetes(return_X_y=True)
    reg = TabularRegressor(layers=[32], epochs=20, random_state=0)
    assert cross_val_score(reg, X, y, cv=3).mean() > 0.3


def test_several_numbers_are_predicted_at_once():
    X = np.linspace(-1, 1, 200)[:, None]
    y = np.hstack([X, -5 * X])
    reg = TabularRegressor(layers=[32], random_state=0).fit(X, y)
    np.testing.assert_allclose(reg.predict([[0.5]]), [[0.5, -2.5]], atol=0.4)


def test_the_random_state_decides_and_the_global_one_is_left_alone():
    X, y = load_iris(return_X_y=True)
    before = torch.get_rng_state()
    clf = TabularClassifier(layers=[8], epochs=2, random_state=3)
    first, again = (clone(clf).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert torch.equal(before, torch.get_rng_state())
    assert (clf.set_params(random_state=4).fit(X, y).predict_proba(X) != first).any()


def test_a_pickled_estimator_predicts_the_same():
    df = people()
    clf = TabularClassifier(layers=[8], epochs=1, random_state=0).fit(df, df["seen"])
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(df), clf.predict_proba(df))


@pytest.mark.parametrize("given", [[0], ["x0"], np.array([True, False])])
def test_columns_of_arrays_may_be_categories(given):
    X = np.array([[0, 0.5], [1, 0.1], [7, 0.2]] * 10)
    clf = TabularClassifier(layers=[4], epochs=1, categorical_features=given).fit(X, X[:, 0] > 0)
    assert clf.recipe_.cats == ["x0"]
    assert clf.predict([[3, 0.5]]).shape == (1,)


def test_errors_say_what_to_do():
    X = np.ones((4, 1))
    with pytest.raises(DataError, match=r"all labels are of one class.*at least two"):
        TabularClassifier().fit(X, [1, 1, 1, 1])
    with pytest.raises(DataError, match=r"names \['b'\], but the columns are \['x0'\]"):
        TabularClassifier(categorical_features=["b"]).fit(X, [0, 1, 0, 1])


@pytest.mark.parametrize("options", [{"epochs": -1}, {"epochs": 0}, {"batch_size": -1}])
def test_epochs_and_rows_per_step_are_counts(options):
    with pytest.raises(ContractError, match=r"=(-1|0)\. Give 1 or more, or None"):
        TabularRegressor(**options).fit(np.ones((4, 1)), [1.0, 2.0, 3.0, 4.0])


def test_one_row_is_not_enough():
    df = pd.DataFrame({"x": [1.0]})
    with pytest.raises(DataError, match=r"TabularRegressor: fit got 1 row .*\. Give at least 2"):
        TabularRegressor().fit(df, [1.0])
    with pytest.raises(ContractError, match="one row, from which batch norm"):
        TabularRegressor(batch_size=1).fit(np.ones((4, 1)), [1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize("given", [[9], [-3], np.array([True]), [True, False, True]])
def test_positions_and_masks_must_fit_the_columns(given):
    clf = TabularClassifier(categorical_features=given)
    with pytest.raises(DataError, match=r"the columns are \['x0', 'x1'\]\. Give names, pos"):
        clf.fit(np.ones((4, 2)), [0, 1, 0, 1])
