"""The metric functions against scikit-learn or a number worked out by hand."""

import pytest
import torch
from sklearn import metrics as skm

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.metrics.base import mk_metric
from lamina.metrics.classify import (
    CohenKappa,
    F1Score,
    HammingLoss,
    Recall,
    accuracy,
    accuracy_multi,
    accuracy_thresh_expand,
    error_rate,
    top_k_accuracy,
)
from lamina.metrics.dense import Dice, DiceMulti, acc_camvid
from lamina.metrics.multilabel import F1ScoreMulti, fit_thresholds
from lamina.metrics.regress import PearsonCorrCoef, R2Score, exp_rmspe, mae, mse, msle, rmse
from lamina.metrics.text import CorpusBLEUMetric


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


def test_two_classes_are_not_taken_for_granted() -> None:
    metric = F1Score()
    metric.update(torch.eye(3), torch.tensor([0, 1, 2]))
    with pytest.raises(
        ContractError, match=r"average='binary' is for two classes; .* have 3\. Pass"
    ):
        _ = metric.value


def test_one_value_per_class() -> None:
    metric = Recall(average=None)
    metric.update(torch.eye(3), torch.tensor([0, 1, 1]))
    assert metric.value == [1.0, 0.5, 0.0]


def test_unknown_averages_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="F1Score: unknown average 'macr'"):
        F1Score(average="macr")
    with pytest.raises(UnknownNameError, match="F1ScoreMulti: unknown average 'binary'"):
        F1ScoreMulti(average="binary")


def test_labels_above_a_threshold_of_zero() -> None:
    metric = F1ScoreMulti(thresh=0.0, sigmoid=False)
    metric.update(torch.tensor([[0.0, -0.1]]), torch.tensor([[1, 0]]))
    assert metric.value == 0.5


def test_classes_along_axis_zero() -> None:
    metric = HammingLoss(axis=0)
    metric.update(torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), torch.tensor([0, 0, 0]))
    assert metric.value == pytest.approx(1 / 3)


def test_kappa_of_one_class_is_none() -> None:
    metric = CohenKappa()
    metric.update(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    assert metric.value is None


def test_numbers_that_do_not_differ_have_no_score() -> None:
    for metric in (R2Score(), PearsonCorrCoef()):
        metric.update(torch.tensor([1.0, 2.0]), torch.ones(2))
        assert metric.value is None


def test_moments_far_from_zero_are_exact() -> None:
    pred = 1e6 + torch.tensor([0.0, 1.0, 2.0, 4.0])
    targ = 1e6 + torch.tensor([0.0, 1.0, 2.0, 3.0])
    metric = R2Score()
    for p, t in zip(pred, targ, strict=True):
        metric.update(p[None], t[None])
    assert metric.value == pytest.approx(0.8)


def test_void_pixels_do_not_count() -> None:
    pred = torch.zeros(1, 32, 2)
    pred[0, 1] = 1.0
    assert acc_camvid(pred, torch.tensor([[1, 30]])) == 1.0
    metric = mk_metric(acc_camvid)
    metric.update(pred, torch.tensor([[30, 30]]))
    assert metric.value is None


def test_absent_classes_are_left_out_of_the_mean() -> None:
    metric = DiceMulti(ignore_index=255)
    metric.update(torch.eye(3)[None], torch.tensor([[0, 0, 255]]))
    assert metric.value == pytest.approx((2 / 3 + 0) / 2)


def test_critics_have_one_target_for_all_scores() -> None:
    scores = torch.tensor([[[2.0, -2.0]], [[-2.0, -2.0]]])
    assert accuracy_thresh_expand(scores, torch.tensor([1, 0])).item() == 0.75


def test_bleu_needs_sentences() -> None:
    with pytest.raises(
        ContractError, match=r"\(2,\) and targets of shape \(2,\); expected \(sentences"
    ):
        CorpusBLEUMetric().update(torch.eye(2), torch.zeros(2))


def test_fitted_thresholds_are_the_best_of_all():
    generator = torch.Generator().manual_seed(0)
    probs = torch.rand(60, 7, generator=generator).mul(20).round().div(20)  # with ties
    targs = (torch.rand(60, 7, generator=generator) < probs).long()
    fitted = fit_thresholds(probs, targs)
    for prob, targ, thresh in zip(probs.T, targs.T, fitted, strict=True):
        best = max(skm.f1_score(targ, prob > t) for t in torch.linspace(0, 0.999, 200))
        assert skm.f1_score(targ, prob > thresh) == pytest.approx(best)


def test_recall_counts_more_with_a_higher_beta():
    probs, targs = torch.tensor([[0.9], [0.8], [0.6], [0.2]]), torch.tensor([[1], [0], [0], [1]])
    found = [fit_thresholds(probs, targs, beta).item() for beta in (0.1, 5.0)]
    assert found == pytest.approx([0.85, 0.1])


def test_a_label_that_never_occurs_keeps_one_half():
    assert fit_thresholds(torch.rand(5, 2), torch.tensor([[1, 0]] * 5))[1] == 0.5
