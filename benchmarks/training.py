"""The training loop against a loop written by hand: a tiny network, one thread, the same batches.

Run it with `python benchmarks/training.py`. It measures what the loop adds per step: with nothing
else, with the default callbacks, with one-cycle scheduling, for each callback that listens to
nothing in the step, and per batch of validation and prediction. A ResNet-18 on real sizes shows
what of that is left in practice.
"""

import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from _timing import Row, interleaved_us, print_rows
from lamina.data.loaders import DataLoaders
from lamina.foundation.progress import PlainDisplay
from lamina.nn.models.resnet import resnet18
from lamina.optim.recipes import Adam
from lamina.train.callback import Callback
from lamina.train.callbacks.progress import ProgressCallback
from lamina.train.learner import Learner
from lamina.train.recorder import Recorder

N_BATCHES = 200
N_IDLE = 20
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


def plain_prediction() -> Callable[[], None]:
    model = make_model().eval()

    def predict() -> None:
        preds, targets = [], []
        with torch.no_grad():
            for x, y in BATCHES:
                preds.append(F.softmax(model(x), dim=1))
                targets.append(y)
        _ = torch.cat(preds), torch.cat(targets)

    return predict


class Elsewhere(Callback):
    """Listens, but to nothing in the step."""

    def before_epoch(self, learn: Learner) -> None:
        """Do nothing."""


def make_learner(*, default: bool, n_idle: int = 0, valid: bool = False) -> Learner:
    dls = DataLoaders(BATCHES, BATCHES) if valid else DataLoaders(BATCHES)
    cbs: list[Callback] = [Elsewhere() for _ in range(n_idle)]
    if default:
        cbs += [Recorder(), ProgressCallback(PlainDisplay(Silent()))]  # type: ignore[arg-type]  # only written to
    # The loop by hand decays all parameters alike, too: only the loops differ.
    return Learner(dls, make_model(), F.cross_entropy, cbs=cbs, default_cbs=False, wd_bn_bias=True)


def rows() -> list[Row]:
    bare, default, idle, cycle = (
        make_learner(default=False),
        make_learner(default=True),
        make_learner(default=True, n_idle=N_IDLE),
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
            plain_prediction(),
            valid.get_preds,
        ],
        n=2,
        repeats=9,
    )
    raw, raw_valid, raw_pred = (times[i] / N_BATCHES for i in (0, 5, 7))
    names = ["bare loop", "default callbacks", f"with {N_IDLE} idle callbacks", "one cycle"]
    goals = [20.0, 30.0, 30.0, 45.0]  # the last one includes two schedules
    found = [
        Row(f"step: {name}", time / N_BATCHES, raw, "overhead", goal)
        for name, goal, time in zip(names, goals, times[1:5], strict=True)
    ]
    found.append(Row("step: default callbacks", times[2] / N_BATCHES, raw, "ratio", 1.15))
    idle_us = (times[3] - times[2]) / N_BATCHES / N_IDLE
    found.append(Row("step: each idle callback", idle_us, 0.0, "overhead", 5.0))
    found.append(Row("validation step", times[6] / N_BATCHES, raw_valid, "ratio", 1.5))
    found.append(Row("prediction step", times[8] / N_BATCHES, raw_pred, "ratio", 1.5))
    return found


def real_rows() -> list[Row]:
    """A ResNet-18 on 16 pictures of 96 x 96, with the default callbacks and one-cycle."""
    draw = torch.Generator().manual_seed(0)
    batches = [
        (torch.randn(16, 3, 96, 96, generator=draw), torch.randint(5, (16,), generator=draw))
        for _ in range(4)
    ]
    model, same = (_resnet() for _ in range(2))
    opt = Adam(list(model.parameters()), 1e-3)
    cbs = [Recorder(), ProgressCallback(PlainDisplay(Silent()))]  # type: ignore[arg-type]  # only written to
    learn = Learner(
        DataLoaders(batches), same, F.cross_entropy, cbs=cbs, default_cbs=False, wd_bn_bias=True
    )

    def by_hand() -> None:
        model.train()
        for x, y in batches:
            F.cross_entropy(model(x), y).backward()
            opt.step()
            opt.zero_grad()

    raw, ours = interleaved_us([by_hand, lambda: learn.fit_one_cycle(1)], n=1, repeats=15)
    return [Row("step: resnet18, bs 16, 96 px", ours / 4, raw / 4, "ratio", 1.01)]


def _resnet() -> nn.Module:
    torch.manual_seed(0)
    return resnet18(n_out=5)


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(not print_rows([*rows(), *real_rows()]))
