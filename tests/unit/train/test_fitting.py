import pytest
import torch
from torch import nn

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.nn.params import trainable_params
from lamina.optim.recipes import SGD, Adam
from lamina.train.callback import Callback
from lamina.train.callbacks.schedule import ParamScheduler


def two_groups(model):
    return [trainable_params(model[:2]), trainable_params(model[3:])]


def rates_of(learn, fit, *args, **kwargs):
    """Return the learning rates of all groups before each training step."""
    seen = []
    watch = Callback(before_step=lambda learn: seen.append([h["lr"] for h in learn.opt.hypers]))
    fit(*args, cbs=watch, **kwargs)
    return seen


def test_fit_takes_rate_and_decay_or_the_learners_own(make_learner):
    learn = make_learner(wd=0.3)
    learn.fit(1)
    assert (learn.opt.hypers[0]["lr"], learn.opt.hypers[0]["wd"]) == (0.05, 0.3)
    learn.fit(1, lr=0.01, wd=0.1)
    assert (learn.opt.hypers[0]["lr"], learn.opt.hypers[0]["wd"]) == (0.01, 0.1)


def test_a_slice_spreads_rates_over_the_groups(make_learner):
    learn = make_learner(splitter=two_groups)
    assert rates_of(learn, learn.fit, 1, slice(0.001, 0.1))[0] == pytest.approx([0.001, 0.1])
    assert rates_of(learn, learn.fit, 1, slice(0.1))[0] == pytest.approx([0.01, 0.1])


def test_the_optimizer_is_kept_unless_reset(make_learner):
    learn = make_learner()
    learn.fit(1)
    first = learn.opt
    learn.fit(1)
    assert learn.opt is first
    learn.fit(1, reset_opt=True)
    assert learn.opt is not first


def test_one_cycle_rises_and_falls_per_batch(make_learner):
    learn = make_learner(n_train=10)
    rates = [rate for (rate,) in rates_of(learn, learn.fit_one_cycle, 2, 0.1)]
    assert rates[0] == pytest.approx(0.1 / 25)
    assert max(rates) == rates[5] == pytest.approx(0.1)
    assert rates[-1] < 0.002


def test_one_cycle_moves_momentum_against_the_rate(make_learner):
    learn = make_learner(opt_func=Adam, n_train=8)
    learn.fit_one_cycle(1, moms=(0.9, 0.8, 0.7))
    moms = learn.recorder.hps["mom"]
    assert (moms[0], min(moms[:3])) == (0.9, pytest.approx(0.8))


def test_one_cycle_gives_every_group_its_own_cycle(make_learner):
    learn = make_learner(splitter=two_groups)
    rates = rates_of(learn, learn.fit_one_cycle, 1, slice(0.01, 0.1))
    assert rates[1] == pytest.approx([0.01, 0.1])


def test_flat_cos_is_flat_then_falls(make_learner):
    learn = make_learner(n_train=8)
    rates = [rate for (rate,) in rates_of(learn, learn.fit_flat_cos, 1, 0.1)]
    assert rates[:6] == pytest.approx([0.1] * 6)
    assert rates[7] < rates[6] <= 0.1


def test_start_epoch_continues_a_schedule(make_learner):
    whole, rest = make_learner(), make_learner()
    expected = rates_of(whole, whole.fit_flat_cos, 3, 0.1)[8:]
    assert rates_of(rest, rest.fit_flat_cos, 3, 0.1, start_epoch=2) == expected


@pytest.mark.parametrize(("mult", "n_epoch"), [(1, 3), (2, 7)])
def test_sgdr_restarts_the_rate_in_every_cycle(make_learner, mult, n_epoch):
    learn = make_learner()
    rates = [rate for (rate,) in rates_of(learn, learn.fit_sgdr, 3, 1, 0.1, cycle_mult=mult)]
    assert len(rates) == 4 * n_epoch
    assert rates[0] == rates[4] == pytest.approx(0.1)


