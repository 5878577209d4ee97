import copy
import pickle
import random
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lamina.foundation.collections import L
from lamina.foundation.functional import arg0, gt

ints = st.lists(st.integers(-5, 5), max_size=20)
some_ints = st.lists(st.integers(-5, 5), min_size=1, max_size=20)


class TestConstruction:
    @pytest.mark.parametrize(
        ("made", "items"),
        [
            (L(), []),
            (L(None), []),
            (L(3), [3]),
            (L("abc"), ["abc"]),
            (L(b"abc"), [b"abc"]),
            (L([1, 2]), [1, 2]),
            (L(1, 2, 3), [1, 2, 3]),
            (L([1], [2]), [[1], [2]]),
            (L(range(3)), [0, 1, 2]),
            (L(i for i in (1, 2)), [1, 2]),
            (L({"a": 1}.items()), [("a", 1)]),
            (L({"a": 1}), ["a"]),
            (L("ab", use_list=True), ["a", "b"]),
            (L(1, match=[5, 6]), [1, 1]),
            (L([1, 2], match=2), [1, 2]),
        ],
    )
    def test_what_counts_as_many(self, made, items):
        assert list(made) == items

    def test_a_list_is_wrapped_not_copied(self):
        items = [1]
        L(items).append(2)
        assert items == [1, 2]

    def test_an_l_is_returned_as_it_is(self):
        made = L(1, 2)
        assert L(made) is made

    @pytest.mark.parametrize("array", [np.arange(3), torch.arange(3), pd.Series([0, 1, 2])])
    def test_an_array_is_one_item_unless_spread(self, array):
        assert len(L(array)) == 1
        assert L(array)[0] is array
        assert [int(x) for x in L(array, use_list=True)] == [0, 1, 2]

    def test_match_refuses_another_number(self):
        with pytest.raises(ValueError, match=r"2 items given to match 3\. Give 1 or 3"):
            L([1, 2], match=[1, 2, 3])

    def test_from_range_and_text(self):
        assert L.range(3) == [0, 1, 2]
        assert L.range(1, 6, 2) == [1, 3, 5]
        assert L.range("abc") == [0, 1, 2]
        assert L.split("a b") == ["a", "b"]
        assert L.splitlines("a\nb\n") == ["a", "b"]

    def test_subclass_keeps_its_class(self):
        class Boxes(L):
            pass

        boxes = Boxes([3, 1, 2])
        assert type(boxes) is type(boxes[:2]) is type(boxes.sorted()) is Boxes
        assert type(boxes.map(str)) is type(L(boxes.map(abs))) is L
        assert type(Boxes(L(1, 2))) is Boxes


class TestIndexing:
    @given(some_ints, st.data())
    def test_int_and_slice_as_a_list(self, items, data):
        i = data.draw(st.integers(-len(items), len(items) - 1))
        part = data.draw(st.slices(len(items)))
        assert L(items)[i] == items[i]
        assert list(L(items)[part]) == items[part]

    @given(some_ints, st.data())
    def test_positions_and_masks_as_numpy(self, items, data):
        idxs = data.draw(st.lists(st.integers(-len(items), len(items) - 1), min_size=1))
        mask = data.draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items)))
        assert list(L(items)[idxs]) == np.array(items)[idxs].tolist()
        assert list(L(items)[mask]) == np.array(items)[mask].tolist()

    @pytest.mark.parametrize("kind", [list, tuple, L, np.array, torch.tensor, pd.Series])
    def test_any_collection_is_an_index(self, kind):
        letters = L("a", "b", "c")
        assert letters[kind([2, 0])] == ["c", "a"]
        assert letters[kind([True, False, True])] == ["a", "c"]

    def test_several_indices(self):
        assert L("a", "b", "c")[0, 2] == ["a", "c"]

    @pytest.mark.parametrize("one", [1, np.int64(1), np.array(1), torch.tensor(1)])
    def test_scalars_of_all_libraries_pick_one(self, one):
        assert L("a", "b")[one] == "b"

    def test_mask_of_another_length_is_refused(self):
        with pytest.raises(IndexError, match="a mask of 2 was given for 3 items"):
            L(1, 2, 3)[[True, False]]

    @given(some_ints, st.data())
    def test_assignment_as_numpy(self, items, data):
        idxs = data.draw(st.lists(st.integers(0, len(items) - 1), unique=True))
        values = data.draw(st.lists(st.integers(), min_size=len(idxs), max_size=len(idxs)))
        expected = list(items)
        for i, value in zip(idxs, values, strict=True):
            expected[i] = value
        made = L(items)
        made[idxs] = values
        assert list(made) == expected

    def test_assignment_broadcasts_one_value(self):
        made = L(1, 2, 3, 4)
        made[1, 2] = 0
        made[[True, False, False, False]] = "ab"
        made[3:] = None
        assert list(made) == ["ab", 0, 0, None]

    def test_assignment_of_another_number_is_refused(self):
        with pytest.raises(ValueError, match=r"3 values were assigned to 2 items\. Give 1 or 2"):
            L(1, 2, 3)[0, 1] = [7, 8, 9]

    def test_slices_are_assigned_as_in_a_list(self):
        made = L(1, 2, 3)
        made[1:] = [7, 8, 9]
        assert made == [1, 7, 8, 9]

    def test_delete(self):
        made = L(range(6))
        del made[-1]
        del made[0, 2]
        del made[:1]
        assert made == [3, 4]

    def test_a_frame_can_be_the_store(self):
        df = pd.DataFrame({"a": [1, 2, 3]}, index=[7, 8, 9])
        made = L(df, use_list=None)
        assert len(made) == 3
        assert made[1].a == 2
        assert made[[0, 2]].items.a.tolist() == [1, 3]
        assert made.attrgot("a") == [1, 2, 3]

    def test_an_array_can_be_the_store(self):
        made = L(np.arange(5), use_list=None)
        assert made[[1, 3]].items.tolist() == [1, 3]
        assert made[1:3].items.tolist() == [1, 2]


