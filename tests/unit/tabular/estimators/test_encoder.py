"""`EmbeddingEncoder`: learnt vectors for models of scikit-learn."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from lamina.foundation.errors import DataError
from lamina.tabular.estimators.encoder import EmbeddingEncoder
from lamina.tabular.learner import tabular_learner
from lamina.tabular.loaders import TabularDataLoaders

DF = pd.DataFrame({"job": ["cook", "poet", "smith"] * 20, "age": range(60)})
TARGET = ["yes" if job == "poet" else "no" for job in DF["job"]]


@pytest.fixture(scope="module")
def tables():
    dls = TabularDataLoaders.from_df(
        DF.assign(rich=TARGET), cat_names="job", cont_names="age", y_names="rich", bs=8, seed=1
    )
    learn = tabular_learner(dls, layers=[8], default_cbs=False, seed=0)
    learn.fit(3, 0.01)
    return learn.embeddings()


def test_categories_become_the_vectors_of_the_network(tables):
    out = EmbeddingEncoder(tables).fit_transform(DF)
    np.testing.assert_array_equal(out.iloc[1, 1:], tables["job"].loc["poet"])
    assert out.columns.tolist() == ["age", *tables["job"].columns]


def test_unknown_levels_and_gaps_are_na(tables):
    new = pd.DataFrame({"age": [1, 2], "job": ["king", None]}, index=[7, 9])
    out = EmbeddingEncoder(tables).fit(DF).transform(new)
    np.testing.assert_array_equal(out.iloc[:, 1:], tables["job"].iloc[[0, 0]])
    assert out.index.tolist() == [7, 9]


def test_it_feeds_other_models_and_can_be_cloned(tables):
    encoder = clone(EmbeddingEncoder(tables))
    pipe = make_pipeline(encoder, LogisticRegression(C=1e6, max_iter=5000)).fit(DF, TARGET)
    assert pipe.score(DF, TARGET) > 0.9
    names = pipe[0].get_feature_names_out().tolist()
    assert names == ["age", *tables["job"].columns]


def test_columns_must_be_there(tables):
    with pytest.raises(DataError, match="at least one of these"):
        EmbeddingEncoder(tables).fit(DF[["age"]])
    with pytest.raises(DataError, match=r"lacks the columns \['age'\]"):
        EmbeddingEncoder(tables).fit(DF).transform(DF[["job"]])


@pytest.mark.parametrize("make", [pl.from_pandas, pa.Table.from_pandas])
def test_frames_may_be_of_other_libraries(tables, make):
    out = EmbeddingEncoder(tables).fit_transform(make(DF))
    expected = EmbeddingEncoder(tables).fit_transform(DF)
    pd.testing.assert_frame_equal(out, expected, check_dtype=False)


def test_an_array_has_no_columns(tables):
    with pytest.raises(DataError, match="got ndarray where a table was expected"):
        EmbeddingEncoder(tables).fit(DF.to_numpy())
