"""Callbacks that change the mode of layers, the memory format, or the length of epochs."""

import pytest
import torch
from torch import nn

from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import ContractError
from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.batchnorm import (
    BnFreeze,
    kept_statistics,
    refresh_statistics,
    set_bn_eval,
)
from lamina.train.callbacks.techniques.channels_last import ChannelsLast
from lamina.train.callbacks.techniques.mc_dropout import MCDropoutCallback
from lamina.train.callbacks.techniques.short_epoch import ShortEpochCallback


def nested_norm(*, frozen):
    return nn.Sequential(nn.Sequential(nn.BatchNorm1d(3)).requires_grad_(not frozen))


def test_frozen_batch_norm_goes_to_evaluation_and_back_at_any_depth():
    model = nested_norm(frozen=True).train()
    set_bn_eval(model)
    assert not model[0][0].training
    set_bn_eval(model, use_eval=False)
    assert model[0][0].training


def test_batch_norm_that_trains_is_left_alone():
    model = nested_norm(frozen=False).train()
    set_bn_eval(model)
    assert model[0][0].training


@pytest.mark.parametrize(("cbs", "is_kept"), [([], False), ([BnFreeze], True)])
def test_bn_freeze_keeps_the_statistics(make_learner, cbs, is_kept):
    model = nn.Sequential(nn.BatchNorm1d(3).requires_grad_(False), nn.Linear(3, 1))
    make_learner(model=model, cbs=cbs).fit(1)
    assert torch.equal(model[0].running_mean, torch.zeros(3)) == is_kept


def test_validating_inside_of_a_fit_leaves_frozen_layers_frozen(make_learner):
    modes = []
    model = nn.Sequential(nn.BatchNorm1d(3).requires_grad_(False), nn.Linear(3, 1))

    def look(learn):
        learn.validate()
        modes.append((model[0].training, model[1].training))

    make_learner(n_train=1, model=model, cbs=[BnFreeze, Callback(before_backward=look)]).fit(1)
    assert modes == [(False, True)]


def test_statistics_can_be_spared_and_measured_anew(make_learner):
    learn = make_learner(model=nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)))
    norm = learn.model[0].train()
    with kept_statistics(learn.model):
        norm(torch.ones(4, 3))
    assert (norm.num_batches_tracked, norm.momentum) == (0, 0.1)
    assert torch.equal(norm.running_mean, torch.zeros(3))
    refresh_statistics(learn)
    means = torch.stack([x.mean(0) for x, _ in learn.dls.train])
    torch.testing.assert_close(norm.running_mean, means.mean(0))
    assert (norm.momentum, norm.training) == (0.1, False)


def test_mc_dropout_samples_predictions(make_learner):
    learn = make_learner(model=nn.Sequential(nn.Linear(3, 64), nn.Dropout(), nn.Linear(64, 1)))
    plain = learn.get_preds()[0]
    first, second = (learn.get_preds(cbs=MCDropoutCallback)[0] for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(learn.get_preds()[0], plain)


@pytest.fixture
def picture_learner(make_learner):
    data = [(torch.randn(4, 3, 8, 8), torch.zeros(4, 1))]
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    learn = make_learner(model=nn.Sequential(model, nn.Linear(4, 1)))
    learn.dls = DataLoaders(data, data)
    return learn


def is_channels_last(x):
    return x.is_contiguous(memory_format=torch.channels_last)


def test_channels_last_lays_out_model_optimizer_and_batches(picture_learner):
    learn, formats = picture_learner, []
    learn.fit(1)
    learn.to_channelslast()
    weight = learn.model[0][0].weight
    assert is_channels_last(weight)
    assert all(is_channels_last(v) for v in learn.opt.state[weight].values() if v.ndim == 4)
    watch = Callback(after_batch=lambda learn: formats.append(is_channels_last(learn.x)))
    learn.fit(1, cbs=watch)
    assert all(formats)
    learn.to_contiguous()
    assert weight.is_contiguous()
    assert not any(isinstance(cb, ChannelsLast) for cb in learn.cbs)


@pytest.mark.parametrize(("pct", "n"), [(0.01, 1), (0.5, 2), (1.0, 4)])
@pytest.mark.parametrize("short_valid", [True, False])
def test_a_short_epoch_has_a_part_of_the_batches(make_learner, pct, n, short_valid):
    counts = {True: 0, False: 0}

    def count(learn):
        counts[learn.training] += 1

    learn = make_learner(n_valid=4, cbs=ShortEpochCallback(pct, short_valid=short_valid))
    learn.fit(1, cbs=Callback(after_pred=count))
    assert counts == {True: n, False: n if short_valid else 4}
    assert len(learn.recorder.values) == 1


def test_predictions_are_not_cut_short(make_learner):
    learn = make_learner(cbs=ShortEpochCallback())
    assert len(learn.get_preds()[0]) == 16


def test_a_short_epoch_needs_a_length(make_learner):
    class Stream:
        def __iter__(self):
            yield torch.ones(2, 3), torch.ones(2, 1)

    learn = make_learner(cbs=ShortEpochCallback())
    learn.dls = DataLoaders(Stream(), [])
    with pytest.raises(ContractError, match="no length to take a part of"):
        learn.fit(1)
