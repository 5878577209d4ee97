import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from lamina.data.block import CategoryBlock, MultiCategoryBlock, RegressionBlock
from lamina.data.split import EndSplitter
from lamina.data.task import MultiLabel, Regression, SingleLabel
from lamina.foundation.errors import ContractError, DataError, ItemError
from lamina.tabular.core import Tabular, TabularPandas
from lamina.tabular.recipe import encode_rows


@pytest.fixture
def df():
    return pd.DataFrame(
        {
            "city": ["Rome", "Oslo", "Rome", "Bonn"] * 3,
            "rooms": [1, 2, 3, 4] * 3,
            "area": np.linspace(20, 130, 12),
            "sold": ["no", "yes", "no", "yes"] * 3,
        },
        index=range(100, 112),
    )


def target(values, **options):
    return Tabular({"x": [0.0] * len(values), "y": values}, cont_names="x", y_names="y", **options)


def test_parts_have_the_known_names(df):
    to = TabularPandas(df, None, ["city"], ["area"], "sold", splits=EndSplitter(0.25)(df))
    assert (len(to.train), len(to.valid), to.n_subsets) == (9, 3, 2)
    assert list(to.xs) == ["city", "area"]
    assert to.train.y.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    assert to.items.shape == (12, 3)
    assert to.vocab == ["no", "yes"]
    assert to.task.n_out == 2


def test_the_frame_stays_as_it_is(df):
    before = df.copy()
    TabularPandas(df, cat_names="city", cont_names="area", y_names="sold")
    pd.testing.assert_frame_equal(df, before)


def test_inplace_puts_processed_columns_into_the_frame(df):
    TabularPandas(df, cat_names="city", cont_names="area", y_names="sold", inplace=True)
    assert df["city"].tolist()[:4] == [3, 2, 3, 1]


def test_setup_can_wait(df):
    to = TabularPandas(df, cat_names="city", y_names="sold", do_setup=False)
    assert "not processed" in repr(to)
    assert len(to.process()) == 12


def test_columns_of_numbers_are_taken_in_the_order_of_the_frame(df):
    """Defect G16."""
    shuffled = df[["sold", "area", "city", "rooms"]]
    assert Tabular(shuffled, cat_names="city", y_names="sold").cont_names == ["area", "rooms"]


def test_the_order_of_columns_does_not_depend_on_the_hash_seed():
    """Defect G16."""
    code = (
        "from lamina.tabular.core import Tabular;"
        "print(Tabular({c: [1.5, 2] for c in 'qwertz'}, cat_names=[]).cont_names)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "LAMINA_PROGRESS": "off"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {"['q', 'w', 'e', 'r', 't', 'z']\n"}


def test_without_any_names_the_kinds_of_columns_decide(df):
    to = Tabular(df, y_names="sold")
    assert (to.cat_names, to.cont_names) == (["city", "rooms"], ["area"])


def test_columns_may_come_in_another_order(df):
    to = Tabular(df, cat_names="city", cont_names=["rooms", "area"], y_names="sold")
    cats, conts = encode_rows(to, df[df.columns[::-1]])
    assert torch.equal(cats, to.tensors[0])
    assert torch.equal(conts, to.tensors[1])


@pytest.mark.parametrize("rows", [lambda r: r.to_dict(), lambda r: r, lambda r: r.to_frame().T])
def test_a_missing_column_is_named(df, rows):
    to = Tabular(df, cat_names="city", cont_names="area", y_names="sold")
    with pytest.raises(DataError, match=r"has no column 'area' \(closest is 'areas'\)\."):
        encode_rows(to, rows(df.rename(columns={"area": "areas"}).iloc[0]))


@pytest.mark.parametrize("procs", [None, [lambda to: None]])
@pytest.mark.parametrize("n", [1, 3, 20])
def test_a_row_of_a_list_that_lacks_a_column_is_refused(df, n, procs):
    to = Tabular(df, procs, cat_names="city", cont_names="area")
    rows = [{"city": "Rome", "area": 20.0}] * n + [{"city": "Rome"}]
    assert len(encode_rows(to, rows[:-1])[0]) == n
    with pytest.raises(DataError, match="no column 'area'"):
        encode_rows(to, rows)


def test_a_name_that_the_frame_lacks_is_refused(df):
    with pytest.raises(DataError, match=r"no column 'cty' \(closest is 'city'\)"):
        Tabular(df, cat_names="cty", cont_names="area")


def test_a_column_has_one_role(df):
    for cats in (["rooms", "city"], ["rooms", "sold", "sold"]):
        with pytest.raises(DataError, match=r"is named twice in .*\. A column is one of these"):
            Tabular(df, cat_names=cats, y_names="city")


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Index])
def test_names_may_come_in_any_sequence(df, kind):
    to = Tabular(df, cat_names=kind(["rooms", "city"]), cont_names=kind(["area"]))
    assert (to.cat_names, to.cont_names) == (["rooms", "city"], ["area"])
    assert {type(name) for name in to.cat_names} == {str}


