"""The training loop against a loop written by hand: a tiny network, one thread, the same batches.

Run it with `python benchmarks/training.py`. It measures what the loop adds per step: with nothing
else, with the default callbacks, with one-cycle scheduling, and per batch of validation.
"""

import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from _timing import Row, interleaved_us, print_rows
from lamina.data.loaders import DataLoaders
from lamina.foundation.progress import PlainDisplay
from lamina.optim.recipes import Adam
from lamina.train.callback import Callback
from lamina.train.callbacks.progress import ProgressCallback
from lamina.train.learner import Learner
from lamina.train.recorder import Recorder

N_BATCHES = 200
BATCHES = [(torch.randn(64, 20), torch.randint(5, (64,))) for _ in range(N_BATCHES)]


class Silent:
    """A stream that drops what is written."""

    def write(self, text: str) -> int:
        """Drop the text."""
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 100), nn.ReLU(), nn.Linear(100, 5))


def plain_fit() -> Callable[[], None]:
    """A loop by hand with the same optimizer, so that the loop alone is compared."""
    model = make_model()
    opt = Adam(list(model.parameters()), 1e-3)

    def fit() -> None:
        model.train()
        for x, y in BATCHES:
            F.cross_entropy(model(x), y).backward()
            opt.step()
            opt.zero_grad()

    return fit


def plain_validation() -> Callable[[], None]:
    model = make_model().eval()

    def validate() -> None:
        total = torch.zeros(())
        with torch.no_grad():
            for x, y in BATCHES:
                total += F.cross_entropy(model(x), y) * len(y)
        total.item()

    return validate


def make_learner(*, default: bool, n_idle: int = 0, valid: bool = False) -> Learner:
    dls = DataLoaders(BATCHES, BATCHES) if valid else DataLoaders(BATCHES)
    cbs = [Callback() for _ in range(n_idle)]
    if default:
        cbs += [Recorder(), ProgressCallback(PlainDisplay(Silent()))]  # type: ignore[arg-type]  # only written to
    # The loop by hand decays all parameters alike, too: only the loops differ.
    return Learner(dls, make_model(), F.cross_entropy, cbs=cbs, default_cbs=False, wd_bn_bias=True)


def rows() -> list[Row]:
    bare, default, idle, cycle = (
        make_learner(default=False),
        make_learner(default=True),
        make_learner(default=True, n_idle=10),
        make_learner(default=True),
    )
    valid = make_learner(default=False, valid=True)
    times = interleaved_us(
        [
            plain_fit(),
            lambda: bare.fit(1),
            lambda: default.fit(1),
            lambda: idle.fit(1),
            lambda: cycle.fit_one_cycle(1),
            plain_validation(),
            valid.validate,
        ],
        n=2,
        repeats=9,
    )
    raw, raw_valid = times[0] / N_BATCHES, times[5] / N_BATCHES
    names = ["bare loop", "default callbacks", "with 10 idle callbacks", "one cycle"]
    goals = [20.0, 30.0, 30.0, 45.0]  # the last one includes two schedules
    found = [
        Row(f"step: {name}", time / N_BATCHES, raw, "overhead", goal)
        for name, goal, time in zip(names, goals, times[1:5], strict=True)
    ]
    found.append(Row("step: default callbacks", times[2] / N_BATCHES, raw, "ratio", 1.15))
    found.append(Row("validation step", times[6] / N_BATCHES, raw_valid, "overhead", 30.0))
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(not print_rows(rows()))
