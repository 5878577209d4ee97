import pytest
import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.precision import MixedPrecision
from lamina.train.events import CancelBatch


class Watched(nn.Linear):
    """Remembers the type that it computes in."""

    def forward(self, x):
        out = super().forward(x)
        self.seen = out.dtype
        return out


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("auto", torch.bfloat16), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_the_model_computes_in_low_precision_and_the_loss_in_float32(make_learner, dtype, expected):
    losses = []
    watch = Callback(after_loss=lambda learn: losses.append(learn.loss.dtype))
    learn = make_learner(model=Watched(3, 1), cbs=[MixedPrecision(dtype), watch])
    learn.fit(1)
    assert learn.model.seen == expected
    assert set(losses) == {torch.float32}
    assert learn.model.weight.dtype == torch.float32


@pytest.mark.parametrize("event", ["before_batch", "after_pred", "after_loss", "before_step"])
def test_autocast_is_left_also_when_a_batch_is_cancelled(make_learner, event):
    def skip(learn):
        raise CancelBatch

    inside = []
    watch = Callback(before_batch=lambda learn: inside.append(torch.is_autocast_enabled("cpu")))
    learn = make_learner(cbs=[MixedPrecision("bf16"), watch, Callback(**{event: skip})])
    learn.fit(1)
    assert not any(inside)
    assert not torch.is_autocast_enabled("cpu")
    assert learn.forward is None


def test_autocast_is_left_after_an_error_in_the_model(make_learner):
    learn = make_learner(model=nn.Linear(4, 1), cbs=MixedPrecision("bf16"))
    with pytest.raises(RuntimeError):
        learn.fit(1)
    assert not torch.is_autocast_enabled("cpu")
    assert learn.forward is None


def test_scaled_gradients_are_unscaled_before_the_step(make_learner):
    grads = []
    keep = Callback(after_step=lambda learn: grads.append(learn.model.weight.grad.clone()))
    scaled = MixedPrecision("fp16", scaler=GradScaler("cpu", init_scale=128.0))
    for cbs in ([], [scaled]):
        torch.manual_seed(0)
        make_learner(n_train=1, model=nn.Linear(3, 1), cbs=[*cbs, keep]).fit(1)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-2, atol=1e-3)


def test_a_step_whose_gradients_overflow_is_left_out_and_the_scale_falls(make_learner):
    precision = MixedPrecision("fp16", scaler=GradScaler("cpu", init_scale=2.0**120))
    learn = make_learner(n_train=1, model=nn.Linear(3, 1), cbs=precision)
    before = learn.model.weight.clone()
    learn.fit(1)
    assert torch.equal(learn.model.weight, before)
    assert precision.scaler.get_scale() == 2.0**119


def test_the_scale_is_kept_in_checkpoints(make_learner):
    learn = make_learner().to_fp16(GradScaler("cpu", init_scale=512.0))
    learn.fit(1)
    learn.save("m")
    other = make_learner().to_fp16()
    other.load("m")
    assert other.callback(MixedPrecision).scaler.get_scale() == 512.0


def test_verbs_set_and_unset_the_precision(make_learner):
    learn = make_learner().to_fp16().to_bf16()
    assert [cb.dtype for cb in learn.cbs if isinstance(cb, MixedPrecision)] == ["bf16"]
    assert not any(isinstance(cb, MixedPrecision) for cb in learn.to_fp32().cbs)


def test_eight_bits_say_what_is_missing(make_learner):
    message = r"'fp8'\) needs a GPU of compute capability 8.9 or more \(not cpu\).*'bf16' works"
    with pytest.raises(ContractError, match=message):
        make_learner(cbs=MixedPrecision("fp8")).fit(1)


def test_an_unknown_precision_is_refused():
    with pytest.raises(UnknownNameError, match=r"unknown precision 'fp61'. Did you mean 'fp16'"):
        MixedPrecision("fp61")
