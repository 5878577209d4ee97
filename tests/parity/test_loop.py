"""Training with the loop gives what a plain loop in PyTorch gives, and waits for nothing."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from lamina.data.loaders import DataLoaders
from lamina.metrics.regress import mae
from lamina.optim.recipes import SGD, Adam
from lamina.train.learner import Learner


def make_batches(n, seed):
    draw = torch.Generator().manual_seed(seed)
    xs = [torch.randn(16, 5, generator=draw) for _ in range(n)]
    return [(x, x.pow(2).sum(1, keepdim=True)) for x in xs]


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


TRAIN, VALID = make_batches(6, 0), make_batches(2, 1)


def plain_loop(opt_func, n_epoch):
    model = make_model()
    opt = opt_func(model.parameters())
    for _ in range(n_epoch):
        model.train()
        for x, y in TRAIN:
            F.mse_loss(model(x), y).backward()
            opt.step()
            opt.zero_grad()
    return model


def adam(params, lr):
    return Adam(params, lr, mom=0.9, sqr_mom=0.999, eps=1e-8, wd=0.0)


PAIRS = {
    "sgd": (SGD, lambda params: torch.optim.SGD(params, lr=0.01)),
    "adam": (adam, lambda params: torch.optim.Adam(params, lr=0.01)),
    "torch": (torch.optim.RMSprop, lambda params: torch.optim.RMSprop(params, lr=0.01)),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_fit_equals_a_plain_torch_loop(pair):
    ours, theirs = pair
    learn = Learner(DataLoaders(TRAIN, VALID), make_model(), F.mse_loss, ours, 0.01, metrics=mae)
    learn.fit(3)
    expected = plain_loop(theirs, 3).state_dict()
    torch.testing.assert_close(learn.model.state_dict(), expected, rtol=1e-5, atol=1e-6)


def test_validate_equals_a_plain_pass():
    model = make_model().eval()
    learn = Learner(DataLoaders(TRAIN, VALID), model, F.mse_loss, metrics=mae)
    with torch.no_grad():
        losses = torch.tensor([F.mse_loss(model(x), y) for x, y in VALID])
        errors = torch.tensor([F.l1_loss(model(x), y) for x, y in VALID])
    expected = [losses.mean().item(), errors.mean().item()]
    assert learn.validate() == pytest.approx(expected, rel=1e-5)


class CountReads(TorchDispatchMode):
    """Count the values that are read back from tensors."""

    def __init__(self):
        super().__init__()
        self.n_reads = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n_reads += "_local_scalar_dense" in str(func)
        return func(*args, **(kwargs or {}))


def count_reads(n_batches):
    dls = DataLoaders(make_batches(n_batches, 0), make_batches(n_batches, 1))
    learn = Learner(dls, make_model(), F.mse_loss, metrics=mae)
    with CountReads() as count:
        learn.fit_one_cycle(1)
    return count.n_reads


def test_no_value_is_read_in_the_step():
    assert count_reads(50) == count_reads(5)
