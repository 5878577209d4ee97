"""Curves of training: losses, learning rates, schedules."""

from collections.abc import Mapping, Sequence
from typing import Any

from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError
from lamina.viz.canvas import get_grid, new_axes

__all__ = ["plot_loss", "plot_lr", "plot_sched"]


def plot_loss(
    train: Sequence[float],
    valid: Sequence[float] = (),
    *,
    valid_steps: Sequence[int] | None = None,
    skip_start: int = 0,
    log: bool = False,
    ax: Any = None,
) -> Any:
    """Plot the training loss of every step, with the validation losses, and return the axes.

    Args:
        train: the loss after each step, usually smoothed.
        valid: the loss of each validation.
        valid_steps: after how many steps each validation came; None spreads them evenly.
        skip_start: leave out so many steps at the start, whose losses are large.
        log: use a logarithmic scale for the loss.
        ax: where to draw; None opens a new figure.

    Raises:
        ContractError: `valid_steps` has another length than `valid`.

    Example:
        >>> ax = plot_loss([2.0, 1.0, 0.5, 0.4], [0.9, 0.5])
        >>> [line.get_xdata().tolist() for line in ax.lines]
        [[1, 2, 3, 4], [2, 4]]
    """
    if valid_steps is None:
        valid_steps = [round((i + 1) * len(train) / len(valid)) for i in range(len(valid))]
    if len(valid_steps) != len(valid):
        raise ContractError(
            f"plot_loss: {len(valid_steps)} valid_steps for {len(valid)} validation losses. "
            "Give one step per validation."
        )
    ax = new_axes((6, 4)) if ax is None else ax
    ax.plot(range(skip_start + 1, len(train) + 1), train[skip_start:], label="train")
    shown = [(s, v) for s, v in zip(valid_steps, valid, strict=True) if s > skip_start]
    if shown:
        ax.plot([s for s, _ in shown], [v for _, v in shown], marker="o", label="valid")
        ax.legend()
    if log:
        ax.set_yscale("log")
    ax.set_xlabel("steps")
    ax.set_ylabel("loss")
    return ax


def plot_lr(
    lrs: Sequence[float],
    losses: Sequence[float],
    *,
    suggestions: Mapping[str, float] | None = None,
    ax: Any = None,
) -> Any:
    """Plot the loss against the learning rate, marking suggested rates, and return the axes.

    Args:
        lrs: the learning rates tried.
        losses: the loss at each of them.
        suggestions: learning rates to mark, by the name of the rule that suggests them.
        ax: where to draw; None opens a new figure.

    Raises:
        ContractError: the lengths differ, or there is nothing to plot.

    Example:
        >>> ax = plot_lr([1e-4, 1e-3, 1e-2], [2.0, 1.0, 3.0], suggestions={"valley": 1e-3})
        >>> ax.get_xscale(), ax.get_legend().get_texts()[0].get_text()
        ('log', 'valley: 1.00e-03')
    """
    if len(lrs) != len(losses) or not lrs:
        raise ContractError(
            f"plot_lr: {len(lrs)} learning rates for {len(losses)} losses. Give one loss per "
            "learning rate, and at least one."
        )
    ax = new_axes((6, 4)) if ax is None else ax
    ax.plot(lrs, losses)
    for i, (name, lr) in enumerate((suggestions or {}).items(), start=1):
        nearest = min(range(len(lrs)), key=lambda k: abs(lrs[k] - lr))
        ax.plot(lr, losses[nearest], "o", color=f"C{i}", label=f"{name}: {lr:.2e}")
    if suggestions:
        ax.legend()
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
    return ax


def plot_sched(values: Mapping[str, Sequence[float]], *, imsize: float = 4) -> L[Any]:
    """Plot how hyper-parameters changed step by step, one axes each, and return the axes.

    Args:
        values: the values of each hyper-parameter.
        imsize: side of one axes in inches.

    Example:
        >>> axes = plot_sched({"lr": [0.1, 0.2, 0.1], "mom": [0.9, 0.8, 0.9]})
        >>> [ax.get_ylabel() for ax in axes]
        ['lr', 'mom']
    """
    axes = get_grid(len(values), nrows=1, imsize=imsize)
    for ax, (name, curve) in zip(axes, values.items(), strict=True):
        ax.plot(range(1, len(curve) + 1), curve)
        ax.set_xlabel("steps")
        ax.set_ylabel(name)
    return axes