def test_fine_tune_trains_the_head_first_then_everything(make_learner):
    learn = make_learner(splitter=two_groups)
    body = learn.model[0].weight.clone()
    changed = []
    watch = Callback(after_fit=lambda learn: changed.append(learn.model[0].weight.ne(body).any()))
    learn.fine_tune(2, cbs=watch)
    assert changed == [False, True]
    assert learn.n_epoch == 2
    assert learn.recorder.lrs[0] == pytest.approx(1e-3 / 5)


def test_norm_layers_keep_training_when_frozen(make_learner):
    learn = make_learner(splitter=two_groups)
    learn.freeze()
    assert [p.requires_grad for p in learn.model.parameters()] == [False, False] + [True] * 4
    learn.unfreeze()
    assert all(p.requires_grad for p in learn.model.parameters())


def test_norm_layers_are_frozen_without_train_bn(make_learner):
    learn = make_learner(splitter=two_groups, train_bn=False)
    learn.freeze_to(1)
    assert [p.requires_grad for p in learn.model.parameters()] == [False] * 4 + [True] * 2


@pytest.mark.parametrize("wd_bn_bias", [False, True])
def test_norm_layers_and_biases_do_not_decay_unless_told(make_learner, wd_bn_bias):
    model = nn.Sequential(nn.Linear(3, 1), nn.BatchNorm1d(1))
    learn = make_learner(model=model, wd=0.5, wd_bn_bias=wd_bn_bias)
    zero_grads = Callback(before_step=lambda learn: [p.grad.zero_() for p in model.parameters()])
    weight, gain = model[0].weight.clone(), model[1].weight.clone()
    learn.fit(1, lr=0.1, cbs=zero_grads)
    assert not torch.equal(model[0].weight, weight)
    assert torch.equal(model[1].weight, gain) is not wd_bn_bias


def test_a_schedule_for_an_unknown_hyper_is_refused(make_learner):
    learn = make_learner()
    with pytest.raises(UnknownNameError, match=r"unknown hyper-parameter 'lrr'. Did you mean 'lr'"):
        learn.fit(1, cbs=ParamScheduler({"lrr": lambda pct: pct}))


def test_optimizers_of_torch_and_partials_are_taken(make_learner):
    learn = make_learner(opt_func=torch.optim.AdamW)
    learn.fit_one_cycle(1)
    assert learn.opt.opt.param_groups[0]["lr"] < 0.05
    make_learner(opt_func=lambda params, lr: SGD(params, lr, mom=0.9)).fit(1)


def test_wsd_warms_up_stays_and_decays_with_the_root(make_learner):
    learn = make_learner(n_train=10)
    rates = [r for (r,) in rates_of(learn, learn.fit_wsd, 2, 0.1, pct_warmup=0.1, pct_decay=0.25)]
    assert rates[:3] == pytest.approx([0.0, 0.05, 0.1])
    assert rates[2:16] == pytest.approx([0.1] * 14)
    assert rates[16:] == pytest.approx([0.1 * (1 - (k / 5) ** 0.5) for k in range(1, 5)])


def test_wsd_can_be_extended_from_where_the_decay_began(make_learner, tmp_path):
    learn = make_learner(n_train=4)
    weights = []

    def note(learn):
        if learn.training:
            weights.append(learn.model[0].weight.detach().clone())

    watch = Callback(before_batch=note)
    learn.fit_wsd(2, 0.1, pct_decay=0.5, keep="stable", cbs=watch)
    learn.load("stable")
    assert torch.equal(learn.model[0].weight, weights[4])
    rates = rates_of(learn, learn.fit_wsd, 1, 0.1, pct_warmup=0, pct_decay=0)
    assert [r for (r,) in rates] == pytest.approx([0.1] * 4)


def test_wsd_refuses_parts_that_do_not_add_up(make_learner):
    with pytest.raises(ContractError, match=r"pct_decay=0.8 leave -0.30 of the fit"):
        make_learner().fit_wsd(1, pct_warmup=0.5, pct_decay=0.8)
