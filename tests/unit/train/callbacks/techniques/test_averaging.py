import pytest
import torch
from torch import nn

from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.averaging import EMA, SWA
from lamina.train.callbacks.tracker import SaveModelCallback
from lamina.train.events import CancelFit


@pytest.fixture
def line(make_learner):
    """Make a learner of one linear layer, and the list of its weights after every step."""

    def make(*cbs, n_train=4):
        steps = []
        watch = Callback(after_step=lambda learn: steps.append(learn.model.weight.detach().clone()))
        torch.manual_seed(0)
        learn = make_learner(n_train=n_train, model=nn.Linear(3, 1), cbs=[*cbs, watch])
        return learn, steps

    return make


@pytest.mark.parametrize("warmup", [True, False])
def test_ema_is_the_formula_over_the_steps(line, warmup):
    ema = EMA(0.9, warmup=warmup)
    learn, steps = line(ema)
    expected = learn.model.weight.detach().clone()
    learn.fit(2)
    for n, weight in enumerate(steps):
        decay = min(0.9, (1 + n) / (10 + n)) if warmup else 0.9
        expected = decay * expected + (1 - decay) * weight
    torch.testing.assert_close(ema.averages["weight"], expected)
    torch.testing.assert_close(learn.model.weight.detach(), expected)


def test_ema_validates_with_the_average_and_trains_on_without(line):
    seen = []
    watch = Callback(after_validate=lambda learn: seen.append(learn.model.weight.detach().clone()))
    ema = EMA(0.5)
    (learn, steps), (plain, plain_steps) = line(ema, watch), line()
    learn.fit(2)
    plain.fit(2)
    assert all(torch.equal(a, b) for a, b in zip(steps, plain_steps, strict=True))
    assert torch.equal(seen[-1], ema.averages["weight"])
    assert learn.recorder.values[-1][2] == pytest.approx(learn.validate()[0])


def test_the_average_can_stay_out_of_the_model(line):
    learn, steps = line(EMA(0.5, at_end=False))
    learn.fit(2)
    assert torch.equal(learn.model.weight, steps[-1])


def test_the_best_model_that_is_saved_and_loaded_is_an_average(line):
    seen = []
    watch = Callback(after_epoch=lambda learn: seen.append(learn.validate()[0]))
    learn, _ = line(EMA(0.5), SaveModelCallback(), watch)
    learn.fit(3)
    assert learn.validate()[0] == pytest.approx(min(seen))


def test_stopping_early_keeps_the_average(line):
    def stop(learn):
        raise CancelFit

    ema = EMA(0.5)
    learn, _ = line(ema, Callback(after_epoch=stop))
    learn.fit(3)
    assert torch.equal(learn.model.weight, ema.averages["weight"])


@pytest.mark.parametrize("event", ["after_loss", "after_validate"])
def test_an_error_leaves_the_trained_weights(line, event):
    def fail(learn):
        if learn.running and not learn.training:
            raise ZeroDivisionError

    learn, steps = line(EMA(0.5), Callback(**{event: fail}))
    with pytest.raises(ZeroDivisionError):
        learn.fit(2)
    assert torch.equal(learn.model.weight, steps[-1])


def test_a_checkpoint_inside_of_a_fit_goes_on_to_the_bit(line):
    whole, _ = line(EMA(0.5), Callback(after_epoch=lambda learn: learn.save(f"e{learn.epoch}")))
    whole.fit(3)
    resumed, _ = line(EMA(0.5))
    resumed.load("e1")
    resumed.fit(3, start_epoch=2)
    assert torch.equal(whole.model.weight, resumed.model.weight)


def test_ema_of_low_precision_weights_is_kept_in_float32(make_learner):
    ema = EMA()
    learn = make_learner(model=nn.Linear(3, 1).bfloat16(), cbs=ema)
    learn.fit(1, cbs=Callback(before_batch=lambda learn: setattr(learn, "x", learn.x.bfloat16())))
    assert ema.averages["weight"].dtype == torch.float32


def test_the_rate_finder_and_validation_leave_averages_alone(line):
    ema = EMA()
    learn, _ = line(ema)
    learn.lr_find(num_it=6, show_plot=False)
    learn.validate()
    assert ema.averages == {}


def test_swa_is_the_mean_of_the_last_epochs(line):
    learn, steps = line(SWA(0.5))
    learn.fit(4)
    ends = torch.stack([steps[i] for i in (7, 11, 15)])
    torch.testing.assert_close(learn.model.weight.detach(), ends.mean(0))


def test_swa_measures_batch_norm_anew(make_learner):
    learn = make_learner(cbs=SWA(0.5))
    learn.fit(2)
    before = {k: v.clone() for k, v in learn.model[1].named_buffers()}
    hidden = torch.stack([learn.model[0](x).mean(0) for x, _ in learn.dls.train])
    torch.testing.assert_close(before["running_mean"], hidden.mean(0).detach())
    assert not learn.model.training
