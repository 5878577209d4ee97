"""Metrics average by batch size, on the device, and are made of whatever the user passes."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch

from lamina.foundation.errors import ContractError
from lamina.metrics.base import (
    AvgLoss,
    AvgMetric,
    AvgSmoothLoss,
    Metric,
    ValueMetric,
    flatten_check,
    mk_metric,
)
from lamina.metrics.classify import accuracy
from lamina.metrics.dense import Dice
from lamina.metrics.regress import mae, rmse


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
