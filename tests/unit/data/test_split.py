"""Splitters: positions for training and validation, and no touch of the global generators."""

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection  # noqa: F401 - its first import draws from `random`
import torch
from hypothesis import given
from hypothesis import strategies as st

from lamina.data.split import (
    ColSplitter,
    EndSplitter,
    FileSplitter,
    FuncSplitter,
    GrandparentSplitter,
    GroupSplitter,
    IndexSplitter,
    MaskSplitter,
    RandomSplitter,
    RandomSubsetSplitter,
    StratifiedSplitter,
    TimeSplitter,
    TrainTestSplitter,
)
from lamina.foundation.errors import DataError
from lamina.foundation.seeding import set_base_seed

RANDOM = [
    RandomSplitter,
    TrainTestSplitter,
    lambda seed=None: RandomSubsetSplitter(0.6, 0.3, seed),
    lambda seed=None: StratifiedSplitter(str, seed=seed),
    lambda seed=None: GroupSplitter(str, seed=seed),
]


@pytest.mark.parametrize("seed", [7, None])
@pytest.mark.parametrize("make", RANDOM)
def test_global_generators_are_left_alone(make, seed):
    before = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    (make(seed=seed) if make is not TrainTestSplitter else make(random_state=seed))(range(50))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]  # noqa: NPY002


@pytest.mark.parametrize("make", RANDOM)
def test_without_a_seed_the_processs_decides(make):
    def split(seed):
        set_base_seed(seed)
        return make()(range(50))

    assert split(1) == split(1) != split(2)
    set_base_seed(None)


class TestRandom:
    def test_covers_all_items_once(self):
        train, valid = RandomSplitter(0.3, seed=1)(range(20))
        assert len(valid) == 6
        assert sorted(train + valid) == list(range(20))
        assert {type(i) for i in train + valid} == {int}

    def test_a_seed_gives_the_split_of_torchs_permutation(self):
        order = torch.randperm(10, generator=torch.Generator().manual_seed(42)).tolist()
        assert RandomSplitter(seed=42)(range(10)) == (order[2:], order[:2])

    @pytest.mark.parametrize(("pct", "n"), [(0, 0), (1, 10)])
    def test_all_or_nothing(self, pct, n):
        assert len(RandomSplitter(pct)(range(10))[1]) == n

    def test_wrong_fraction(self):
        with pytest.raises(DataError, match=r"valid_pct is 20. Expected a fraction"):
            RandomSplitter(20)
        with pytest.raises(DataError, match=r"train_sz \+ valid_sz is 1\.\d+. Expected"):
            RandomSubsetSplitter(0.8, 0.3)

    @pytest.mark.parametrize("pct", ["0.2", None, float("nan")])
    def test_what_is_no_fraction(self, pct):
        for make in (RandomSplitter, EndSplitter, lambda x: GroupSplitter(str, x)):
            with pytest.raises(DataError, match=r"valid_pct is .*\. Expected a fraction"):
                make(pct)

    @pytest.mark.parametrize("seed", ["1", 1.0])
    def test_a_seed_that_is_no_whole_number(self, seed):
        for split in (RandomSplitter(seed=seed), GroupSplitter(str, seed=seed)):
            with pytest.raises(DataError, match=r"seed=.*Give a whole number"):
                split("ab")
        with pytest.raises(DataError, match=r"check its arguments"):
            TrainTestSplitter(random_state=str(seed))("abcd")

    def test_numbers_of_numpy_are_seeds_and_fractions(self):
        expected = RandomSplitter(0.5, seed=3)(range(8))
        assert RandomSplitter(np.float32(0.5), seed=np.int64(3))(range(8)) == expected

    def test_subset_leaves_the_rest_out(self):
        train, valid = RandomSubsetSplitter(0.5, 0.2, seed=1)(range(10))
        assert (len(train), len(valid), set(train) & set(valid)) == (5, 2, set())

    def test_stratified(self):
        labels = ["a"] * 8 + ["b"] * 2
        _, valid = TrainTestSplitter(0.5, random_state=1, stratify=labels)(labels)
        assert [labels[i] for i in valid].count("b") == 1

    @pytest.mark.parametrize("given", [{"stratify": [1, 2]}, {"test_size": 3.0}])
    def test_what_scikit_learn_refuses(self, given):
        with pytest.raises(DataError, match=r"check its arguments; scikit-learn says: \w+"):
            TrainTestSplitter(**given)("abcd")

    def test_train_test_without_shuffling(self):
        assert TrainTestSplitter(0.25, shuffle=False)("abcd") == ([0, 1, 2], [3])


