"""The dropouts of AWD-LSTM: over time, of whole words, and of the recurrent weights.

Source: Merity, Keskar & Socher, "Regularizing and Optimizing LSTM Language Models", 2017.
"""

import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from lamina.foundation.errors import ContractError, UnknownNameError

__all__ = [
    "EmbeddingDropout",
    "RNNDropout",
    "WeightDropLSTM",
    "WeightDropout",
    "dropout_mask",
    "run_recurrent",
]

State = tuple[Tensor, Tensor]


def dropout_mask(x: Tensor, size: tuple[int, ...], p: float) -> Tensor:
    """Return a mask of zeros (with probability `p`) and `1 / (1 - p)`, of the kind of `x`.

    Args:
        x: Where device and data type come from.
        size: The shape of the mask.
        p: The probability of a zero, in [0, 1].

    Example:
        >>> dropout_mask(torch.zeros(2), (3,), 0.0)
        tensor([1., 1., 1.])
    """
    return F.dropout(x.new_ones(size), p)


class RNNDropout(nn.Module):
    """Dropout with one mask for all points in time.

    Shapes: `(batch, time, features)` in and out.

    Example:
        >>> out = RNNDropout(0.5)(torch.ones(2, 5, 4))
        >>> bool((out == out[:, :1]).all())
        True

    Source: Gal & Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent
    Neural Networks", 2016.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop features of each text."""
        if not self.training or self.p == 0.0:
            return x
        return x * dropout_mask(x, (x.shape[0], 1, x.shape[2]), self.p)

    def extra_repr(self) -> str:
        """Show the probability."""
        return f"p={self.p}"


class EmbeddingDropout(nn.Module):
    """Look words up in an embedding of which, in training, whole words are dropped.

    Args:
        emb: The embedding, shared with what else uses it.
        embed_p: The probability that a word of the vocabulary is dropped in a batch.

    Example:
        >>> EmbeddingDropout(nn.Embedding(10, 4, padding_idx=1), 0.1)(torch.tensor([[2, 3]])).shape
        torch.Size([1, 2, 4])
    """

    def __init__(self, emb: nn.Embedding, embed_p: float) -> None:
        super().__init__()
        self.emb, self.embed_p = emb, embed_p

    def forward(self, words: Tensor) -> Tensor:
        """Return vectors of shape `(*words.shape, size)`."""
        vectors = self.emb(words)
        if not self.training or self.embed_p == 0.0:
            return vectors
        kept = dropout_mask(self.emb.weight, (self.emb.num_embeddings,), self.embed_p)
        return vectors * kept[words].unsqueeze(-1)


