import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch import nn

from lamina.data.block import CategoryBlock
from lamina.data.task import SingleLabel
from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.foundation.seeding import set_base_seed
from lamina.metrics.classify import accuracy
from lamina.nn.losses import CrossEntropyLossFlat
from lamina.tabular.core import Tabular
from lamina.tabular.loader import TabularDataLoader
from lamina.tabular.loaders import TabularDataLoaders
from lamina.train.learner import Learner
from lamina.train.persistence import load_learner


@pytest.fixture
def df():
    rng = np.random.default_rng(0)
    job = rng.choice(["cook", "poet", "monk"], 60)
    age = rng.normal(40, 10, 60).round(1)
    rich = np.where((job == "cook") | (age > 50), "yes", "no")
    return pd.DataFrame({"job": job, "age": age, "rich": rich})


@pytest.fixture
def dls(df):
    return TabularDataLoaders.from_df(df, y_names="rich", bs=8, seed=1, device="cpu")


class Network(nn.Module):
    def __init__(self, n_levels=4, n_cont=1):
        super().__init__()
        self.embed, self.out = nn.Embedding(n_levels, 3), nn.Linear(3 + n_cont, 2)

    def forward(self, cats, conts):
        return self.out(torch.cat([self.embed(cats[:, 0]), conts], 1))


def test_batches_are_codes_numbers_and_targets(dls):
    cats, conts, y = dls.one_batch()
    assert (cats.dtype, conts.dtype, y.dtype) == (torch.int64, torch.float32, torch.int64)
    assert (cats.shape, conts.shape, y.shape) == ((8, 1), (8, 1), (8,))
    assert (len(dls.train), len(dls.valid)) == (6, 2)


def test_what_loaders_tell(dls):
    assert dls.classes == {"job": ["#na#", "cook", "monk", "poet"]}
    assert (dls.cat_names, dls.cont_names, dls.y_names) == (["job"], ["age"], ["rich"])
    assert (dls.vocab, dls.c, dls.n_inp) == (["no", "yes"], 2, 2)
    assert isinstance(dls.task, SingleLabel)


def test_every_training_row_comes_once_in_a_counted_order(df):
    def epochs():
        dls = TabularDataLoaders.from_df(
            df, y_names="rich", bs=7, seed=3, device="cpu", drop_last=False
        )
        return [torch.cat([batch[1] for batch in dls.train]) for _ in range(2)]

    first, again = epochs(), epochs()
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], first[1])
    assert torch.equal(first[0].sort(0).values, first[1].sort(0).values)


def test_a_pass_goes_on_from_its_state(dls):
    whole = [batch[1] for batch in dls.train]
    dls.train.set_epoch(0)
    batches = iter(dls.train)
    next(batches)
    state = dls.train.state_dict()
    dls.train.load_state_dict(state)
    rest = [batch[1] for batch in dls.train]
    assert all(map(torch.equal, whole[1:], rest))
    assert len(rest) == len(whole) - 1


def test_the_seed_decides_the_split(df):
    def rows(seed):
        dls = TabularDataLoaders.from_df(df, y_names="rich", valid_pct=0.3, seed=seed, bs=8)
        return dls.valid_ds.origin[0]

    assert rows(1) == rows(1) != rows(2)
    assert len(rows(1)) == 18


def test_a_split_may_be_given(df):
    by_rows = TabularDataLoaders.from_df(df, y_names="rich", valid_idx=[3, 5], bs=8)
    by_lists = TabularDataLoaders.from_df(df, y_names="rich", splits=[range(40), [50], [51]], bs=8)
    assert by_rows.valid_ds.origin[0] == [3, 5]
    assert [dl.n for dl in by_lists] == [40, 1, 1]


def test_a_stratified_split_keeps_the_shares(df):
    df["rich"] = ["yes"] * 6 + ["no"] * 54
    dls = TabularDataLoaders.from_df(df, y_names="rich", valid_pct=0.5, stratify=True, bs=8)
    assert dls.valid_ds.targets.sum() == 3


def test_a_stratified_split_needs_labels(df):
    with pytest.raises(ContractError, match=r"stratify=True .* y_names names none\. Give y_names"):
        TabularDataLoaders.from_df(df, stratify=True)


def test_balanced_loaders_draw_all_labels_equally_often():
    set_base_seed(0)
    to = Tabular({"x": [0.0] * 1000, "y": ["rare"] * 50 + ["usual"] * 950}, y_names="y")
    dls = to.weighted_dataloaders(bs=50, device="cpu")
    share = torch.cat([batch[-1] for batch in dls.train]).float().mean()
    assert 0.45 < share < 0.55
    with pytest.raises(ContractError, match=r"wgts='even'\. Give weights, or 'balanced'"):
        to.weighted_dataloaders("even")
    with pytest.raises(ContractError, match="'balanced' for a target of labels"):
        Tabular({"x": [0.5, 1.5]}, cont_names="x").weighted_dataloaders()


