"""Learners of ratings in files: exported, saved, loaded from tables of several kinds."""

import pandas as pd
import pytest
import torch

from lamina.collab.learner import collab_learner
from lamina.collab.loaders import CollabDataLoaders
from lamina.data.external import URLs, untar_data
from lamina.train.persistence import load_learner


@pytest.fixture(scope="module")
def ratings():
    return pd.read_csv(untar_data(URLs.RATINGS) / "ratings.csv").iloc[:, :3].head(600)


@pytest.fixture(scope="module")
def genres():
    titles = pd.read_csv(untar_data(URLs.RATINGS) / "titles.csv")
    return titles[["movieId", "genre"]]


def make(ratings, **options):
    return CollabDataLoaders.from_df(ratings, bs=64, seed=1, device="cpu", **options)


def with_towers(ratings, genres):
    return collab_learner(make(ratings, item_features=genres), 4, y_range=(0, 5.5), seed=1)


def with_layers(ratings, genres):
    return collab_learner(make(ratings), use_nn=True, layers=[8], y_range=(0, 5.5), seed=1)


def with_ranks(ratings, genres):
    return collab_learner(make(ratings, implicit=True), 4, objective="bpr", seed=1)


@pytest.mark.parametrize("build", [with_towers, with_layers, with_ranks])
def test_an_exported_learner_gives_the_same_answers(build, ratings, genres, tmp_path):
    learn = build(ratings, genres)
    learn.path = tmp_path
    with learn.no_bar():
        learn.fit(1)
    learn.export("model.lamina")
    user = learn.dls.classes["userId"][1]
    found, expected = (
        one.recommend(user, k=5, exclude_seen=False)
        for one in (load_learner(tmp_path / "model.lamina"), learn)
    )
    pd.testing.assert_frame_equal(found, expected)


def test_saved_weights_come_back(ratings, tmp_path):
    learn = collab_learner(make(ratings), 4, y_range=(0, 5.5), seed=1)
    learn.path = tmp_path
    before = [p.detach().clone() for p in learn.model.parameters()]
    learn.save("first")
    with learn.no_bar():
        learn.fit(1)
    learn.load("first")
    assert all(torch.equal(p, q) for p, q in zip(learn.model.parameters(), before, strict=True))


def test_draws_follow_the_seed(ratings):
    losses = []
    for _ in range(2):
        learn = with_ranks(ratings, None)
        with learn.no_bar():
            learn.fit(1)
        losses.append(learn.recorder.values[-1][0])
    assert losses[0] == losses[1]


def test_a_rate_is_found_and_answers_are_shown(ratings):
    learn = collab_learner(make(ratings), 4, y_range=(0, 5.5), seed=1)
    with learn.no_bar():
        assert 0 < learn.lr_find(num_it=15).valley < 10
    assert "rating" in str(learn.dls.show_batch(max_n=3))
    assert "rating" in str(learn.show_results(max_n=3))


def test_files_and_other_frames_give_the_same_batches(ratings, tmp_path):
    polars = pytest.importorskip("polars")
    ratings.to_csv(tmp_path / "ratings.csv", index=False)
    expected = make(ratings).valid.dataset.tensors
    from_csv = CollabDataLoaders.from_csv(tmp_path / "ratings.csv", bs=64, seed=1, device="cpu")
    for other in (from_csv, make(polars.from_pandas(ratings).lazy())):
        for one, two in zip(other.valid.dataset.tensors, expected, strict=True):
            assert torch.equal(one, two)
