"""The scan of a QRNN on a GPU: one Triton kernel there, and one back for the gradients.

One program has one text and a block of features, and goes through time with the state in its
registers, in float32 at least. What PyTorch needs many launches for is read and written once.

Triton is imported when a kernel is first needed. With `TRITON_INTERPRET=1` in the environment the
kernels run on the CPU, under Triton's interpreter.
"""

import os
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError, UnknownNameError, needs

__all__ = ["scan_backward", "scan_forward", "uses_triton", "works_on"]

BLOCK = 128  # features of a program

# Triton reads the source of the kernels, and finds `triton.language` and a constant of it by these
# names. It would also look up what annotations name, were they not quoted.
tl: Any = None
width: Any = None


def _forward(
    kept: "Any", added: "Any", start: "Any", out: "Any", time: "Any", features: "Any"
) -> None:
    text = tl.program_id(0).to(tl.int64)
    feature = tl.program_id(1) * width + tl.arange(0, width)
    there = feature < features
    at = text * time * features + feature
    state = tl.load(start + text * features + feature, there)
    for _ in range(time):
        state = tl.load(kept + at, there) * state + tl.load(added + at, there)
        tl.store(out + at, state, there)
        at += features


def _backward(
    kept: "Any", out: "Any", start: "Any", grad: "Any",
    d_kept: "Any", d_added: "Any", d_start: "Any", time: "Any", features: "Any",
) -> None:  # fmt: skip
    text = tl.program_id(0).to(tl.int64)
    feature = tl.program_id(1) * width + tl.arange(0, width)
    there = feature < features
    at = (text * time + time - 1) * features + feature
    first = text * features + feature
    later = tl.full([width], 0, start.dtype.element_ty)  # what comes back from the next point
    for _ in range(1, time):
        later += tl.load(grad + at, there)
        tl.store(d_added + at, later, there)
        tl.store(d_kept + at, later * tl.load(out + at - features, there), there)
        later *= tl.load(kept + at, there)
        at -= features
    later += tl.load(grad + at, there)
    tl.store(d_added + at, later, there)
    tl.store(d_kept + at, later * tl.load(start + first, there), there)
    tl.store(d_start + first, later * tl.load(kept + at, there), there)


@cache
def _kernels() -> tuple[Any, Any]:
    global tl, width  # noqa: PLW0603 - the kernels know them by these names
    with needs("triton", "text-gpu"):
        tl = import_module("triton.language")
    width = tl.constexpr(BLOCK)
    jit = import_module("triton").jit
    return jit(_forward), jit(_backward)


def _launch(kernel: Any, *tensors: Tensor) -> None:
    batch, time, features = tensors[0].shape
    with torch.cuda.device_of(tensors[0]):
        kernel[batch, -(-features // BLOCK)](*tensors, time, features)


def scan_forward(kept: Tensor, added: Tensor, start: Tensor) -> Tensor:
    """Return c with `c[t] = kept[t] * c[t - 1] + added[t]` along dim 1, and c[-1] = start.

    Raises:
        MissingExtraError: Triton is not installed.
    """
    dtype = torch.promote_types(torch.promote_types(kept.dtype, added.dtype), start.dtype)
    kept, added = kept.contiguous(), added.contiguous()
    out = torch.empty_like(added, dtype=dtype)
    _launch(_kernels()[0], kept, added, _wide(start, out), out)
    return out


def scan_backward(
    kept: Tensor, out: Tensor, start: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of `kept`, `added` and `start` from the one of `out`.

    Raises:
        MissingExtraError: Triton is not installed.
    """
    kept, start = kept.contiguous(), _wide(start, out)
    grads = torch.empty_like(kept), torch.empty_like(out), torch.empty_like(start)
    _launch(_kernels()[1], kept, out, start, grad.contiguous(), *grads)
    return grads


def _wide(start: Tensor, out: Tensor) -> Tensor:
    """The state in the type in which the kernels count."""
    return start.to(torch.promote_types(out.dtype, torch.float32)).contiguous()


def _is_interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


@cache
def works_on(device: torch.device) -> bool:
    """Whether the kernels run there, tried out once: Triton may lack a C compiler or the card."""
    one = torch.ones(1, 2, 1, device=device)
    try:
        return scan_forward(one, one, one[:, 0]).flatten().tolist() == [2, 3]
    except Exception:  # of Triton, of the compiler, of the driver
        return False


def uses_triton(kernel: str | None, values: Tensor) -> bool:
    """Whether the kernels are what `kernel` means: "torch", "triton", or None for the faster.

    Raises:
        UnknownNameError: `kernel` is none of these.
        MissingExtraError: "triton" is not installed.
        ContractError: "triton" is to work on what lies on no GPU.
    """
    if kernel not in (None, "torch", "triton"):
        raise UnknownNameError("kernel", kernel, ("torch", "triton"), where="forget_mult")
    fits = values.is_cuda or _is_interpreted()
    if kernel == "triton":
        _kernels()
        if not fits:
            raise ContractError(
                f"forget_mult: kernel='triton' runs on a GPU, the values are on {values.device}. "
                "Move them, or leave out kernel=."
            )
    if kernel == "torch" or not fits or not values.numel() or torch.compiler.is_compiling():
        return False
    return kernel == "triton" or works_on(values.device)
