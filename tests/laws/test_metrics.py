"""What every metric obeys: neither batches nor processes that share the work change the value."""

from functools import partial

import pytest
import torch

from lamina.metrics import classify, dense, multilabel, ranking, regress
from lamina.metrics.base import Metric, mk_metric
from lamina.metrics.gather import AccumMetric, optim_metric
from lamina.metrics.text import CorpusBLEUMetric

N = 12
SINGLE = [
    classify.accuracy,
    classify.error_rate,
    classify.top_k_accuracy,
    classify.BalancedAccuracy,
    classify.BrierScore,
    classify.CohenKappa,
    classify.HammingLoss,
    classify.MatthewsCorrCoef,
    *(
        partial(metric, average="macro")
        for metric in (classify.F1Score, classify.Jaccard, classify.Precision, classify.Recall)
    ),
    partial(classify.FBeta, 2.0, average="weighted"),
]
BINARY = [ranking.APScoreBinary, ranking.RocAucBinary, classify.F1Score]
NUMBERS = [
    regress.mse,
    regress.rmse,
    regress.mae,
    regress.msle,
    regress.exp_rmspe,
    regress.R2Score,
    regress.ExplainedVariance,
    regress.PearsonCorrCoef,
    regress.SpearmanCorrCoef,
    partial(AccumMetric, torch.dist),
]
MASKS = [
    dense.Dice,
    dense.DiceMulti,
    dense.JaccardCoeff,
    dense.JaccardCoeffMulti,
    dense.acc_camvid,
    dense.acc_segment,
    dense.foreground_acc,
]
LABELS = [
    classify.accuracy_multi,
    multilabel.BrierScoreMulti,
    multilabel.F1ScoreMulti,
    partial(multilabel.FBetaMulti, 0.5),
    multilabel.HammingLossMulti,
    multilabel.JaccardMulti,
    multilabel.MatthewsCorrCoefMulti,
    multilabel.PrecisionMulti,
    multilabel.RecallMulti,
    ranking.APScoreMulti,
    ranking.RocAucMulti,
    partial(optim_metric, classify.accuracy_multi, "thresh", (0.1, 0.9)),
]
ALL = {
    f"{kind}-{getattr(given, '__name__', given)}": (kind, given)
    for kind, every in {
        "single": SINGLE, "binary": BINARY, "numbers": NUMBERS, "masks": MASKS, "labels": LABELS,
        "tokens": [CorpusBLEUMetric],
    }.items()
    for given in every
}  # fmt: skip


def data(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    rand, randint = (
        partial(torch.rand, generator=generator),
        partial(torch.randint, generator=generator),
    )
    match kind:
        case "single":
            return rand(N, 9), randint(9, (N,))
        case "binary":
            return rand(N, 2), randint(2, (N,))
        case "masks":
            return rand(N, 2, 5), randint(2, (N, 5))
        case "tokens":
            return rand(N, 9, 2), randint(2, (N, 9))
        case "labels":
            return rand(N, 5), randint(2, (N, 5))
        case _:
            return rand(N, 3), rand(N, 3)


def made(given) -> Metric:
    is_maker = isinstance(given, partial) and not isinstance(given.func, dense.CountThen)
    metric = mk_metric(given() if is_maker else given)
    metric.reset()
    return metric


def fed(given, pred, targ) -> Metric:
    metric = made(given)
    for p, t in zip(pred, targ, strict=True):
        metric.update(p, t)
    return metric


@pytest.mark.parametrize("sizes", [[1] * N, [5, 5, 2], [11, 1]], ids=str)
@pytest.mark.parametrize("name", ALL)
def test_batch_split_does_not_change_the_value(name: str, sizes: list[int]) -> None:
    kind, given = ALL[name]
    pred, targ = data(kind)
    whole = fed(given, [pred], [targ]).value
    assert whole is not None
    assert fed(given, pred.split(sizes), targ.split(sizes)).value == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_processes_that_share_the_work_agree_with_one(name: str) -> None:
    kind, given = ALL[name]
    pred, targ = data(kind)
    ranks = [fed(given, [p], [t]) for p, t in zip(pred.split(5), targ.split(5), strict=True)]
    ranks.insert(0, made(given))  # one process had nothing to do
    total = made(given)
    for rank in ranks[:2]:
        total.merge(rank)
    for rank in ranks[2:]:
        total.merge({k: v.clone() for k, v in rank.state().items()})
    assert total.value == pytest.approx(fed(given, [pred], [targ]).value, rel=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_no_batch_no_value(name: str) -> None:
    assert made(ALL[name][1]).value is None


@pytest.mark.parametrize("name", ALL)
def test_state_is_tensors_out_of_the_graph(name: str) -> None:
    kind, given = ALL[name]
    pred, targ = data(kind)
    state = fed(given, [pred.requires_grad_()], [targ]).state()
    assert all(isinstance(v, torch.Tensor) and not v.requires_grad for v in state.values())


@pytest.mark.parametrize("name", [n for n in ALL if "optim" not in n])
def test_nothing_is_read_back_before_value(name: str) -> None:
    kind, given = ALL[name]
    pred, targ = (x.to("meta") for x in data(kind))
    fed(given, [pred, pred], [targ, targ])  # a read would raise: meta tensors have no values
