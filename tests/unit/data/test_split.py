"""Splitters: positions for training and validation, and no touch of the global generators."""

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection  # noqa: F401 - its first import draws from `random`
import torch

from lamina.data.split import (
    ColSplitter,
    EndSplitter,
    FileSplitter,
    FuncSplitter,
    GrandparentSplitter,
    IndexSplitter,
    MaskSplitter,
    RandomSplitter,
    RandomSubsetSplitter,
    TrainTestSplitter,
)
from lamina.foundation.errors import DataError
from lamina.foundation.seeding import set_base_seed

RANDOM = [RandomSplitter, TrainTestSplitter, lambda seed=None: RandomSubsetSplitter(0.6, 0.3, seed)]


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

    def test_subset_leaves_the_rest_out(self):
        train, valid = RandomSubsetSplitter(0.5, 0.2, seed=1)(range(10))
        assert (len(train), len(valid), set(train) & set(valid)) == (5, 2, set())

    def test_stratified(self):
        labels = ["a"] * 8 + ["b"] * 2
        _, valid = TrainTestSplitter(0.5, random_state=1, stratify=labels)(labels)
        assert [labels[i] for i in valid].count("b") == 1

    def test_train_test_without_shuffling(self):
        assert TrainTestSplitter(0.25, shuffle=False)("abcd") == ([0, 1, 2], [3])


class TestGiven:
    @pytest.mark.parametrize("idx", [[1, -1], (1, 3), np.array([1, 3]), [False, True, False, True]])
    def test_positions(self, idx):
        assert IndexSplitter(idx)("abcd") == ([0, 2], [1, 3])

    def test_one_position(self):
        assert IndexSplitter(2)("abc") == ([0, 1], [2])

    def test_positions_out_of_range(self):
        with pytest.raises(DataError, match=r"position 9 is out of 3 items. Give positions"):
            IndexSplitter([0, 9])("abc")

    def test_mask(self):
        assert MaskSplitter(pd.Series([True, False]))("ab") == ([1], [0])
        with pytest.raises(DataError, match=r"1 values for 2 items. Give one"):
            MaskSplitter([True])("ab")

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

    def test_named_in_a_file(self, tmp_path):
        (tmp_path / "valid.txt").write_text("2.png\n3.png\n\n")
        assert FileSplitter(tmp_path / "valid.txt")(self.FILES) == ([0], [1, 2])


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
        with pytest.raises(DataError, match=r"got list where a data frame .* use FuncSplitter"):
            ColSplitter()([1])
