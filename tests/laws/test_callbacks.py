"""What holds for every callback: order of events, cancellation, cleaning up, no trace."""

import pytest
import torch
from torch import nn

from lamina.data.loaders import DataLoaders
from lamina.nn.losses import MSELossFlat
from lamina.optim.recipes import Adam
from lamina.train import events
from lamina.train.callback import Callback
from lamina.train.events import EVENTS
from lamina.train.learner import Learner

TRAIN_BATCH = [
    "before_batch",
    "after_pred",
    "after_loss",
    "before_backward",
    "after_backward",
    "before_step",
    "after_step",
    "after_batch",
]
VALID_BATCH = ["before_batch", "after_pred", "after_loss", "after_batch"]
EPOCH = [
    "before_epoch",
    "before_train",
    *TRAIN_BATCH,
    "after_train",
    "before_validate",
    *VALID_BATCH,
    "after_validate",
    "after_epoch",
]
FIT = ["before_fit", *EPOCH, "after_fit"]


def one_batch(seed):
    draw = torch.Generator().manual_seed(seed)
    return [(torch.randn(4, 3, generator=draw), torch.randn(4, 1, generator=draw))]


def make_learner(cbs=(), **kwargs):
    torch.manual_seed(0)
    dls = DataLoaders(one_batch(1), one_batch(2))
    return Learner(dls, nn.Linear(3, 1), MSELossFlat(), Adam, 0.1, cbs=cbs, **kwargs)


def writing_down(log):
    return Callback(**{name: lambda learn, name=name: log.append(name) for name in EVENTS})


def raising(event, error):
    def fail(learn):
        raise error

    return Callback(**{event: fail})


def run(event, error, n_epoch=1):
    """Fit with a callback that raises in an event; return what was emitted, and the learner."""
    log = []
    learn = make_learner([writing_down(log)])
    log.clear()
    with learn.added_cbs(raising(event, error)):
        learn.fit(n_epoch)
    return log, learn


def test_events_come_in_the_exact_order():
    log = []
    make_learner([writing_down(log)]).fit(1)
    assert log == ["after_create", *FIT]


def test_two_epochs_repeat_the_epoch_inside_of_one_fit():
    log = []
    make_learner([writing_down(log)]).fit(2)
    assert log == ["after_create", "before_fit", *EPOCH, *EPOCH, "after_fit"]


def test_validate_opens_and_closes_all_outer_parts():
    log = []
    make_learner([writing_down(log)]).validate()
    inner = ["before_validate", *VALID_BATCH, "after_validate"]
    assert log[1:] == ["before_fit", "before_epoch", *inner, "after_epoch", "after_fit"]


def test_an_empty_callback_changes_nothing_to_the_bit():
    learn, other = make_learner(), make_learner([Callback, Callback()])
    for one in (learn, other):
        one.fit_one_cycle(3)
    assert torch.equal(learn.model.weight, other.model.weight)
    assert learn.recorder.losses == other.recorder.losses


CASES = {
    "backward": ("before_backward", "after_backward", ["before_step", "after_step"]),
    "step": ("before_step", "after_step", ["after_batch"]),
    "batch": ("after_pred", "after_batch", ["after_train"]),
    "train": ("before_train", "after_train", ["before_validate"]),
    "validate": ("before_validate", "after_validate", ["after_epoch"]),
    "epoch": ("before_epoch", "after_epoch", ["after_fit"]),
    "fit": ("before_fit", "after_fit", []),
}
EXCEPTIONS = {
    "backward": events.CancelBackwardException,
    "step": events.CancelStepException,
    "batch": events.CancelBatchException,
    "train": events.CancelTrainException,
    "validate": events.CancelValidException,
    "epoch": events.CancelEpochException,
    "fit": events.CancelFitException,
}


@pytest.mark.parametrize("part", CASES)
def test_a_cancelled_part_emits_its_cancel_event_and_its_end(part):
    event, end, following = CASES[part]
    log, _ = run(event, EXCEPTIONS[part])
    at = log.index(f"after_cancel_{part}")
    assert log[at - 1 : at + 2 + len(following)] == [
        event,
        f"after_cancel_{part}",
        end,
        *following,
    ]


def test_cancelling_the_fit_in_a_batch_ends_every_open_part_innermost_first():
    log, _ = run("after_loss", events.CancelFit)
    cut = FIT.index("after_loss") + 1
    ends = ["after_batch", "after_train", "after_epoch", "after_cancel_fit", "after_fit"]
    assert log == [*FIT[:cut], *ends]


def test_cancelling_the_batch_in_the_step_skips_the_zeroing_of_gradients():
    log, learn = run("before_step", events.CancelBatch)
    assert log[log.index("before_step") + 1 :][:3] == [
        "after_step",
        "after_cancel_batch",
        "after_batch",
    ]
    assert learn.model.weight.grad is not None


INSIDE_FIT = [event for event in FIT if event != "after_fit"]


@pytest.mark.parametrize("event", sorted(set(INSIDE_FIT)))
def test_cancel_at_every_event_leaves_a_consistent_learner(event):
    log, learn = run(event, events.CancelFit, n_epoch=2)
    opened = [name for name in log if name.startswith("before_")]
    closed = [name for name in log if f"before_{name[6:]}" in FIT and name.startswith("after_")]
    assert sorted(name[7:] for name in opened) == sorted(name[6:] for name in closed)
    assert log[-2:] == ["after_cancel_fit", "after_fit"]
    assert (learn.running, learn.training, learn.exc) == (False, False, None)
    learn.fit(1)
    assert log[-len(FIT) :] == FIT


@pytest.mark.parametrize("event", sorted(set(FIT)))
def test_after_events_run_also_on_an_error_and_exc_tells_why(event):
    log, why = [], []
    error = ZeroDivisionError("on purpose")
    watch = Callback(after_fit=lambda learn: why.append(learn.exc))
    learn = make_learner([writing_down(log), watch])
    with learn.added_cbs(raising(event, error)), pytest.raises(ZeroDivisionError):
        learn.fit(1)
    opened = {name[7:] for name in log if name.startswith("before_")}
    assert opened <= {name[6:] for name in log if name.startswith("after_")}
    assert log[-1] == "after_fit"
    assert why == [None if event == "after_fit" else error]
    assert not learn.running


def test_exc_is_the_cancellation_while_it_passes_through():
    seen = []
    watch = Callback(
        after_batch=lambda learn: seen.append(type(learn.exc)),
        after_train=lambda learn: seen.append(learn.exc),
    )
    learn = make_learner([watch])
    learn.fit(1, cbs=raising("after_pred", events.CancelBatch))
    assert seen[:2] == [events.CancelBatch, None]


def test_every_callback_hears_the_end_even_if_another_fails_there():
    heard = []
    failing = raising("after_fit", ZeroDivisionError())
    learn = make_learner([failing, Callback(after_fit=lambda learn: heard.append("closed"))])
    with pytest.raises(ZeroDivisionError):
        learn.fit(1)
    assert heard == ["closed"]


def test_registration_order_does_not_matter_between_different_orders():
    early = type("Early", (Callback,), {"order": -5, "after_loss": lambda self, learn: 0})
    late = type("Late", (Callback,), {"order": 5, "after_loss": lambda self, learn: 0})
    for cbs in ([early, late], [late, early]):
        names = [cb.name for cb in make_learner(cbs).ordered_cbs("after_loss")]
        assert names == ["early", "late"]
