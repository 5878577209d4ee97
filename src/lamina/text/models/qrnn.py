"""AWD-QRNN: layers that compute their gates for all words at once, and only then go through time.

Source: Bradbury, Merity, Xiong & Socher, "Quasi-Recurrent Neural Networks", 2017.
"""

from collections.abc import Iterable
from math import isqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.text.models.awd_lstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_lm_config
from lamina.text.models.dropout import State
from lamina.text.models.scan_triton import scan_backward, scan_forward, uses_triton

__all__ = [
    "AWD_QRNN",
    "QRNN",
    "QRNNLayer",
    "awd_qrnn_clas_config",
    "awd_qrnn_lm_config",
    "forget_mult",
]

awd_qrnn_lm_config: dict[str, Any] = {**awd_lstm_lm_config, "n_hid": 1552, "n_layers": 4}
"""Settings of a language model."""

awd_qrnn_clas_config: dict[str, Any] = {**awd_lstm_clas_config, "n_hid": 1552, "n_layers": 4}
"""Settings of a classifier."""


def _scan(kept: Tensor, added: Tensor, step: int) -> Tensor:
    """Return c with `c[t] = kept[t] * c[t - 1] + added[t]` along dim 1, and c[-1] = 0.

    The chunks of `step` points go side by side; then the state is handed from chunk to chunk. On a
    GPU, few large operations are what counts; on a CPU one chunk moves the least memory.
    """
    time = added.shape[1]
    if step < time:
        more = -time % step
        added, kept = (F.pad(x, (0, 0, 0, more)).unflatten(1, (-1, step)) for x in (added, kept))
    else:
        added, kept = added[:, None].clone(), kept[:, None]
    for t in range(1, added.shape[2]):
        added[:, :, t].addcmul_(kept[:, :, t], added[:, :, t - 1])
    if added.shape[1] > 1:
        reach = kept.cumprod(2)
        for i in range(1, added.shape[1]):
            added[:, i].addcmul_(reach[:, i], added[:, i - 1, -1:])
    return added.flatten(1, 2)[:, :time]


