"""What stands on a reader of texts: the decoder of a language model, the head of a classifier."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.nn.linear import LinBnDrop, SigmoidRange
from lamina.text.models.dropout import RNNDropout
from lamina.text.padding import PAD_IDX

__all__ = [
    "LanguageModel",
    "LinearDecoder",
    "PoolingLinearClassifier",
    "SentenceEncoder",
    "SequentialRNN",
    "TextClassifier",
    "masked_concat_pool",
]


class LinearDecoder(nn.Module):
    """Scores of the next word from what a reader gives.

    Args:
        n_out: Words in the vocabulary.
        n_hid: Features that come in.
        output_p: Dropout of what comes in.
        tie_encoder: An embedding whose vectors are also the decoder's weights.
        bias: Whether each word has an offset.

    Attributes:
        dropped: What went into the scores in the last call of training.

    Example:
        >>> LinearDecoder(10, 4)(torch.zeros(2, 3, 4)).shape
        torch.Size([2, 3, 10])

    Source: Press & Wolf, "Using the Output Embedding to Improve Language Models", 2017 (tying).
    """

    def __init__(
        self,
        n_out: int,
        n_hid: int,
        output_p: float = 0.1,
        tie_encoder: nn.Embedding | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.output_dp = RNNDropout(output_p)
        self.decoder = nn.Linear(n_hid, n_out, bias=bias)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        if bias:
            nn.init.zeros_(self.decoder.bias)
        if tie_encoder is not None:
            self.decoder.weight = tie_encoder.weight
        self.dropped: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, time, n_out)` scores."""
        x = self.output_dp(x)
        self.dropped = x if self.training else None
        return self.decoder(x)


