"""Pictures with their channels last in memory, which modern devices prefer."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from lamina.train.callback import Callback

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["ChannelsLast", "to_channelslast", "to_contiguous"]


class ChannelsLast(Callback):
    """Keep the model's weights and the pictures of each batch with channels last in memory.

    Shapes stay `(batch, channels, height, width)`; results are the same.
    """

    order: ClassVar[int] = -1

    def before_fit(self, learn: "Learner") -> None:
        _lay_out(learn, torch.channels_last)

    def before_batch(self, learn: "Learner") -> None:
        learn.xb = tuple(
            x.contiguous(memory_format=torch.channels_last)
            if isinstance(x, Tensor) and x.ndim == 4
            else x
            for x in learn.xb
        )


def to_channelslast(learn: "Learner") -> "Learner":
    """Use channels last from now on; return the learner."""
    learn.remove_cb(ChannelsLast)
    learn.add_cb(ChannelsLast())
    _lay_out(learn, torch.channels_last)
    return learn


def to_contiguous(learn: "Learner") -> "Learner":
    """Undo `to_channelslast`; return the learner."""
    learn.remove_cb(ChannelsLast)
    _lay_out(learn, torch.contiguous_format)
    return learn


def _lay_out(learn: "Learner", memory_format: torch.memory_format) -> None:
    """Bring pictures' weights, and what the optimizer remembers of them, into a memory format."""
    states = {} if learn.opt is None else learn.opt.state
    for p in learn.model.parameters():
        if p.ndim != 4:
            continue
        p.data = p.data.contiguous(memory_format=memory_format)
        for name, value in states.get(p, {}).items():
            if isinstance(value, Tensor) and value.shape == p.shape:
                states[p][name] = value.contiguous(memory_format=memory_format)