class TestAsAList:
    @given(ints, ints)
    def test_operators(self, a, b):
        assert list(L(a) + b) == a + b
        assert list(b + L(a)) == b + a
        assert list(L(a) * 2) == list(2 * L(a)) == a * 2
        assert list(L(a) | b) == list(dict.fromkeys(a + b))
        assert list(L(a) - b) == [x for x in a if x not in b]

    def test_plus_one_item(self):
        assert L("a") + "bc" == ["a", "bc"]

    def test_invert(self):
        assert ~L(True, False, np.bool_(True)) == [False, True, False]

    @given(ints, ints)
    def test_equality_is_that_of_the_items(self, a, b):
        assert (L(a) == L(b)) == (L(a) == b) == (L(a) == tuple(b)) == (a == b)

    def test_equality_with_arrays(self):
        assert L(1, 2) == np.array([1, 2])
        assert L(np.array([1, 2]), 3) == [np.array([1, 2]), 3]
        assert L(torch.tensor([1, 2])) != [torch.tensor([1, 3])]
        assert L("a") != "a"

    def test_mutation(self):
        made = L(3, 1)
        made.append(2)
        made.extend("ab")
        made += [7]
        assert made == [3, 1, 2, "ab", 7]
        assert made.pop() == 7
        made.remove("ab")
        made.reverse()
        made.insert(0, 9)
        made.sort()
        assert made == [1, 2, 3, 9]

    def test_membership_and_search(self):
        made = L("a", "b", "a")
        assert "b" in made
        assert "c" not in made
        assert made.index("a", 1) == 2
        assert made.count("a") == 2
        assert list(reversed(made)) == ["a", "b", "a"]

    def test_copies_are_independent(self):
        made = L(1, 2)
        for twin in (made.copy(), copy.copy(made), copy.deepcopy(made)):
            twin.append(3)
        assert made == [1, 2]

    def test_pickle(self):
        assert pickle.loads(pickle.dumps(L(1, "a"))) == L(1, "a")

    def test_repr_counts_and_cuts(self):
        assert repr(L(1, "a")) == "(#2) [1,'a']"
        assert repr(L(range(300))).endswith("248,249...]")

    def test_is_not_hashable(self):
        with pytest.raises(TypeError, match="unhashable"):
            hash(L(1))


class TestMapping:
    def test_map_with_functions_formats_and_lookups(self):
        assert L(1, -2).map(abs) == [1, 2]
        assert L(1, 2).map("{}.jpg") == ["1.jpg", "2.jpg"]
        assert L("a", "b").map({"a": 1, "b": 2}) == [1, 2]
        assert L(1, 0).map("xy".__getitem__) == ["y", "x"]

    def test_map_binds_arguments(self):
        assert L(1, 2).map(pow, 2) == [2, 4]
        assert L(1, 2).map(pow, arg0, 2) == [1, 4]
        assert L("1", "11").map(int, base=2) == [1, 3]

    def test_itemgot_and_attrgot(self):
        nested = L([("a", (1, 2)), ("b", (3, 4))])
        assert nested.itemgot(0) == ["a", "b"]
        assert nested.itemgot(1, 0) == [1, 3]
        rows = L(SimpleNamespace(x=1), {"x": 2}, {})
        assert rows.attrgot("x", 0) == [1, 2, 0]
        assert L(3).attrgot("real.imag") == [0]

    def test_pairs_are_mapped_by_their_parts(self):
        assert L((2, 3), (3, 2)).starmap(pow) == [8, 9]
        assert L([1, 2], [3, 4]).map_zip(lambda a, b: a + b) == [4, 6]
        assert L(1, 2).map_zipwith(lambda a, b: a * b, [3, 4]) == [3, 8]

    def test_map_to_others(self):
        assert L("a", "bb").map_dict(len) == {"a": 1, "bb": 2}
        assert L("", "x", "y").map_first(str.upper) == "X"
        assert L(1, 2).flatmap(range) == [0, 0, 1]

    def test_setattrs(self):
        rows = L(SimpleNamespace(), SimpleNamespace())
        rows.setattrs("a", 1)
        assert rows.attrgot("a") == [1, 1]


