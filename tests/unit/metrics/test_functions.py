"""The metric functions against scikit-learn or a number worked out by hand."""

import pytest
import torch
from sklearn import metrics as skm

from lamina.metrics.base import mk_metric
from lamina.metrics.classify import accuracy, accuracy_multi, error_rate, top_k_accuracy
from lamina.metrics.dense import Dice
from lamina.metrics.regress import exp_rmspe, mae, mse, msle, rmse


@pytest.fixture
def scores() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(50, 7, generator=generator), torch.randint(7, (50,), generator=generator)


@pytest.fixture
def numbers() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(40, 2, generator=generator), torch.rand(40, 2, generator=generator)


def test_accuracy(scores) -> None:
    pred, targ = scores
    expected = skm.accuracy_score(targ, pred.argmax(1))
    assert accuracy(pred, targ).item() == pytest.approx(expected)
    assert error_rate(pred, targ).item() == pytest.approx(1 - expected)


def test_accuracy_takes_targets_with_an_extra_dimension(scores) -> None:
    pred, targ = scores
    assert accuracy(pred, targ[:, None]) == accuracy(pred, targ)


def test_accuracy_of_a_mask() -> None:
    pred = torch.tensor([[[[0.9, 0.1]], [[0.1, 0.9]]]])
    assert accuracy(pred, torch.tensor([[[0, 0]]]), axis=1).item() == 0.5


@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k_accuracy(scores, k: int) -> None:
    pred, targ = scores
    expected = skm.top_k_accuracy_score(targ, pred, k=k, labels=range(7))
    assert top_k_accuracy(pred, targ, k=k).item() == pytest.approx(expected)


def test_top_k_accuracy_with_fewer_classes_than_k(scores) -> None:
    assert top_k_accuracy(*scores, k=10).item() == 1.0


def test_accuracy_multi_counts_labels() -> None:
    pred, targ = torch.tensor([[0.6, 0.2], [0.4, 0.1]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    assert accuracy_multi(pred, targ, sigmoid=False).item() == 0.75
    assert accuracy_multi(pred.logit(), targ).item() == 0.75


def test_regression_metrics(numbers) -> None:
    pred, targ = numbers
    assert mse(pred, targ).item() == pytest.approx(skm.mean_squared_error(targ, pred))
    assert mae(pred, targ).item() == pytest.approx(skm.mean_absolute_error(targ, pred))
    assert msle(pred, targ).item() == pytest.approx(skm.mean_squared_log_error(targ, pred))
    assert rmse(pred, targ).item() == pytest.approx(skm.mean_squared_error(targ, pred) ** 0.5)


def test_exp_rmspe_is_relative_to_the_exponentials() -> None:
    pred, targ = torch.tensor([3.0, 5.0]).log(), torch.tensor([2.0, 5.0]).log()
    assert exp_rmspe(pred, targ).item() == pytest.approx((0.25 / 2) ** 0.5)


def test_regression_flattens() -> None:
    assert mse(torch.ones(3, 1), torch.zeros(3)).item() == 1.0


def test_dice_equals_f1() -> None:
    generator = torch.Generator().manual_seed(0)
    pred = torch.rand(4, 2, 8, 8, generator=generator)
    targ = torch.randint(2, (4, 8, 8), generator=generator)
    dice = mk_metric(Dice)
    dice.update(pred, targ)
    expected = skm.f1_score(targ.flatten(), pred.argmax(1).flatten())
    assert dice.value == pytest.approx(expected)


def test_dice_of_bytes_does_not_overflow() -> None:
    dice = Dice()
    dice.update(
        torch.tensor([0.0, 1.0]).reshape(1, 2, 1).repeat(1, 1, 1000), torch.ones(1, 1000).byte()
    )
    assert dice.value == 1.0


def test_dice_of_nothing_is_none() -> None:
    dice = Dice()
    assert dice.value is None
    dice.update(torch.tensor([[[1.0], [0.0]]]), torch.zeros(1, 1))
    assert dice.value is None
