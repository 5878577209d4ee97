import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lamina.data.category import Categorize
from lamina.data.datasets import Datasets
from lamina.data.task import DenseLabels, MultiLabel, NextToken, Regression, SingleLabel, Task
from lamina.foundation.errors import ContractError
from lamina.metrics.base import AvgMetric
from lamina.metrics.loss import LossMetrics
from lamina.nn.losses import (
    BCEWithLogitsLossFlat,
    CombinedLoss,
    CrossEntropyLossFlat,
    FocalLossFlat,
    L1LossFlat,
    MSELossFlat,
)
from lamina.train.infer import infer, reading_of
from lamina.train.learner import Learner

TABLE = [
    (SingleLabel(["a", "b", "c"]), CrossEntropyLossFlat, 3, (4, 3), (4,)),
    (NextToken(["a", "b"]), CrossEntropyLossFlat, 2, (4, 5, 2), (4, 5)),
    (MultiLabel(["a", "b"]), BCEWithLogitsLossFlat, 2, (4, 2), (4, 2)),
    (Regression(2), MSELossFlat, 2, (4, 2), (4, 2)),
    (DenseLabels(["bg", "cat"]), CrossEntropyLossFlat, 2, (4, 2, 6, 6), (4, 6, 6)),
]


@pytest.mark.parametrize(("task", "loss", "n_out", "pred", "targ"), TABLE)
def test_a_task_decides_loss_metric_and_outputs(task, loss, n_out, pred, targ):
    found = infer(task)
    pred, targ = torch.randn(pred), torch.zeros(targ, dtype=torch.long)
    assert (type(found.loss), found.n_out) == (loss, n_out)
    assert found.loss(pred, targ).ndim == 0
    metric = AvgMetric(found.metric)
    metric.update(pred, targ)
    assert metric.value >= 0
    answer = found.reading.decode(found.reading.activation(pred))
    assert answer.shape == targ.shape


def test_the_threshold_of_a_task_reaches_its_loss():
    assert infer(MultiLabel(["a"], thresh=0.3)).loss.thresh == 0.3


def test_no_task_is_explained():
    with pytest.raises(ContractError, match=r"no loss can be inferred\. Pass loss_func"):
        infer(None)


def test_an_unknown_task_is_explained():
    class Sounds(Task):
        """A task that nobody has declared a loss for."""

    with pytest.raises(ContractError, match=r"no loss is known for the task Sounds.*Pass loss"):
        infer(Sounds())


@pytest.mark.parametrize("loss", [F.cross_entropy, nn.CrossEntropyLoss()])
def test_pytorchs_losses_on_logits_are_read(loss):
    reading = reading_of(loss)
    probs = reading.activation(torch.tensor([[0.0, 2.0]]))
    assert probs.sum() == pytest.approx(1)
    assert reading.decode(probs).tolist() == [1]


def test_pytorchs_binary_loss_is_read():
    reading = reading_of(nn.BCEWithLogitsLoss())
    assert reading.decode(reading.activation(torch.tensor([-1.0, 1.0]))).tolist() == [False, True]


def test_other_losses_leave_the_output():
    x = torch.tensor([3.0])
    reading = reading_of(lambda pred, targ: pred.sum())
    assert reading.decode(reading.activation(x)) is x


def test_class_weights_come_from_the_training_targets():
    labels = ["a", "a", "a", "b", "b"]
    data = Datasets(range(5), [[float], [labels.__getitem__, Categorize()]], splits=[range(4), [4]])
    loss = CrossEntropyLossFlat(weight="auto")
    Learner(data.dataloaders(bs=2), nn.Linear(1, 2), loss)
    torch.testing.assert_close(loss.weight, torch.tensor([2 / 3, 2.0]))


def test_class_weights_come_from_any_loader():
    batches = [(torch.zeros(4, 2), torch.tensor([0, 0, 0, 1]))]
    loss = FocalLossFlat(weight="auto")
    Learner((batches, batches), nn.Linear(2, 2), loss).fit(1)
    torch.testing.assert_close(loss.weight, torch.tensor([2 / 3, 2.0]))


def test_parts_of_a_sum_of_losses_are_metrics():
    batches = [(torch.ones(4, 1), torch.full((4, 1), 3.0))]
    loss = CombinedLoss({"mse": MSELossFlat(), "l1": L1LossFlat()}, {"l1": 0.5})
    metrics = LossMetrics("parts.mse,parts.l1", "mse,l1")
    learn = Learner((batches, batches), nn.Identity(), loss, metrics=metrics)
    assert learn.validate() == [5.0, 4.0, 2.0]
