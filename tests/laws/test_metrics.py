"""What every metric obeys: the value does not depend on how the data were cut into batches."""

import pytest
import torch

from lamina.metrics.base import mk_metric
from lamina.metrics.classify import accuracy, accuracy_multi, error_rate, top_k_accuracy
from lamina.metrics.dense import Dice
from lamina.metrics.regress import exp_rmspe, mae, mse, msle, rmse

LABELS = [accuracy, error_rate, top_k_accuracy]
NUMBERS = [mse, rmse, mae, msle, exp_rmspe]
N = 12


def data(given) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    if given in LABELS:
        return torch.rand(N, 9, generator=generator), torch.randint(9, (N,), generator=generator)
    if given in NUMBERS:
        return torch.rand(N, 3, generator=generator), torch.rand(N, 3, generator=generator)
    shape = (N, 2, 5) if given is Dice else (N, 5)
    return torch.rand(shape, generator=generator), torch.randint(2, (N, 5), generator=generator)


def value(given, sizes: list[int]) -> float:
    metric = mk_metric(given)
    metric.reset()
    pred, targ = data(given)
    for p, t in zip(pred.split(sizes), targ.split(sizes), strict=True):
        metric.update(p, t)
    return metric.value


@pytest.mark.parametrize("sizes", [[1] * N, [5, 5, 2], [11, 1]], ids=str)
@pytest.mark.parametrize("given", [*LABELS, *NUMBERS, accuracy_multi, Dice], ids=repr)
def test_batch_split_does_not_change_the_value(given, sizes: list[int]) -> None:
    assert value(given, sizes) == pytest.approx(value(given, [N]), rel=1e-5)


@pytest.mark.parametrize("given", [*LABELS, *NUMBERS, accuracy_multi, Dice], ids=repr)
def test_no_batch_no_value(given) -> None:
    metric = mk_metric(given)
    metric.reset()
    assert metric.value is None
