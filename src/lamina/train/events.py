"""The events of the training loop, its parts, and the exceptions that cancel one of them.

One epoch with one training batch and one validation batch emits, in this order:

    before_fit, before_epoch,
      before_train,
        before_batch, after_pred, after_loss,
          before_backward, after_backward, before_step, after_step,
        after_batch,
      after_train,
      before_validate, before_batch, after_pred, after_loss, after_batch, after_validate,
    after_epoch, after_fit

`after_create` comes once, when the learner is made. A part that is cancelled emits its
`after_cancel_*` event first. The `after_*` event of a part that was opened always comes, innermost
part first, also when an error or a cancellation of an outer part passes through; `learn.exc` then
holds the exception.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

__all__ = [
    "BACKWARD",
    "BATCH",
    "EPOCH",
    "EVENTS",
    "FIT",
    "OLD_EVENT_NAMES",
    "STEP",
    "TRAIN",
    "VALIDATE",
    "Cancel",
    "CancelBackward",
    "CancelBackwardException",
    "CancelBatch",
    "CancelBatchException",
    "CancelEpoch",
    "CancelEpochException",
    "CancelFit",
    "CancelFitException",
    "CancelStep",
    "CancelStepException",
    "CancelTrain",
    "CancelTrainException",
    "CancelValid",
    "CancelValidException",
    "Event",
    "Part",
]

Event = Literal[
    "after_create",
    "before_fit",
    "before_epoch",
    "before_train",
    "before_batch",
    "after_pred",
    "after_loss",
    "before_backward",
    "after_cancel_backward",
    "after_backward",
    "before_step",
    "after_cancel_step",
    "after_step",
    "after_cancel_batch",
    "after_batch",
    "after_cancel_train",
    "after_train",
    "before_validate",
    "after_cancel_validate",
    "after_validate",
    "after_cancel_epoch",
    "after_epoch",
    "after_cancel_fit",
    "after_fit",
]

EVENTS: tuple[Event, ...] = get_args(Event)

OLD_EVENT_NAMES: dict[str, Event] = {
    "begin_fit": "before_fit",
    "begin_epoch": "before_epoch",
    "begin_train": "before_train",
    "begin_batch": "before_batch",
    "begin_validate": "before_validate",
}
"""The names of the paper for the events that open a part."""


class Cancel(Exception):
    """The root of the exceptions that leave a part of the loop on purpose.

    Attributes:
        reach: How far out it leads; when two meet, the one that reaches further counts.
    """

    reach: ClassVar[int] = 0


class CancelBackwardException(Cancel):
    """Skip the rest of the backward part; the optimizer step still follows."""


class CancelStepException(Cancel):
    """Skip the optimizer step; the gradients are still zeroed."""


class CancelBatchException(Cancel):
    """Skip the rest of the batch, its step and the zeroing of the gradients included."""

    reach = 1


class CancelTrainException(Cancel):
    """Leave the training part of the epoch; validation still follows."""

    reach = 2


class CancelValidException(Cancel):
    """Leave the validation part of the epoch."""

    reach = 2


class CancelEpochException(Cancel):
    """Leave the epoch; the next one still follows."""

    reach = 3


class CancelFitException(Cancel):
    """Leave the whole fit."""

    reach = 4


CancelBackward = CancelBackwardException
CancelStep = CancelStepException
CancelBatch = CancelBatchException
CancelTrain = CancelTrainException
CancelValid = CancelValidException
CancelEpoch = CancelEpochException
CancelFit = CancelFitException


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the loop: the events that open, cancel and close it, and what cancels it.

    Example:
        >>> BATCH.before, BATCH.after_cancel, BATCH.after
        ('before_batch', 'after_cancel_batch', 'after_batch')
    """

    before: Event
    after_cancel: Event
    after: Event
    cancel: type[Cancel]


BACKWARD = Part(
    "before_backward", "after_cancel_backward", "after_backward", CancelBackwardException
)
STEP = Part("before_step", "after_cancel_step", "after_step", CancelStepException)
BATCH = Part("before_batch", "after_cancel_batch", "after_batch", CancelBatchException)
TRAIN = Part("before_train", "after_cancel_train", "after_train", CancelTrainException)
VALIDATE = Part("before_validate", "after_cancel_validate", "after_validate", CancelValidException)
EPOCH = Part("before_epoch", "after_cancel_epoch", "after_epoch", CancelEpochException)
FIT = Part("before_fit", "after_cancel_fit", "after_fit", CancelFitException)
