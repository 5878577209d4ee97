import pytest
import torch
from torch import nn

from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.nan import TerminateOnNaNCallback


class Log(nn.Module):
    def forward(self, x):
        return x.log()


def spoil_at(batch):
    def spoil(learn):
        if learn.training and learn.train_iter == batch:
            learn.loss = learn.loss * float("nan")

    return Callback(after_loss=spoil)


def test_the_first_bad_layer_is_named(make_learner):
    model = nn.Sequential(nn.Linear(3, 4), Log(), nn.Linear(4, 1))
    stop = TerminateOnNaNCallback(every=1)
    learn = make_learner(model=model, cbs=stop)
    message = r"epoch 0, batch 0: Layer '1 \(Log\)' gives the first output that is not finite"
    with pytest.warns(UserWarning, match=message):
        learn.fit(3)
    assert learn.train_iter == 0
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(("every", "last"), [(1, 2), (4, 3), (100, 4)])
def test_losses_are_looked_at_after_some_batches_and_at_the_end_of_an_epoch(
    make_learner, every, last
):
    learn = make_learner(cbs=[TerminateOnNaNCallback(every), spoil_at(2)])
    with pytest.warns(UserWarning, match="not finite"):
        learn.fit(3)
    assert learn.train_iter == last


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda learn: learn.model[0].weight.data.fill_(torch.inf), "weights '0.weight' are not"),
        (lambda learn: learn.x.fill_(torch.nan), "input of the batch is not finite"),
        (lambda learn: learn.y.fill_(torch.nan), "loss function or the target is the cause"),
    ],
)
def test_other_causes_are_told_apart(make_learner, spoil, message):
    learn = make_learner(cbs=[TerminateOnNaNCallback(1), Callback(before_batch=spoil)])
    with pytest.warns(UserWarning, match=message):
        learn.fit(1)


def test_a_sound_fit_ends_by_itself(make_learner):
    stop = TerminateOnNaNCallback()
    learn = make_learner(cbs=stop)
    learn.fit(2)
    assert (stop.found, learn.train_iter) == (None, 8)
