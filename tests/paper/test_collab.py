# ruff: noqa: F403, F405 - the paper imports everything
"""The paper's collaborative filtering: ratings to a dot product; bundled synthetic ratings."""

import pandas as pd
import pytest

from lamina.collab.all import *


@pytest.fixture(scope="module")
def dls():
    ratings = pd.read_csv(untar_data(URLs.RATINGS) / "ratings.csv")
    return CollabDataLoaders.from_df(ratings, bs=64, seed=42)


def test_batches_hold_users_titles_and_ratings(dls):
    cats, _, y = dls.one_batch()
    assert (cats.shape, y.numel()) == ((64, 2), 64)
    assert [len(levels) for levels in dls.classes.values()] == [101, 101]


def test_three_epochs_beat_the_mean(dls):
    learn = collab_learner(dls, n_factors=50, y_range=(0, 5.5), seed=42)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(3, 5e-3)
    assert learn.validate()[0] < 0.9 * dls.valid_ds.tensors[2].var()
    assert len(learn.recommend(1, k=5)) == 5
