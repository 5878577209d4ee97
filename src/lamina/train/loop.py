"""The training loop: fit, epoch, train, validate, batch, backward and step.

`Loop` is the whole machinery of training without its verbs: `Learner` adds those. Every part runs
through `run_part` of its `CallbackHost`, which emits the events around it.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError, DataError
from lamina.foundation.seeding import derive
from lamina.tensor.types import plain
from lamina.train.callback import Callback
from lamina.train.events import BACKWARD, BATCH, EPOCH, FIT, STEP, TRAIN, VALIDATE, Cancel, Part
from lamina.train.host import CallbackHost, Purpose

__all__ = ["TARGET_KEYS", "Loop"]

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


class Loop(CallbackHost):
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
        forward: What is called in place of the model, None for the model itself. Callbacks set it
            in `before_fit` through `wrap_forward`; every run starts and ends with None.
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
        super().__init__()
        self.dls, self.model, self.loss_func, self.seed = dls, model, loss_func, seed
        self.opt: Any = None
        self.forward: Callable[..., Any] | None = None
        self.xb: tuple[Any, ...] = ()
        self.yb: tuple[Any, ...] = ()
        self.pred: Any = None
        self.loss: Any = None
        self.loss_grad: Any = None
        self.epoch, self.n_epoch, self.epochs_done = 0, 1, 0
        self.iter, self.train_iter, self.pct_train = 0, 0, 0.0
        self.n_iter: int | None = 0
        self.training = False
        self.dl: Any = None
        self.ds_idx = 0
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
        self.forward = None
        try:
            self._n_inp = getattr(self.dls, "n_inp", None)
            self._place_model()
            self._listen()
            yield
        finally:
            self.running, self.purpose, self.training = False, "fit", False
            self.forward = None
            self._listen()
            self._set_mode(training=mode and purpose != "fit")

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
        self._set_mode(training=training)
        if hasattr(dl, "set_epoch"):
            dl.set_epoch(self.epochs_done)

    def _set_mode(self, *, training: bool) -> None:
        """Bring the model, and an optimizer that has modes too, into one."""
        self.model.train(training)
        switch = getattr(self.opt, "train" if training else "eval", None)
        if switch is not None:
            switch()

    @contextmanager
    def _kept_phase(self) -> Generator[None]:
        """Put the state of the phase back, so that a callback may validate inside of a fit."""
        kept = {name: getattr(self, name) for name in _OF_A_PHASE}
        modes = [(module, module.training) for module in self.model.modules()]
        try:
            yield
        finally:
            self.__dict__.update(kept)
            self._set_mode(training=self.training)
            for module, mode in modes:
                module.training = mode
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

    def wrap_forward(self, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Let `wrap(forward)` be called in place of the model until the run ends."""
        self.forward = wrap(self.model if self.forward is None else self.forward)

    def predict_batch(self) -> Any:
        """Call the model on `xb`, through what callbacks have put around it; emit nothing."""
        forward = self.model if self.forward is None else self.forward
        x = self.xb[0]
        if type(x) is not Tensor and isinstance(x, Mapping):
            return forward(**x)
        return forward(*self.xb)

    @torch.enable_grad()
    def reevaluate(self) -> Tensor:
        """Compute loss and gradients of the batch at hand again, at the weights as they are now.

        For callbacks and optimizers that need several gradients per step. The gradients replace
        those there are; `pred`, `loss` and `loss_grad` stay. Callbacks hear `after_pred` and
        `after_loss` again, nothing else.

        Returns:
            The loss that was differentiated.
        """
        kept = self.pred, self.loss, self.loss_grad
        self.opt.zero_grad()
        try:
            self._predict_and_measure()
            self._backward()
            return self.loss_grad.detach()
        finally:
            self.pred, self.loss, self.loss_grad = kept

    def _predict_and_measure(self) -> None:
        self.pred = self.predict_batch()
        self.emit("after_pred")
        if self.yb:
            self._measure_loss()
        elif self.training:
            raise ContractError(_NO_TARGET)

    def _work_on_batch(self) -> None:
        self._predict_and_measure()
        if self.training:
            self.run_part(BACKWARD, self._backward)
            self.take_step()

    def take_step(self) -> None:
        """Run the step as a part of the loop, then zero the gradients."""
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
        if getattr(self.opt, "needs_closure", False):
            self.opt.step(self.reevaluate)
        else:
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
            if isinstance(self.loss_func, nn.Module):
                self.loss_func.to(device)  # its weights

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
