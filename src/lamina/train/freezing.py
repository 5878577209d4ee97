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

    Example:
        >>> from torch import nn
        >>> from lamina.train.learner import Learner
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        >>> split = lambda model: [list(layer.parameters()) for layer in model]
        >>> loss = nn.functional.mse_loss
        >>> learn = Learner(([], []), model, loss, splitter=split, default_cbs=False)
        >>> learn.freeze_to(1)
        >>> [p.requires_grad for p in model.parameters()]
        [False, False, True, True]
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
