"""The paper's Dice metric, as a user writes it."""

from types import SimpleNamespace

import pytest
import torch

from lamina.metrics.base import Metric, flatten_check
from lamina.metrics.dense import Dice as OurDice


class Dice(Metric):
    def __init__(self, axis=1):
        self.axis = axis

    def reset(self):
        self.inter, self.union = 0, 0

    def accumulate(self, learn):
        pred, targ = flatten_check(learn.pred.argmax(dim=self.axis), learn.y)
        self.inter += (pred * targ).float().sum().item()
        self.union += (pred + targ).float().sum().item()

    @property
    def value(self):
        return 2.0 * self.inter / self.union if self.union > 0 else None


def test_the_papers_dice_is_ours() -> None:
    generator = torch.Generator().manual_seed(0)
    theirs, ours = Dice(), OurDice()
    theirs.reset()
    for _ in range(3):
        pred = torch.rand(2, 2, 6, 6, generator=generator)
        targ = torch.randint(2, (2, 6, 6), generator=generator)
        learn = SimpleNamespace(pred=pred, y=targ, loss=torch.tensor(0.0))
        theirs.accumulate(learn)
        ours.accumulate(learn)
    assert ours.value == pytest.approx(theirs.value)
    assert theirs.name == "dice"
