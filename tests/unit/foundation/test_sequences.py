import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lamina.foundation import sequences as S

ints = st.lists(st.integers(-5, 5), max_size=20)


@pytest.mark.parametrize("true", [True, np.bool_(True), torch.tensor(True)])
def test_is_bool_of_all_libraries(true):
    assert S.is_bool(true)
    assert not S.is_bool(1)
    assert not S.is_bool(torch.tensor(1))


@pytest.mark.parametrize("many", [[1], slice(1), (1,), np.array([1]), torch.tensor([1])])
def test_is_indexer_refuses_many(many):
    assert not S.is_indexer(many)


@given(st.lists(st.booleans()))
def test_mask2idxs_is_nonzero(mask):
    expected = np.flatnonzero(mask).tolist()
    assert S.mask2idxs(mask) == S.mask2idxs(torch.tensor(mask, dtype=torch.bool)) == expected


def test_mask2idxs_refuses_floats():
    with pytest.raises(TypeError, match="float"):
        S.mask2idxs([0.5])


@given(ints, st.integers(1, 7))
def test_chunks_join_to_the_whole(items, size):
    chunks = list(S.chunked(items, size))
    assert S.concat(*chunks) == items
    assert all(len(c) == size for c in chunks[:-1])
    assert all(len(c) == size for c in S.chunked(items, size, drop_last=True))


def test_chunks_by_number():
    assert list(S.chunked(range(5), n_chunks=2)) == [[0, 1, 2], [3, 4]]


@pytest.mark.parametrize("given_", [{}, {"chunk_sz": 2, "n_chunks": 2}, {"chunk_sz": 0}])
def test_chunked_refuses(given_):
    with pytest.raises(ValueError, match="chunked"):
        S.chunked([1], **given_)


@given(ints)
def test_groups_hold_every_item_once(items):
    groups = S.groupby(items, abs)
    assert sorted(S.concat(*groups.values())) == sorted(items)
    assert all(abs(x) == k for k, group in groups.items() for x in group)


def test_groupby_names_and_parts():
    assert S.groupby([3, 2j], "real") == {3: [3], 0: [2j]}
    assert S.groupby([(1, "a"), (1, "b")], 0, 1) == {1: ["a", "b"]}


def test_first_and_last():
    assert (S.first([]), S.first([1, 2]), S.first([1, 2], lambda x: x > 1)) == (None, 1, 2)
    assert (S.last([]), S.last([1, 2]), S.last([1, 2], lambda x: x < 2)) == (None, 2, 1)


def test_tuples_of_one():
    assert S.tuplify([1, 2]) == (1, 2)
    assert S.tuplify("ab", use_list=True) == ("a", "b")
    assert S.detuplify(("a",)) == "a"
    assert S.detuplify([1]) == [1]


def test_flatten_keeps_text_and_arrays_whole():
    array = np.arange(2)
    assert S.equal(list(S.flatten([["ab", [array]], {1: 2}])), ["ab", array, 1])


def test_merge_takes_the_later():
    assert S.merge({"a": 1}, None, {"a": 2}) == {"a": 2}


def test_cycles():
    assert list(S.zip_cycle([1, 2], [])) == [(1, None), (2, None)]
    assert list(S.zip_cycle([1, 2, 3], "ab")) == [(1, "a"), (2, "b"), (3, "a")]


@given(st.floats(1e-6, 1e-2), st.floats(1e-2, 10), st.integers(2, 8))
def test_even_mults_is_geometric(start, stop, n):
    mults = S.even_mults(start, stop, n)
    assert np.allclose(mults, np.geomspace(start, stop, n))
    assert S.even_mults(start, stop, 1) == [stop]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ([1, 2], (1, 2), True),
        ([1, 2], [1, 3], False),
        ([1, 2], [1], False),
        ("ab", ["a", "b"], False),
        ({"a": np.arange(2)}, {"a": np.arange(2)}, True),
        ({"a": 1}, {"b": 1}, False),
        (np.arange(2), [0, 1], True),
        (np.arange(2), torch.arange(2), True),
        (torch.arange(2), torch.arange(3), False),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}), True),
        (pd.Series([1]), pd.Series([2]), False),
        ({1, 2}, {2, 1}, True),
        (1, 1.0, True),
    ],
)
def test_equal(a, b, same):
    assert S.equal(a, b) is same
