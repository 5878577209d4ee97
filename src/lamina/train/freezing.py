"""Freezing: which parameter groups train."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["freeze", "freeze_to", "unfreeze"]


def freeze_to(learn: "Learner", n: int) -> None:
    """Train only the parameter groups from the `n`-th on; norm layers keep training.

    The optimizer's statistics are cleared, for they belong to another set of parameters. With
    `train_bn=False` the norm layers of the frozen groups are frozen, too.

    Args:
        learn: The learner.
        n: The first group that trains; negative numbers count from the last group.
    """
    opt = learn.create_opt() if learn.opt is None else learn.opt
    opt.freeze_to(n)
    opt.clear_state()


def freeze(learn: "Learner") -> None:
    """Train only the last parameter group (and the norm layers of the others)."""
    freeze_to(learn, -1)


def unfreeze(learn: "Learner") -> None:
    """Train all parameter groups."""
    freeze_to(learn, 0)
