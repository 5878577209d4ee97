import pytest
import torch
from torch import nn

from lamina.data.loader import DataLoader
from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import ContractError
from lamina.train.batch_size import BatchSizes
from lamina.train.callback import Callback


@pytest.fixture
def sized_learner(make_learner):
    def make(n=40, cbs=()):
        torch.manual_seed(0)
        learn = make_learner(model=nn.Linear(3, 1), cbs=cbs, seed=1)
        items = [(torch.ones(3), torch.ones(1))] * n
        learn.dls = DataLoaders(DataLoader(items, bs=2, shuffle=True), DataLoader(items, bs=2))
        return learn

    return make


def memory_for(n):
    def check(learn):
        if learn.running and len(learn.x) > n:
            raise torch.OutOfMemoryError("out of memory")

    return Callback(after_pred=check)


def test_sizes_double_until_memory_is_at_its_end(sized_learner):
    found = sized_learner(cbs=memory_for(10)).find_bs()
    assert (found.sizes, found.largest, found.why) == ([2, 4, 8], 8, "memory")
    assert all(0 < s < 1 for s in found.seconds)


@pytest.mark.parametrize(
    ("limits", "sizes", "why"),
    [
        ({}, [2, 4, 8, 16, 32], "max_bs"),
        ({"start": 3, "max_bs": 6}, [3, 6], "max_bs"),
        ({"max_seconds": 0.0}, [2], "max_seconds"),
    ],
)
def test_it_ends_at_the_size_of_the_set_or_at_the_limits_given(sized_learner, limits, sizes, why):
    found = sized_learner().find_bs(**limits)
    assert (found.sizes, found.why) == (sizes, why)


def test_learner_and_loader_are_as_before(sized_learner):
    tried, plain = sized_learner(), sized_learner()
    train = tried.dls.train
    tried.find_bs()
    assert tried.dls.train is train
    for learn in (tried, plain):
        learn.fit(1)
    assert torch.equal(tried.model.weight, plain.model.weight)


def test_other_errors_are_not_hidden(sized_learner):
    def fail(learn):
        if learn.running:
            raise RuntimeError("something else")

    learn = sized_learner(cbs=Callback(after_pred=fail))
    train = learn.dls.train
    with pytest.raises(RuntimeError, match="something else"):
        learn.find_bs()
    assert learn.dls.train is train


def test_what_cannot_be_tried_is_explained(sized_learner, make_learner):
    with pytest.raises(ContractError, match=r"a batch of 2 does not fit in memory. Start lower"):
        sized_learner(cbs=memory_for(1)).find_bs()
    with pytest.raises(ContractError, match="no batch size that could be changed"):
        make_learner().find_bs()


def test_the_fastest_has_the_most_items_per_second():
    assert BatchSizes([1, 2, 4], [1.0, 1.0, 4.0], "memory").fastest == 2
