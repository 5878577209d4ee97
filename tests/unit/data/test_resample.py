"""Loaders that draw by weight, or use a part of the items per pass; blocks made from columns."""

from collections import Counter

import pytest
import torch

from lamina.data.block import CategoryBlock, DataBlock, TransformBlock
from lamina.data.datasets import Datasets
from lamina.data.loader import DataLoader
from lamina.data.tfmd_loader import TfmdDL
from lamina.foundation.errors import ContractError, DataError
from lamina.tensor.types import TensorCategory

SPLITS = [list(range(8)), [8, 9]]


def dsets() -> Datasets:
    return Datasets(list(range(10)), [[]], splits=SPLITS)


def flat(dl: DataLoader) -> list[int]:
    return [x for (batch,) in dl for x in batch.tolist()]


def block(**settings) -> DataBlock:
    return DataBlock(TransformBlock, splitter=lambda items: SPLITS, **settings)


def test_items_are_drawn_as_often_as_their_weights_say():
    dls = dsets().weighted_dataloaders([1, 3, 0, 0, 0, 0, 0, 0], bs=4, seed=1)
    drawn = Counter(x for _ in range(200) for x in flat(dls.train))
    assert set(drawn) == {0, 1}
    assert 0.70 < drawn[1] / drawn.total() < 0.80
    assert flat(dls.valid) == [8, 9]


def test_draws_follow_from_the_seed_and_differ_per_pass():
    def passes(workers: int) -> list[list[int]]:
        dls = dsets().weighted_dataloaders([1] * 8, bs=2, seed=1, num_workers=workers)
        return [flat(dls.train), flat(dls.train)]

    first, second = passes(0)
    assert first != second
    assert passes(2) == passes(0)


def test_weights_may_be_given_for_all_items():
    wgts = [0] * 7 + [1, 5, 5]
    assert set(flat(dsets().weighted_dataloaders(wgts, bs=8).train)) == {7}
    assert set(flat(block().weighted_dataloaders(range(10), wgts, bs=8).train)) == {7}


@pytest.mark.parametrize("n", [3, 9])
def test_weights_that_do_not_fit_are_refused(n):
    message = rf"got {n} weights for 8 training items\. Give 8.*or 10 for all items"
    with pytest.raises(DataError, match=message):
        dsets().weighted_dataloaders([1] * n, bs=4)


@pytest.mark.parametrize("wgts", [[0.0] * 8, [-1.0] + [1.0] * 7, [float("nan")] * 8])
def test_what_is_no_weight_is_refused(wgts):
    with pytest.raises(DataError, match="must be finite numbers from 0, not all 0"):
        dsets().weighted_dataloaders(wgts, bs=4)


def test_weights_are_one_list_of_numbers():
    with pytest.raises(DataError, match=r"got 8 x 2 weights for 8 training items\. Give 8"):
        dsets().weighted_dataloaders([[1.0, 2.0]] * 8, bs=4)
    with pytest.raises(DataError, match=r"got 1 weights for 8 training items\. Give 8"):
        dsets().weighted_dataloaders(1.0, bs=4)
    with pytest.raises(DataError, match=r"weighted_dataloaders: .*dict\. Give a list of numbers"):
        dsets().weighted_dataloaders({"a": 1.0}, bs=4)


def test_a_pass_uses_a_part_of_the_items_and_another_one_the_next_time():
    dls = dsets().partial_dataloaders(4, bs=2, seed=1)
    first, second = flat(dls.train), flat(dls.train)
    assert len(dls.train) == 2
    assert len(set(first)) == len(set(second)) == 4
    assert set(first) != set(second)


def test_a_part_may_be_all_but_not_nothing():
    assert len(flat(block().partial_dataloaders(range(10), 50, bs=2).train)) == 8
    with pytest.raises(ContractError, match=r"partial_n=0\. Give 1 or more"):
        dsets().partial_dataloaders(0, bs=4)


class Marked(TfmdDL):
    """A loader of a kind of its own."""


@pytest.mark.parametrize(("verb", "given"), [("weighted", [0] * 7 + [1]), ("partial", 1)])
def test_what_blocks_ask_of_their_loaders_stays(verb, given):
    doubled = {"before_batch": lambda items: [(x * 2,) for (x,) in items]}
    kind = TransformBlock(dl_type=Marked, dls_kwargs=doubled)
    blocks = DataBlock(kind, splitter=lambda items: SPLITS)
    dls = getattr(blocks, f"{verb}_dataloaders")([7] * 10, given, bs=1)
    assert isinstance(dls.train, Marked)
    assert set(flat(dls.train)) == {14}


def test_a_test_loader_does_not_draw():
    dls = Datasets([0, 1, 2], [[]]).partial_dataloaders(2, bs=2)
    assert flat(dls.test_dl([5, 6, 7])) == [5, 6, 7]


# Columns


def test_a_block_from_columns_takes_one_column_per_block():
    columns = DataBlock.from_columns(
        (TransformBlock, CategoryBlock), splitter=lambda items: ([0, 1], [2])
    )
    dls = columns.dataloaders([[1, 2, 3], ["a", "b", "a"]], bs=2, shuffle=False, device="cpu")
    x, y = dls.one_batch()
    assert x.equal(torch.tensor([1, 2]))
    assert dls.vocab == ["a", "b"]
    assert isinstance(y, TensorCategory)


def test_columns_may_be_found_and_items_read_in_other_ways():
    columns = DataBlock.from_columns(
        TransformBlock,
        getters=[sum],
        get_items=lambda source: (source["a"], source["b"]),
        splitter=lambda items: ([0], [1]),
    )
    assert columns.datasets({"a": [1, 2], "b": [10, 20]})[1] == (22,)


def test_columns_of_different_length_are_refused():
    with pytest.raises(DataError, match=r"columns have 2, 3 values\. Give columns of one length"):
        DataBlock.from_columns().datasets([[1, 2], [1, 2, 3]])
