"""Datasets: tuples from several pipelines over the same items."""

import pickle

import pytest

from lamina.data.category import Categorize, MultiCategorize, OneHotEncode
from lamina.data.datasets import Datasets, decode_at, show_at
from lamina.data.transform import Transform
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, ItemError, UnknownArgumentError
from lamina.foundation.functional import noop
from lamina.foundation.seeding import current

ITEMS = ["cat_1", "dog_2", "cat_3", "dog_4"]


def number(x: str) -> int:
    return int(x.split("_")[1])


def kind(x: str) -> str:
    return x.split("_", maxsplit=1)[0]


@pytest.fixture
def ds() -> Datasets:
    return Datasets(ITEMS, [[number], [kind, Categorize()]], splits=[[0, 1], [2, 3]])


def test_tuples_of_inputs_and_targets(ds):
    assert len(ds) == 4
    assert [(x, int(y)) for x, y in ds] == [(1, 0), (2, 1), (3, 0), (4, 1)]
    assert ds[[0, 3]] == L([ds[0], ds[3]])


def test_subsets(ds):
    assert [x for x, _ in ds.train] == [1, 2]
    assert [x for x, _ in ds.valid] == [3, 4]
    assert (ds.n_subsets, ds.valid.split_idx, ds.valid.items) == (2, 1, ["cat_3", "dog_4"])


@pytest.mark.parametrize(("n", "n_inp"), [(1, 1), (2, 1), (3, 2)])
def test_all_but_the_last_are_inputs(n, n_inp):
    assert Datasets([1], [[]] * n).n_inp == n_inp


def test_n_inp_must_fit():
    with pytest.raises(ContractError, match=r"n_inp=3 does not fit 2 pipelines. At least"):
        Datasets([1], [[], []], n_inp=3)
    with pytest.raises(ContractError, match="Expected a list with one list of transforms"):
        Datasets([1], number)


def test_without_transforms_a_tuple_of_the_item():
    assert Datasets([1, 2])[1] == (2,)


def test_decode_and_show(ds):
    assert ds.decode(ds[1]) == (2, "dog")
    assert decode_at(ds, 0) == (1, "cat")
    assert show_at(ds, 1).get_title() == "2\ndog"


def test_gather_looks_through_all_pipelines(ds):
    assert ds.gather("vocab") == ["cat", "dog"]
    assert ds.gather("nothing", 0) == 0
    two = Datasets(ITEMS, [[number], [kind, Categorize()], [kind, Categorize()]])
    assert two.gather("vocab") == L([["cat", "dog"], ["cat", "dog"]])


def test_one_hot_finds_the_vocabulary_before_it():
    ds = Datasets([["a"], ["b", "a"]], [[len], [MultiCategorize(), OneHotEncode()]])
    assert [y.tolist() for _, y in ds] == [[1.0, 0.0], [1.0, 1.0]]
    assert ds.decode(ds[1]) == (2, ["a", "b"])


class TestNewItems:
    def test_inputs_only(self, ds):
        test = ds.test_set(["bird_7"])
        assert list(test) == [(7,)]
        assert (test.n_inp, test.split_idx) == (1, 1)

    def test_with_labels(self, ds):
        ((x, y),) = ds.test_set(["dog_7"], with_labels=True)
        assert (x, int(y)) == (7, 1)

    def test_at_a_later_stage(self):
        ds = Datasets(ITEMS, [[number, Transform(lambda x: x * 10)], [kind]])
        assert list(ds.test_set([7])) == [(70,)]
        assert list(ds.test_set([7], rm_tfms=2)) == [(7,)]

    def test_infer(self, ds):
        assert ds.infer("x_9") == (9,)

    def test_an_empty_copy(self, ds):
        empty = ds.new_empty()
        assert len(empty) == 0
        assert empty.infer("x_9") == (9,)
        assert empty.decode((1, 1)) == (1, "dog")
        assert list(empty.test_set(["x_5"])) == [(5,)]


def test_counts_as_another_split_for_a_while():
    ds = Datasets([1, 2], [[Transform(lambda x: -x, split_idx=0)]], splits=[[0], [1]])
    valid = ds.valid
    with valid.set_split_idx(0):
        assert valid[0] == (-2,)
    assert valid[0] == (2,)


def test_all_parts_of_an_item_draw_from_one_stream():
    ds = Datasets([0], [[Transform(lambda x: current())], [Transform(lambda x: current())]])
    a, b = ds[0]
    assert a is b


def test_a_label_of_the_validation_set_only():
    ds = Datasets(ITEMS, [[number], [kind, Categorize()]], splits=[[0], [1]])
    with pytest.raises(ItemError, match=r"'dog' is not in .* split .* add_na=True") as caught:
        ds.valid[0]
    assert caught.value.item == "dog_2"
    assert caught.value.__notes__[-1] == "while making item 0: str 'dog_2'"


def test_loaders_of_all_splits():
    ds = Datasets(range(6), [[noop], [noop]], splits=[[0, 1, 2], [3, 4], [5]])
    dls = ds.dataloaders(bs=2, shuffle=False, device="cpu")
    assert len(dls) == 3
    assert [x.tolist() for x, _ in dls.valid] == [[3, 4]]


def test_loaders_refuse_unknown_options(ds):
    with pytest.raises(UnknownArgumentError, match=r"'nonsense'"):
        ds.dataloaders(nonsense=3)


def test_repr_and_pickle(ds):
    assert repr(ds).startswith("Datasets(4 items, 1 of 2 inputs, Pipeline: number; ")
    assert [x for x, _ in pickle.loads(pickle.dumps(ds.train))] == [1, 2]
