import pytest
import torch
from torch import nn

from lamina.data.category import Categorize, MultiCategorize, OneHotEncode, RegressionSetup
from lamina.data.datasets import Datasets
from lamina.data.transform import RandTransform, encodes
from lamina.foundation.errors import ContractError
from lamina.tensor.random import uniform
from lamina.train.learner import Learner

TARGETS = {
    "single": [lambda i: "ab"[i % 2], Categorize()],
    "multi": [lambda i: ["a", "b"][: 1 + i % 2], MultiCategorize(), OneHotEncode()],
    "regression": [lambda i: (i / 10, i / 20), RegressionSetup()],
}


class Jitter(RandTransform):
    @encodes
    def jitter(self, x: torch.Tensor):
        return x + uniform(1)


def to_input(i):
    return torch.tensor([float(i), 1.0])


@pytest.fixture(params=TARGETS)
def learn(request):
    items = list(range(10))
    tfms = [[to_input, Jitter()], TARGETS[request.param]]
    data = Datasets(items, tfms, splits=[items[:6], items[6:]])
    torch.manual_seed(0)
    return Learner(data.dataloaders(bs=4, device="cpu"), nn.Linear(2, 2), seed=1)


def test_it_is_the_mean_of_versions_and_the_plain_item_in_order(learn):
    plain, targs = learn.get_preds()
    versions, same_targs = learn.tta(beta=0.0)
    assert torch.equal(targs, same_targs)
    assert not torch.allclose(versions, plain)
    torch.testing.assert_close(learn.tta(beta=1.0)[0], plain)
    torch.testing.assert_close(learn.tta(beta=0.25)[0], torch.lerp(versions, plain, 0.25))


def test_draws_differ_between_versions_and_are_the_same_every_time(learn):
    one, four = learn.tta(n=1, beta=0.0)[0], learn.tta(n=4, beta=0.0)[0]
    assert not torch.equal(one, four)
    assert torch.equal(four, learn.tta(n=4, beta=0.0)[0])


def test_the_largest_can_be_taken(learn):
    plain, largest = learn.get_preds()[0], learn.tta(use_max=True)[0]
    assert bool((largest >= plain).all())
    assert not torch.equal(largest, plain)


def test_the_shuffled_training_set_keeps_its_order(learn):
    assert torch.equal(learn.tta(ds_idx=0)[1], learn.get_preds(ds_idx=0)[1])


def test_the_data_set_is_as_before(learn):
    learn.tta()
    assert learn.dls.valid_ds.split_idx == 1
    assert torch.equal(learn.get_preds()[0], learn.get_preds()[0])


def test_plain_batches_cannot_be_varied(make_learner):
    with pytest.raises(ContractError, match=r"tta: .* Give n of 1 or more, and a loader of Lamina"):
        make_learner().tta()