class TestGiven:
    @pytest.mark.parametrize("idx", [[1, -1], (1, 3), np.array([1, 3]), [False, True, False, True]])
    def test_positions(self, idx):
        assert IndexSplitter(idx)("abcd") == ([0, 2], [1, 3])

    def test_one_position(self):
        assert IndexSplitter(2)("abc") == ([0, 1], [2])

    @pytest.mark.parametrize(
        "idx", [[0, 9], 9, [9.0], 9.0, ["9"], torch.tensor([9]), torch.tensor([9.0])]
    )
    def test_what_is_no_position(self, idx):
        with pytest.raises(DataError, match=r"9.* is no position in 3 items\. Give .*a fraction"):
            IndexSplitter(idx)("abc")

    def test_a_mask_of_another_length(self):
        for mask in ([True, False], np.array([True] * 4)):
            with pytest.raises(DataError, match=r"the mask has \d values for 3 items"):
                IndexSplitter(mask)("abc")

    def test_a_mask_of_numpy(self):
        assert IndexSplitter(np.array([False, True]))("ab") == ([0], [1])

    @pytest.mark.parametrize("item", [1, ("train/a/1.png", 1)])
    def test_items_that_are_no_paths(self, item, tmp_path):
        (tmp_path / "valid.txt").write_text("1.png")
        for splitter in (GrandparentSplitter(), FileSplitter(tmp_path / "valid.txt")):
            with pytest.raises(DataError, match=r"Splitter: an item is no path.* use FuncSplitter"):
                splitter([item])

    def test_positions_given_twice_count_once(self):
        assert IndexSplitter([1, -3, 1])("abcd") == ([0, 2, 3], [1])

    def test_mask(self):
        assert MaskSplitter(pd.Series([True, False]))("ab") == ([1], [0])
        with pytest.raises(DataError, match=r"1 values for 2 items. Give one"):
            MaskSplitter([True])("ab")

    @pytest.mark.parametrize("gap", ["False", float("nan"), None])
    def test_what_is_neither_true_nor_false(self, gap):
        with pytest.raises(
            DataError, match=r"neither true nor false. Give .* ColSplitter\(col, on"
        ):
            MaskSplitter([True, gap])("ab")
        with pytest.raises(DataError, match=r"ColSplitter: .* is neither true nor false"):
            ColSplitter()(pd.DataFrame({"is_valid": [True, gap]}, dtype=object))

    def test_function(self):
        assert FuncSplitter(lambda x: x > 2)([1, 3, 2]) == ([0, 2], [1])

    @pytest.mark.parametrize(("last", "valid"), [(True, [4]), (False, [0])])
    def test_end(self, last, valid):
        assert EndSplitter(0.2, valid_last=last)(range(5))[1] == valid

    def test_nothing_at_the_end(self):
        assert EndSplitter(0.0)(range(3)) == ([0, 1, 2], [])


class TestFiles:
    FILES = (Path("d/train/a/1.png"), Path("d/valid/a/2.png"), Path("d/test/a/3.png"))

    def test_grandparents(self):
        assert GrandparentSplitter()(self.FILES) == ([0], [1])
        assert GrandparentSplitter(("train", "valid"), "test")(self.FILES) == ([0, 1], [2])

    def test_no_training_folder(self):
        with pytest.raises(DataError, match=r"folder 'training'. The folders two .* 'train'"):
            GrandparentSplitter("training")(self.FILES)

    def test_no_validation_folder(self):
        with pytest.raises(DataError, match=r"folder 'val'. The folders two .* 'valid'"):
            GrandparentSplitter(valid_name="val")(self.FILES)
        assert GrandparentSplitter(valid_name=None)(self.FILES) == ([0], [])

    def test_named_in_a_file(self, tmp_path):
        (tmp_path / "valid.txt").write_text("2.png\n3.png\n\n")
        assert FileSplitter(tmp_path / "valid.txt")(self.FILES) == ([0], [1, 2])

    def test_a_file_that_names_none(self, tmp_path):
        (tmp_path / "valid.txt").write_text("valid/a/2.png\n")
        with pytest.raises(
            DataError, match=r"none of the 3 files, such as '1.png'. Give the names"
        ):
            FileSplitter(tmp_path / "valid.txt")(self.FILES)


