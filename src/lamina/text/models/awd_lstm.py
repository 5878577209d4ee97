"""AWD-LSTM: a stack of LSTM layers with five kinds of dropout, and its settings.

Source: Merity, Keskar & Socher, "Regularizing and Optimizing LSTM Language Models", 2017.
"""

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from lamina.foundation.signatures import strict
from lamina.text.models.dropout import EmbeddingDropout, RNNDropout, State, WeightDropLSTM
from lamina.text.padding import PAD_IDX

__all__ = ["AWD_LSTM", "awd_lstm_clas_config", "awd_lstm_lm_config"]

_SIZES: dict[str, Any] = {"emb_sz": 400, "n_hid": 1152, "n_layers": 3, "pad_token": PAD_IDX}

awd_lstm_lm_config: dict[str, Any] = {
    **_SIZES,
    "bidir": False,
    "output_p": 0.1,
    "hidden_p": 0.15,
    "input_p": 0.25,
    "embed_p": 0.02,
    "weight_p": 0.2,
    "tie_weights": True,
    "out_bias": True,
}
"""Settings of a language model."""

awd_lstm_clas_config: dict[str, Any] = {
    **_SIZES,
    "bidir": False,
    "output_p": 0.4,
    "hidden_p": 0.3,
    "input_p": 0.4,
    "embed_p": 0.05,
    "weight_p": 0.5,
}
"""Settings of a classifier."""


@strict
class AWD_LSTM(nn.Module):  # noqa: N801 - the paper's name
    """Read texts word by word; the state is kept between calls until `reset`.

    Shapes: token numbers `(batch, time)` in, `(batch, time, emb_sz)` out.

    Args:
        vocab_sz: Words in the vocabulary.
        emb_sz: Size of a word's vector, and of what the last layer gives.
        n_hid: Features of the layers between.
        n_layers: How many layers.
        pad_token: The number of the padding.
        hidden_p: Dropout between layers.
        input_p: Dropout of the word vectors.
        embed_p: Dropout of whole words.
        weight_p: Dropout of the recurrent weights.
        bidir: Whether each layer also reads backwards, within what it is given at once.

    Attributes:
        raw: What the last layer gave in the last call, with gradient; None after `reset`.

    Example:
        >>> import torch
        >>> model = AWD_LSTM(100, emb_sz=20, n_hid=10, n_layers=2)
        >>> model(torch.ones(4, 7, dtype=torch.long)).shape
        torch.Size([4, 7, 20])
    """

    def __init__(  # noqa: PLR0913 - the paper's dropouts
        self,
        vocab_sz: int,
        emb_sz: int,
        n_hid: int,
        n_layers: int,
        *,
        pad_token: int = PAD_IDX,
        hidden_p: float = 0.2,
        input_p: float = 0.6,
        embed_p: float = 0.1,
        weight_p: float = 0.5,
        bidir: bool = False,
    ) -> None:
        super().__init__()
        self.emb_sz, self.pad_token = emb_sz, pad_token
        encoder = nn.Embedding(vocab_sz, emb_sz, padding_idx=pad_token)
        nn.init.uniform_(encoder.weight, -0.1, 0.1)
        self.encoder_dp = EmbeddingDropout(encoder, embed_p)
        self.input_dp = RNNDropout(input_p)
        sizes = [emb_sz, *[n_hid] * (n_layers - 1), emb_sz]
        halves = 1 + bidir
        self.rnns = nn.ModuleList(
            self.make_layer(i, a, b // halves, weight_p=weight_p, bidir=bidir)
            for i, (a, b) in enumerate(pairwise(sizes))
        )
        self.hidden_dps = nn.ModuleList(RNNDropout(hidden_p) for _ in range(n_layers - 1))
        self.reset()

    def make_layer(
        self, i: int, n_in: int, n_hid: int, *, weight_p: float, bidir: bool
    ) -> nn.Module:
        """Return the i-th layer: called with input and state, it returns output and state."""
        return WeightDropLSTM(n_in, n_hid, weight_p, bidir=bidir)

    @property
    def encoder(self) -> nn.Embedding:
        """The vectors of the words."""
        return self.encoder_dp.emb

    def forward(self, words: Tensor) -> Tensor:
        """Read the next words of every text."""
        if self.states and self.states[0][0].shape[1] != words.shape[0]:
            self.reset()  # another batch size is another set of texts
        x = self.input_dp(self.encoder_dp(words))
        before: list[State | None] = list(self.states) or [None] * len(self.rnns)
        after: list[State] = []
        raw = x
        for i, rnn in enumerate(self.rnns):
            raw, (hidden, cell) = rnn(x, before[i])
            after.append((hidden.detach(), cell.detach()))
            x = self.hidden_dps[i](raw) if i < len(self.hidden_dps) else raw
        self.states, self.raw = after, raw if self.training else None
        return x

    def reset(self) -> None:
        """Forget the words read so far."""
        self.states: list[State] = []
        self.raw: Tensor | None = None

    def forget(self, rows: Tensor) -> None:
        """Forget what was read in some rows.

        Args:
            rows: Of shape `(batch,)`, true where the text has not begun.
        """
        keep = ~rows[None, :, None]
        self.states = [(hidden * keep, cell * keep) for hidden, cell in self.states]
