"""Ratings to recommendations: loaders, networks, objectives, answers, export."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.collab.learner import collab_learner
from lamina.collab.loaders import CollabDataLoaders
from lamina.collab.metrics import ranking_metrics
from lamina.collab.splits import LeaveLastOut
from lamina.foundation.errors import (
    ContractError,
    DataError,
    UnknownArgumentError,
    UnknownNameError,
)
from lamina.train.persistence import load_learner


@pytest.fixture(scope="module")
def ratings():
    """Even users like even films."""
    pairs = [(u, f) for u in range(20) for f in range(12) if (3 * u + f) % 5]
    table = pd.DataFrame(pairs, columns=["user", "film"])
    same = (table["user"] + table["film"]) % 2 == 0
    table = table.assign(rating=1.0 + 4 * same, time=range(len(table)))
    return table.assign(kind=[["even", "odd"][f % 2] for f in table["film"]])


def fitted(ratings, epochs=10, lr=0.05, learner=None, **options):
    dls = CollabDataLoaders.from_df(ratings, bs=16, seed=42, device="cpu", **options)
    learn = collab_learner(dls, n_factors=8, seed=42, **(learner or {}))
    with learn.no_bar(), learn.no_logging():
        learn.fit(epochs, lr)
    return learn


@pytest.fixture(scope="module")
def learn(ratings):
    return fitted(ratings, learner={"y_range": (0, 5.5)})


def test_a_dot_product_learns_who_likes_what(learn):
    assert learn.validate()[0] < 0.5
    assert learn.predict({"user": 0, "film": 2})[0] > learn.predict({"user": 0, "film": 3})[0]


def test_recommended_items_are_unseen_and_best_first(learn, ratings):
    table = learn.recommend(0, k=3, exclude_seen=False)
    assert all(film % 2 == 0 for film in table["film"])
    assert table["score"].is_monotonic_decreasing
    rows = learn.dls.train.dataset.tensors[0]
    everyone = learn.recommend(k=12)
    seen = {(int(u) - 1, int(f) - 1) for u, f in rows.tolist()}
    assert not seen & set(zip(everyone["user"], everyone["film"], strict=True))


def test_users_may_come_in_any_sequence(learn):
    expected = learn.recommend([0, 3], k=2)
    for users in (np.array([0, 3]), pd.Series([0, 3]), (0, 3)):
        pd.testing.assert_frame_equal(learn.recommend(users, k=2), expected)
    assert learn.recommend([], k=2).columns.tolist() == ["user", "film", "score"]
    assert len(learn.recommend([], k=2)) == 0


def test_a_model_in_training_stays_so(learn):
    learn.model.train()
    learn.recommend(0, k=1)
    learn.similar_items(0, k=1)
    assert learn.model.training


def test_users_of_another_kind_are_refused(learn):
    for unknown in ("error", "popular"):
        with pytest.raises(DataError, match=r"user '0' \(str\), .* such as 0\. Convert it to int"):
            learn.recommend("0", unknown=unknown)
    with pytest.raises(UnknownNameError, match="Did you mean 'popular'"):
        learn.recommend(0, unknown="popula")


def test_unknown_users_are_refused_or_get_what_is_popular(learn):
    with pytest.raises(UnknownNameError, match="user"):
        learn.recommend(99)
    films = learn.recommend(99, k=1, unknown="popular")["film"]
    counts = learn.model.catalogue.counts
    assert counts[films[0] + 1] == counts.max()


def test_similar_items_are_liked_by_the_same_users(learn):
    assert all(film % 2 == 0 for film in learn.similar_items(4, k=3)["film"])


def test_biases_and_vectors_go_by_name(learn):
    assert learn.model.bias([1, 2]).shape == (2,)
    assert learn.model.weight(3, is_item=False).shape == (1, 8)
    with pytest.raises(UnknownNameError, match="item"):
        learn.model.bias("Solaris")


def test_vectors_are_frames_for_other_models(learn, ratings):
    table = learn.embeddings()["film"]
    assert table.index.tolist() == ["#na#", *range(12)]
    np.testing.assert_array_equal(table.loc[3], learn.model.weight(3)[0])
    towers = fitted(ratings, epochs=1, item_features=["kind"]).embeddings()
    assert {name: frame.shape for name, frame in towers.items()} == {
        "user": (21, 8), "film": (13, 8), "kind": (3, 8)
    }  # fmt: skip


def test_an_exported_learner_recommends_the_same(learn, tmp_path):
    again = load_learner(learn.export(tmp_path / "films.lamina"))
    for name in ("recommend", "similar_items"):
        more = {"exclude_seen": False} if name == "recommend" else {}
        pd.testing.assert_frame_equal(
            getattr(again, name)(0, k=3, **more), getattr(learn, name)(0, k=3, **more)
        )
    assert again.model.bias(1) == learn.model.bias(1)


@pytest.mark.parametrize("objective", ["bpr", "sampled_softmax"])
def test_choices_alone_give_an_order(ratings, objective):
    chosen = ratings[ratings["rating"] > 3][["user", "film"]]
    options = {"objective": objective, "negatives": 4}
    learn = fitted(chosen, implicit=True, learner=options)
    assert learn.evaluate_ranking(k=3)["recall@3"] > 0.8


def test_features_speak_for_a_new_user(ratings):
    people = pd.DataFrame({"user": range(20), "club": ["evens", "odds"] * 10})
    options = {"user_features": people, "item_features": ["kind"]}
    learn = fitted(ratings, learner={"y_range": (0, 5.5)}, **options)
    films = learn.recommend({"club": "odds"}, k=3, exclude_seen=False)["film"]
    assert all(film % 2 for film in films)
    film = learn.recommend(99, k=1, unknown="popular")["film"][0]
    assert learn.model.catalogue.counts[film + 1] == learn.model.catalogue.counts.max()


def test_layers_take_further_columns(ratings):
    options = {"item_features": ["kind"], "time_name": "time"}
    learn = fitted(ratings, 30, 0.03, learner={"use_nn": True, "y_range": (0, 5.5)}, **options)
    assert learn.recommend(0, k=2, exclude_seen=False).shape == (2, 2)
    assert learn.validate()[0] < 1.5


def test_dates_of_users_items_and_rows_are_features(ratings, tmp_path):
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(ratings["time"], "D")
    films = pd.DataFrame({"film": range(12), "made": pd.date_range("1990", periods=12, freq="YE")})
    options = {"time_name": "day", "item_features": films}
    learn = fitted(ratings.assign(day=days), epochs=1, **options)
    items = {learn.dls.cat_names[i] for i in learn.model.item_cats}
    items |= {learn.dls.cont_names[i] for i in learn.model.item_conts}
    assert {"made_Month", "made_Elapsed"} <= items
    assert not any(name.startswith("day") for name in items)
    loaded = load_learner(learn.export(tmp_path / "dates.lamina"))
    row = {"user": 0, "day": pd.Timestamp("2031-05-05")}
    found, expected = (x.recommend(row, k=3, exclude_seen=False) for x in (loaded, learn))
    pd.testing.assert_frame_equal(found, expected)


def test_rows_without_a_user_or_item_are_refused(ratings):
    for name in ("user", "film"):
        with pytest.raises(DataError, match=rf"column '{name}' is empty in 1 rows, first in row 2"):
            CollabDataLoaders.from_df(
                ratings.assign(**{name: ratings[name].where(ratings.time != 2)})
            )


def test_features_and_ratings_must_fit(ratings):
    people = pd.DataFrame({"user": [*"abc"], "club": [*"xyz"]})
    with pytest.raises(DataError, match=r"'user' is (str|object) in user_features, but int64 in"):
        CollabDataLoaders.from_df(ratings, user_features=people)
    with pytest.raises(
        DataError, match=r"\['user', 'user', 'rating'\] are not 3 different columns"
    ):
        CollabDataLoaders.from_df(ratings, user_name="user", item_name="user", rating_name="rating")


def test_choices_need_something_to_be_compared_with(ratings):
    dls = CollabDataLoaders.from_df(ratings, implicit=True, device="cpu")
    with pytest.raises(ContractError, match=r"n is 0\. Draw at least 1"):
        collab_learner(dls, objective="bpr", negatives=0)


def test_measures_leave_out_what_training_had_and_keep_their_names():
    rows = [(u, f) for u in range(6) for f in range(4)]
    table = pd.DataFrame([*rows, (0, 1), (5, 9), (0, 9)], columns=["user", "film"])
    splits = [list(range(24)), [24]], [[*range(24), 25], [24, 26]]
    learners = [fitted(table, 1, implicit=True, splitter=lambda _, s=s: s) for s in splits]
    with pytest.raises(DataError, match=r"no row is relevant.*but not together\. Lower"):
        learners[0].evaluate_ranking(k=3)
    assert learners[1].evaluate_ranking(k=50) == pytest.approx(
        {f"{name}@50": 1 for name in ("recall", "ndcg", "map", "mrr", "hit_rate")}
        | {"coverage@50": 1 / 5}
    )


def test_wrong_names_are_refused(ratings):
    with pytest.raises(UnknownNameError, match="Did you mean 'film'"):
        CollabDataLoaders.from_df(ratings, item_name="films")
    with pytest.raises(UnknownArgumentError):
        CollabDataLoaders.from_df(ratings, valid_pc=0.1)


def test_who_is_unknown_gets_the_mean_before_training(ratings):
    dls = CollabDataLoaders.from_df(ratings, seed=42, device="cpu")
    mean = dls.train.dataset.tensors[2].mean()
    for y_range in ((0, 5.5), None):
        model = collab_learner(dls, y_range=y_range, seed=42).model
        torch.testing.assert_close(model(torch.zeros(1, 2).long())[0], mean)


def test_a_seed_decides_the_first_weights(ratings):
    dls = CollabDataLoaders.from_df(ratings, seed=42, device="cpu")
    first, again = (collab_learner(dls, seed=3).model.u_weight.weight for _ in range(2))
    assert first.equal(again)


def test_the_last_row_of_each_user_is_left_out():
    splitter = LeaveLastOut("user", "time", n=1)
    df = pd.DataFrame({"user": [1, 1, 2, 1], "time": [5, 9, 1, 2]})
    assert splitter(df) == ([0, 2, 3], [1])
    with pytest.raises(DataError):
        LeaveLastOut("user", "time", n=0)
    for name in ("user", "time"):
        with pytest.raises(DataError, match=rf"row 2 has no {name}\. Leave such rows out"):
            splitter(df.assign(**{name: [1, 2, None, 3]}))


def plain(hits, relevant, k):
    """The measures for one user, by their definitions."""
    first = [rank for rank in range(1, k + 1) if hits[rank - 1]]
    best = min(k, relevant)
    precisions = [sum(hits[:rank]) / rank for rank in first]
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, best + 1))
    return {
        "recall": len(first) / relevant,
        "ndcg": sum(1 / math.log2(rank + 1) for rank in first) / ideal,
        "map": sum(precisions) / best,
        "mrr": 1 / first[0] if first else 0.0,
        "hit_rate": float(bool(first)),
    }


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1), st.integers(1, 6))
def test_measures_are_those_of_the_definitions(hits, k):
    relevant = [sum(row) + i % 2 for i, row in enumerate(hits)]
    users = [plain(h, n, k) for h, n in zip(hits, relevant, strict=True) if n]
    found = ranking_metrics(torch.tensor(hits), torch.tensor(relevant), k)
    for name in users[0] if users else ():
        mean = sum(user[name] for user in users) / len(users)
        assert found[f"{name}@{k}"] == pytest.approx(mean)
