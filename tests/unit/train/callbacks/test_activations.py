import pytest
import torch
from torch import nn

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.train.callback import Callback
from lamina.train.callbacks.activations import ActivationStats, HookCallback


def hooks_on(model):
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())


@pytest.fixture
def measured(make_learner):
    stats = ActivationStats(with_hist=True)
    learn = make_learner(cbs=stats)
    learn.fit(2)
    return stats


def test_every_layer_with_parameters_is_measured_in_every_training_batch(measured):
    assert measured.names == ["0", "1", "3"]
    assert measured.stats.shape == (8, 3, 3 + 40)
    assert len(measured.layer_stats("3")["mean"]) == 8


def test_the_values_are_those_of_the_outputs(make_learner):
    outputs = []
    keep = HookCallback(hook=lambda m, i, o: outputs.append(o))
    stats = ActivationStats(near=0.5)
    make_learner(cbs=[stats, keep]).fit(1)
    first = outputs[0]
    row = torch.tensor([v[0] for v in stats.layer_stats(0).values()])
    near = (first.abs() <= 0.5).float().mean()
    torch.testing.assert_close(row, torch.stack([first.mean(), first.std(correction=0), near]))


def test_negative_activations_are_not_near_zero(make_learner):
    stats = ActivationStats(modules=None, every=2)
    learn = make_learner(model=nn.Linear(3, 1), cbs=stats)
    nn.init.zeros_(learn.model.weight)
    nn.init.constant_(learn.model.bias, -5.0)
    learn.fit(1, lr=0.0)
    assert stats.layer_stats(0)["near_zero"] == [0.0, 0.0]


def test_histograms_hold_every_activation(measured):
    assert measured.hist("0").shape == (40, 8)
    assert measured.hist("0").sum(0).tolist() == [32.0] * 8


def test_a_new_fit_starts_anew(make_learner):
    stats = ActivationStats()
    learn = make_learner(cbs=stats)
    for n_epoch in (2, 1):
        learn.fit(n_epoch)
        assert len(stats.stats) == 4 * n_epoch


def test_reading_during_the_fit_changes_nothing(make_learner):
    stats = ActivationStats()
    read = Callback(after_epoch=lambda learn: stats.layer_stats(0))
    make_learner(cbs=[stats, read]).fit(3)
    assert stats.stats.shape == (12, 3, 3)


def test_hooks_are_gone_after_an_error(make_learner):
    def fail(learn):
        raise RuntimeError

    learn = make_learner(cbs=[ActivationStats(), Callback(after_loss=fail)])
    with pytest.raises(RuntimeError):
        learn.fit(1)
    assert hooks_on(learn.model) == 0


def test_hooks_may_stay_when_asked(make_learner):
    cb = HookCallback(hook=lambda m, i, o: None, remove_end=False, include_paramless=True)
    learn = make_learner(cbs=cb)
    learn.fit(1)
    assert hooks_on(learn.model) == 4
    cb.remove()
    assert hooks_on(learn.model) == 0


def test_gradients_can_be_looked_at(make_learner):
    cb = HookCallback(is_forward=False, hook=lambda m, grad_in, grad_out: grad_out[0].shape)
    learn = make_learner(cbs=cb)
    cb.modules = [learn.model[3]]
    learn.fit(1)
    assert cb.hooks.stored == [(8, 1)]


def test_a_callback_without_a_function_is_explained(make_learner):
    with pytest.raises(ContractError, match=r"what to do with a layer\. Pass hook="):
        make_learner(cbs=HookCallback()).fit(1)


def test_unknown_layers_and_missing_values_are_explained(measured):
    with pytest.raises(UnknownNameError, match="unknown layer '7'"):
        measured.layer_stats("7")
    with pytest.raises(ContractError, match=r"nothing was measured yet\. Fit"):
        ActivationStats().layer_stats(0)
    with pytest.raises(ContractError, match=r"no histograms\. Pass with_hist"):
        ActivationStats().hist(0)


def test_plots(measured):
    axes = measured.plot_layer_stats("1")
    assert [ax.get_title() for ax in axes] == ["mean", "std", "near_zero"]
    assert measured.color_dim("1").images[0].get_array().shape == (40, 8)
