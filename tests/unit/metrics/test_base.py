"""Metrics average by batch size, on the device, and are made of whatever the user passes."""

import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.metrics.base import (
    AvgLoss,
    AvgMetric,
    Metric,
    ValueMetric,
    flatten_check,
    mk_metric,
)
from lamina.metrics.classify import accuracy
from lamina.metrics.dense import Dice, foreground_acc
from lamina.metrics.loss import AvgSmoothLoss, LossMetric, LossMetrics
from lamina.metrics.regress import mae, rmse
from lamina.metrics.text import Perplexity


def batch(n: int, loss: float = 0.0, y=None):
    y = torch.zeros(n) if y is None else y
    return SimpleNamespace(pred=torch.ones(n), y=y, loss=torch.tensor(loss, requires_grad=True))


def test_batches_count_by_their_size() -> None:
    metric = AvgLoss()
    metric.accumulate(batch(3, loss=1.0))
    metric.accumulate(batch(1, loss=5.0))
    assert metric.value == 2.0


def test_reset_starts_anew_and_nothing_is_none() -> None:
    metric = AvgMetric(mae)
    assert metric.value is None
    metric.accumulate(batch(2))
    assert metric.value == 1.0
    metric.reset()
    assert metric.value is None


def test_nothing_is_read_back_before_value() -> None:
    metric = AvgMetric(lambda pred, targ: (pred - targ).mean())
    metric.update(torch.ones(2, device="meta"), torch.ones(2, device="meta"))
    assert metric.total.device.type == "meta"


def test_total_is_out_of_the_graph_and_in_single_precision() -> None:
    metric = AvgMetric(lambda pred, targ: pred.mean().half())
    metric.update(torch.ones(2, requires_grad=True), torch.zeros(2))
    assert not metric.total.requires_grad
    assert metric.total.dtype == torch.float32


def test_several_targets_are_passed_one_by_one() -> None:
    metric = AvgMetric(lambda pred, a, b: (pred + a + b).mean())
    metric.accumulate(batch(2, y=(torch.ones(2), torch.ones(2))))
    assert metric.value == 3.0


def test_python_numbers_are_averaged_too() -> None:
    metric = AvgMetric(lambda pred, targ: 0.1)
    metric.accumulate(batch(2))
    assert metric.value == 0.1


def test_smooth_loss_is_corrected_for_its_start() -> None:
    metric = AvgSmoothLoss(beta=0.5)
    assert metric.value is None
    metric.accumulate(batch(2, loss=3.0))
    assert metric.value == pytest.approx(3.0)
    metric.accumulate(batch(2, loss=6.0))
    assert metric.value == pytest.approx((0.25 * 3 + 0.5 * 6) / 0.75)


def test_value_metric_reads_its_function() -> None:
    metric = ValueMetric(lambda: 3, "three")
    metric.reset()
    metric.accumulate(batch(1))
    assert (metric.name, metric.value) == ("three", 3)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (accuracy, "accuracy"),
        (partial(accuracy, axis=1), "accuracy"),
        (rmse, "rmse"),
        (Dice, "dice"),
        (Dice(), "dice"),
        (AvgLoss(), "loss"),
    ],
)
def test_metrics_are_made_of_functions_classes_and_metrics(given, name: str) -> None:
    metric = mk_metric(given)
    assert isinstance(metric, Metric)
    assert metric.name == name


def test_what_is_no_metric_is_refused() -> None:
    with pytest.raises(ContractError, match=r"'acc' is no metric\. Pass a function of predictions"):
        mk_metric("acc")


def test_shapes_that_do_not_fit_are_shown() -> None:
    with pytest.raises(ContractError, match=r"\(2, 3\) do not fit .* \(2,\)\. Check the axis"):
        flatten_check(torch.zeros(2, 3), torch.zeros(2))


def test_running_averages_of_processes_are_averaged() -> None:
    ranks = [AvgSmoothLoss(beta=0.5) for _ in range(3)]
    for loss, metric in enumerate(ranks):
        for _ in range(2):
            metric.accumulate(batch(2, loss=float(loss)))
    for other in ranks[1:]:
        ranks[0].merge(other.state())
    assert ranks[0].value == pytest.approx(1.0)


def test_a_metric_without_state_says_so() -> None:
    class Own(Metric):
        pass

    with pytest.raises(ContractError, match=r"own: .* has no state\(\) and merge\(\)"):
        AvgLoss().merge(Own())


def test_perplexity_is_of_the_mean_loss() -> None:
    metric = Perplexity()
    metric.accumulate(batch(3, loss=1.0))
    metric.accumulate(batch(1, loss=5.0))
    assert (metric.name, metric.value) == ("perplexity", pytest.approx(math.exp(2.0)))


def test_parts_of_the_loss() -> None:
    loss_func = SimpleNamespace(style=torch.tensor([1.0, 3.0]), parts=SimpleNamespace(content=0.5))
    style, content = LossMetrics("style,parts.content", "s,c")
    for metric in (style, content):
        metric.accumulate(SimpleNamespace(loss_func=loss_func, y=torch.zeros(4)))
    assert [(m.name, m.value) for m in (style, content)] == [("s", 2.0), ("c", 0.5)]


def test_parts_of_the_loss_that_are_not_there() -> None:
    learn = SimpleNamespace(loss_func=SimpleNamespace(style=1.0), y=torch.zeros(1))
    with pytest.raises(UnknownNameError, match=r"unknown attribute 'stile'. Did you mean 'style'"):
        LossMetric("stile").accumulate(learn)
    with pytest.raises(ContractError, match="2 names for 1 attributes"):
        LossMetrics("style", "a,b")


def test_functions_with_arguments_keep_what_they_are() -> None:
    metric = mk_metric(partial(foreground_acc, bkg_idx=1, axis=-1))
    metric.update(torch.eye(2), torch.tensor([0, 1]))
    metric.update(torch.eye(2), torch.tensor([0, 0]))
    assert (metric.name, metric.value) == ("foreground_acc", pytest.approx(2 / 3))


class Foreign:
    """As a metric of torchmetrics."""

    def __init__(self) -> None:
        self.device, self.total = None, torch.tensor(0.0)

    def to(self, device):
        self.device = device

    def reset(self) -> None:
        self.total = torch.tensor(0.0)

    def update(self, preds, target) -> None:
        self.total = self.total + (preds - target).sum()

    def compute(self):
        return self.total


def test_metrics_of_torchmetrics_are_taken() -> None:
    theirs = Foreign()
    metric = mk_metric(theirs)
    metric.reset()
    assert metric.value is None
    metric.accumulate(batch(2))
    metric.accumulate(batch(1))
    assert (metric.name, metric.value) == ("foreign", 3.0)
    assert theirs.device == torch.device("cpu")
