"""`Learner`: a model with its data, and a table of contents of what can be done with them."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypedDict, TypeVar

import torch
from torch import nn

from lamina.data.datasets import Datasets
from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import Randomness, using
from lamina.foundation.signatures import strict
from lamina.metrics.base import Metric, mk_metric
from lamina.nn.losses import NoneReduce
from lamina.nn.params import norm_bias_params, trainable_params
from lamina.optim.recipes import Adam
from lamina.optim.wrap import OptimWrapper
from lamina.train import (
    batch_size,
    fitting,
    freezing,
    lr_finder,
    persistence,
    prediction,
    summary,
    tta,
)
from lamina.train.callback import Callback, ordered
from lamina.train.callbacks.progress import ProgressCallback
from lamina.train.callbacks.techniques import channels_last, precision
from lamina.train.events import EVENTS
from lamina.train.fitting import Callbacks, LearningRate
from lamina.train.infer import balance_loss, infer
from lamina.train.loop import Loop
from lamina.train.persistence import ModelSpec
from lamina.train.recorder import Recorder

__all__ = ["Learner", "LearnerArgs"]

CB = TypeVar("CB", bound=Callback)
Splitter = Callable[[nn.Module], Sequence[Any]]
Metrics = Metric | Callable[..., Any] | Iterable[Metric | Callable[..., Any]]
Moms = tuple[float, float, float]


class LearnerArgs(TypedDict, total=False):
    """The keyword arguments of `Learner`, for functions that make one."""

    loss_func: Callable[..., Any] | None
    opt_func: Callable[..., Any]
    lr: LearningRate
    splitter: Splitter
    cbs: Callbacks | None
    metrics: Metrics | None
    path: str | Path | None
    model_dir: str | Path
    wd: float | None
    wd_bn_bias: bool
    train_bn: bool
    moms: Moms
    default_cbs: bool
    seed: int | None


class Learner(Loop):
    """A model, its data, loss and optimizer, and everything that can be done with them.

    Args:
        dls: The loaders: `DataLoaders`, or training and validation loaders of any kind that give
            tuples or dicts.
        model: Any module.
        loss_func: The loss; None takes the one for the task that the data declare. Weights that
            are "auto" are computed from the training set.
        opt_func: Makes the optimizer from parameter groups and `lr`: a recipe of `lamina.optim`, a
            class of `torch.optim`, or a ready `OptimWrapper`.
        lr: The default learning rate.
        splitter: Gives the parameter groups of the model, from the first layers to the last.
        cbs: Callbacks beside the default ones.
        metrics: Metrics, or functions of (prediction, target).
        path: Where files go; None takes that of the loaders. A relative one is made absolute.
        model_dir: The folder for `save` and `load`, under `path`.
        wd: The default weight decay; None takes the optimizer's own.
        wd_bn_bias: Whether norm layers and biases decay, too.
        train_bn: Whether norm layers train when their group is frozen.
        moms: Momentum of the one-cycle schedule: at the start, at the highest rate, at the end.
        default_cbs: Whether to record and to show progress.
        seed: Makes data and model draws depend on this number and the epoch only.

    Example:
        >>> import torch
        >>> batches = [(torch.ones(4, 2), torch.ones(4, 1))]
        >>> learn = Learner((batches, batches), nn.Linear(2, 1), nn.functional.mse_loss)
        >>> with learn.no_bar():
        ...     learn.fit_one_cycle(2, lr_max=0.1)
        >>> len(learn.recorder.values), len(learn.recorder.losses)
        (2, 2)

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Learner".
    """

    rebuild: ClassVar[Callable[..., Any] | None] = None
    """Of a subclass: a savable function of (dls, model, loss) with which it is loaded."""

    @strict
    def __init__(  # noqa: PLR0913 - the signature of the paper
        self,
        dls: Any,
        model: nn.Module,
        loss_func: Callable[..., Any] | None = None,
        opt_func: Callable[..., Any] = Adam,
        lr: LearningRate = 0.001,
        *,
        splitter: Splitter = trainable_params,
        cbs: Callbacks | None = None,
        metrics: Metrics | None = None,
        path: str | Path | None = None,
        model_dir: str | Path = "models",
        wd: float | None = None,
        wd_bn_bias: bool = False,
        train_bn: bool = True,
        moms: Moms = (0.95, 0.85, 0.95),
        default_cbs: bool = True,
        seed: int | None = None,
    ) -> None:
        dls = DataLoaders(*dls) if isinstance(dls, tuple | list) else dls
        loss_func = infer(getattr(dls, "task", None)).loss if loss_func is None else loss_func
        balance_loss(loss_func, dls)
        super().__init__(dls, model, loss_func, seed=seed)
        self.opt_func, self.splitter, self.moms = opt_func, splitter, moms
        self.default_lr, self.wd, self.wd_bn_bias, self.train_bn = lr, wd, wd_bn_bias, train_bn
        self.path = Path((getattr(dls, "path", None) or ".") if path is None else path).absolute()
        self.model_dir = Path(model_dir)
        self.metrics = [mk_metric(metric) for metric in _listed(metrics)]
        self.model_spec: ModelSpec | None = None
        self._target_types: tuple[type, ...] | None = None
        if default_cbs:
            self.add_cbs([Recorder, ProgressCallback])
        self.add_cbs(_listed(cbs))
        self._seed_loaders()
        self._announce()

    # Train
    fit = fitting.fit
    fit_one_cycle = fitting.fit_one_cycle
    fit_flat_cos = fitting.fit_flat_cos
    fit_sgdr = fitting.fit_sgdr
    fit_wsd = fitting.fit_wsd
    fine_tune = fitting.fine_tune
    lr_find = lr_finder.lr_find
    find_bs = batch_size.find_bs
    # Freeze
    freeze = freezing.freeze
    freeze_to = freezing.freeze_to
    unfreeze = freezing.unfreeze
    # Run in another precision or memory format
    to_fp16 = precision.to_fp16
    to_bf16 = precision.to_bf16
    to_fp32 = precision.to_fp32
    to_channelslast = channels_last.to_channelslast
    to_contiguous = channels_last.to_contiguous
    # Use
    validate = prediction.validate
    get_preds = prediction.get_preds
    predict = prediction.predict
    tta = tta.tta
    show_results = prediction.show_results
    summary = summary.summary
    # Keep
    save = persistence.save
    load = persistence.load
    export = persistence.export

    @property
    def lr(self) -> LearningRate:
        """The default learning rate; inside a fit the rate in use (of the last group).

        Writing it inside a fit sets the optimizer's rate.
        """
        return self.opt.hypers[-1]["lr"] if self.running and self.opt else self.default_lr

    @lr.setter
    def lr(self, value: LearningRate) -> None:
        if self.running and self.opt:
            self.opt.set_hyper("lr", value)
        else:
            self.default_lr = value

    @property
    def recorder(self) -> Recorder:
        """The record of the last fit."""
        return self.callback(Recorder)

    @property
    def smooth_loss(self) -> float:
        """The smoothed training loss of the last batch; reading it waits for the device."""
        return self.recorder.smooth_loss

    @property
    def target_types(self) -> tuple[type, ...]:
        """The semantic types of the targets; an answer gets them back before it is decoded."""
        if self._target_types is None:
            self._target_types = _target_types(self.dls)
        return self._target_types

    @target_types.setter
    def target_types(self, kinds: tuple[type, ...]) -> None:
        self._target_types = kinds

    def callback(self, kind: type[CB]) -> CB:
        """Return the learner's callback of a class.

        Raises:
            ContractError: There is none.
        """
        for cb in self.cbs:
            if isinstance(cb, kind):
                return cb
        there = ", ".join(cb.name for cb in self.cbs) or "none"
        raise ContractError(f"Learner: no callback of class {kind.__name__}. There are: {there}.")

    def create_opt(self) -> Any:
        """Make the optimizer anew, from the splitter's parameter groups, and return it."""
        groups = self.splitter(self.model)
        self.opt = _make_opt(self.opt_func, groups, self.default_lr)
        if not self.wd_bn_bias:
            self.opt.mark(norm_bias_params(self.model), do_wd=False)
        if self.train_bn:
            self.opt.mark(norm_bias_params(self.model, with_bias=False), force_train=True)
        return self.opt

    @contextmanager
    def no_bar(self) -> Generator[None]:
        """Show no progress inside a `with` block."""
        with self.removed_cbs([ProgressCallback]):
            yield

    no_logging = no_mbar = no_bar

    @contextmanager
    def loss_not_reduced(self) -> Generator[None]:
        """Have one loss per item instead of their mean inside a `with` block."""
        before: Any = self.loss_func  # a Loop may have none, a Learner has one
        try:
            with NoneReduce(before) as self.loss_func:
                yield
        finally:
            self.loss_func = before

    @contextmanager
    def validation_context(self, cbs: Callbacks | None = None) -> Generator["Learner"]:
        """Show no progress, and have further callbacks, inside a `with` block.

        Args:
            cbs: Callbacks for the length of the block.
        """
        with self.no_bar(), self.added_cbs(cbs):
            yield self

    def show_training_loop(self) -> str:
        """Return the events of a fit in order, each with the callbacks that listen to it."""
        rows = ((event, [cb.name for cb in self.ordered_cbs(event)]) for event in EVENTS)
        return "\n".join(f"{event:22} {', '.join(names)}".rstrip() for event, names in rows)

    def _seed_loaders(self) -> None:
        if self.seed is not None:
            for dl in self.dls:
                if hasattr(dl, "seed"):
                    dl.seed = self.seed

    def _announce(self) -> None:
        for cb in ordered(self.cbs):
            if (handler := cb.handler("after_create")) is not None:
                handler(self)

    def __repr__(self) -> str:
        names = ", ".join(cb.name for cb in self.cbs)
        return f"Learner({type(self.model).__name__}, loss={_name(self.loss_func)}, cbs=[{names}])"


def _target_types(dls: Any) -> tuple[type, ...]:
    """Make one item as batches are made of, and look."""
    dataset = getattr(dls[0], "dataset", None)
    if not isinstance(dataset, Datasets) or not len(dataset):
        return ()
    with using(Randomness(0)):
        return tuple(type(part) for part in dls[0].do_item(0)[dataset.n_inp :])


def _make_opt(opt_func: Any, groups: Any, lr: LearningRate) -> Any:
    if isinstance(opt_func, OptimWrapper):
        return opt_func
    if isinstance(opt_func, type) and issubclass(opt_func, torch.optim.Optimizer):
        return OptimWrapper(groups, opt_func, lr=lr)
    return opt_func(groups, lr=lr)


def _listed(given: Any) -> list[Any]:
    """Bring None, one thing or several into a list."""
    if given is None:
        return []
    if callable(given) or isinstance(given, Callback | Metric | str):
        return [given]
    return list(given)


def _name(obj: Any) -> str:
    return getattr(obj, "__name__", type(obj).__name__)
