import pytest
import torch
from torch import nn

from lamina.data.category import Categorize, MultiCategorize, OneHotEncode, RegressionSetup
from lamina.data.datasets import Datasets
from lamina.data.task import DenseLabels
from lamina.data.transform import RandTransform, Transform, encodes
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
        return x + uniform(1) if x.is_floating_point() else x


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


class Mask(Transform):
    task = DenseLabels(("dark", "light"))

    def encodes(self, x: torch.Tensor) -> torch.Tensor:
        return (x[0] > 0).long()


@pytest.fixture
def dense():
    pictures = torch.randn(6, 1, 8, 12, generator=torch.Generator().manual_seed(0))
    tfms = [[pictures.__getitem__, Jitter()], [pictures.__getitem__, Mask()]]
    data = Datasets(list(range(6)), tfms, splits=[[0, 1], [2, 3, 4, 5]])
    torch.manual_seed(0)
    return Learner(data.dataloaders(bs=2, device="cpu"), nn.Conv2d(1, 2, 1), seed=1)


def test_what_is_predicted_for_mirrored_pictures_is_mirrored_back(dense):
    plain, targs = dense.get_preds()
    mirrored, same_targs = dense.tta(n=1, beta=0.0)
    torch.testing.assert_close(mirrored, plain)
    assert torch.equal(targs, same_targs)


def test_dense_predictions_in_other_sizes_come_back_in_their_own(dense):
    plain, versions = dense.get_preds()[0], dense.tta(n=4, beta=0.0)[0]
    assert versions.shape == plain.shape == (4, 2, 8, 12)
    assert not torch.allclose(versions, plain)
    torch.testing.assert_close(versions.sum(1), torch.ones(4, 8, 12))


def test_dense_versions_by_transforms_of_ones_own(dense):
    brighter = dense.tta(n=1, beta=0.0, batch_tfms=[Jitter()])[0]
    assert not torch.allclose(brighter, dense.tta(n=1, beta=0.0)[0])
