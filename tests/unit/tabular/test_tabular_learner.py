"""`tabular_learner`: networks by name, several targets, prediction of rows, export."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lamina.data.block import CategoryBlock, RegressionBlock
from lamina.foundation.errors import (
    ContractError,
    DataError,
    UnknownArgumentError,
    UnknownNameError,
)
from lamina.metrics.classify import accuracy
from lamina.nn.losses import CrossEntropyLossFlat
from lamina.tabular.answers.prediction import embeddings
from lamina.tabular.learner import tabular_learner
from lamina.tabular.loaders import TabularDataLoaders
from lamina.tabular.models.embedding_mlp import TabularModel, tabular_config
from lamina.train.persistence import load_learner

TINY = {
    "mlp": {"layers": [16, 8]},
    "ft_transformer": {"config": {"width": 16, "n_blocks": 1, "n_heads": 2}},
    "tabm": {"layers": [16], "config": {"k": 4}},
}


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(0)
    age, job = rng.uniform(20, 70, 400), rng.choice(["cook", "poet", "smith"], 400)
    pay = age / 10 + 3 * (job == "smith") + rng.normal(0, 0.3, 400)
    columns = {"job": job, "age": age, "pay": pay, "rich": np.where(pay > 5, "yes", "no")}
    return pd.DataFrame({**columns, "old": age > 45, "tall": rng.random(400) > 0.5})


def loaders(df, y_names="rich", **options):
    return TabularDataLoaders.from_df(
        df, cat_names=["job"], cont_names=["age"], y_names=y_names, bs=32, seed=1, **options
    )


def quiet(dls, **options):
    torch.manual_seed(0)
    return tabular_learner(dls, default_cbs=False, seed=0, **options)


@pytest.mark.parametrize("numbers", [None, "periodic", "piecewise"])
@pytest.mark.parametrize("model", TINY)
def test_every_network_learns_by_name(df, model, numbers):
    learn = quiet(loaders(df), model=model, numbers=numbers, metrics=accuracy, **TINY[model])
    learn.fit_one_cycle(10, 0.01)
    assert learn.validate()[1] > 0.85


@pytest.mark.parametrize("model", TINY)
def test_an_exported_learner_predicts_the_same(df, model, tmp_path):
    learn = quiet(loaders(df), model=model, numbers="piecewise", **TINY[model])
    loaded = load_learner(learn.export(tmp_path / "rows.lamina"))
    assert type(loaded) is type(learn)
    torch.testing.assert_close(loaded.predict(df)[2], learn.predict(df)[2])


@pytest.mark.slow
def test_an_exported_learner_predicts_in_a_fresh_process(df, tmp_path):
    learn = quiet(loaders(df), layers=[8])
    file = learn.export(tmp_path / "rows.lamina")
    code = (
        "import lamina.tabular.learner; from lamina.train.persistence import load_learner;"
        f"print(load_learner({str(file)!r}).predict({{'job': 'poet', 'age': 30.0}})[2].tolist())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = learn.predict({"job": "poet", "age": 30.0})[2].tolist()
    assert out.stdout.strip() == str(expected)


def test_a_row_may_be_a_dict_a_series_or_part_of_a_frame(df):
    learn = quiet(loaders(df), layers=[8])
    label, index, probs = learn.predict(df.iloc[3])
    assert label == ["no", "yes"][index]
    torch.testing.assert_close(learn.predict(dict(df.iloc[3]))[2], probs)
    labels, indices, many = learn.predict(df.iloc[:5])
    assert (labels[3], indices.shape, many.shape) == (label, (5,), (5, 2))
    torch.testing.assert_close(many[3], probs)
    torch.testing.assert_close(learn.predict([dict(df.iloc[3])])[2], probs[None])


def test_prediction_agrees_with_get_preds(df):
    dls = loaders(df)
    learn = quiet(dls, layers=[8])
    preds, _ = learn.get_preds(dl=dls.test_dl(df))
    torch.testing.assert_close(learn.predict(df)[2], preds)


def test_prediction_gives_the_decoded_rows_too(df):
    learn = quiet(loaders(df), layers=[8])
    rows = learn.predict(df.iloc[:3], with_input=True)[0]
    assert rows["job"].tolist() == df["job"][:3].tolist()
    np.testing.assert_allclose(rows["age"], df["age"][:3], rtol=1e-5)


def test_prediction_leaves_a_training_model_in_training_mode(df):
    learn = quiet(loaders(df), layers=[8])
    learn.model.train()
    learn.predict(df.iloc[0])
    assert learn.model.training


def test_many_rows_are_predicted_in_chunks(df):
    learn = quiet(loaders(df), layers=[8])
    many = pd.concat([df] * 25)
    torch.testing.assert_close(learn.predict(many)[2][-400:], learn.predict(df)[2])


def test_a_row_needs_no_loader_and_no_callbacks(df, monkeypatch):
    """Defect G28."""
    learn = quiet(loaders(df), layers=[8])
    expected = learn.predict(df.iloc[:1])[2][0]

    def refuse(*args, **options):
        raise AssertionError

    monkeypatch.setattr(type(learn.dls), "test_dl", refuse)
    monkeypatch.setattr(type(learn), "get_preds", refuse)
    torch.testing.assert_close(learn.predict(dict(df.iloc[0]))[2], expected)


def test_a_missing_column_is_named(df):
    learn = quiet(loaders(df), layers=[8])
    with pytest.raises(DataError, match="age"):
        learn.predict({"job": "poet"})


def test_numbers_are_predicted_inside_y_range(df):
    learn = quiet(loaders(df, "pay", y_block=RegressionBlock()), layers=[8], y_range=(2, 11))
    learn.fit(20, 0.02)
    number, encoded, raw = learn.predict(df.iloc[0])
    assert number == encoded.item() == raw.item()
    assert abs(number - df["pay"][0]) < 2
    assert isinstance(learn.predict(df.iloc[:2])[0][0], float)


def test_several_numbers_are_one_regression(df):
    two = quiet(loaders(df.assign(pay2=-df["pay"]), ["pay", "pay2"]), layers=[8])
    two.fit(1)
    assert len(two.predict(df.iloc[0])[0]) == 2


def test_several_labels_at_once(df):
    learn = quiet(loaders(df, ["old", "tall"]), layers=[8])
    learn.fit(20, 0.02)
    labels, hot, probs = learn.predict({"job": "cook", "age": 65.0})
    assert "old" in labels
    assert (hot.shape, probs.shape) == ((2,), (2,))


@pytest.mark.parametrize("model", ["mlp", "tabm"])
def test_targets_of_different_kinds_each_have_their_loss(df, model, tmp_path):
    blocks = [CategoryBlock(), RegressionBlock()]
    learn = quiet(loaders(df, ["rich", "pay"], y_block=blocks), model=model, **TINY[model])
    learn.fit(15, 0.02)
    label, number = learn.predict({"job": "smith", "age": 65.0})[0]
    assert label == "yes"
    assert number > 5
    loaded = load_learner(learn.export(tmp_path / "two.lamina"))
    assert loaded.predict(df.iloc[:3])[0][0] == learn.predict(df.iloc[:3])[0][0]


def test_class_weights_come_from_the_training_rows(df):
    learn = quiet(loaders(df), layers=[8], loss_func=CrossEntropyLossFlat(weight="auto"))
    labels = learn.dls.train.dataset.tensors[2]
    counts = labels.bincount().float()
    torch.testing.assert_close(learn.loss_func.weight, len(labels) / (2 * counts))


def test_embeddings_are_frames_by_level(df):
    learn = quiet(loaders(df), emb_szs={"job": 3}, layers=[8])
    table = learn.embeddings()["job"]
    assert table.index.tolist() == ["#na#", "cook", "poet", "smith"]
    assert table.columns.tolist() == ["job_0", "job_1", "job_2"]
    np.testing.assert_array_equal(table, learn.model.embeds[0].weight.detach())


def test_embeddings_need_a_network_that_has_some(df):
    learn = quiet(loaders(df), model=nn.Linear(1, 2))
    with pytest.raises(ContractError, match=r"no method `tables`.*Use a network"):
        embeddings(learn)


def test_a_callable_makes_the_network(df):
    def make(emb_szs, n_cont, out_sz, width):
        return TabularModel(emb_szs, n_cont, out_sz, [width])

    learn = quiet(loaders(df), model=make, config={"width": 5})
    assert learn.model.layers[0][0].out_features == 5


def test_configuration_reaches_the_network(df):
    config = tabular_config(ps=[0.1, 0.2], embed_p=0.3, act_cls=nn.GELU)
    model = quiet(loaders(df), layers=[8, 4], config=config).model
    assert model.emb_drop.p == 0.3
    assert [type(m).__name__ for m in model.layers[1]] == [
        "Linear",
        "GELU",
        "BatchNorm1d",
        "Dropout",
    ]


def test_unknown_names_are_refused(df):
    dls = loaders(df)
    with pytest.raises(UnknownArgumentError, match="Did you mean 'metrics'"):
        tabular_learner(dls, metric=accuracy)
    with pytest.raises(UnknownNameError, match="Did you mean 'tabm'"):
        tabular_learner(dls, model="tabmm")
    with pytest.raises(UnknownArgumentError, match="unknown argument 'layers'"):
        tabular_learner(dls, model="ft_transformer", layers=[8])


def test_sizes_must_fit_the_columns(df):
    with pytest.raises(ContractError, match="2 pairs in emb_szs for 1 columns of categories"):
        quiet(loaders(df), emb_szs=[(4, 2), (3, 2)])


def test_outputs_must_fit_the_targets(df):
    with pytest.raises(ContractError, match=r"n_out=5, but the target of the data needs \d\. L"):
        quiet(loaders(df), n_out=5)
    learn = quiet(loaders(df), n_out=5, loss_func=torch.nn.CrossEntropyLoss())
    assert learn.model(*learn.dls.one_batch()[:-1]).shape[1] == 5


@pytest.mark.parametrize("model", TINY)
def test_a_seed_decides_the_first_weights(df, model):
    before = torch.get_rng_state()
    first, again, other = (
        tabular_learner(loaders(df), model=model, seed=seed, **TINY[model]) for seed in (3, 3, 4)
    )
    pairs = [
        list(zip(first.model.parameters(), learn.model.parameters(), strict=True))
        for learn in (again, other)
    ]

    assert torch.equal(torch.get_rng_state(), before)
    assert [all(torch.equal(*pair) for pair in each) for each in pairs] == [True, False]


def test_the_same_seed_gives_the_same_losses(df):
    losses = []
    for _ in range(2):
        torch.rand(1)  # whatever was drawn before
        learn = tabular_learner(loaders(df), layers=[8], default_cbs=False, seed=3)
        learn.fit(1)
        losses.append(learn.validate())

    assert losses[0] == losses[1]


@pytest.mark.parametrize("options", [{"bs": 1}, {"bs": 3, "drop_last": False}])
def test_a_batch_of_one_row_needs_a_network_without_batch_norm(options):
    df = {"age": [0.5, 1.5, 2.0, 4.0], "rich": ["no", "yes", "no", "yes"]}
    dls = TabularDataLoaders.from_df(df, y_names="rich", splits=[range(4)], **options)
    learn = quiet(dls, layers=[4])
    with pytest.raises(ContractError, match=r"one row, from which batch norm .*\. Make loaders"):
        learn.fit(1)
    quiet(dls, layers=[4], config={"use_bn": False, "bn_cont": False}).fit(1)