class LanguageModel(nn.Module):
    """A reader and a decoder: scores of the next word at every point.

    Args:
        encoder: The reader: `(batch, time)` in, `(batch, time, features)` out, with `reset`.
        decoder: From features to scores.
    """

    encoder: Any

    def __init__(self, encoder: nn.Module, decoder: LinearDecoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, words: Tensor) -> Tensor:
        """Return `(batch, time, words)` scores."""
        return self.decoder(self.encoder(words))

    def reset(self) -> None:
        """Forget the words read so far."""
        self.encoder.reset()
        self.decoder.dropped = None

    @property
    def activations(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """What the reader gave in the last training step, before and after dropout.

        The third part, for models with padding, is true where it does not count.
        """
        return self.encoder.raw, self.decoder.dropped, None


class SentenceEncoder(nn.Module):
    """Read whole texts in steps of `bptt` words, the last of them with gradient.

    Texts are laid so that all end in the last step; before its first step a text has no state.
    So neither padding nor the other texts of a batch change what is read.

    Args:
        bptt: Most words per step; the gradient does not cross from one step to the one before.
        module: The reader, with `reset` and `forget`.
        pad_idx: The number of the padding, wherever it stands.
        max_len: How many words at the end of a text count; None takes all.

    Raises:
        ContractError: `bptt` or `max_len` is below 1.

    Example:
        >>> from lamina.text.models.awd_lstm import AWD_LSTM
        >>> encoder = SentenceEncoder(4, AWD_LSTM(50, emb_sz=6, n_hid=8, n_layers=2))
        >>> out, mask = encoder(torch.tensor([[2, 3, 4, 5, 6], [7, 8, 1, 1, 1]]))
        >>> out.shape, mask.sum(1)
        (torch.Size([2, 6, 6]), tensor([1, 4]))

    Source: Howard & Ruder, "Universal Language Model Fine-tuning for Text Classification", 2018.
    """

    module: Any

    def __init__(
        self, bptt: int, module: nn.Module, pad_idx: int = PAD_IDX, max_len: int | None = None
    ) -> None:
        super().__init__()
        if bptt < 1 or (max_len is not None and max_len < 1):
            raise ContractError(f"SentenceEncoder: {bptt=}, {max_len=}. Give 1 or more.")
        self.bptt, self.module, self.pad_idx, self.max_len = bptt, module, pad_idx, max_len

    def forward(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(batch, time, size)`, and true where they do not count."""
        n_steps = max(1, -(-words.shape[1] // self.bptt))
        size = max(1, -(-words.shape[1] // n_steps))  # no longer than the texts need
        words, first_step = self._laid(words, n_steps, size)
        counting = n_steps if self.max_len is None else 1 + -(-self.max_len // size)
        self.reset()
        outs = []
        for step, part in enumerate(words.split(size, dim=1)):
            counts = step >= n_steps - counting
            with torch.set_grad_enabled(counts and torch.is_grad_enabled()):
                out = self.module(part)
            self.module.forget(first_step > step)
            if counts:
                outs.append(out)
        out = torch.cat(outs, dim=1)
        is_word = words[:, -out.shape[1] :] != self.pad_idx
        if self.max_len is not None:
            is_word &= is_word.flip(1).cumsum(1).flip(1) <= self.max_len
        return out, ~is_word

    def reset(self) -> None:
        """Forget the words read so far."""
        self.module.reset()

    def _laid(self, words: Tensor, n_steps: int, size: int) -> tuple[Tensor, Tensor]:
        """Return the texts moved so that each ends in the last step, and where each begins."""
        is_word = words != self.pad_idx
        lengths = is_word.sum(1)
        steps = lengths.add(size - 1).div(size, rounding_mode="floor").clamp(min=1)
        first_step = n_steps - steps
        place = is_word.cumsum(1) - 1 + (first_step * size)[:, None]
        laid = words.new_full((len(words), n_steps * size + 1), self.pad_idx)
        laid.scatter_(1, place.masked_fill(~is_word, n_steps * size), words)  # padding: cut off
        return laid[:, :-1], first_step


def masked_concat_pool(output: Tensor, mask: Tensor) -> Tensor:
    """Summarise texts: the last word's features, and maximum and mean over all words.

    Args:
        output: Features of shape `(batch, time, size)`.
        mask: True where there is padding, shape `(batch, time)`.

    Returns:
        A tensor of shape `(batch, 3 * size)`; zeros for a text without words.

    Example:
        >>> masked_concat_pool(torch.tensor([[[1.0], [3.0], [9.0]]]),
        ...                    torch.tensor([[False, False, True]]))
        tensor([[3., 3., 2.]])
    """
    hidden = mask[:, :, None]
    lengths = (~mask).sum(1)
    places = torch.arange(mask.shape[1], device=mask.device)
    at = places.masked_fill(mask, 0).amax(1)
    last = output[torch.arange(len(output), device=mask.device), at]
    least = torch.finfo(output.dtype).min
    mean = output.masked_fill(hidden, 0).sum(1) / lengths.clamp(min=1)[:, None]
    pooled = torch.cat([last, output.masked_fill(hidden, least).amax(1), mean], 1)
    return pooled.masked_fill((lengths == 0)[:, None], 0)


class PoolingLinearClassifier(nn.Module):
    """The head of a classifier: pooled features through linear layers.

    Args:
        dims: Sizes, from three times the reader's features to the number of outputs.
        ps: The dropout before each layer.
        y_range: Bounds of the outputs of a regression.

    Example:
        >>> head = PoolingLinearClassifier([12, 6, 2], [0.1, 0.1]).eval()
        >>> head(torch.zeros(3, 5, 4), torch.zeros(3, 5, dtype=torch.bool)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        dims: Sequence[int],
        ps: Sequence[float],
        y_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        acts = [*[nn.ReLU()] * (len(dims) - 2), None]
        layers: list[nn.Module] = [
            LinBnDrop(a, b, p=p, act=act)
            for (a, b), p, act in zip(pairwise(dims), ps, acts, strict=True)
        ]
        if y_range is not None:
            layers.append(SigmoidRange(*y_range))
        self.layers = nn.Sequential(*layers)

    def forward(self, output: Tensor, mask: Tensor) -> Tensor:
        """Return `(batch, outputs)`."""
        return self.layers(masked_concat_pool(output, mask))


class TextClassifier(nn.Module):
    """A reader of whole texts with a head.

    Args:
        encoder: The reader, which returns features and where they are padding.
        head: Called with these two.

    Attributes:
        last: What the reader gave in the last call of training.
    """

    def __init__(self, encoder: SentenceEncoder, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        self.last: tuple[Tensor, Tensor] | None = None

    def forward(self, words: Tensor) -> Tensor:
        """Return `(batch, outputs)` from token numbers `(batch, time)`."""
        read = self.encoder(words)
        self.last = read if self.training else None
        return self.head(*read)

    @property
    def activations(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """What the reader gave in the last training step (twice), and where it is padding."""
        out, mask = self.last or (None, None)
        return out, out, mask

    def reset(self) -> None:
        """Forget the words read so far."""
        self.encoder.reset()
        self.last = None


class SequentialRNN(nn.Sequential):
    """Modules in a chain, the first of which reads texts; `reset` reaches those that have one.

    What a module returns as a tuple goes on as several arguments. `LanguageModel` and
    `TextClassifier` are such chains whose parts have names; this one is for parts of one's own.

    Attributes:
        first: What the reader gave in the last call of training; of a tuple, the second part is
            true where there is padding.

    Example:
        >>> from lamina.text.models.awd_lstm import AWD_LSTM
        >>> model = SequentialRNN(AWD_LSTM(50, 6, 8, 2), LinearDecoder(50, 6))
        >>> model(torch.zeros(2, 5, dtype=torch.long)).shape
        torch.Size([2, 5, 50])
    """

    first: Any = None

    def forward(self, words: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - a better name
        """Return what the last module makes of token numbers `(batch, time)`."""
        x = words
        for i, module in enumerate(self):
            x = module(*x) if isinstance(x, tuple) else module(x)
            if i == 0:
                self.first = x if self.training else None
        return x

    @property
    def activations(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """What the reader gave in the last training step, before and after dropout, and padding."""
        out, mask = self.first if isinstance(self.first, tuple) else (self.first, None)
        dropped = getattr(self[-1], "dropped", None)
        return out, out if dropped is None else dropped, mask

    def reset(self) -> None:
        """Forget the words read so far."""
        self.first = None
        for module in self:
            if (reset := getattr(module, "reset", None)) is not None:
                reset()
