"""From the task of the data to loss, activation, decoding, default metric and number of outputs.

This is the one table that says what a kind of target means for training. `infer(task)` looks it up;
`INFERENCES.add(MyTask, ...)` extends it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamina.data.datasets import Datasets
from lamina.data.task import DenseLabels, MultiLabel, NextToken, Regression, SingleLabel, Task
from lamina.foundation.dispatch import TypeTable
from lamina.foundation.errors import ContractError, SkipItem
from lamina.foundation.registry import savable
from lamina.metrics.classify import accuracy, accuracy_multi
from lamina.metrics.regress import mse
from lamina.nn.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat, MSELossFlat

__all__ = [
    "INFERENCES",
    "Inference",
    "Reading",
    "balance_loss",
    "infer",
    "n_outputs",
    "reading_of",
]

TensorFunc = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Reading:
    """How the output of a model is read.

    Args:
        activation: Output to probabilities (or to the values themselves).
        decode: Probabilities to answers.
    """

    activation: TensorFunc
    decode: TensorFunc


@dataclass(frozen=True)
class Inference:
    """What a task means for training.

    Args:
        loss: The loss; it also knows activation and decoding.
        metric: A metric to show when none is asked for.
        n_out: The number of outputs of the model.
    """

    loss: Any
    metric: Callable[..., Any]
    n_out: int

    @property
    def reading(self) -> Reading:
        """How the model's output is read."""
        return reading_of(self.loss)


def _single(task: SingleLabel | NextToken) -> Inference:
    return Inference(CrossEntropyLossFlat(), accuracy, task.n_out)


def _multi(task: MultiLabel) -> Inference:
    return Inference(BCEWithLogitsLossFlat(thresh=task.thresh), accuracy_multi, task.n_out)


def _numbers(task: Regression) -> Inference:
    return Inference(MSELossFlat(), mse, task.n_out)


def _dense(task: DenseLabels) -> Inference:
    return Inference(CrossEntropyLossFlat(axis=1), _pixel_accuracy, task.n_out)


def _pixel_accuracy(pred: Tensor, targ: Tensor) -> Tensor:
    return accuracy(pred, targ, axis=1)


INFERENCES: TypeTable[Callable[[Any], Inference]] = TypeTable()
"""The table: a class of tasks to the function that makes its `Inference`."""

INFERENCES.add(SingleLabel | NextToken, _single)
INFERENCES.add(MultiLabel, _multi)
INFERENCES.add(Regression, _numbers)
INFERENCES.add(DenseLabels, _dense)


def infer(task: Task | None) -> Inference:
    """Return loss, metric and number of outputs for a task.

    Raises:
        ContractError: The data declare no task, or one that the table does not know.

    Example:
        >>> infer(SingleLabel(("cat", "dog"))).n_out
        2
    """
    if task is None:
        raise ContractError(
            "Learner: the data do not say what the target is, so no loss can be inferred. Pass "
            "loss_func=..., or make the loaders with a target block such as CategoryBlock."
        )
    make = INFERENCES.find(type(task))
    if make is None:
        known = ", ".join(sorted(kind.__name__ for kind in INFERENCES.types()))
        raise ContractError(
            f"Learner: no loss is known for the task {type(task).__name__}; known are {known}. "
            "Pass loss_func=..., or add the task to lamina.train.infer.INFERENCES."
        )
    return make(task)


def n_outputs(where: str, task: Any, n_out: int | None, loss_func: Any) -> int:
    """Return how many outputs a model needs; with a loss of one's own any number will do.

    Args:
        where: The function that was called, for the message.
        task: That of the data, or several; None if they do not say.
        n_out: What the caller asked for, if anything.
        loss_func: The caller's own loss, if any.

    Raises:
        ContractError: That does not fit the data, or they do not say how many.

    Example:
        >>> n_outputs("learner", SingleLabel(("cat", "dog")), None, None)
        2
    """
    if n_out is not None and (task is None or loss_func is not None):
        return n_out
    needed = sum(infer(one).n_out for one in (task if isinstance(task, Sequence) else [task]))
    if n_out in (None, needed):
        return needed
    what = f"{where}: n_out={n_out}, but the target of the data needs {needed}"
    raise ContractError(f"{what}. Leave n_out out, or pass loss_func=... that fits it.")


def balance_loss(loss_func: Any, dls: Any) -> None:
    """Compute the weights of a loss that are "auto" from the targets of the training set.

    Of data sets made by pipelines only the targets are made; other loaders are gone through once.

    Args:
        loss_func: Any loss; one without such weights is left alone.
        dls: The loaders.
    """
    if getattr(loss_func, "waiting", None):
        loss_func.set_weights(_training_targets(dls[0]), getattr(dls, "c", None))


def _training_targets(dl: Any) -> Iterator[Tensor]:
    dataset = getattr(dl, "dataset", None)
    targets = getattr(dataset, "targets", None)
    if targets is not None:
        yield targets
        return
    if not isinstance(dataset, Datasets):
        yield from (torch.as_tensor(batch[-1]) for batch in dl)
        return
    targets = dataset.tls[dataset.n_inp]
    for i in range(len(targets)):
        with suppress(SkipItem):
            yield torch.as_tensor(targets[i])


def reading_of(loss_func: Any) -> Reading:
    """Return how outputs are read that were trained with a loss.

    The loss's own `activation` and `decodes` decide; PyTorch's losses on logits are known; for any
    other loss the output is taken as it is.

    Example:
        >>> reading = reading_of(F.cross_entropy)
        >>> reading.decode(reading.activation(torch.tensor([[1.0, 3.0]])))
        tensor([1])
    """
    if hasattr(loss_func, "activation") or hasattr(loss_func, "decodes"):
        return Reading(
            getattr(loss_func, "activation", _same), getattr(loss_func, "decodes", _same)
        )
    if loss_func is F.cross_entropy or isinstance(loss_func, nn.CrossEntropyLoss):
        axis = 1  # where PyTorch's own losses expect the classes
        return Reading(lambda x: x.softmax(axis), lambda x: x.argmax(axis))
    logits = F.binary_cross_entropy_with_logits
    if loss_func is logits or isinstance(loss_func, nn.BCEWithLogitsLoss):
        return Reading(lambda x: x.sigmoid(), lambda x: x > 0.5)
    return Reading(_same, _same)


for _loss in (F.cross_entropy, F.binary_cross_entropy_with_logits, F.mse_loss, F.l1_loss):
    savable(f"torch:{_loss.__name__}")(_loss)


def _same(x: Tensor) -> Tensor:
    return x
