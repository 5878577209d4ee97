"""Every metric gives the number of scikit-learn, SciPy, or a slow formula, on random data."""

import math
from collections import Counter
from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as skm

from lamina.metrics import classify, dense, multilabel, ranking, regress
from lamina.metrics.base import mk_metric
from lamina.metrics.text import CorpusBLEUMetric

AVERAGES = ["macro", "micro", "weighted", None]
RATIOS = [
    ("Precision", skm.precision_score),
    ("Recall", skm.recall_score),
    ("Jaccard", skm.jaccard_score),
    ("F1Score", skm.f1_score),
    ("FBeta", partial(skm.fbeta_score, beta=2.0)),
]
EXTRA = {"FBeta": {"beta": 2.0}}


def batches(pred, targ, given) -> object:
    metric = mk_metric(given)
    metric.reset()
    for p, t in zip(pred.split(7), targ.split(7), strict=True):
        metric.update(p, t)
    return metric.value


def classes(n: int, seed: int, size: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    targ = torch.randint(n, (size,), generator=generator)
    scores = torch.randn(size, n, generator=generator)
    return scores + torch.nn.functional.one_hot(targ, n), targ


def several(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    targ = torch.randint(2, (60, 4), generator=generator)
    return torch.randn(60, 4, generator=generator) + targ, targ


def numbers(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    targ = 1000 + torch.randn(60, generator=generator).round(decimals=1)
    return targ + torch.randn(60, generator=generator).round(decimals=1), targ


def same(value, expected) -> None:
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "theirs"), RATIOS, ids=lambda x: x if isinstance(x, str) else "")
@pytest.mark.parametrize("average", AVERAGES)
def test_ratios_of_several_classes(name: str, theirs, average, seed: int) -> None:
    pred, targ = classes(5, seed)
    ours = getattr(classify, name)(average=average, **EXTRA.get(name, {}))
    same(batches(pred, targ, ours), theirs(targ, pred.argmax(1), average=average))


@pytest.mark.parametrize("pos_label", [0, 1])
@pytest.mark.parametrize(("name", "theirs"), RATIOS, ids=lambda x: x if isinstance(x, str) else "")
def test_ratios_of_two_classes(name: str, theirs, pos_label: int) -> None:
    pred, targ = classes(2, 0)
    ours = getattr(classify, name)(pos_label=pos_label, **EXTRA.get(name, {}))
    same(batches(pred, targ, ours), theirs(targ, pred.argmax(1), pos_label=pos_label))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize(("name", "theirs"), RATIOS, ids=lambda x: x if isinstance(x, str) else "")
def test_classes_that_do_not_occur_are_left_out(name: str, theirs) -> None:
    pred, targ = classes(6, 1, size=5)
    ours = getattr(classify, name)(average="macro", **EXTRA.get(name, {}))
    same(batches(pred, targ, ours), theirs(targ, pred.argmax(1), average="macro"))


@pytest.mark.parametrize(("name", "theirs"), RATIOS, ids=lambda x: x if isinstance(x, str) else "")
def test_chosen_classes(name: str, theirs) -> None:
    pred, targ = classes(5, 0)
    ours = getattr(classify, name)(average="macro", labels=[0, 3], **EXTRA.get(name, {}))
    same(batches(pred, targ, ours), theirs(targ, pred.argmax(1), average="macro", labels=[0, 3]))


@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (classify.BalancedAccuracy, skm.balanced_accuracy_score),
        (
            partial(classify.BalancedAccuracy, adjusted=True),
            partial(skm.balanced_accuracy_score, adjusted=True),
        ),
        (classify.CohenKappa, skm.cohen_kappa_score),
        (
            partial(classify.CohenKappa, weights="linear"),
            partial(skm.cohen_kappa_score, weights="linear"),
        ),
        (
            partial(classify.CohenKappa, weights="quadratic"),
            partial(skm.cohen_kappa_score, weights="quadratic"),
        ),
        (
            partial(classify.CohenKappa, labels=[1, 0]),
            partial(skm.cohen_kappa_score, labels=[1, 0]),
        ),
        (classify.HammingLoss, skm.hamming_loss),
        (classify.MatthewsCorrCoef, skm.matthews_corrcoef),
    ],
)
def test_scores_of_the_confusion_matrix(ours, theirs, n: int) -> None:
    pred, targ = classes(n, 0)
    same(batches(pred, targ, ours()), theirs(targ, pred.argmax(1)))


@pytest.mark.parametrize("n", [2, 5])
def test_probabilities(n: int) -> None:
    pred, targ = classes(n, 0)
    probs = pred.double().softmax(1)
    expected = skm.brier_score_loss(targ, probs[:, 1] if n == 2 else probs, labels=range(n))
    same(batches(pred, targ, classify.BrierScore()), expected)
    scores = {} if n == 2 else {"multi_class": "ovr"}
    expected = skm.roc_auc_score(targ, probs[:, 1] if n == 2 else probs, **scores)
    same(batches(pred, targ, ranking.RocAuc()), expected)


@pytest.mark.parametrize("seed", range(3))
def test_two_classes_in_order(seed: int) -> None:
    pred, targ = classes(2, seed)
    prob = pred.softmax(1)[:, 1]
    same(batches(pred, targ, ranking.RocAucBinary()), skm.roc_auc_score(targ, prob))
    expected = skm.roc_auc_score(targ, prob, max_fpr=0.3)
    same(batches(pred, targ, ranking.RocAucBinary(max_fpr=0.3)), expected)
    same(batches(pred, targ, ranking.APScoreBinary()), skm.average_precision_score(targ, prob))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "theirs"), RATIOS, ids=lambda x: x if isinstance(x, str) else "")
