# ruff: noqa: F403, F405 - the paper imports everything
"""The paper's tabular example: census rows to batches, a network, answers; bundled Adult data."""

import pandas as pd
import pytest

from lamina.tabular.all import *

CATS = ["workclass", "education", "marital-status", "occupation", "relationship", "race"]
CONTS = ["age", "fnlwgt", "education-num"]


@pytest.fixture(scope="module")
def df():
    return pd.read_csv(untar_data(URLs.ADULT) / "adult_train.csv.gz")


@pytest.fixture(scope="module")
def dls(df):
    return TabularDataLoaders.from_df(
        df,
        ".",
        procs=[Categorify, FillMissing, Normalize],
        cat_names=CATS,
        cont_names=CONTS,
        y_names="salary",
        valid_idx=list(range(1024, 1260)),
        bs=64,
    )


def test_batches_hold_what_the_paper_asks_for(dls):
    cats, conts, y = dls.one_batch()
    assert (cats.shape, conts.shape, y.shape) == ((64, 6), (64, 3), (64,))
    assert (len(dls.valid_ds), dls.vocab) == (236, ["<=50K", ">50K"])
    assert len(dls.classes["education"]) == 17


def test_training_rows_have_zero_mean_and_unit_deviation(dls):
    conts = dls.train_ds.tensors[1].double()
    torch.testing.assert_close(conts.mean(0), torch.zeros(3).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(conts.std(0), torch.ones(3).double(), atol=1e-3, rtol=0)


def test_rows_are_decoded_to_those_of_the_file(dls, df):
    rows = df.drop(index=range(1024, 1260)).reset_index(drop=True)
    back = dls.train_ds.decode()
    jobs = [frame["occupation"].fillna("?").tolist() for frame in (back, rows)]
    assert jobs[0] == jobs[1]
    assert (back["fnlwgt"] - rows["fnlwgt"]).abs().max() < 1
    assert back["salary"].tolist() == rows["salary"].tolist()


def test_the_test_file_becomes_a_loader(dls):
    test = pd.read_csv(untar_data(URLs.ADULT) / "adult_test.csv.gz")
    loader = dls.test_dl(test, with_labels=True)
    assert len(loader.dataset) == 16_281
    assert loader.dataset.targets.float().mean() == pytest.approx(0.236, abs=0.001)


@pytest.fixture(scope="module")
def learn(dls):
    learn = tabular_learner(dls, layers=[200, 100], metrics=accuracy, seed=42)
    with learn.no_bar():
        learn.fit_one_cycle(3)
    return learn


@pytest.mark.slow
def test_three_epochs_reach_the_accuracy_of_the_paper(learn, dls):
    test = pd.read_csv(untar_data(URLs.ADULT) / "adult_test.csv.gz")
    loss, acc = learn.validate(dl=dls.test_dl(test, with_labels=True))
    assert acc > 0.83
    assert loss < 0.37
    assert [type(m).__name__ for m in learn.model.layers[0]] == ["Linear", "ReLU", "BatchNorm1d"]


@pytest.mark.slow
def test_a_row_is_predicted_with_its_label(learn, df):
    label, index, probs = learn.predict(df.iloc[0])
    assert (label, index.item(), probs.shape) == ("<=50K", 0, (2,))


@pytest.mark.slow
def test_results_are_shown_decoded(learn, df):
    table = learn.show_results(max_n=3, shuffle=False)
    assert "salary_pred" in table.header
    assert float(table.rows[0][table.header.index("age")]) == df["age"][1024]


@pytest.mark.slow
def test_the_network_gives_embeddings_to_other_models(learn):
    table = learn.embeddings()["education"]
    assert table.shape == (17, 8)
    assert "Bachelors" in table.index
