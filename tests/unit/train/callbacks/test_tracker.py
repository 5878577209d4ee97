import pytest
import torch

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.metrics.base import ValueMetric
from lamina.train.callback import Callback
from lamina.train.callbacks.tracker import (
    EarlyStoppingCallback,
    ReduceLROnPlateau,
    SaveModelCallback,
    TrackerCallback,
)


@pytest.fixture
def scripted(make_learner):
    """Make a learner whose metric takes the given values, epoch by epoch."""

    def make(name, values, cb):
        learn = make_learner(metrics=ValueMetric(lambda: values[learn.epoch], name), cbs=cb)
        return learn

    return make


@pytest.mark.parametrize(("name", "best"), [("accuracy", 3.0), ("error_rate", 1.0)])
def test_the_direction_follows_from_the_name(scripted, name, best):
    tracker = TrackerCallback(name)
    scripted(name, [2.0, 3.0, 1.0], tracker).fit(3)
    assert tracker.best == best


def test_a_column_that_is_not_recorded_is_refused(make_learner):
    with pytest.raises(UnknownNameError, match=r"unknown column 'valid_los'. Did you mean"):
        make_learner(cbs=TrackerCallback("valid_los")).fit(1)


def test_early_stopping_waits_for_its_patience(scripted):
    learn = scripted("acc", [1, 2, 2, 2, 9], EarlyStoppingCallback("acc", patience=2))
    learn.fit(5)
    assert len(learn.recorder.values) == 4


def test_gains_below_min_delta_do_not_count(scripted):
    stopper = EarlyStoppingCallback("acc", min_delta=0.5)
    learn = scripted("acc", [1.0, 1.4, 2.0], stopper)
    learn.fit(3)
    assert len(learn.recorder.values) == 2


def test_the_rate_is_lowered_on_a_plateau(scripted):
    learn = scripted("acc", [1, 1, 1], ReduceLROnPlateau("acc", factor=10, min_lr=0.001))
    learn.fit(3, lr=0.05)
    assert learn.opt.hypers[0]["lr"] == pytest.approx(0.001)


def test_the_best_model_is_loaded_after_the_fit(scripted):
    kept = []
    watch = Callback(after_epoch=lambda learn: kept.append(learn.model[0].weight.clone()))
    learn = scripted("acc", [1, 3, 2], [SaveModelCallback("acc"), watch])
    learn.fit(3)
    assert torch.equal(learn.model[0].weight, kept[1])


def test_every_epoch_can_be_saved(scripted, tmp_path):
    scripted("acc", [1, 1], SaveModelCallback("acc", fname="m", every_epoch=1)).fit(2)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["m_0.pth", "m_1.pth"]


def test_a_column_of_several_numbers_cannot_be_followed(scripted):
    learn = scripted("f1", [[0.5, 0.25]], TrackerCallback("f1"))
    with pytest.raises(ContractError, match=r"'f1' is \[0.5, 0.25\], not one number. Follow"):
        learn.fit(1)


def test_waiting_starts_anew_with_every_fit(scripted):
    learn = scripted("acc", [1, 1, 1], EarlyStoppingCallback("acc", patience=3))
    learn.fit(3)
    learn.fit(3)
    assert len(learn.recorder.values) == 3