class TestColumns:
    FRAME = pd.DataFrame({"is_valid": [False, True, False], "part": ["a", "b", "c"]})

    def test_truth_values(self):
        assert ColSplitter()(self.FRAME) == ([0, 2], [1])

    @pytest.mark.parametrize(("on", "valid"), [("b", [1]), (["a", "c"], [0, 2])])
    def test_values(self, on, valid):
        assert ColSplitter("part", on=on)(self.FRAME)[1] == valid
        assert ColSplitter(1, on=on)(self.FRAME)[1] == valid

    def test_what_does_not_fit(self):
        with pytest.raises(DataError, match=r"no column 'x'. The columns are 'is_valid', 'part'"):
            ColSplitter("x")(self.FRAME)
        with pytest.raises(DataError, match=r"'part' has no value on='z'. It has 'a', 'b', 'c'"):
            ColSplitter("part", on="z")(self.FRAME)
        with pytest.raises(DataError, match=r"got list where a data frame .* use FuncSplitter"):
            ColSplitter()([1])


class TestByValue:
    def test_values_that_are_no_keys(self):
        for split in (GroupSplitter([[1], [2]]), StratifiedSplitter([[1], [2]])):
            with pytest.raises(DataError, match=r"cannot be split by such values \(unhashable"):
                split("ab")

    def test_times_without_an_order(self):
        with pytest.raises(DataError, match=r"TimeSplitter: the times have no order"):
            TimeSplitter([1, "now"])("ab")


MAKERS = {
    "random": lambda items, pct: RandomSplitter(pct),
    "end": lambda items, pct: EndSplitter(pct),
    "stratified": lambda items, pct: StratifiedSplitter(str, pct),
    "group": lambda items, pct: (
        GroupSplitter(str, pct) if len(set(items)) > 1 else EndSplitter(pct)
    ),
    "time": TimeSplitter,
    "cutoff": lambda items, pct: TimeSplitter(int, cutoff=3),
    "mask": lambda items, pct: MaskSplitter([x > 3 for x in items]),
    "index": lambda items, pct: IndexSplitter([i for i, x in enumerate(items) if x > 3]),
    "func": lambda items, pct: FuncSplitter(lambda x: x > 3),
    "grandparent": lambda items, pct: (
        lambda items: GrandparentSplitter(valid_name="valid" if len(items) > 1 else None)(
            folders(items)
        )
    ),
    "column": lambda items, pct: lambda items: ColSplitter("x", on=items[:1])(frame(items)),
}


def folders(items):
    """Name a file per item; the first is for training and the last, if another, for validation."""
    last = len(items) - 1
    valid = [i > 0 and (x > 3 or i == last) for i, x in enumerate(items)]
    return [f"{('train', 'valid')[flag]}/cat/{i}.png" for i, flag in enumerate(valid)]


def frame(items):
    return pd.DataFrame({"x": items})


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@given(items=st.lists(st.integers(0, 6), max_size=40), pct=st.floats(0, 1))
def test_splits_are_disjoint_and_complete(make, items, pct):
    train, valid = make(items, pct)(items)
    assert sorted(train + valid) == list(range(len(items)))


@given(
    n=st.integers(0, 60),
    train_sz=st.floats(0.01, 0.5),
    valid_sz=st.floats(0.01, 0.5),
    seed=st.integers(0, 9),
)
def test_a_subset_is_disjoint_and_of_the_sizes_asked_for(n, train_sz, valid_sz, seed):
    train, valid = RandomSubsetSplitter(train_sz, valid_sz, seed)(range(n))
    assert len({*train, *valid}) == len(train) + len(valid)
    assert {*train, *valid} <= set(range(n))
    assert (len(train), len(valid)) == (int(train_sz * n), int(valid_sz * n))


