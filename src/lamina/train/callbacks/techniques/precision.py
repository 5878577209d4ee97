"""Training in mixed precision, on any device."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.nn.params import one_param
from lamina.tensor.tree import to_float
from lamina.train.callback import Callback
from lamina.train.events import CancelStep

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["MixedPrecision", "Precision", "best_precision", "to_bf16", "to_fp16", "to_fp32"]

Precision = Literal["auto", "bf16", "fp16", "fp8"]
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp8": torch.bfloat16}


def best_precision(device: torch.device | str) -> Precision:
    """Return "bf16" where the device computes in it, else "fp16".

    Example:
        >>> best_precision("cpu")
        'bf16'
    """
    is_cuda = torch.device(device).type == "cuda"
    lacks_bf16 = is_cuda and not torch.cuda.is_bf16_supported(including_emulation=False)
    return "fp16" if lacks_bf16 else "bf16"


class MixedPrecision(Callback):
    """Run the model in low precision; weights, outputs and loss stay in float32.

    With "fp16" the loss is scaled so that small gradients survive, and a step whose gradients
    overflow is left out; finding that out waits for the device in every step. "bf16" needs
    neither.

    Args:
        dtype: "bf16", "fp16", "auto" (the best for the model's device), or "fp8", which runs the
            linear layers in 8 bits on GPUs that can.
        scaler: Scales the loss for "fp16"; None makes PyTorch's with its defaults.

    Raises:
        ContractError: For "fp8" something is missing; the message says what.

    Source: Micikevicius et al., "Mixed Precision Training", 2018.
    """

    order: ClassVar[int] = 10

    def __init__(self, dtype: Precision = "auto", *, scaler: GradScaler | None = None) -> None:
        super().__init__()
        if dtype not in ("auto", *_DTYPES):
            known = ("auto", *_DTYPES)
            raise UnknownNameError("precision", dtype, known, where="MixedPrecision")
        self.dtype, self.scaler = dtype, scaler

    def before_fit(self, learn: "Learner") -> None:
        device = one_param(learn.model).device.type
        dtype = best_precision(device) if self.dtype == "auto" else self.dtype
        if dtype == "fp8":
            _to_fp8(learn.model)
        if dtype == "fp16" and self.scaler is None:
            self.scaler = GradScaler(device)
        learn.wrap_forward(lambda forward: _lowered(forward, device, _DTYPES[dtype]))

    def before_backward(self, learn: "Learner") -> None:
        if self.scaler is not None:
            learn.loss_grad = self.scaler.scale(learn.loss_grad)

    def before_step(self, learn: "Learner") -> None:
        params = learn.opt.all_params(with_grad=True)
        if self.scaler is None or not params:
            return
        # The scaler sees this in place of the optimizer, and steps it if all gradients are finite.
        gate: Any = _Gate([{"params": params}])
        self.scaler.unscale_(gate)
        self.scaler.step(gate)
        self.scaler.update()
        if not gate.is_open:
            raise CancelStep

    def state_dict(self) -> dict[str, Any]:
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state:
            self.scaler = self.scaler or GradScaler("cpu")
            self.scaler.load_state_dict(state)


@dataclass
class _Gate:
    """Looks like an optimizer to a `GradScaler`; its step only tells that a step may be done."""

    param_groups: list[dict[str, Any]]
    is_open: bool = False

    def step(self) -> None:
        self.is_open = True


def _lowered(forward: Callable[..., Any], device: str, dtype: torch.dtype) -> Callable[..., Any]:
    """Call the model in low precision; its output is float32 again."""

    def call(*args: Any, **inputs: Any) -> Any:
        with torch.autocast(device, dtype):
            return to_float(forward(*args, **inputs))

    return call


def _to_fp8(model: nn.Module) -> None:
    """Exchange the linear layers for ones that compute in 8 bits, on the same parameters."""
    device = one_param(model).device
    capable = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 9)
    missing = [] if capable else [f"a GPU of compute capability 8.9 or more (not {device})"]
    missing += [] if find_spec("torchao") else ["the library torchao (pip install torchao)"]
    if missing:
        raise ContractError(
            f"MixedPrecision('fp8') needs {' and '.join(missing)}. 'bf16' works without."
        )
    import_module("torchao.float8").convert_to_float8_training(model, module_filter_fn=_fits_fp8)


def _fits_fp8(module: nn.Module, _name: str) -> bool:
    """Whether the sizes of a linear layer are what 8-bit kernels ask for."""
    sizes = (module.in_features, module.out_features) if isinstance(module, nn.Linear) else (1,)
    return all(size % 16 == 0 for size in sizes)


def to_fp16(learn: "Learner", scaler: GradScaler | None = None) -> "Learner":
    """Train in float16 from now on, with a scaled loss; return the learner."""
    to_fp32(learn).add_cb(MixedPrecision("fp16", scaler=scaler))
    return learn


def to_bf16(learn: "Learner") -> "Learner":
    """Train in bfloat16 from now on; return the learner."""
    to_fp32(learn).add_cb(MixedPrecision("bf16"))
    return learn


def to_fp32(learn: "Learner") -> "Learner":
    """Train in float32 from now on; return the learner."""
    learn.remove_cb(MixedPrecision)
    return learn