class _ForgetMult(torch.autograd.Function):
    """The scan with its gradient, which is a scan from the end to the beginning.

    Without a step it is Triton's.
    """

    @staticmethod
    def forward(ctx: Any, kept: Tensor, added: Tensor, start: Tensor, step: int | None) -> Tensor:
        ctx.step = step
        if step is None:
            out = scan_forward(kept, added, start)
            ctx.save_for_backward(kept, start, out)
            return out
        first = torch.addcmul(added[:, :1], kept[:, :1], start[:, None])
        out = _scan(kept, torch.cat([first, added[:, 1:]], 1), step)
        ctx.save_for_backward(kept, start, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        kept, start, out = ctx.saved_tensors
        if not (ctx.step or torch.is_grad_enabled()):
            return *scan_backward(kept, out, start, grads[0]), None
        later, grad = F.pad(kept[:, 1:], (0, 0, 0, 1)).flip(1), grads[0].flip(1)
        if torch.is_grad_enabled():  # the gradient is to have a gradient
            added: Any = _ForgetMult.apply(later, grad, torch.zeros_like(start), ctx.step)
        else:
            added = _scan(later, grad, ctx.step)
        added = added.flip(1)
        before = torch.cat([start[:, None], out[:, :-1]], 1)
        return added * before, added, kept[:, 0] * added[:, 0], None


def forget_mult(
    values: Tensor,
    forget: Tensor,
    start: Tensor | None = None,
    *,
    step: int | None = None,
    kernel: str | None = None,
) -> Tensor:
    """Return c with `c[t] = forget[t] * c[t - 1] + (1 - forget[t]) * values[t]`.

    Shapes: `values` and `forget` are `(batch, time, features)`, `start` is `(batch, features)`.

    Args:
        values: What may come in.
        forget: How much of the state stays, in [0, 1].
        start: The state before the first point in time; None is zero.
        step: How many points in time a chunk of PyTorch's scan has; None chooses for the device.
        kernel: "torch", "triton" (extra `text-gpu`), or None: Triton's on a GPU where it works,
            unless a step is given. What is compiled always has PyTorch's.

    Raises:
        UnknownNameError: No kernel of that name.
        MissingExtraError: Triton is asked for and not installed.
        ContractError: Triton is asked for, and the values are on no GPU.

    Example:
        >>> half = torch.full((1, 3, 1), 0.5)
        >>> forget_mult(torch.ones(1, 3, 1), half).flatten()
        tensor([0.5000, 0.7500, 0.8750])
    """
    time = values.shape[1]
    if uses_triton("torch" if step and kernel is None else kernel, values):
        step = None
    elif step is None:
        step = max(1, isqrt(time)) if values.is_cuda else max(1, time)
    start = values.new_zeros(values.shape[0], values.shape[2]) if start is None else start
    out: Any = _ForgetMult.apply(forget, (1 - forget) * values, start, step)
    return out


@strict
class QRNNLayer(nn.Module):
    """One QRNN layer, batch first.

    The state that comes out, and may go in again, is the cell and the last input of every
    direction, so that a window of two reaches back into the call before.

    Shapes: `(batch, time, n_in)` in, `(batch, time, n_hid * directions)` out.

    Args:
        n_in: Features that come in.
        n_hid: Features of the state.
        window: How many inputs the gates look at: this one, or (2) also the one before.
        zoneout: The probability in training that a feature of the state stays as it is.
        weight_p: The probability in training that a weight of the gates is dropped.
        output_gate: Whether a gate decides what is shown of the state.
        bidir: Whether the text is also read backwards, with weights of its own.

    Raises:
        ContractError: The window is neither 1 nor 2.

    Example:
        >>> out, (cell, last) = QRNNLayer(4, 6, window=2)(torch.zeros(2, 3, 4))
        >>> out.shape, cell.shape, last.shape
        (torch.Size([2, 3, 6]), torch.Size([1, 2, 6]), torch.Size([1, 2, 4]))

    Source: Bradbury et al. 2017, sections 2 and 2.1; zoneout: Krueger et al. 2017.
    """

    def __init__(
        self,
        n_in: int,
        n_hid: int,
        window: int = 1,
        *,
        zoneout: float = 0.0,
        weight_p: float = 0.0,
        output_gate: bool = True,
        bidir: bool = False,
    ) -> None:
        super().__init__()
        if window not in (1, 2):
            raise ContractError(f"QRNNLayer: window={window!r} is not possible. Give 1 or 2.")
        self.n_in, self.n_hid, self.window = n_in, n_hid, window
        self.zoneout, self.weight_p, self.output_gate = zoneout, weight_p, output_gate
        n_gates = 3 if output_gate else 2
        self.gates = nn.ModuleList(
            nn.Linear(n_in * window, n_hid * n_gates) for _ in range(1 + bidir)
        )

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the outputs and the state after the last point in time."""
        outs, cells, lasts = [], [], []
        for i, gates in enumerate(self.gates):
            came = x.flip(1) if i else x
            cell, last = (None, None) if state is None else (state[0][i], state[1][i])
            out, cell = self._one_way(gates, came, cell, last)
            outs.append(out.flip(1) if i else out)
            cells.append(cell)
            lasts.append(came[:, -1])
        return torch.cat(outs, 2), (torch.stack(cells), torch.stack(lasts))

    def _one_way(
        self, gates: Any, x: Tensor, cell: Tensor | None, last: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if self.window == 2:
            first = torch.zeros_like(x[:, :1]) if last is None else last[:, None]
            x = torch.cat([x, torch.cat([first, x[:, :-1]], 1)], 2)
        weight = gates.weight
        if self.training and self.weight_p:
            weight = F.dropout(weight, self.weight_p)
        n_gates = 3 if self.output_gate else 2
        values, forget, *shown = F.linear(x, weight, gates.bias).chunk(n_gates, 2)
        forget = forget.sigmoid()
        if self.training and self.zoneout:
            forget = 1 - (1 - forget) * (torch.rand_like(forget) >= self.zoneout)
        cells = forget_mult(values.tanh(), forget, cell)
        return (shown[0].sigmoid() * cells if shown else cells), cells[:, -1]


@strict
class QRNN(nn.Module):
    """A stack of QRNN layers, batch first.

    Args:
        n_in: Features that come in.
        n_hid: Features of the state of a layer and direction.
        n_layers: How many layers.
        dropout: Dropout between layers.
        window: Inputs that the gates look at; None takes 2 in the first layer, 1 in the others.
        zoneout: See `QRNNLayer`.
        output_gate: See `QRNNLayer`.
        bidir: Whether texts are also read backwards.

    Example:
        >>> out, states = QRNN(4, 6, n_layers=2, bidir=True)(torch.zeros(2, 3, 4))
        >>> out.shape, len(states)
        (torch.Size([2, 3, 12]), 2)
    """

    def __init__(
        self,
        n_in: int,
        n_hid: int,
        n_layers: int = 1,
        *,
        dropout: float = 0.0,
        window: int | None = None,
        zoneout: float = 0.0,
        output_gate: bool = True,
        bidir: bool = False,
    ) -> None:
        super().__init__()
        sizes = [n_in, *[n_hid * (1 + bidir)] * (n_layers - 1)]
        self.layers = nn.ModuleList(
            QRNNLayer(
                size, n_hid, window or (1 if i else 2), zoneout=zoneout,
                output_gate=output_gate, bidir=bidir,
            )
            for i, size in enumerate(sizes)
        )  # fmt: skip
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, states: Iterable[State | None] | None = None
    ) -> tuple[Tensor, list[State]]:
        """Return the outputs of the last layer, and the state of every layer."""
        after = []
        for i, (layer, before) in enumerate(
            zip(self.layers, states or [None] * len(self.layers), strict=True)
        ):
            x, state = layer(self.dropout(x) if i else x, before)
            after.append(state)
        return x, after


class AWD_QRNN(AWD_LSTM):  # noqa: N801 - beside AWD_LSTM
    """`AWD_LSTM` with QRNN layers, the first of which looks at two words at a time.

    The dropout of recurrent weights is one of the gates' weights here.

    Example:
        >>> model = AWD_QRNN(100, emb_sz=20, n_hid=10, n_layers=2)
        >>> model(torch.ones(4, 7, dtype=torch.long)).shape
        torch.Size([4, 7, 20])
    """

    def make_layer(
        self, i: int, n_in: int, n_hid: int, *, weight_p: float, bidir: bool
    ) -> nn.Module:
        """Return the i-th layer."""
        return QRNNLayer(n_in, n_hid, 1 if i else 2, weight_p=weight_p, bidir=bidir)
