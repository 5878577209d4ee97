"""A small learner that learns a line."""

import pytest
import torch
from torch import nn

from lamina.data.loaders import DataLoaders
from lamina.nn.losses import MSELossFlat
from lamina.optim.recipes import SGD
from lamina.train.learner import Learner


def line_batches(n_batches: int, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(seed)
    xs = [torch.randn(8, 3, generator=draw) for _ in range(n_batches)]
    return [(x, x.sum(1, keepdim=True)) for x in xs]


def line_model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))


@pytest.fixture
def make_learner(tmp_path):
    """Make a learner; keyword arguments go to `Learner`."""

    def make(n_train: int = 4, n_valid: int = 2, model: nn.Module | None = None, **kwargs):
        sets = [line_batches(n_train), line_batches(n_valid, seed=1)]
        given = {"loss_func": MSELossFlat(), "opt_func": SGD, "lr": 0.05, "path": tmp_path}
        return Learner(DataLoaders(*sets), model or line_model(), **{**given, **kwargs})

    return make
