"""Weights know the columns that they were trained on."""

import pandas as pd
import pytest
import torch

from lamina.collab.learner import collab_learner
from lamina.collab.loaders import CollabDataLoaders
from lamina.foundation.errors import BundleError
from lamina.tabular.learner import tabular_learner
from lamina.tabular.loaders import TabularDataLoaders
from lamina.train.persistence import load_learner

DF = pd.DataFrame(
    {
        "job": ["cook", "poet"] * 8,
        "town": ["Bonn", "Kiel"] * 8,
        "age": [*range(16)],
        "pay": [*range(16, 0, -1)],
        "rich": ["no", "yes"] * 8,
    }
)


def learner(folder, cats=("job", "town"), conts=("age", "pay"), df=DF, **options):
    names = {"cat_names": list(cats), "cont_names": list(conts), "y_names": "rich"}
    dls = TabularDataLoaders.from_df(df, folder, **names, bs=4, valid_idx=[0, 1])
    return tabular_learner(dls, layers=[4], default_cbs=False, **options)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"conts": ("pay", "age")},
            r"cont_names \['age', 'pay'\], the learner has \['pay', 'age'\]",
        ),
        (
            {"cats": ("town", "job")},
            r"cat_names \['job', 'town'\], the learner has \['town', 'job'\]",
        ),
        ({"df": DF.replace("Kiel", "Jena")}, "categories of 'town' are not those"),
    ],
)
def test_a_checkpoint_of_other_columns_is_refused_and_changes_nothing(tmp_path, other, message):
    """Defect G16."""
    learner(tmp_path).save("rows")
    learn = learner(tmp_path, **other)
    before = {name: value.clone() for name, value in learn.model.state_dict().items()}
    with pytest.raises(BundleError, match=message):
        learn.load("rows")
    torch.testing.assert_close(dict(learn.model.state_dict()), before)


def test_renamed_columns_are_refused(tmp_path):
    """Defect G16."""
    learner(tmp_path).save("rows")
    learn = learner(tmp_path, conts=("age", "wage"), df=DF.rename(columns={"pay": "wage"}))
    with pytest.raises(BundleError, match=r"\['age', 'pay'\], the learner has \['age', 'wage'\]"):
        learn.load("rows")


def test_a_checkpoint_of_ratings_knows_users_and_items(tmp_path):
    """Defect G16."""
    ratings = pd.DataFrame({"user": [*"aabb"] * 4, "film": ["x", "y"] * 8, "rating": 1.0})
    options = {"bs": 4, "seed": 42, "path": tmp_path}
    collab_learner(CollabDataLoaders.from_df(ratings, **options), 3).save("films")
    other = CollabDataLoaders.from_df(ratings.replace("x", "z"), **options)
    with pytest.raises(BundleError, match="categories of 'film'"):
        collab_learner(other, 3).load("films")


def test_the_same_columns_load(tmp_path):
    learn, again = learner(tmp_path), learner(tmp_path)
    learn.save("rows")
    again.load("rows")
    torch.testing.assert_close(again.predict(DF)[2], learn.predict(DF)[2])


def test_a_dict_that_knows_no_columns_loads(tmp_path):
    learn, other = learner(tmp_path), learner(tmp_path, conts=("pay", "age"))
    assert not other.model.load_state_dict(dict(learn.model.state_dict())).missing_keys


def test_an_exported_learner_knows_its_columns(tmp_path):
    load_learner(learner(tmp_path).export(tmp_path / "rows.lamina")).save(tmp_path / "rows")
    with pytest.raises(BundleError, match="cont_names"):
        learner(tmp_path, conts=("pay", "age")).load(tmp_path / "rows")


def test_a_model_of_two_learners_has_the_columns_of_the_last(tmp_path):
    learn = learner(tmp_path)
    again = learner(tmp_path, conts=("pay", "age"), model=learn.model)
    assert again.model.state_dict()._metadata[""]["columns"]["cont_names"] == ["pay", "age"]