def test_a_position_outside_of_the_frame_is_refused(df):
    with pytest.raises(DataError, match=r"row 111 of 12 rows\. Give positions"):
        Tabular(df, y_names="sold", splits=[[0, 1], df.index[-1:]])
    with pytest.raises(DataError, match="a mask in splits has 2 values for 12 rows"):
        Tabular(df, y_names="sold", splits=[[True, False]])


@pytest.mark.parametrize("rows", [[[], [0, 1]], [[False] * 12, [0]]])
def test_without_training_rows_nothing_is_learnt(df, rows):
    with pytest.raises(DataError, match=r"there are no training rows\. Check"):
        Tabular(df, y_names="sold", splits=rows)


def test_a_message_says_that_each_date_is_a_category(df):
    with pytest.warns(UserWarning, match=r"each date in 'day' is taken .*\. Pass date_names="):
        to = Tabular(df.assign(day=pd.Timestamp("2024-02-29")), y_names="sold")
    assert "day" in to.cat_names


def test_a_row_is_decoded(df):
    to = Tabular(df, cat_names="city", cont_names="area", y_names="sold")
    assert to.decode_row(1).to_dict() == {"city": "Oslo", "area": pytest.approx(30), "sold": "yes"}


def test_new_rows_have_targets_if_they_are_there(df):
    to = Tabular(df, cat_names="city", cont_names="area", y_names="sold")
    assert len(to.new(df).tensors) == 3
    assert len(to.new(df.drop(columns="sold")).tensors) == 2
    with pytest.raises(DataError, match="no column 'sold'"):
        to.new(df.drop(columns="sold"), with_labels=True)


# Targets


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b", "a"], SingleLabel(["a", "b"])),
        ([True, False, True], SingleLabel([False, True])),
        ([0.5, 1.0, 2.0], Regression(1)),
    ],
)
def test_what_a_target_is_follows_from_its_values(values, task):
    to = target(values)
    assert to.task == task
    assert to.targets.shape == (3,)
    assert to.targets.is_floating_point() == isinstance(task, Regression)


def test_few_whole_numbers_are_labels_and_a_message_says_so():
    """Defect G7."""
    with pytest.warns(UserWarning, match=r"'y' holds whole numbers, 2 .* labels \(at most 20\)"):
        to = target([0, 1, 1])
    assert to.vocab == [0, 1]


def test_many_whole_numbers_are_numbers_and_a_message_says_so():
    with pytest.warns(UserWarning, match=r"numbers to predict \(more than 20\)\. Say so"):
        assert target(list(range(30))).task == Regression(1)


@pytest.mark.filterwarnings("error")
def test_a_block_decides_without_a_message():
    assert target([0, 1, 1], y_block=RegressionBlock()).targets.tolist() == [0.0, 1.0, 1.0]
    assert target([7, 3, 3], y_block=CategoryBlock).targets.tolist() == [1, 0, 0]


def test_several_numbers():
    to = Tabular({"a": [1.5, 2.0], "b": [1, 2], "c": [1.0, 0.0]}, y_names=["a", "b"])
    assert to.task == Regression(2)
    assert to.targets.tolist() == [[1.5, 1.0], [2.0, 2.0]]


