# ruff: noqa: D102 - the events are documented in lamina.train.events
"""Using a model: measure it, predict sets and single items, show results."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from lamina.data.loaders import showing
from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.nn.losses import NoneReduce
from lamina.tensor.tree import map_tree, nested_reorder, to_concat, to_detach
from lamina.tensor.types import TensorBase
from lamina.train.callback import Callback
from lamina.train.fitting import Callbacks
from lamina.train.infer import reading_of
from lamina.train.loop import validation_sets
from lamina.train.recorder import Meter

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["GatherPreds", "Measure", "get_preds", "predict", "show_results", "validate"]

Activation = Callable[[Tensor], Tensor]


class Measure(Callback):
    """Measure loss and metrics of validation passes; used by `validate`.

    Args:
        meter: What measures.

    Attributes:
        values: The values of all passes, one after another.
    """

    order: ClassVar[int] = 50

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self.meter = meter
        self.values: list[Any] = []

    def before_validate(self, learn: "Learner") -> None:
        self.meter.reset()

    def after_batch(self, learn: "Learner") -> None:
        self.meter.accumulate(learn)

    def after_validate(self, learn: "Learner") -> None:
        self.values += self.meter.values()


class GatherPreds(Callback):
    """Keep predictions, targets and what else is wanted of every batch; used by `get_preds`.

    Args:
        act: Applied to the model's output.
        with_input: Whether to keep the inputs.
        with_loss: Whether to keep the loss of every item.
    """

    order: ClassVar[int] = 70

    def __init__(self, act: Activation, *, with_input: bool, with_loss: bool) -> None:
        super().__init__()
        self.act, self.with_input, self.with_loss = act, with_input, with_loss
        self.inputs: list[Any] = []
        self.preds: list[Any] = []
        self.targs: list[Any] = []
        self.losses: list[Any] = []

    def after_batch(self, learn: "Learner") -> None:
        if learn.pred is None:
            return  # the batch was cancelled
        self.preds.append(to_detach(map_tree(self.act, learn.pred)))
        if learn.yb:
            self.targs.append(to_detach(learn.y))
        if self.with_input:
            self.inputs.append(to_detach(learn.xb))
        if self.with_loss and learn.loss is not None:
            loss: Any = learn.loss
            self.losses.append(to_detach(loss.flatten(1).mean(1) if loss.ndim > 1 else loss))

    def joined(self) -> tuple[Any, Any, Any, Any]:
        """Return inputs, predictions, targets and losses of all batches; None for what is not kept.

        Raises:
            ContractError: There was no batch.
        """
        if not self.preds:
            raise ContractError("get_preds: the loader gave no batches, so there is no prediction.")
        parts = (self.inputs, self.preds, self.targs, self.losses)
        inputs, preds, targs, losses = (to_concat(part) if part else None for part in parts)
        return inputs, preds, targs, losses


@strict
def validate(
    learn: "Learner", ds_idx: int | None = None, dl: Any = None, cbs: Callbacks | None = None
) -> list[Any]:
    """Measure the loss and the metrics without training.

    Args:
        learn: The learner.
        ds_idx: Which of the loaders to measure; None measures every validation set.
        dl: A loader to measure in place of the learner's own.
        cbs: Callbacks for this pass only.

    Returns:
        The loss and the metrics, for one set after another: numbers, or what a metric gives that
        has several.

    Example:
        >>> import torch
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.ones(4, 2), torch.ones(4, 1))]
        >>> loss = torch.nn.functional.mse_loss
        >>> learn = Learner((batches, batches), torch.nn.Linear(2, 1), loss, default_cbs=False)
        >>> len(learn.validate())
        1
    """
    if dl is None and ds_idx is None:
        loaders = [(i, learn.dls[i]) for i in validation_sets(learn.dls)]
    else:
        loaders = [(1 if ds_idx is None else ds_idx, _loader(learn, ds_idx, dl))]
    if not loaders:
        raise ContractError("validate: the learner has no validation set. Pass dl=... to measure.")
    measure = Measure(Meter(learn.metrics))
    with learn.added_cbs(cbs), learn.added_cbs(measure):
        learn.run_validation(loaders)
    return measure.values


@strict
def get_preds(
    learn: "Learner",
    ds_idx: int = 1,
    dl: Any = None,
    *,
    with_input: bool = False,
    with_decoded: bool = False,
    with_loss: bool = False,
    act: Activation | None = None,
    reorder: bool = True,
    cbs: Callbacks | None = None,
) -> tuple[Any, ...]:
    """Predict a whole set.

    Args:
        learn: The learner.
        ds_idx: Which of the learner's loaders to predict.
        dl: A loader to predict in place of them, such as `dls.test_dl(items)`.
        with_input: Whether to return the inputs, too.
        with_decoded: Whether to return the answers (classes in place of probabilities), too.
        with_loss: Whether to return the loss of every item, too.
        act: Turns outputs into predictions; None takes the activation that belongs to the loss.
        reorder: Whether to go through the set in its own order, even if the loader shuffles.
        cbs: Callbacks for this pass only. Without `with_loss` the loss is computed only if one of
            all callbacks listens to `after_loss`.

    Returns:
        `([inputs,] predictions, targets [, answers] [, losses])` on the CPU. Targets are None if
        the loader has none.

    Example:
        >>> import torch
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.ones(4, 2), torch.ones(4, 1))]
        >>> loss = torch.nn.functional.mse_loss
        >>> learn = Learner((batches, batches), torch.nn.Linear(2, 1), loss, default_cbs=False)
        >>> preds, targets = learn.get_preds()
        >>> preds.shape, targets.shape
        (torch.Size([4, 1]), torch.Size([4, 1]))
    """
    dl = _loader(learn, ds_idx, dl)
    reading = reading_of(learn.loss_func)
    gather = GatherPreds(act or reading.activation, with_input=with_input, with_loss=with_loss)
    dl = _in_order(dl) if reorder else dl
    with learn.added_cbs(cbs), _loss_for(learn, per_item=with_loss), learn.added_cbs(gather):
        learn.run_validation([(ds_idx, dl)])
    parts = gather.joined()
    inputs, preds, targs, losses = _restored(parts, dl) if reorder else parts
    out = [preds, targs]
    if with_input:
        out.insert(0, inputs)
    if with_decoded:
        out.append(map_tree(reading.decode, preds))
    if with_loss:
        out.append(losses)
    return tuple(out)


@strict
def predict(learn: "Learner", item: Any, *, with_input: bool = False) -> tuple[Any, ...]:
    """Predict one item.

    Args:
        learn: The learner.
        item: What the data are made from: a path, an image, a text, a row.
        with_input: Whether to return the decoded input, too.

    Returns:
        `(answer, encoded answer, probabilities)`: for a classifier the label, its index, and the
        probability of every label; with `with_input` the input comes first.
    """
    dl = learn.dls.test_dl([item], num_workers=0)
    batch = dl.one_batch()
    with learn.no_bar():
        preds, _, encoded = get_preds(learn, dl=[batch], with_decoded=True)
    inputs, _ = showing(dl, batch).split_xy(batch)  # with their types: these say how to decode
    typed = _typed(learn, _as_tuple(encoded))
    decoded = learn.dls.decode_batch((*inputs, *typed), max_n=1)[0]
    n_inp = len(inputs)
    shown, answer = _alone(decoded[:n_inp]), _alone(decoded[n_inp:])
    result = (answer, encoded[0], preds[0])
    return (shown, *result) if with_input else result


@strict
def show_results(
    learn: "Learner", ds_idx: int = 1, dl: Any = None, max_n: int = 9, *, shuffle: bool = True
) -> Any:
    """Show inputs with their targets and the model's answers.

    Args:
        learn: The learner.
        ds_idx: Which of the learner's loaders to take a batch from.
        dl: A loader to take it from in place of them.
        max_n: The largest number of items to show.
        shuffle: Whether to take items by chance.
    """
    dl = _loader(learn, ds_idx, dl)
    dl = dl.new(shuffle=shuffle) if getattr(dl, "indexed", False) else dl  # a stream has one order
    batch = dl.one_batch()
    with learn.no_bar():
        answers = get_preds(learn, dl=[batch], with_decoded=True, reorder=False)[2]
    return showing(dl, batch).show_results(batch, answers, max_n=max_n)


def _loader(learn: "Learner", ds_idx: int | None, dl: Any) -> Any:
    if dl is not None:
        return dl
    i, n = 1 if ds_idx is None else ds_idx, len(learn.dls)
    if not -n <= i < n:
        raise ContractError(
            f"The learner has no loader {i}: there are {n}, of which 0 is for training. "
            "Give another ds_idx, or dl=... with a loader."
        )
    return learn.dls[i]


def _in_order(dl: Any) -> Any:
    """The same loader without shuffling and with its last batch."""
    unordered = getattr(dl, "shuffle", False) or getattr(dl, "drop_last", False)
    return dl.new(shuffle=False, drop_last=False) if unordered and hasattr(dl, "new") else dl


def _restored(part: Any, dl: Any) -> Any:
    """Put what a loader gave in an order of its own (by length) back into that of the items."""
    order = getattr(dl, "item_order", None)
    if order is None or part is None:
        return part
    if isinstance(part, tuple):
        return tuple(_restored(each, dl) for each in part)
    places = torch.tensor(order).argsort()
    if isinstance(part, list):  # rows of different widths
        return [part[i] for i in places.tolist()]
    return nested_reorder(part, places)


@contextmanager
def _loss_for(learn: "Learner", *, per_item: bool) -> Generator[None]:
    """Let the loss give one value per item, or leave it out if nobody listens to it."""
    before = learn.loss_func
    try:
        if per_item and before is not None:
            with NoneReduce(before) as learn.loss_func:
                yield
        else:
            learn.loss_func = before if learn.ordered_cbs("after_loss") else None
            yield
    finally:
        learn.loss_func = before


def _typed(learn: "Learner", answers: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give answers the types of the targets, so that the right transforms decode them."""
    kinds = learn.target_types
    if len(kinds) != len(answers):
        return answers
    return tuple(
        kind.wrap(answer) if issubclass(kind, TensorBase) and isinstance(answer, Tensor) else answer
        for kind, answer in zip(kinds, answers, strict=True)
    )


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def _alone(parts: tuple[Any, ...]) -> Any:
    return parts[0] if len(parts) == 1 else parts
