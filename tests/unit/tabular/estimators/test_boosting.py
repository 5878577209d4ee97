"""Boosted trees on the rows of loaders, and blends."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
import torch

from lamina.data.block import RegressionBlock
from lamina.foundation.errors import ContractError, MissingExtraError, UnknownNameError
from lamina.metrics.classify import accuracy
from lamina.metrics.regress import mae
from lamina.tabular.estimators.boosting import Blend, blend, boosting_baseline
from lamina.tabular.learner import tabular_learner
from lamina.tabular.loaders import TabularDataLoaders


def loaders(y_names="rich", **options):
    rng = np.random.default_rng(0)
    age, job = rng.uniform(20, 70, 600), rng.choice(["cook", "poet", "smith"], 600)
    pay = age / 10 + 3 * (job == "smith") + rng.normal(0, 0.3, 600)
    df = pd.DataFrame({"job": job, "age": age, "pay": pay, "rich": np.where(pay > 5, "yes", "no")})
    return df, TabularDataLoaders.from_df(
        df, cat_names=["job"], cont_names=["age"], y_names=y_names, bs=32, seed=1, **options
    )


@pytest.mark.parametrize("kind", ["sklearn", "lightgbm"])
def test_trees_learn_labels_in_one_call(kind):
    df, dls = loaders()
    trees = boosting_baseline(dls, kind, metrics=[accuracy])
    assert trees.scores["accuracy"] > 0.85
    probs = trees.predict(df)
    assert ((probs.argmax(1) == 1).numpy() == (df["rich"] == "yes")).mean() > 0.9
    torch.testing.assert_close(trees.predict(dict(df.iloc[0])), probs[:1])


@pytest.mark.parametrize("kind", ["sklearn", "lightgbm"])
def test_trees_learn_numbers(kind):
    df, dls = loaders("pay", y_block=RegressionBlock())
    trees = boosting_baseline(dls, kind, metrics=mae, max_depth=4)
    assert trees.scores["mae"] < 0.5
    assert trees.predict(df).shape == (600, 1)


def test_a_blend_is_no_worse_than_its_parts_on_the_validation_rows():
    df, dls = loaders()
    learn = tabular_learner(dls, layers=[16], default_cbs=False, seed=0)
    learn.fit(4, 0.01)
    trees = boosting_baseline(dls)
    both = blend(learn, trees)
    assert sum(both.weights) == pytest.approx(1)
    targets = dls[1].dataset.tensors[2]
    losses = []
    for weights in (both.weights, [1.0, 0.0], [0.0, 1.0]):
        one = Blend(dls, both.models, weights, {})
        rows = df.iloc[list(dls[1].dataset.origin[0])]
        losses.append(torch.nn.functional.nll_loss(one.predict(rows).log(), targets).item())
    assert losses[0] <= min(losses[1:])
    assert both.scores["accuracy"] > 0.9


def test_a_useless_model_gets_no_weight():
    _, dls = loaders("pay", y_block=RegressionBlock())
    untrained = tabular_learner(dls, layers=[4], default_cbs=False, y_range=(900, 1000))
    assert blend(untrained, boosting_baseline(dls)).weights == [0.0, 1.0]


def test_what_trees_cannot_do_is_said():
    _, dls = loaders()
    with pytest.raises(UnknownNameError, match="Did you mean 'lightgbm'"):
        boosting_baseline(dls, "lightgbmm")
    with pytest.raises(ContractError, match="no models were given"):
        blend()


def test_several_labels_are_refused():
    df = pd.DataFrame({"age": range(20), "a": [True, False] * 10, "b": [False, True] * 10})
    dls = TabularDataLoaders.from_df(df, cont_names=["age"], y_names=["a", "b"], bs=4, seed=0)
    with pytest.raises(ContractError, match="one label or one number"):
        boosting_baseline(dls)


@pytest.mark.parametrize("splits", [[range(20)], [range(20), []]])
def test_without_validation_rows_nothing_can_be_measured(splits):
    df = {"age": [float(x) / 7 for x in range(20)], "rich": ["no", "yes"] * 10}
    dls = TabularDataLoaders.from_df(df, y_names="rich", bs=4, splits=splits)
    with pytest.raises(
        ContractError, match=r"boosting_baseline: .* no validation rows\. Make them"
    ):
        boosting_baseline(dls)
    with pytest.raises(ContractError, match="blend: these loaders have no validation rows"):
        blend(tabular_learner(dls, layers=[4], default_cbs=False))


def test_a_missing_library_is_named():
    if importlib.util.find_spec("xgboost"):
        pytest.skip("xgboost is installed")
    with pytest.raises(MissingExtraError, match="xgboost"):
        boosting_baseline(loaders()[1], "xgboost")
