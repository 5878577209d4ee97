"""What holds for every callback that changes training, alone and together with others."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from lamina.data.loader import DataLoader
from lamina.data.loaders import DataLoaders
from lamina.nn.losses import MSELossFlat
from lamina.nn.shortcut import ResBlock
from lamina.optim.recipes import SGD, Adam
from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.accumulation import GradientAccumulation
from lamina.train.callbacks.techniques.averaging import EMA, SWA
from lamina.train.callbacks.techniques.batchnorm import BnFreeze
from lamina.train.callbacks.techniques.channels_last import ChannelsLast
from lamina.train.callbacks.techniques.checkpointing import GradientCheckpointing
from lamina.train.callbacks.techniques.clip import GradientClip
from lamina.train.callbacks.techniques.compiling import Compile
from lamina.train.callbacks.techniques.mc_dropout import MCDropoutCallback
from lamina.train.callbacks.techniques.mix import CutMix, MixUp
from lamina.train.callbacks.techniques.nan import TerminateOnNaNCallback
from lamina.train.callbacks.techniques.precision import MixedPrecision
from lamina.train.callbacks.techniques.sam import SAM
from lamina.train.callbacks.techniques.short_epoch import ShortEpochCallback
from lamina.train.callbacks.techniques.stochastic_depth import StochasticDepth
from lamina.train.events import CancelFit
from lamina.train.learner import Learner

TECHNIQUES = {
    "accumulation": lambda: GradientAccumulation(12),
    "bn_freeze": BnFreeze,
    "channels_last": ChannelsLast,
    "checkpointing": GradientCheckpointing,
    "clip": lambda: GradientClip(0.1),
    "compile": lambda: Compile(backend="eager"),
    "cutmix": CutMix,
    "depth": StochasticDepth,
    "ema": EMA,
    "mc_dropout": MCDropoutCallback,
    "mixup": MixUp,
    "nan": TerminateOnNaNCallback,
    "bf16": lambda: MixedPrecision("bf16"),
    "fp16": lambda: MixedPrecision("fp16"),
    "sam": SAM,
    "short": lambda: ShortEpochCallback(0.5),
    "swa": lambda: SWA(0.5),
}
TOGETHER = ["checkpointing", "channels_last", "mixup", "depth", "bf16", "accumulation", "clip"]
techniques = pytest.mark.parametrize("technique", TECHNIQUES)


def make_learner(*cbs):
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(1)
    items = [(torch.randn(3, 8, 8, generator=draw), torch.randn(1, generator=draw))] * 10
    dls = DataLoaders(DataLoader(items, bs=4, shuffle=True), DataLoader(items, bs=4))
    body = [ResBlock(1, 3, 8), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    model = nn.Sequential(*body, nn.Linear(8, 1))
    return Learner(dls, model, MSELossFlat(), Adam, 0.01, cbs=list(cbs), seed=7)


def traces_of(learn):
    """Everything outside of the weights that a callback could leave changed."""
    modules = list(learn.model.modules())
    return {
        "modes": [module.training for module in modules],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules],
        "forwards": ["forward" in vars(module) for module in modules],
        "bn": [(m.momentum, m.track_running_stats) for m in modules if hasattr(m, "momentum")],
        "loss": (id(learn.loss_func), learn.loss_func.reduction),
        "wrapped": learn.forward,
        "autocast": torch.is_autocast_enabled("cpu"),
        "grad": torch.is_grad_enabled(),
        "trains": [p.requires_grad for p in learn.model.parameters()],
    }


def fail(error, phase, event):
    def raising(learn):
        if learn.running and learn.training == phase and learn.epoch == 1:
            raise error

    return Callback(**{event: raising})


@techniques
@pytest.mark.parametrize(
    ("phase", "event"),
    [(True, "after_pred"), (True, "after_backward"), (False, "after_loss"), (True, "after_step")],
)
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, CancelFit])
def test_the_learner_is_left_clean_after_an_error(technique, phase, event, error):
    learn = make_learner(TECHNIQUES[technique]())
    learn.model.eval()
    before = traces_of(learn)
    learn.add_cb(fail(error, phase, event))
    if error is CancelFit:
        learn.fit(3)
    else:
        with pytest.raises(error):
            learn.fit(3)
    assert traces_of(learn) == before


@techniques
def test_a_seed_gives_the_same_weights_to_the_bit(technique):
    runs = [make_learner(TECHNIQUES[technique]()) for _ in range(2)]
    for i, learn in enumerate(runs):
        torch.manual_seed(i)  # the global stream does not matter
        learn.fit(2)
    first, second = (learn.model.state_dict() for learn in runs)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_together_they_give_the_same_weights_to_the_bit():
    runs = [make_learner(*(TECHNIQUES[name]() for name in TOGETHER), EMA()) for _ in range(2)]
    for learn in runs:
        learn.fit(2)
    first, second = (learn.model.state_dict() for learn in runs)
    assert all(torch.equal(first[name], second[name]) for name in first)


# These measure a part, change the weights at the end, or sample.
MEASURE_ANEW = {"short", "swa", "mc_dropout"}


@pytest.mark.parametrize("technique", sorted(TECHNIQUES.keys() - MEASURE_ANEW))
def test_validation_after_a_fit_measures_what_the_fit_measured(technique):
    learn = make_learner(TECHNIQUES[technique]())
    learn.fit(1)
    assert learn.recorder.values[-1][2] == pytest.approx(learn.validate()[0], rel=1e-4)


@techniques
def test_a_rate_finder_leaves_no_trace(technique):
    learn, plain = make_learner(TECHNIQUES[technique]()), make_learner()
    learn.lr_find(num_it=8, show_plot=False)
    assert traces_of(learn)["hooks"] == traces_of(plain)["hooks"]
    assert all(torch.equal(a, b) for a, b in zip(weights(learn), weights(plain), strict=True))


class Reads(TorchDispatchMode):
    """Counts what waits for a device: values read back."""

    n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n += "_local_scalar_dense" in str(func) or "nonzero" in str(func)
        return func(*args, **(kwargs or {}))


# An overflow decides about the step; compiled code is not seen through; all losses are looked at.
READING = {"fp16", "compile", "nan"}


@pytest.mark.parametrize("technique", sorted(TECHNIQUES.keys() - READING))
def test_no_step_waits_for_the_device(technique):
    learn, reads = make_learner(TECHNIQUES[technique]()), Reads()
    inside = []

    def enter(learn):
        if learn.training:
            reads.n = 0

    def leave(learn):
        if learn.training:
            inside.append(reads.n)

    first, last = Callback(before_batch=enter), Callback(after_batch=leave)
    with reads:
        learn.fit(1, cbs=[first, last])
    assert set(inside) == {0}


def test_callbacks_only_for_fits_hear_nothing_else():
    heard = []

    class Fitting(Callback):
        only_fit = True

        def before_fit(self, learn):
            heard.append(learn.purpose)

        def after_batch(self, learn):
            heard.append(learn.purpose)

    learn = make_learner(Fitting())
    learn.lr_find(num_it=6, show_plot=False)
    learn.find_bs(max_bs=4)
    learn.validate()
    learn.get_preds()
    assert heard == []
    learn.fit(1)
    assert set(heard) == {"fit"}


def weights(learn):
    return list(learn.model.state_dict().values())


def test_accumulation_clipping_bf16_and_ema_equal_a_loop_written_by_hand():
    draw = torch.Generator().manual_seed(0)
    data = [(torch.randn(n, 3, generator=draw), torch.randn(n, 1, generator=draw)) for n in SIZES]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    expected, average = by_hand(model, data)

    ema = EMA(0.9, at_end=False)
    cbs = [ema, GradientClip(0.2), MixedPrecision("bf16"), GradientAccumulation(8)]
    learn = Learner(DataLoaders(data, data), model, MSELossFlat(), SGD, 0.1, cbs=cbs, wd=0.0)
    learn.fit(2)
    for p, q in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(p, q)
    for p, q in zip(ema.averages.values(), average, strict=True):
        torch.testing.assert_close(p, q)


SIZES = [4, 4, 4, 4, 2]


def by_hand(model, data):
    """Two epochs in groups of 8 items; return weights and their average."""
    names = [name for name, _ in model.named_parameters()]
    weights = [p.detach().clone().requires_grad_() for p in model.parameters()]
    average = [w.detach().clone() for w in weights]
    for n, group in enumerate([data[:2], data[2:4], data[4:]] * 2):
        items = sum(len(x) for x, _ in group)
        for x, y in group:
            with torch.autocast("cpu", torch.bfloat16):
                pred = torch.func.functional_call(model, dict(zip(names, weights, strict=True)), x)
            (nn.functional.mse_loss(pred.float(), y) * len(x) / items).backward()
        nn.utils.clip_grad_norm_(weights, 0.2)
        decay = min(0.9, (1 + n) / (10 + n))
        with torch.no_grad():
            for w, a in zip(weights, average, strict=True):
                w.sub_(w.grad, alpha=0.1)
                w.grad = None
                a.copy_(decay * a + (1 - decay) * w)
    return weights, average
