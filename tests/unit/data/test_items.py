"""TfmdLists: a lazy pipeline over items, its splits, set-up, inference and errors."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lamina.data.category import Categorize
from lamina.data.items import TfmdLists, take_items
from lamina.data.pipeline import Pipeline
from lamina.data.transform import RandTransform, Transform
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, DataError, ItemError, SkipItem
from lamina.foundation.seeding import Randomness, current, set_base_seed, using


def neg(x: int):
    return -x


class Centre(Transform):
    def setups(self, items):
        self.mean = sum(items) / len(items)

    def encodes(self, x):
        return x - self.mean


class Noise(RandTransform):
    def encodes(self, x: int):
        return x + current().python.random()


def to_number(x: str) -> int:
    return int(x)


class TestIndexing:
    def test_one_several_slice_mask(self):
        tl = TfmdLists([1, 2, 3], neg)
        assert tl[0] == -1
        assert tl[-1] == tl[np.int64(2)] == -3
        assert tl[[0, 2]] == L(-1, -3)
        assert tl[1:] == L(-2, -3)
        assert tl[np.array([True, False, True])] == L(-1, -3)
        assert list(tl) == [-1, -2, -3]

    def test_out_of_range(self):
        with pytest.raises(IndexError, match="no item 3 among 3"):
            TfmdLists([1, 2, 3], neg)[3]

    @pytest.mark.parametrize("items", [L(1, 2), np.array([1, 2]), (1, 2), {1: 0, 2: 0}.keys()])
    def test_collections_of_many_kinds(self, items):
        assert list(TfmdLists(items, Transform(lambda x: -x))) == [-1, -2]

    def test_rows_of_a_frame(self):
        frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=["x", "y"])
        tl = TfmdLists(frame, lambda row: row.a + row.b, splits=[[1], [0]])
        assert list(tl.train) == [6]
        assert list(tl.valid.items.index) == ["x"]


class TestSplits:
    def test_parts_share_the_pipeline(self):
        tl = TfmdLists([1, 2, 3, 4], neg, splits=[[0, 1], [3], [2]])
        assert tl.n_subsets == 3
        assert [list(tl.subset(i)) for i in range(3)] == [[-1, -2], [-4], [-3]]
        assert tl.valid.tfms is tl.tfms
        assert [tl.split_idx, tl.train.split_idx, tl.subset(2).split_idx] == [None, 0, 2]

    def test_without_splits_all_items_train(self):
        tl = TfmdLists([1, 2], neg)
        assert (list(tl.train), list(tl.valid)) == ([-1, -2], [])

    def test_masks_are_splits(self):
        mask = np.array([True, False])
        assert TfmdLists([1, 2], neg, splits=[~mask, mask]).splits == [[1], [0]]

    def test_transforms_know_the_split(self):
        tl = TfmdLists([1, 2], Transform(neg, split_idx=0), splits=[[0], [1]])
        assert (tl.train[0], tl.valid[0], tl[0]) == (-1, 2, 1)

    def test_wrong_splits(self):
        with pytest.raises(DataError, match=r"name index 5, but there are 2 items. A splitter"):
            TfmdLists([1, 2], neg, splits=[[0], [5]])
        with pytest.raises(ContractError, match=r"no split 2, only 0 to 1. Let the splitter"):
            TfmdLists([1, 2], neg).subset(2)

    @pytest.mark.parametrize("splits", [[0, 1], [[0.5], [1]], 0.2])
    def test_splits_that_are_none(self, splits):
        with pytest.raises(DataError, match=r"the splits are .*\. Expected lists of positions"):
            TfmdLists(["a", "b"], splits=splits)

    def test_overlap(self):
        assert TfmdLists([1, 2, 3], splits=[[0, 1], [1, 2]]).overlapping_splits() == L(1)

    def test_take_items_keeps_the_kind(self):
        assert isinstance(take_items(L(1, 2), [1]), L)
        assert take_items(np.array([1, 2]), [1]).tolist() == [2]
        assert take_items((1, 2), [1]) == [2]


class TestSetup:
    def test_uses_the_training_split_as_the_transforms_before_make_it(self):
        tl = TfmdLists([1, 3, 100], [neg, Centre()], splits=[[0, 1], [2]])
        assert tl.gather("mean") == -2
        assert list(tl) == [1, -1, -98]

    def test_all_items_on_request(self):
        assert (
            TfmdLists([1, 2, 3], Centre(), splits=[[0], [1]], train_setup=False).tfms[0].mean == 2
        )

    def test_not_at_all_on_request(self):
        assert TfmdLists([1], Centre(), do_setup=False).gather("mean") is None

    def test_an_attribute_error_surfaces(self):
        tfm = Transform(neg, setup=lambda items: items.nothing)
        with pytest.raises(AttributeError, match="nothing") as caught:
            TfmdLists([1], tfm)
        assert "while setting up Pipeline: neg" in caught.value.__notes__


class TestRandomness:
    def test_an_item_depends_on_the_seed_and_its_index(self):
        tl = TfmdLists([0, 0], Noise(), split_idx=0)
        set_base_seed(1)
        first, second = tl[0], tl[1]
        assert tl[0] == first != second
        set_base_seed(2)
        assert tl[0] != first
        set_base_seed(None)

    def test_whoever_has_chosen_the_randomness_decides(self):
        tl = TfmdLists([0, 0], Noise(), split_idx=0)
        with using(Randomness(5)):
            expected = current().python.random()
        with using(Randomness(5)):
            assert tl[1] == expected


class TestInference:
    def test_types_along_the_pipeline(self):
        tl = TfmdLists(["1"], [to_number, float])
        assert tl.types == [str, int, float]

    def test_starts_where_the_type_fits(self):
        tl = TfmdLists(["1", "2"], [to_number, neg])
        assert (tl.infer("5"), tl.infer(5)) == (-5, -5)
        assert tl.infer_idx(5) == 1

    def test_a_text_is_a_path(self):
        assert TfmdLists([Path("a")], lambda p: Path(p).stem).infer("b/c.png") == "c"

    def test_a_path_is_a_text(self):
        tl = TfmdLists([{"name": "a"}], [lambda row: row["name"], lambda p: Path(p).stem])
        assert tl.infer(Path("b/c.png")) == tl.infer("b/c.png") == "c"

    def test_an_annotation_accepts_types_that_training_did_not_have(self):
        def read(x: str | bytes):
            return int(x)

        assert TfmdLists(["1"], read).infer(b"7") == 7

    def test_a_first_step_that_takes_anything_is_the_last_resort(self):
        assert TfmdLists(["1"], [int, neg]).infer(2.5) == -2

    def test_what_no_step_takes(self):
        with pytest.raises(DataError, match=r"got list \[\], which no step takes. .* str, int"):
            TfmdLists(["1"], [to_number, neg]).infer([])

    def test_an_empty_copy_still_works(self):
        tl = TfmdLists(["b", "a"], [str.lower, Categorize()]).new_empty()
        assert len(tl) == 0
        assert int(tl.infer("B")) == 1
        assert tl.decode(tl.infer("A")) == "a"


class TestErrors:
    def test_the_item_is_named(self):
        tl = TfmdLists(["1", "one"], to_number)
        with pytest.raises(ValueError, match="invalid literal") as caught:
            tl[1]
        transform, step, item = caught.value.__notes__
        assert "in encodes of Transform(to_number), given str 'one'" in transform
        assert step == "at step 1 of 1 of Pipeline: to_number"
        assert item == "while making item 1: str 'one'"

    def test_our_own_errors_carry_it(self):
        tl = TfmdLists(["a", "b"], Categorize(), splits=[[0], [1]])
        with pytest.raises(ItemError, match="Perhaps only the validation set has it") as caught:
            tl.valid[0]
        assert (caught.value.item, caught.value.stage) == ("b", "encodes")

    def test_skipping_passes(self):
        def skip(x):
            raise SkipItem

        with pytest.raises(SkipItem):
            TfmdLists([1], skip)[0]


def test_show_and_repr():
    tl = TfmdLists(["a", "b"], Categorize())
    assert tl.show(tl[1]).get_title() == "b"
    assert repr(tl) == "TfmdLists(2 items, Pipeline: Categorize)"


def test_pickle():
    tl = pickle.loads(pickle.dumps(TfmdLists(["a", "b"], Pipeline(Categorize()))))
    assert int(tl[1]) == 1