class WeightDropLSTM(nn.LSTM):
    """One LSTM layer (batch first) whose recurrent weights are dropped in training.

    One mask holds for a whole call. The parameters are those of `nn.LSTM`; the dropped weights
    exist only during the call, so copying, saving and compiling need no special care.

    Args:
        n_in: Features that come in.
        n_hid: Features of the state, and of what comes out per direction.
        weight_p: The probability that a recurrent weight is dropped.
        bidir: Whether the text is also read backwards.

    Example:
        >>> out, (hidden, cell) = WeightDropLSTM(4, 6, 0.5)(torch.zeros(2, 3, 4))
        >>> out.shape, hidden.shape
        (torch.Size([2, 3, 6]), torch.Size([1, 2, 6]))
    """

    def __init__(self, n_in: int, n_hid: int, weight_p: float, *, bidir: bool = False) -> None:
        super().__init__(n_in, n_hid, batch_first=True, bidirectional=bidir)
        self.weight_p = weight_p

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] - tensors only, no packing
        self, x: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Return the outputs and the state after the last point in time."""
        if not self.training or self.weight_p == 0.0:
            return super().forward(x, state)
        weights = [
            F.dropout(w, self.weight_p) if name.startswith("weight_hh") else w
            for name, w in self.named_parameters()
        ]
        return run_recurrent(self, weights, x, state)


class WeightDropout(nn.Module):
    """Any module, some weights of which are dropped in training.

    One mask holds for a whole call. The weights stay parameters of the module, under their names;
    the dropped ones exist only during the call. `WeightDropLSTM` is an LSTM that does so itself.

    Args:
        module: Such as `nn.LSTM(...)`, `nn.GRU(...)` or `nn.Linear(...)`.
        weight_p: The probability that a number among the weights is dropped.
        layer_names: The name of a parameter of the module, or several.

    Raises:
        UnknownNameError: The module has no such parameter.

    Example:
        >>> gru = WeightDropout(nn.GRU(4, 6, batch_first=True), 0.5)
        >>> out, hidden = gru(torch.zeros(2, 3, 4))
        >>> out.shape, hidden.shape
        (torch.Size([2, 3, 6]), torch.Size([1, 2, 6]))
    """

    def __init__(
        self,
        module: nn.Module,
        weight_p: float,
        layer_names: str | Sequence[str] = "weight_hh_l0",
    ) -> None:
        super().__init__()
        self.module, self.weight_p = module, weight_p
        self.layer_names = [layer_names] if isinstance(layer_names, str) else list(layer_names)
        known = [name for name, _ in module.named_parameters(recurse=False)]
        for name in self.layer_names:
            if name not in known:
                raise UnknownNameError("weight", name, known, where="WeightDropout")

    def forward(self, *inputs: Any) -> Any:
        """Call the module; a recurrent one with a tensor of texts and, at will, its state."""
        if not self.training or self.weight_p == 0.0:
            return self.module(*inputs)
        weights = {
            name: F.dropout(w, self.weight_p) if name in self.layer_names else w
            for name, w in self.module.named_parameters()
        }
        if isinstance(self.module, nn.RNNBase):
            return run_recurrent(self.module, list(weights.values()), *inputs)
        return functional_call(self.module, weights, inputs)

    def reset(self) -> None:
        """Let the module forget what it has read, if it remembers."""
        if (reset := getattr(self.module, "reset", None)) is not None:
            reset()


def run_recurrent(
    module: nn.RNNBase, weights: Sequence[Tensor], x: Tensor, state: Any = None
) -> tuple[Tensor, Any]:
    """Call an LSTM, GRU or plain recurrent module with other weights than its own.

    Args:
        module: Says how many layers there are, and how texts lie in `x`.
        weights: In the order of its parameters.
        x: A batch of texts, not packed.
        state: The state before the first word; None is one of zeros.

    Returns:
        What the module returns: the outputs, and the state after the last word.

    Raises:
        ContractError: `x` is packed, or a text without a batch.
    """
    if not isinstance(x, Tensor) or x.ndim != 3:
        raise ContractError(
            f"WeightDropout: got {type(x).__name__} where a batch of texts, a tensor with three "
            "dimensions, was expected. Pad packed texts, and put one text alone in a batch of one."
        )
    is_lstm = module.mode == "LSTM"
    if state is None:
        n = module.num_layers * (1 + module.bidirectional)
        sizes = [module.proj_size or module.hidden_size, *[module.hidden_size] * is_lstm]
        zeros = [x.new_zeros(n, x.shape[1 - module.batch_first], size) for size in sizes]
        state = tuple(zeros) if is_lstm else zeros[0]
    run = getattr(torch, module.mode.lower())  # lstm, gru, rnn_tanh, rnn_relu
    how = module.bias, module.num_layers, module.dropout, module.training, module.bidirectional
    with _no_layout_warning():
        out, *after = run(x, state, weights, *how, module.batch_first)
    return out, tuple(after) if is_lstm else after[0]


@contextmanager
def _no_layout_warning() -> Generator[None]:
    """Hide cuDNN's remark that fresh weights are not one block of memory: they cannot be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous")
        yield