@pytest.mark.parametrize("average", AVERAGES)
def test_ratios_of_several_labels(name: str, theirs, average, seed: int) -> None:
    pred, targ = several(seed)
    ours = getattr(multilabel, f"{name}Multi")(thresh=0.4, average=average, **EXTRA.get(name, {}))
    same(batches(pred, targ, ours), theirs(targ, pred.sigmoid() >= 0.4, average=average))


def test_several_labels() -> None:
    pred, targ = several(0)
    found = pred.sigmoid() >= 0.5
    flat = targ.flatten(), found.flatten()
    same(batches(pred, targ, multilabel.HammingLossMulti()), skm.hamming_loss(targ, found))
    same(batches(pred, targ, multilabel.MatthewsCorrCoefMulti()), skm.matthews_corrcoef(*flat))
    expected = skm.brier_score_loss(flat[0], pred.sigmoid().flatten())
    same(batches(pred, targ, multilabel.BrierScoreMulti()), expected)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", "samples"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_several_labels_in_order(average: str) -> None:
    pred, targ = several(0)
    targ[:, 0], targ[:, 1] = 1 - targ[:, 1], targ[:, 1]  # each item has labels and lacks labels
    for ours, theirs in (
        (ranking.RocAucMulti, skm.roc_auc_score),
        (ranking.APScoreMulti, skm.average_precision_score),
    ):
        expected = theirs(targ, pred.sigmoid(), average=average)
        same(batches(pred, targ, ours(average=average)), expected)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (regress.R2Score, skm.r2_score),
        (regress.ExplainedVariance, skm.explained_variance_score),
        (regress.PearsonCorrCoef, lambda t, p: stats.pearsonr(p, t).statistic),
        (regress.SpearmanCorrCoef, lambda t, p: stats.spearmanr(p, t).statistic),
        (lambda: regress.rmse, skm.root_mean_squared_error),
    ],
)
def test_numbers(ours, theirs, seed: int) -> None:
    pred, targ = numbers(seed)
    same(batches(pred, targ, ours()), theirs(targ, pred))


def test_masks() -> None:
    generator = torch.Generator().manual_seed(0)
    pred = torch.rand(20, 4, 3, 3, generator=generator)
    targ = torch.randint(4, (20, 3, 3), generator=generator)
    found, flat = pred.argmax(1).flatten(), targ.flatten()
    expected = skm.f1_score(flat, found, average="macro")
    same(batches(pred, targ, dense.DiceMulti()), expected)
    expected = skm.jaccard_score(flat, found, average="macro")
    same(batches(pred, targ, dense.JaccardCoeffMulti()), expected)
    for ours, ignored in (
        (dense.foreground_acc, 0),
        (partial(dense.foreground_acc, bkg_idx=2), 2),
        (partial(dense.acc_segment, ignore_index=0), 0),
    ):
        keep = flat != ignored
        same(batches(pred, targ, ours), skm.accuracy_score(flat[keep], found[keep]))


def test_binary_masks() -> None:
    pred, targ = classes(2, 0)
    same(batches(pred, targ, dense.JaccardCoeff()), skm.jaccard_score(targ, pred.argmax(1)))


def ngrams(sentence: list[int], n: int) -> Counter:
    return Counter(zip(*(islice(sentence, i, None) for i in range(n)), strict=False))


def bleu(pairs: list[tuple[list[int], list[int]]]) -> float:
    precisions = []
    for n in (1, 2, 3, 4):
        found = [(ngrams(p, n), ngrams(t, n)) for p, t in pairs]
        right = sum((p & t).total() for p, t in found)
        precisions.append(right / sum(p.total() for p, _ in found))
    lengths = [sum(len(x) for x in side) for side in zip(*pairs, strict=True)]
    brevity = min(1, math.exp(1 - lengths[1] / lengths[0]))
    return brevity * math.prod(precisions) ** 0.25


@pytest.mark.parametrize("shape", [(30, 12), (12, 30), (20, 20)])
def test_bleu(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    found = torch.randint(3, (20, shape[0]), generator=generator)
    targ = torch.randint(3, (20, shape[1]), generator=generator)
    pred = torch.nn.functional.one_hot(found, 3).float()
    expected = bleu(list(zip(found.tolist(), targ.tolist(), strict=True)))
    same(batches(pred, targ, CorpusBLEUMetric()), expected)


def test_bleu_without_padding() -> None:
    found = torch.tensor([[1, 2, 3, 1, 2, 3, 0, 0], [2, 2, 3, 1, 3, 1, 2, 2]])
    targ = torch.tensor([[1, 2, 3, 1, 2, 1, 2, 0], [2, 2, 3, 1, 2, 0, 0, 0]])
    pairs = [
        ([1, 2, 3, 1, 2, 3], [1, 2, 3, 1, 2, 1, 2]),
        ([2, 2, 3, 1, 3, 1, 2, 2], [2, 2, 3, 1, 2]),
    ]
    pred = torch.nn.functional.one_hot(found, 4).float()
    same(batches(pred, targ, CorpusBLEUMetric(pad_idx=0)), bleu(pairs))