@given(n=st.integers(2, 60), test_size=st.floats(0.1, 0.5), seed=st.integers(0, 9))
def test_a_split_by_scikit_learn_is_disjoint_and_complete(n, test_size, seed):
    train, valid = TrainTestSplitter(test_size, seed)(range(n))
    assert sorted([*train, *valid]) == list(range(n))


class TestStratified:
    @given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6), pct=st.floats(0.01, 0.99))
    def test_keeps_the_shares_and_leaves_every_class_in_training(self, sizes, pct):
        labels = [name for name, size in enumerate(sizes) for _ in range(size)]
        train, valid = StratifiedSplitter(labels, pct)(labels)
        for name, size in enumerate(sizes):
            n_valid = sum(labels[i] == name for i in valid)
            assert n_valid <= size - 1
            assert abs(n_valid - pct * size) <= 1
        assert {labels[i] for i in train} == set(labels)

    def test_meets_the_fraction_as_a_whole(self):
        labels = list("aaab" * 3 + "c")
        assert len(StratifiedSplitter(labels, 0.2)(labels)[1]) == 3

    def test_takes_a_column(self):
        frame = pd.DataFrame({"kind": ["a"] * 4 + ["b"] * 4})
        _, valid = StratifiedSplitter("kind", 0.25)(frame)
        assert sorted(i // 4 for i in valid) == [0, 1]
        _, valid = StratifiedSplitter(lambda row: row.kind, 0.25)(frame)
        assert sorted(i // 4 for i in valid) == [0, 1]

    def test_needs_one_label_per_item(self):
        with pytest.raises(DataError, match=r"label=2 values for 3 items\. Give a function"):
            StratifiedSplitter(["a", "b"])("xyz")
        with pytest.raises(DataError, match=r"label='kind' for 3 items\. Give a function"):
            StratifiedSplitter("kind")("xyz")
        with pytest.raises(
            DataError, match=r"no column 'kin'\. The columns are 'kind'; pass label="
        ):
            StratifiedSplitter("kin")(pd.DataFrame({"kind": [1]}))


class TestGroup:
    @given(
        groups=st.lists(st.integers(0, 9), min_size=2, max_size=40).filter(
            lambda g: len(set(g)) > 1
        ),
        pct=st.floats(0.05, 0.95),
    )
    def test_keeps_groups_whole_and_neither_part_empty(self, groups, pct):
        train, valid = GroupSplitter(groups, pct)(groups)
        assert train
        assert valid
        assert not {groups[i] for i in train} & {groups[i] for i in valid}

    def test_comes_near_the_fraction(self):
        groups = [i // 5 for i in range(500)]
        assert len(GroupSplitter(groups, 0.2, seed=1)(groups)[1]) == 100

    def test_needs_two_groups(self):
        with pytest.raises(DataError, match=r"all 3 items are in the group 1\. Two groups"):
            GroupSplitter([1, 1, 1])("abc")


class TestTime:
    @given(times=st.lists(st.integers(0, 9), max_size=40), pct=st.floats(0, 1))
    def test_trains_on_the_past_only(self, times, pct):
        train, valid = TimeSplitter(times, pct)(times)
        if train and valid:
            assert max(times[i] for i in train) < min(times[i] for i in valid)

    def test_meets_the_fraction_where_times_differ(self):
        assert TimeSplitter([0, -1, -2, -3, -4], 0.4)(range(5)) == ([4, 3, 2], [1, 0])

    @pytest.mark.parametrize("gap", [None, float("nan"), pd.NaT])
    def test_needs_a_time_for_every_item(self, gap):
        with pytest.raises(DataError, match=r"item 1 has no time. Leave such items out"):
            TimeSplitter([2, gap, 1])("abc")

    def test_keeps_what_happened_together_on_the_nearer_side(self):
        assert TimeSplitter([0, 1, 1, 1, 2], 0.4)("abcde") == ([0, 1, 2, 3], [4])
        assert TimeSplitter([0, 1, 1, 1, 1], 0.4)("abcde") == ([0], [1, 2, 3, 4])

    def test_takes_dates_of_a_frame(self):
        frame = pd.DataFrame({"day": pd.to_datetime(["2024-03-01", "2024-01-01", "2024-02-01"])})
        cutoff = pd.Timestamp("2024-02-15")
        assert TimeSplitter("day", cutoff=cutoff)(frame) == ([1, 2], [0])
