"""Batch norm and its running statistics: frozen, spared, or measured anew."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lamina.train.callback import Callback

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["BnFreeze", "kept_statistics", "refresh_statistics", "set_bn_eval"]


def set_bn_eval(model: nn.Module, *, use_eval: bool = True) -> None:
    """Put batch norm layers whose parameters are frozen, at any depth, into evaluation mode.

    Args:
        model: The model.
        use_eval: False puts them into training mode.

    Example:
        >>> model = nn.Sequential(nn.Sequential(nn.BatchNorm1d(2)).requires_grad_(False))
        >>> set_bn_eval(model)
        >>> model[0][0].training
        False
    """
    for layer in _batch_norms(model):
        trained = [p.requires_grad for p in layer.parameters()]
        if trained and not any(trained):
            layer.train(not use_eval)


class BnFreeze(Callback):
    """Keep the running statistics of batch norm layers whose parameters are frozen.

    Needs a learner with `train_bn=False`, which freezes them with their group.
    """

    def before_train(self, learn: "Learner") -> None:
        set_bn_eval(learn.model)


@contextmanager
def kept_statistics(model: nn.Module) -> Generator[None]:
    """Leave running statistics as they are inside a `with` block, also in training mode."""
    layers = [layer for layer in _batch_norms(model) if layer.track_running_stats]
    before = [(layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.momentum, layer.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for layer, (momentum, n) in zip(layers, before, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, n


@torch.no_grad()
def refresh_statistics(learn: "Learner") -> None:
    """Measure the running statistics of batch norm anew, over one pass of the training set."""
    layers = [layer for layer in _batch_norms(learn.model) if layer.track_running_stats]
    momenta = [layer.momentum for layer in layers]
    if not layers:
        return
    learn.model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
        layer.train()
    try:
        for batch in learn.dls.train:
            learn.xb, _ = learn.split_batch(batch)
            learn.predict_batch()
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
            layer.eval()


def _batch_norms(model: nn.Module) -> list[_BatchNorm]:
    return [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
