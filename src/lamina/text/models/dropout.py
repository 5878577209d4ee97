"""The dropouts of AWD-LSTM: over time, of whole words, and of the recurrent weights.

Source: Merity, Keskar & Socher, "Regularizing and Optimizing LSTM Language Models", 2017.
"""

import warnings
from collections.abc import Generator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EmbeddingDropout", "RNNDropout", "WeightDropLSTM", "dropout_mask"]

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
        state = state or self.empty_state(x)
        with _no_layout_warning():
            out, hidden, cell = torch.lstm(
                x, state, weights, True, 1, 0.0, self.training, self.bidirectional, True
            )
        return out, (hidden, cell)

    def empty_state(self, x: Tensor) -> State:
        """Return the state before the first word, for a batch like `x`."""
        zeros = x.new_zeros(1 + self.bidirectional, x.shape[0], self.hidden_size)
        return zeros, zeros


@contextmanager
def _no_layout_warning() -> Generator[None]:
    """Hide cuDNN's remark that fresh weights are not one block of memory: they cannot be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous")
        yield