def test_weights_of_classes_come_from_the_training_rows(df):
    df["rich"] = ["yes"] * 15 + ["no"] * 45
    dls = TabularDataLoaders.from_df(df, y_names="rich", valid_idx=[0, 1, 2, 3, 4], bs=8)
    loss = CrossEntropyLossFlat(weight="auto")
    Learner(dls, Network(), loss)
    weights = loss.weight if hasattr(loss, "weight") else loss.func.weight
    assert weights[1] / weights[0] == pytest.approx(4.5)


def test_new_rows_are_loaded_with_and_without_targets(dls, df):
    assert len(dls.test_dl(df).one_batch()) == 2
    assert len(dls.test_dl(df, with_labels=True).one_batch()) == 3
    assert torch.equal(
        dls.test_dl(pl.from_pandas(df)).one_batch()[0], dls.test_dl(df).one_batch()[0]
    )
    assert len(dls.test_dl([df.iloc[0], df.iloc[1]]).dataset) == 2


def test_a_batch_is_shown_decoded(dls, df):
    table = dls.show_batch(max_n=2)
    assert list(table.header) == ["job", "age", "rich"]
    assert float(table.rows[0][1]) in df["age"].tolist()
    assert "<td>" in table._repr_html_()


def test_results_are_shown_decoded(dls):
    """Defect G6."""
    batch = dls.one_batch()
    table = dls.show_results(batch, 1 - batch[2], max_n=4)
    assert list(table.header) == ["job", "age", "rich", "rich_pred"]
    assert all({rich, guess} == {"no", "yes"} for *_, rich, guess in table.rows)


def test_a_learner_trains_predicts_and_goes_through_a_file(dls, df, tmp_path):
    learn = Learner(dls, Network(), metrics=accuracy, seed=0, path=tmp_path)
    with learn.no_bar():
        learn.fit(20, lr=0.05)
        assert learn.validate()[1] > 0.8
        loaded = load_learner(learn.export("x.lamina"), model=Network())
        expected, found = learn.predict(df.iloc[0]), loaded.predict(df.iloc[0].to_dict())
    assert expected[0] == found[0]
    assert torch.equal(expected[2], found[2])
    assert loaded.dls.cont_names == ["age"]


def test_dates_and_texts_become_features_when_asked():
    df = pd.DataFrame(
        {
            "day": pd.date_range("2024-01-30", periods=8).strftime("%Y-%m-%d"),
            "note": ["good wine", "bad", "good", None] * 2,
            "y": ["a", "b"] * 4,
        }
    )
    dls = TabularDataLoaders.from_df(
        df, y_names="y", date_names="day", text_names="note", bs=4, valid_idx=[7], device="cpu"
    )
    assert {"day_Month", "day_Is_month_end"} <= set(dls.cat_names)
    assert {"day_Year", "day_Elapsed", "note_h0"} <= set(dls.cont_names)
    assert dls.test_dl([{"day": "2031-05-05", "note": "new words"}]).one_batch()[0].shape[0] == 1
    back = dls.train_ds.decode()
    assert "2024-01-30" in str(dls.train_ds.show(1))
    assert back["day"].astype("datetime64[ns]").dt.strftime("%Y-%m-%d").tolist() == list(
        df["day"][:7]
    )


def test_missing_and_far_dates_come_back():
    days = pd.Series(["2024-02-29", None, "9999-12-31"] * 2).astype("datetime64[us]")
    df = pd.DataFrame({"day": days, "y": ["a", "b"] * 3})
    dls = TabularDataLoaders.from_df(df, y_names="y", date_names="day", splits=[range(6)], bs=2)
    back = dls.train_ds.decode()["day"].tolist()[:3]
    assert back[1] is pd.NaT
    assert [day.year for day in (back[0], back[2])] == [2024, 9999]


def test_from_csv(df, tmp_path):
    df.to_csv(tmp_path / "x.csv", index=False)
    dls = TabularDataLoaders.from_csv(tmp_path / "x.csv", y_names="rich", bs=8)
    assert dls.cat_names == ["job"]
    with pytest.raises(UnknownArgumentError, match=r"from_csv: .*'y_name'.*'y_names'"):
        TabularDataLoaders.from_csv(tmp_path / "x.csv", y_name="rich")


def test_unknown_options_are_refused(df):
    with pytest.raises(UnknownArgumentError, match=r"'valid_pc'\. Did you mean 'valid_pct'"):
        TabularDataLoaders.from_df(df, y_names="rich", valid_pc=0.1)


def test_a_loader_of_other_settings_is_of_the_same_class(dls):
    new = dls.train.new(bs=5, shuffle=False)
    assert type(new) is TabularDataLoader
    assert torch.equal(new.one_batch()[0], dls.train_ds.tensors[0][:5])


def test_the_doctor_finds_columns_that_tell_the_target(df):
    df["code"] = df["rich"].map({"yes": "y", "no": "n"})
    df["score"] = (df["rich"] == "yes") * 2.5 - 1
    df["same"] = 1.5
    dls = TabularDataLoaders.from_df(df, y_names="rich", y_block=CategoryBlock(), bs=8)
    report = dls.check(progress=False, probes=["target leak", "columns"])
    found = {problem.kind: str(problem) for problem in report.problems}
    assert "code" in found["target leak"]
    assert "score" in found["target leak"]
    assert "job" not in found["target leak"]
    assert "same" in found["constant column"]
