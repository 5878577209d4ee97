import io
import math

import numpy as np
import pytest
import torch

from lamina.foundation.progress import PlainDisplay
from lamina.metrics.base import ValueMetric
from lamina.metrics.regress import mae
from lamina.train.callback import Callback
from lamina.train.callbacks.csv_logger import CSVLogger
from lamina.train.callbacks.progress import ProgressCallback
from lamina.train.events import CancelEpoch
from lamina.train.recorder import LossTrack, Recorder


def test_losses_are_smoothed_and_debiased():
    track = LossTrack(beta=0.9)
    for loss in (1.0, 2.0, 3.0):
        track.add(torch.tensor(loss))
    expected = [1.0, (0.9 * 0.1 + 0.1 * 2) / 0.19, (0.81 * 0.1 + 0.09 * 2 + 0.1 * 3) / 0.271]
    assert track.smoothed() == pytest.approx(expected)


def test_many_losses_are_joined_and_reading_can_go_on():
    track = LossTrack(beta=0.0)
    for i in range(3000):
        track.add(torch.tensor(float(i)))
    assert track.smoothed() == list(range(3000))
    track.add(7)
    assert track.smoothed()[-1] == 7


def test_losses_per_element_count_by_their_mean():
    track = LossTrack()
    track.add(torch.tensor([1.0, 3.0]))
    assert track.smoothed() == [2.0]


def test_a_record_has_one_row_per_epoch_under_named_columns(make_learner):
    learn = make_learner(metrics=mae)
    learn.fit(2)
    recorder = learn.recorder
    assert recorder.metric_names == ["epoch", "train_loss", "valid_loss", "mae", "time"]
    assert [row[0] for row in recorder.values] == [0, 1]
    assert recorder.values[-1][2:4] == learn.validate()
    assert recorder.iters == [4, 8]
    assert len(recorder.losses) == len(recorder.lrs) == 8
    assert learn.smooth_loss == recorder.values[-1][1]


def test_metrics_of_the_training_set_can_be_recorded(make_learner):
    learn = make_learner(metrics=mae, default_cbs=False, cbs=Recorder(train_metrics=True))
    learn.fit(1)
    assert learn.recorder.metric_names[1:3] == ["train_loss", "train_mae"]
    assert len(learn.recorder.values[0]) == len(learn.recorder.metric_names)


def test_the_validation_can_be_left_out_of_the_record(make_learner):
    learn = make_learner(default_cbs=False, cbs=Recorder(valid_metrics=False, add_time=False))
    learn.fit(1)
    assert learn.recorder.metric_names == ["epoch", "train_loss"]
    assert len(learn.recorder.values[0]) == 2


def test_a_cancelled_epoch_has_gaps_in_its_record(make_learner):
    def stop(learn):
        raise CancelEpoch

    learn = make_learner(cbs=Callback(before_validate=stop))
    learn.fit(1)
    assert math.isnan(learn.recorder.last("valid_loss"))
    assert len(learn.recorder.values[0]) == 4


def test_validation_and_search_leave_the_record_alone(make_learner):
    learn = make_learner()
    learn.fit(1)
    before = list(learn.recorder.values)
    learn.validate()
    learn.lr_find(show_plot=False)
    assert learn.recorder.values == before


def test_plots_are_drawn(make_learner):
    learn = make_learner()
    learn.fit_one_cycle(2)
    assert learn.recorder.plot_loss() is not None
    assert learn.recorder.plot_sched() is not None


PARTS = {
    "list": ([1, 2.5], "1 2.500000"),
    "tensor": (torch.tensor([1.0, 2.5]), "1.000000 2.500000"),
    "array": (np.array([1.0, 2.5]), "1.000000 2.500000"),
    "dict": ({"a": 0.5, "b": torch.tensor(2.0)}, "a=0.500000 b=2.000000"),
    "number": (np.float32(0.5), "0.500000"),
    "nothing": (None, "nan"),
}


@pytest.mark.parametrize(("value", "text"), PARTS.values(), ids=PARTS)
def test_metrics_with_several_values_are_recorded_and_shown(make_learner, value, text):
    out = io.StringIO()
    cbs = [Recorder(), CSVLogger(), ProgressCallback(PlainDisplay(out))]
    several = ValueMetric(lambda: value, "several")
    learn = make_learner(metrics=several, cbs=cbs, default_cbs=False)
    learn.fit(1)
    assert text in out.getvalue()
    recorded = learn.recorder.last("several")
    torch.testing.assert_close(learn.validate()[1], recorded, equal_nan=True)


def test_a_metric_that_fails_names_itself(make_learner):
    def odd(_pred, _targ):
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd") as caught:
        make_learner(metrics=odd).fit(1)
    notes = ["In metric odd.", "In callback recorder, event after_batch."]
    assert caught.value.__notes__ == notes
