"""Metrics of all predictions at once: AccumMetric, scikit-learn's functions, threshold search."""

import numpy as np
import pytest
import torch
from sklearn import metrics as skm

from lamina.foundation.errors import ContractError, UnknownArgumentError, UnknownNameError
from lamina.metrics.base import mk_metric
from lamina.metrics.classify import accuracy, accuracy_multi
from lamina.metrics.gather import AccumMetric, optim_metric, skm_to_fastai


def seen(**options) -> torch.Tensor:
    """Return what a function is given for one batch of scores."""
    scores = torch.tensor([[0.0, 2.0], [1.0, -1.0]])
    out = []
    metric = AccumMetric(lambda preds, targs: out.append(preds), flatten=False, **options)
    metric.update(scores, torch.zeros(2))
    assert metric.value is None
    return out[0]


def test_a_threshold_of_zero_and_axis_zero_count() -> None:
    assert seen(thresh=0.0).tolist() == [[1, 1], [1, 0]]
    assert seen(dim_argmax=0).tolist() == [1, 0]


def test_activations() -> None:
    scores = torch.tensor([[0.0, 2.0], [1.0, -1.0]])
    torch.testing.assert_close(seen(activation="softmax"), scores.softmax(-1))
    torch.testing.assert_close(seen(activation="softmax", dim_argmax=0), torch.tensor([1, 0]))
    torch.testing.assert_close(seen(activation="sigmoid"), scores.sigmoid())
    torch.testing.assert_close(seen(activation="binary_softmax"), scores.softmax(-1)[:, 1])


def test_unknown_activation() -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown activation 'softmx'. Did you mean 'softmax'"
    ):
        AccumMetric(torch.dist, activation="softmx")


def test_arrays_are_taken_too() -> None:
    assert AccumMetric(torch.dist)(np.zeros(2), np.array([3.0, 4.0])) == 5.0


def test_half_precision_becomes_an_array() -> None:
    metric = AccumMetric(lambda preds, targs: (preds - targs).max(), to_np=True)
    metric.update(torch.ones(2, dtype=torch.bfloat16), torch.zeros(2))
    assert metric.value == 1.0


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ContractError, match=r"\(2, 3\) do not fit"):
        AccumMetric(torch.dist).update(torch.zeros(2, 3), torch.zeros(2))


def test_scikit_learn_functions() -> None:
    pred, targ = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]), torch.tensor([1, 1, 0])
    metric = mk_metric(skm_to_fastai(skm.fbeta_score, beta=2.0))
    metric.update(pred, targ)
    assert metric.name == "fbeta_score"
    assert metric.value == pytest.approx(skm.fbeta_score(targ, [1, 0, 1], beta=2.0))


def test_scikit_learn_with_a_threshold_uses_a_sigmoid() -> None:
    pred, targ = torch.tensor([[0.1, -0.1], [3.0, -3.0]]), torch.tensor([[1, 0], [1, 1]])
    metric = skm_to_fastai(skm.f1_score, thresh=0.5, flatten=False, average="macro")
    assert metric(pred, targ) == skm.f1_score(
        targ, [[1, 0], [1, 0]], average="macro", zero_division=0
    )


def test_scikit_learn_of_scores() -> None:
    pred, targ = torch.tensor([[2.0, 1.0], [0.0, 3.0], [0.0, 1.0]]), torch.tensor([0, 1, 0])
    metric = skm_to_fastai(skm.roc_auc_score, is_class=False, activation="binary_softmax")
    assert metric(pred, targ) == 1.0


def test_arguments_that_the_function_lacks_are_refused() -> None:
    with pytest.raises(
        UnknownArgumentError, match=r"unknown argument 'avrage'. Did you mean 'average'"
    ):
        skm_to_fastai(skm.f1_score, avrage="macro")


@pytest.mark.parametrize("tol", [0.1, 1e-3, 1e-6])
def test_search_is_as_exact_as_asked(tol: float) -> None:
    tried = []

    def score(preds, targs, place):
        tried.append(place)
        return 1 - (place - 0.3717) ** 2

    best = optim_metric(score, "place", (0.0, 1.0), tol=tol, get_x=True)
    place, value = best(torch.zeros(2), torch.zeros(2))
    assert abs(place - 0.3717) <= tol
    assert value == pytest.approx(1.0, abs=tol)
    assert len(tried) < 90


def test_search_for_the_lowest() -> None:
    worst = optim_metric(lambda p, t, x: abs(x - 0.25), "x", (0, 1), tol=1e-4, do_neg=False)
    assert worst(torch.zeros(1), torch.zeros(1)) == pytest.approx(0.0, abs=1e-4)


def test_search_does_not_stop_at_the_first_peak() -> None:
    def score(preds, targs, x):
        return max(0.5 - abs(x - 0.1), 1 - 5 * abs(x - 0.8))

    assert optim_metric(score, "x", (0, 1))(torch.zeros(1), torch.zeros(1)) > 0.97


def test_search_is_a_metric() -> None:
    metric = mk_metric(optim_metric(accuracy_multi, "thresh", (0.0, 1.0)))
    for score, targ in ((2.0, 1), (1.0, 0), (-1.0, 0)):
        metric.update(torch.tensor([[score]]), torch.tensor([[targ]]))
    assert (metric.name, metric.value) == ("accuracy_multi", 1.0)


def test_search_needs_an_interval() -> None:
    with pytest.raises(
        ContractError, match=r"bounds are \(1, 0\) and tol is 0.01; expected a lower"
    ):
        optim_metric(accuracy, "axis", (1, 0))