def test_several_columns_of_whole_numbers_are_numbers_and_a_message_says_so():
    """Defect G7."""
    df = {"x": [1.0, 2.0], "a": [0, 1], "b": [1, 1]}
    with pytest.warns(UserWarning, match=r"\['a', 'b'\] hold whole .* or MultiCategoryBlock"):
        assert Tabular(df, y_names=["a", "b"]).task == Regression(2)


def test_several_labels_at_once():
    df = {"x": [1.0, 2.0], "cat": [1, 0], "dog": [1, 1]}
    block = MultiCategoryBlock(encoded=True, vocab=["cat", "dog"])
    to = Tabular(df, y_names=["cat", "dog"], y_block=block)
    assert to.task == MultiLabel(["cat", "dog"])
    assert to.targets.tolist() == [[1.0, 1.0], [0.0, 1.0]]
    assert "cat;dog" in str(to.show().rows)


def test_several_truth_values_are_several_labels():
    to = Tabular({"x": [1.0, 2.0], "p": [True, False], "q": [True, True]}, y_names=["p", "q"])
    assert isinstance(to.task, MultiLabel)


def test_targets_of_different_kinds_are_a_tensor_each():
    df = {"x": [1.0, 2.0], "kind": ["a", "b"], "size": [1.5, 2.5]}
    to = Tabular(df, y_names=["kind", "size"])
    assert [type(task) for task in to.task] == [SingleLabel, Regression]
    assert [t.tolist() for t in to.tensors[2:]] == [[0, 1], [1.5, 2.5]]
    assert to.decode()["size"].tolist() == [1.5, 2.5]


def test_lists_of_labels_in_one_column():
    to = target([["a", "b"], ["b"]], y_block=MultiCategoryBlock())
    assert to.targets.tolist() == [[1.0, 1.0], [0.0, 1.0]]


def test_a_missing_target_is_refused():
    with pytest.raises(DataError, match=r"'y' is missing in 1 rows, first in row 1\. Leave"):
        target(["a", None, "b"])
    with pytest.raises(DataError, match=r"'y' is missing or infinite in 2 rows, first in row 1"):
        target([0.5, np.inf, np.nan])
    assert target(["a", None], y_block=CategoryBlock(add_na=True)).targets.tolist() == [1, 0]


def test_a_label_of_validation_only_is_refused():
    with pytest.raises(ItemError, match=r"target 'y': label 'c' is not in the vocabulary"):
        target(["a", "b", "c"], splits=[[0, 1], [2]])


def test_blocks_must_fit_the_columns():
    with pytest.raises(ContractError, match=r"2 blocks for 1 columns .*\. Give one for each"):
        target(["a"], y_block=[CategoryBlock(), CategoryBlock()])


@pytest.mark.parametrize(
    "train", [[0, 2], np.array([0, 2]), (0, 2), [True, False, True, False], [-4, 2]]
)
def test_splits_are_positions_or_truth_values(train):
    to = Tabular({"x": [1.0, 2.0, 3.0, 4.0]}, cont_names="x", splits=[train, [1]])
    assert to.splits[0].tolist() == [0, 2]


@pytest.mark.parametrize(
    "block", [MultiCategoryBlock(encoded=True, vocab=["a"]), RegressionBlock(n_out=3)]
)
def test_a_block_of_another_size_is_refused(block):
    df = {"x": [0.5, 1.5], "a": [0, 1], "b": [1, 1]}
    with pytest.raises(ContractError, match=r"of (1|3) labels .* of 2 columns .*\. Give one for"):
        Tabular(df, y_names=["a", "b"], y_block=block)


def test_whole_fractions_are_numbers_and_a_message_says_so():
    with pytest.warns(UserWarning, match=r"'y' holds only whole .*\. Say so .* CategoryBlock\(\)"):
        assert target([0.0, 1.0, 1.0]).task == Regression(1)
    with pytest.warns(UserWarning, match=r"\['a', 'b'\] hold whole numbers"):
        Tabular({"x": [0.5, 2.5], "a": [0.0, 1.0], "b": [1, 0]}, y_names=["a", "b"])


def test_other_fractions_are_numbers_without_a_message():
    for values in ([0.0, 1.0, 0.5], [float(x) for x in range(30)]):
        assert target(values).task == Regression(1)
