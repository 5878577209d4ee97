"""The training loop: parts with their events, and a table of who listens to which event.

`Loop` is the whole machinery of training without its verbs: `Learner` adds those. Every part (fit,
epoch, train, validate, batch, backward, step) runs through `run_part`, which is the paper's figure:
the `before_*` event, the work, `after_cancel_*` when the part was cancelled, and `after_*` always.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError, DataError
from lamina.foundation.seeding import derive
from lamina.tensor.types import plain
from lamina.train.callback import Callback, Handler, event_table, ordered
from lamina.train.events import (
    BACKWARD,
    BATCH,
    EPOCH,
    EVENTS,
    FIT,
    STEP,
    TRAIN,
    VALIDATE,
    Cancel,
    Event,
    Part,
)

__all__ = ["TARGET_KEYS", "Loop", "Purpose"]

Purpose = Literal["fit", "find", "validate"]

TARGET_KEYS = ("labels", "label", "targets", "target", "y")
"""Where the target of a dict batch is looked for; all other entries are the model's input."""

_OF_A_PHASE = (
    "purpose",
    "training",
    "dl",
    "ds_idx",
    "iter",
    "n_iter",
    "xb",
    "yb",
    "pred",
    "loss",
    "loss_grad",
)


class Loop:
    """A model, its data, loss and optimizer, and the loop that trains them.

    Everything here may be read and written by callbacks while the loop runs.

    Args:
        dls: The loaders: `dls.train`, and `dls[1]`, `dls[2]`... for the validation sets.
        model: Any module; it receives plain tensors.
        loss_func: Called with the prediction and the target(s).
        cbs: Callbacks or callback classes.
        seed: The seed of the data's and the model's randomness. With None the loaders keep their
            own and the model draws from torch's global stream.

    Attributes:
        xb, yb: Inputs and targets of the batch, as tuples of plain tensors. A dict batch gives one
            mapping as input, handed to the model as keyword arguments, and the entry named by
            one of `TARGET_KEYS` as target. `x` and `y` are the same, without the tuple of one.
        pred, loss, loss_grad: Output, loss, and what is differentiated. They are one tensor unless
            a callback replaces `loss_grad`; replacing `loss` replaces both.
        opt: The optimizer, or None before the first fit.
        epoch, n_epoch, iter, n_iter: Where the loop is; `n_iter` is None for data without length.
        train_iter, pct_train: Training batches done in this fit, and the fraction of the fit.
        training: Whether the batch trains.
        dl, ds_idx: The loader in use and its index in `dls`.
        epochs_done: Epochs trained over the learner's life; it counts the data's randomness.
        purpose: "fit", "find" (`lr_find`) or "validate".
        exc: The exception that is passing through, None if all is well.

    Example:
        >>> from lamina.data.loaders import DataLoaders
        >>> from lamina.optim.recipes import SGD
        >>> model, batches = nn.Linear(2, 1), [(torch.ones(4, 2), torch.ones(4, 1))]
        >>> loop = Loop(DataLoaders(batches), model, nn.functional.mse_loss)
        >>> loop.opt = SGD(model.parameters(), lr=0.1)
        >>> with loop.added_cbs(Callback(after_step=lambda loop: print("step", loop.train_iter))):
        ...     loop.run_fit(2)
        step 0
        step 1
    """

    def __init__(
        self,
        dls: Any,
        model: nn.Module,
        loss_func: Callable[..., Any] | None = None,
        *,
        cbs: Iterable[Callback | type[Callback]] = (),
        seed: int | None = None,
    ) -> None:
        self.dls, self.model, self.loss_func, self.seed = dls, model, loss_func, seed
        self.opt: Any = None
        self.cbs: list[Callback] = []
        self.xb: tuple[Any, ...] = ()
        self.yb: tuple[Any, ...] = ()
        self.pred: Any = None
        self.loss: Any = None
        self.loss_grad: Any = None
        self.epoch, self.n_epoch, self.epochs_done = 0, 1, 0
        self.iter, self.train_iter, self.pct_train = 0, 0, 0.0
        self.n_iter: int | None = 0
        self.training, self.running = False, False
        self.dl: Any = None
        self.ds_idx = 0
        self.purpose: Purpose = "fit"
        self.exc: BaseException | None = None
        self._tables: dict[bool, dict[str, tuple[tuple[Callback, Handler], ...]]] = {}
        self._handlers = _NOBODY
        self._n_inp: int | None = None
        self.add_cbs(cbs)

    # ----- the batch as the user sees it

    @property
    def x(self) -> Any:
        """The input of the batch: `xb` without the tuple if it holds one thing."""
        return self.xb[0] if len(self.xb) == 1 else self.xb

    @x.setter
    def x(self, value: Any) -> None:
        self.xb = value if isinstance(value, tuple) else (value,)

    @property
    def y(self) -> Any:
        """The target of the batch: `yb` without the tuple if it holds one thing."""
        return self.yb[0] if len(self.yb) == 1 else self.yb

    @y.setter
    def y(self, value: Any) -> None:
        self.yb = value if isinstance(value, tuple) else (value,)

    # ----- callbacks

    def add_cb(self, cb: Callback | type[Callback]) -> None:
        """Add a callback; a class is instantiated."""
        self.cbs.append(cb() if isinstance(cb, type) else cb)
        self._listen()

    def add_cbs(self, cbs: Iterable[Callback | type[Callback]]) -> None:
        """Add several callbacks."""
        for cb in cbs:
            self.add_cb(cb)

    def remove_cb(self, cb: Callback | type[Callback]) -> None:
        """Remove a callback, or all callbacks of a class."""
        gone = (
            (lambda one: isinstance(one, cb)) if isinstance(cb, type) else (lambda one: one is cb)
        )
        self.cbs = [one for one in self.cbs if not gone(one)]
        self._listen()

    def remove_cbs(self, cbs: Iterable[Callback | type[Callback]]) -> None:
        """Remove several callbacks."""
        for cb in cbs:
            self.remove_cb(cb)

    @contextmanager
    def added_cbs(
        self, cbs: Callback | type[Callback] | Iterable[Callback | type[Callback]] | None
    ) -> Generator[None]:
        """Add callbacks for the length of a `with` block."""
        given = [cbs] if isinstance(cbs, Callback | type) else list(cbs or ())
        fresh = [cb() if isinstance(cb, type) else cb for cb in given]
        self.add_cbs(fresh)
        try:
            yield
        finally:
            self.remove_cbs(fresh)

    @contextmanager
    def removed_cbs(self, cbs: Sequence[Callback | type[Callback]]) -> Generator[None]:
        """Take callbacks (or all of the classes given) away for the length of a `with` block."""
        before = self.cbs
        self.remove_cbs(cbs)
        gone = [cb for cb in before if not any(cb is one for one in self.cbs)]
        try:
            yield
        finally:
            self.add_cbs(gone)

    def ordered_cbs(self, event: Event) -> list[Callback]:
        """Return the callbacks that listen to an event, in the order in which they run."""
        return [cb for cb in ordered(self.cbs) if cb.handler(event) is not None]

    def _listen(self) -> None:
        """Bring the event tables up to date; callbacks may come and go while the loop runs."""
        if not self.running:
            return
        cbs = [cb for cb in self.cbs if self.purpose == "fit" or not cb.only_fit]
        self._tables = {kind: event_table(cbs, training=kind) for kind in (True, False)}
        self._handlers = self._tables[self.training]

    # ----- parts and events

    def emit(self, event: Event) -> None:
        """Call every callback that listens to an event."""
        for cb, handler in self._handlers[event]:
            if cb.run:
                try:
                    handler(self)
                except Exception as error:
                    _note(error, cb, event)
                    raise

    def run_part(self, part: Part, body: Callable[..., object], *args: Any) -> None:
        """Run `body(*args)` as a part of the loop, between its events."""
        try:
            self.emit(part.before)
            body(*args)
        except BaseException as error:
            left = self._interrupted(part, error)
            if left is error:
                raise
            if left is not None:
                raise left from error
        else:
            if self._handlers[part.after]:
                left = self._emit_to_all(part.after)
                if left is not None and not isinstance(left, part.cancel):
                    raise left

    def _interrupted(self, part: Part, error: BaseException) -> BaseException | None:
        """Close a part that did not end by itself; return what the outer part has to know."""
        self.exc = left = error
        if isinstance(error, part.cancel):
            left = self._emit_to_all(part.after_cancel)
        left = _graver(left, self._emit_to_all(part.after))
        if left is None or isinstance(left, part.cancel):
            self.exc = left = None
        return left

    def _emit_to_all(self, event: Event) -> BaseException | None:
        """Call every listener even if one fails; return the gravest exception."""
        left: BaseException | None = None
        for cb, handler in self._handlers[event]:
            if not cb.run:
                continue
            try:
                handler(self)
            except BaseException as error:
                _note(error, cb, event)
                left = _graver(left, error)
        return left

    # ----- fit, epoch, phase

    def run_fit(self, n_epoch: int, start_epoch: int = 0, *, purpose: Purpose = "fit") -> None:
        """Train for `n_epoch` epochs, of which the first `start_epoch` count as done.

        Raises:
            DataError: There is nothing to train on.
            ContractError: No loss or optimizer is set, or a callback cancels a part that is not
                running.
        """
        self._check_ready()
        self.n_epoch, self.exc, self.train_iter = n_epoch, None, 0
        self.pct_train = 0.0
        self.opt.zero_grad()
        with self.listening(purpose):
            self._run(FIT, self._epochs, range(start_epoch, n_epoch))

    def run_validation(self, loaders: Iterable[tuple[int, Any]]) -> None:
        """Pass once over each (index, loader) without training.

        Inside a fit only the events of validation are emitted, else those of fit and epoch too.
        Callbacks that are only for fits, such as the `Recorder`, are left out.
        """
        if self.running:
            with self._kept_phase():
                self.purpose = "validate"
                self._listen()
                self._validations(loaders)
            return
        self.exc, self.n_epoch, self.epoch = None, 1, 0
        with self.listening("validate"):
            self._run(FIT, self.run_part, EPOCH, self._validations, loaders)

    @contextmanager
    def listening(self, purpose: Purpose) -> Generator[None]:
        """Build the event tables for a purpose; afterwards nobody listens.

        A fit leaves the model in evaluation mode, the other purposes as it was.
        """
        mode = self.model.training
        self.running, self.purpose, self.training = True, purpose, purpose != "validate"
        try:
            self._n_inp = getattr(self.dls, "n_inp", None)
            self._place_model()
            self._listen()
            yield
        finally:
            self.running, self.purpose, self.training = False, "fit", False
            self._tables, self._handlers = {}, _NOBODY
            self.model.train(mode and purpose != "fit")

    def _run(self, part: Part, body: Callable[..., object], *args: Any) -> None:
        try:
            self.run_part(part, body, *args)
        except Cancel as stray:
            raise ContractError(
                f"fit: {type(stray).__name__} was raised where that part of the loop is not "
                "running, so nothing could be cancelled. Check `learn.training` first, or raise "
                "it from an event inside of the part."
            ) from stray

    def _epochs(self, epochs: Iterable[int]) -> None:
        for self.epoch in epochs:
            try:
                self.run_part(EPOCH, self._one_epoch)
            finally:
                self.epochs_done += 1

    def _one_epoch(self) -> None:
        self._start_phase(0, self.dls.train, training=True)
        self.pct_train = self.epoch / self.n_epoch
        with self._counted_randomness():
            self.run_part(TRAIN, self._all_batches)
        self._validations((i, self.dls[i]) for i in validation_sets(self.dls))

    def _validations(self, loaders: Iterable[tuple[int, Any]]) -> None:
        with torch.no_grad():
            for index, dl in loaders:
                self._start_phase(index, dl, training=False)
                self.run_part(VALIDATE, self._all_batches)

    def _start_phase(self, index: int, dl: Any, *, training: bool) -> None:
        self.ds_idx, self.dl, self.training = index, dl, training
        self.n_iter = _length(dl)
        self._handlers = self._tables[training]
        self.model.train(training)
        if hasattr(dl, "set_epoch"):
            dl.set_epoch(self.epochs_done)

    @contextmanager
    def _kept_phase(self) -> Generator[None]:
        """Put the state of the phase back, so that a callback may validate inside of a fit."""
        kept = {name: getattr(self, name) for name in _OF_A_PHASE}
        mode = self.model.training
        try:
            yield
        finally:
            self.__dict__.update(kept)
            self.model.train(mode)
            self._listen()

    def _all_batches(self) -> None:
        done = -1
        for done, batch in enumerate(self.dl):
            self.iter = done
            self.one_batch(batch)
        if done < 0 and self.training:
            raise DataError(_NO_BATCHES)

    # ----- one batch

    def one_batch(self, batch: Any) -> None:
        """Take one batch through the loop: predict, and in training also learn from it."""
        self.xb, self.yb = self.split_batch(batch)
        self.pred = self.loss = self.loss_grad = None
        self.run_part(BATCH, self._work_on_batch)
        if self.training:
            self.train_iter += 1
            if self.n_iter:
                self.pct_train = (self.epoch + (self.iter + 1) / self.n_iter) / self.n_epoch

    def split_batch(self, batch: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Split a batch into inputs and targets, as plain tensors.

        The names of a dict's entries decide, otherwise `dls.n_inp`; without that the last of
        several parts is the target.
        """
        if isinstance(batch, (tuple, list)):
            parts = tuple([x if type(x) is Tensor else plain(x) for x in batch])
            n_inp = self._n_inp or max(1, len(parts) - 1)
            return parts[:n_inp], parts[n_inp:]
        batch = plain(batch)
        if isinstance(batch, Mapping):
            key = next((name for name in TARGET_KEYS if name in batch), None)
            inputs = {name: value for name, value in batch.items() if name != key}
            return (inputs,), (() if key is None else (batch[key],))
        return (batch,), ()

    def _work_on_batch(self) -> None:
        x = self.xb[0]
        if type(x) is not Tensor and isinstance(x, Mapping):
            self.pred = self.model(**x)
        else:
            self.pred = self.model(*self.xb)
        self.emit("after_pred")
        if self.yb:
            self._measure_loss()
        elif self.training:
            raise ContractError(_NO_TARGET)
        if self.training:
            self.run_part(BACKWARD, self._backward)
            self.run_part(STEP, self._step)
            self.opt.zero_grad()

    def _measure_loss(self) -> None:
        if self.loss_func is None:
            self.loss = self.loss_grad = None
        else:
            self.loss = self.loss_grad = self.loss_func(self.pred, *self.yb)
        first = self.loss
        self.emit("after_loss")
        replaced = self.loss is not first and self.loss_grad is first
        if replaced and isinstance(self.loss, Tensor) and self.loss.requires_grad:
            self.loss_grad = self.loss

    def _backward(self) -> None:
        self.loss_grad.backward()

    def _step(self) -> None:
        self.opt.step()

    # ----- around the loop

    def _check_ready(self) -> None:
        if self.running:
            raise ContractError("fit: this learner is already running; a callback cannot call fit.")
        if self.opt is None or self.loss_func is None:
            missing = "optimizer" if self.opt is None else "loss function"
            raise ContractError(f"fit: the learner has no {missing}. Set one before training.")
        if _length(self.dls.train) == 0:
            raise DataError(_NO_BATCHES)

    def _place_model(self) -> None:
        if (device := getattr(self.dls, "device", None)) is not None:
            self.model.to(device)

    @contextmanager
    def _counted_randomness(self) -> Generator[None]:
        """With a seed, let the model's draws (dropout) depend on seed and epoch alone."""
        if self.seed is None:
            yield
            return
        device = getattr(self.dls, "device", None)
        on_cuda = [device] if device is not None and torch.device(device).type == "cuda" else []
        with torch.random.fork_rng(on_cuda):
            torch.manual_seed(derive(self.seed, "model", self.epochs_done))
            yield


_NOBODY: dict[str, tuple[tuple[Callback, Handler], ...]] = dict.fromkeys(EVENTS, ())
_NO_BATCHES = (
    "fit: the training loader gives no batches, so there is nothing to train on. Check that the "
    "training set is not empty, and that with drop_last=True it has at least one batch of items."
)
_NO_TARGET = (
    "fit: the batch has no target, so no loss can be computed. Give batches of (input, target), or "
    f"dicts with one of the entries {', '.join(TARGET_KEYS)}, or set `learn.yb` in a callback."
)


def validation_sets(dls: Any) -> list[int]:
    """The numbers of the loaders for validation; those without a batch do not count."""
    return [i for i in range(1, len(dls)) if _length(dls[i]) != 0]


def _length(dl: Any) -> int | None:
    """The number of batches of a loader, None if it cannot tell."""
    try:
        return len(dl)
    except TypeError:
        return None


def _graver(first: BaseException | None, second: BaseException | None) -> BaseException | None:
    """Of two exceptions keep the one that reaches further: an error, else the outer part's."""
    if first is None or second is None:
        return first or second
    return second if _reach(second) > _reach(first) else first


def _reach(error: BaseException) -> int:
    return error.reach if isinstance(error, Cancel) else len(EVENTS)


def _note(error: BaseException, cb: Callback, event: str) -> None:
    if not isinstance(error, Cancel):
        error.add_note(f"In callback {cb.name}, event {event}.")
