"""The ways to fit: at one rate, or at one that follows a schedule; and fine-tuning."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypedDict, Unpack

from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.optim.schedule import (
    SchedCos,
    SchedLin,
    SchedNo,
    SchedPoly,
    Schedule,
    Value,
    combine_scheds,
    combined_cos,
)
from lamina.train.callback import Callback
from lamina.train.callbacks.schedule import ParamScheduler

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = [
    "Callbacks",
    "FitArgs",
    "LearningRate",
    "OneCycleArgs",
    "fine_tune",
    "fit",
    "fit_flat_cos",
    "fit_one_cycle",
    "fit_sgdr",
    "fit_wsd",
]

LearningRate = float | slice | Sequence[float]
Callbacks = Callback | type[Callback] | Iterable[Callback | type[Callback]]


class FitArgs(TypedDict, total=False):
    """What every way of fitting hands on to `fit`."""

    wd: float | None
    cbs: Callbacks | None
    reset_opt: bool
    start_epoch: int


class OneCycleArgs(FitArgs, total=False):
    """What `fine_tune` hands on to its two one-cycle phases."""

    div_final: float
    moms: tuple[float, float, float] | None


@strict
def fit(
    learn: "Learner",
    n_epoch: int,
    lr: LearningRate | None = None,
    wd: float | None = None,
    cbs: Callbacks | None = None,
    *,
    reset_opt: bool = False,
    start_epoch: int = 0,
) -> None:
    """Train for a number of epochs, at one learning rate unless a callback changes it.

    Args:
        learn: The learner.
        n_epoch: Passes over the training set.
        lr: The learning rate; `slice(a, b)` spreads from `a` for the first group to `b` for the
            last, `slice(b)` gives `b / 10` to all but the last. None takes `learn.lr`.
        wd: The weight decay; None takes `learn.wd`, and if that is None the optimizer's own.
        cbs: Callbacks for this fit only.
        reset_opt: Whether to make the optimizer anew.
        start_epoch: Epochs that count as done, so that schedules continue from there.

    Example:
        >>> import torch
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.ones(4, 2), torch.ones(4, 1))]
        >>> loss = torch.nn.functional.mse_loss
        >>> learn = Learner((batches, batches), torch.nn.Linear(2, 1), loss, default_cbs=False)
        >>> learn.fit(3, lr=0.1)
        >>> learn.train_iter, learn.pct_train
        (3, 1.0)
    """
    with learn.added_cbs(cbs):
        _prepare(learn, lr, wd, reset_opt=reset_opt)
        learn.run_fit(n_epoch, start_epoch)


@strict
def fit_one_cycle(
    learn: "Learner",
    n_epoch: int,
    lr_max: LearningRate | None = None,
    div: float = 25.0,
    div_final: float = 1e5,
    pct_start: float = 0.25,
    *,
    moms: tuple[float, float, float] | None = None,
    **fit_args: Unpack[FitArgs],
) -> None:
    """Train with a learning rate that rises and falls once, and momentum that does the opposite.

    Args:
        learn: The learner.
        n_epoch: Passes over the training set.
        lr_max: The highest learning rate (per group as in `fit`); None takes `learn.lr`.
        div: The first rate is `lr_max / div`.
        div_final: The last rate is `lr_max / div_final`.
        pct_start: The fraction of the fit that rises.
        moms: Momentum at the start, at the highest rate and at the end; None takes `learn.moms`.
        fit_args: `wd`, `cbs`, `reset_opt`, `start_epoch` as in `fit`.

    Source: L. N. Smith, "A disciplined approach to neural network hyper-parameters", 2018.
    """
    lr = _highest_lr(learn, lr_max, fit_args)
    scheds: dict[str, Schedule] = {
        "lr": combined_cos(pct_start, _over(lr, div), lr, _over(lr, div_final))
    }
    if "mom" in learn.opt.hypers[0]:
        scheds["mom"] = combined_cos(pct_start, *(moms or learn.moms))
    _fit_scheduled(learn, n_epoch, scheds, fit_args)


@strict
def fit_flat_cos(
    learn: "Learner",
    n_epoch: int,
    lr: LearningRate | None = None,
    div_final: float = 1e5,
    pct_start: float = 0.75,
    **fit_args: Unpack[FitArgs],
) -> None:
    """Train at a flat learning rate, then let it fall along a cosine.

    Args:
        learn: The learner.
        n_epoch: Passes over the training set.
        lr: The flat learning rate (per group as in `fit`); None takes `learn.lr`.
        div_final: The last rate is `lr / div_final`.
        pct_start: The fraction of the fit at the flat rate.
        fit_args: `wd`, `cbs`, `reset_opt`, `start_epoch` as in `fit`.
    """
    top = _highest_lr(learn, lr, fit_args)
    sched = combined_cos(pct_start, top, top, _over(top, div_final))
    _fit_scheduled(learn, n_epoch, {"lr": sched}, fit_args)


@strict
def fit_sgdr(
    learn: "Learner",
    n_cycles: int,
    cycle_len: int,
    lr_max: LearningRate | None = None,
    cycle_mult: int = 2,
    **fit_args: Unpack[FitArgs],
) -> None:
    """Train in cycles: in each the learning rate falls along a cosine, then it restarts.

    Args:
        learn: The learner.
        n_cycles: How many cycles.
        cycle_len: Epochs of the first cycle.
        lr_max: The rate at the start of each cycle (per group as in `fit`).
        cycle_mult: Each cycle is this many times as long as the one before.
        fit_args: `wd`, `cbs`, `reset_opt`, `start_epoch` as in `fit`.

    Source: Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017.
    """
    lengths = [cycle_len * cycle_mult**i for i in range(n_cycles)]
    n_epoch = sum(lengths)
    if n_epoch < 1:
        raise ContractError(f"fit_sgdr: {n_cycles} cycles of {cycle_len} epochs have no epoch.")
    pcts = [length / n_epoch for length in lengths]
    lr = _highest_lr(learn, lr_max, fit_args)
    sched = combine_scheds(pcts, [SchedCos(lr, 0.0)] * n_cycles)
    _fit_scheduled(learn, n_epoch, {"lr": sched}, fit_args)


@strict
def fit_wsd(
    learn: "Learner",
    n_epoch: int,
    lr: LearningRate | None = None,
    pct_warmup: float = 0.05,
    pct_decay: float = 0.2,
    *,
    keep: str | Path | None = None,
    **fit_args: Unpack[FitArgs],
) -> None:
    """Train with warm-up, a stable rate, and a decay to zero as `1 - sqrt` of its progress.

    The stable part can be extended: with `keep` the learner is saved where the decay begins, and
    `learn.load(keep)` and `learn.fit_wsd(more, pct_warmup=0)` go on from there as if it had not
    begun.

    Args:
        learn: The learner.
        n_epoch: Passes over the training set.
        lr: The stable learning rate (per group as in `fit`); None takes `learn.lr`.
        pct_warmup: The fraction of the fit in which the rate rises from zero.
        pct_decay: The fraction in which it falls.
        keep: The name of the checkpoint, as for `Learner.save`.
        fit_args: `wd`, `cbs`, `reset_opt`, `start_epoch` as in `fit`.

    Source: Hu et al., "MiniCPM", 2024; the decay by Hägele et al., "Scaling Laws and
    Compute-Optimal Training Beyond Fixed Training Durations", 2024.
    """
    stable = 1 - pct_warmup - pct_decay
    if min(pct_warmup, pct_decay, round(stable, 9)) < 0:
        raise ContractError(
            f"fit_wsd: pct_warmup={pct_warmup} and pct_decay={pct_decay} leave {stable:.2f} of "
            "the fit for the stable part. Each part is from 0 to 1, all together are 1."
        )
    top = _highest_lr(learn, lr, fit_args)
    zero = _over(top, math.inf)
    parts = [
        (pct_warmup, SchedLin(zero, top)),
        (stable, SchedNo(top, top)),
        (pct_decay, SchedPoly(top, zero, 0.5)),
    ]
    pcts, scheds = zip(*[part for part in parts if round(part[0], 9) > 0], strict=True)
    save = Callback() if keep is None else _SaveAt(keep, 1 - pct_decay)
    with learn.added_cbs(save):
        _fit_scheduled(learn, n_epoch, {"lr": combine_scheds(pcts, scheds)}, fit_args)


class _SaveAt(Callback):
    """Save the learner once, when a fraction of the fit is done."""

    only_fit: ClassVar[bool] = True
    run_valid = False

    def __init__(self, file: str | Path, pct: float) -> None:
        super().__init__()
        self.file, self.pct = file, pct

    def before_batch(self, learn: "Learner") -> None:
        if self.run and learn.pct_train >= self.pct - 1e-9:
            learn.save(self.file)
            self.run = False


@strict
def fine_tune(
    learn: "Learner",
    epochs: int,
    base_lr: float = 2e-3,
    freeze_epochs: int = 1,
    lr_mult: float = 100,
    pct_start: float = 0.3,
    div: float = 5.0,
    **one_cycle: Unpack[OneCycleArgs],
) -> None:
    """Train the new layers of a pretrained model first, then all of it.

    Args:
        learn: The learner.
        epochs: Epochs with all layers.
        base_lr: The rate of the first phase; the second takes half of it for the last group.
        freeze_epochs: Epochs of the first phase, in which all but the last group are frozen.
        lr_mult: The first group's rate is that of the last divided by this.
        pct_start: The fraction of the second phase in which the rate rises.
        div: The second phase starts at its highest rate divided by this.
        one_cycle: Further arguments of `fit_one_cycle`, for both phases.
    """
    learn.freeze()
    fit_one_cycle(learn, freeze_epochs, slice(base_lr), pct_start=0.99, **one_cycle)
    base_lr /= 2
    learn.unfreeze()
    rates = slice(base_lr / lr_mult, base_lr)
    fit_one_cycle(learn, epochs, rates, pct_start=pct_start, div=div, **one_cycle)


def _prepare(
    learn: "Learner", lr: LearningRate | None, wd: float | None, *, reset_opt: bool
) -> None:
    """Make the optimizer if need be and set its learning rate and weight decay."""
    opt = learn.create_opt() if reset_opt or learn.opt is None else learn.opt
    wd = learn.wd if wd is None else wd
    if wd is not None:
        opt.set_hyper("wd", wd)
    opt.set_hyper("lr", learn.lr if lr is None else lr)


def _highest_lr(learn: "Learner", lr: LearningRate | None, fit_args: FitArgs) -> Value:
    """Set the learning rate and return it: a number, or one per parameter group."""
    reset_opt = fit_args.pop("reset_opt", False)
    _prepare(learn, lr, fit_args.get("wd"), reset_opt=reset_opt)
    each = [float(hyper["lr"]) for hyper in learn.opt.hypers]
    return tuple(each) if len(each) > 1 else each[0]


def _over(lr: Value, divisor: float) -> Value:
    return tuple(x / divisor for x in lr) if isinstance(lr, tuple) else lr / divisor


def _fit_scheduled(
    learn: "Learner", n_epoch: int, scheds: dict[str, Schedule], fit_args: FitArgs
) -> None:
    lrs = [hyper["lr"] for hyper in learn.opt.hypers]
    cbs = fit_args.pop("cbs", None)
    with learn.added_cbs(cbs), learn.added_cbs(ParamScheduler(scheds)):
        fit(learn, n_epoch, lrs, **fit_args)