class TestSelecting:
    @given(ints)
    def test_filter_and_partition(self, items):
        made = L(items)
        assert list(made.filter(gt(0))) == [x for x in items if x > 0]
        assert list(made.filter(gt(0), negate=True)) == [x for x in items if x <= 0]
        assert made.partition(gt(0)) == (made.filter(gt(0)), made.filter(gt(0), negate=True))
        assert made[made.argwhere(gt(0))] == made.filter(gt(0))

    def test_filter_by_truth_and_lookup(self):
        assert L(0, "a", "").filter() == ["a"]
        assert L("a", "b").filter({"a": True, "b": False}) == ["a"]

    def test_first_and_last(self):
        made = L(1, 5, 2, 7)
        assert (made.first(), made.first(gt(4)), made.first(gt(9))) == (1, 5, None)
        assert (made.last(), made.last(gt(4), negate=True)) == (7, 2)
        assert (made.argfirst(gt(4)), made.argfirst(gt(9))) == (1, None)

    def test_runs(self):
        made = L(1, 5, 2)
        assert made.takewhile(gt(4)) == []
        assert made.dropwhile(lambda x: x < 4) == [5, 2]
        assert made.compress([1, 0, 1]) == [1, 2]

    @given(ints)
    def test_unique_keeps_the_first_appearance(self, items):
        values, positions = L(items).unique(bidir=True)
        assert list(values) == list(dict.fromkeys(items))
        assert all(values[i] == v for v, i in positions.items())
        assert list(L(items).unique(sort=True)) == sorted(set(items))

    def test_unique_with_start(self):
        assert L("b", "a").unique(sort=True, start=["pad", "b"]) == ["pad", "b", "a"]


class TestReordering:
    @given(ints)
    def test_sorted(self, items):
        assert list(L(items).sorted()) == sorted(items)
        assert list(L(items).sorted(abs, reverse=True)) == sorted(items, key=abs, reverse=True)
        assert list(L(items).sorted(cmp=lambda a, b: b - a)) == sorted(items, reverse=True)

    def test_sorted_by_attribute_and_part(self):
        assert L(3, 2j).sorted("real") == [2j, 3]
        assert L((1, "b"), (2, "a")).sorted(1) == [(2, "a"), (1, "b")]

    def test_shuffle_is_a_permutation_and_repeatable(self):
        made = L(range(20))
        shuffled = made.shuffle(random.Random(0))
        assert shuffled == made.shuffle(random.Random(0))
        assert shuffled != made
        assert shuffled.sorted() == made.shuffle().sorted() == made == list(range(20))

    def test_groups(self):
        assert L("aa", "b", "cc").groupby(len) == {2: ["aa", "cc"], 1: ["b"]}
        assert L((1, "a"), (1, "b")).groupby(0, 1) == {1: ["a", "b"]}
        assert L(range(5)).batched(2) == [[0, 1], [2, 3], [4]]
        assert L("a", "b").val2idx() == {"a": 0, "b": 1}

    def test_joining(self):
        assert L([1], (2, 3), 4).concat() == [1, 2, 3, 4]
        assert L([1, [2, "ab"]], 3).flatten() == [1, 2, "ab", 3]


class TestPairingAndFolding:
    def test_pairs(self):
        made = L("a", "b")
        assert made.enumerate() == [(0, "a"), (1, "b")]
        assert made.renumerate() == [("a", 0), ("b", 1)]
        assert made.zipwith([1, 2, 3]) == [("a", 1), ("b", 2)]
        assert L([1, 2, 3], [4]).zip(cycled=True) == [(1, 4), (2, 4), (3, 4)]
        assert L(1, 2, 3).pairwise() == [(1, 2), (2, 3)]

    def test_choices(self):
        assert L(1, 2).permutations() == [(1, 2), (2, 1)]
        assert L(1, 2, 3).combinations(2) == [(1, 2), (1, 3), (2, 3)]
        endless = L(1, 2).cycle()
        assert [next(endless) for _ in range(3)] == [1, 2, 1]

    def test_folds(self):
        assert (L().sum(), L(1, 2).sum(), L([1], [2]).sum()) == (0, 3, [1, 2])
        assert (L().product(), L(2, 3).product()) == (1, 6)
        assert L(1, 2, 3).accumulate() == [1, 3, 6]
        assert L(1, 2).reduce(lambda a, b: a - b, 10) == 7
