"""Bringing the texts of a batch to one length, and back.

Padding never carries meaning: models find it by its number (`PAD_IDX`) and leave it out, so that a
prediction does not depend on the other texts of its batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from lamina.data.transform import ItemTransform, Transform
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.tensor.types import plain
from lamina.text.types import TensorText

__all__ = ["PAD_IDX", "PadChunk", "PadInput", "ReverseText", "pad_chunk", "pad_input", "pad_texts"]

PAD_IDX = 1  # where `xxpad` is in every vocabulary


def pad_texts(
    texts: Sequence[Tensor],
    pad_idx: int = PAD_IDX,
    *,
    pad_first: bool = False,
    seq_len: int = 1,
    length: int | None = None,
) -> Tensor:
    """Pad texts to the length of the longest and stack them.

    Args:
        texts: Vectors of token numbers.
        pad_idx: What to fill up with.
        pad_first: Whether to fill up at the front.
        seq_len: At the front only whole multiples of this come; the rest comes behind, so that
            a model that reads `seq_len` tokens at a time meets the beginning of every text at the
            beginning of a step.
        length: The length to reach; None takes the longest.

    Returns:
        A tensor of shape `(texts, length)`.

    Example:
        >>> pad_texts([torch.tensor([5, 6, 7]), torch.tensor([8])], pad_first=True)
        tensor([[5, 6, 7],
                [1, 1, 8]])
    """
    longest = max(map(len, texts)) if length is None else length
    out = torch.full((len(texts), longest), pad_idx, dtype=texts[0].dtype, device=texts[0].device)
    for row, text in zip(out, texts, strict=True):
        start = (longest - len(text)) // seq_len * seq_len if pad_first else 0
        row[start : start + len(text)] = text
    return out


def pad_chunk(
    x: Tensor,
    pad_idx: int = PAD_IDX,
    *,
    pad_first: bool = True,
    seq_len: int = 72,
    pad_len: int = 10,
) -> Tensor:
    """Pad one text to a length: at the front by whole steps of `seq_len`, behind by the rest.

    Args:
        x: A vector of token numbers.
        pad_idx: What to fill up with.
        pad_first: Whether whole steps come at the front; otherwise all comes behind.
        seq_len: The length of a step.
        pad_len: The length to reach.

    Example:
        >>> pad_chunk(torch.tensor([5, 6]), seq_len=3, pad_len=6).tolist()
        [1, 1, 1, 5, 6, 1]
    """
    rows = [plain(x)]
    out = pad_texts(rows, pad_idx, pad_first=pad_first, seq_len=seq_len, length=pad_len)[0]
    return type(x).wrap(out, like=x) if isinstance(x, TensorText) else out


class _Pad(ItemTransform, overrides_verbs=True):
    """What paddings share: they take the items of a batch all at once."""

    order: ClassVar[int] = 0
    pad_idx: int

    @property
    def fields(self) -> Sequence[int]:
        """The places of the texts in an item."""
        return (0,)

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Pad the texts of the items of a batch."""
        items = [tuple(item) if isinstance(item, tuple | list) else (item,) for item in x]
        if not items:
            return x
        columns: list[Sequence[Any]] = list(zip(*items, strict=True))
        for i in self.fields:
            if i >= len(columns):
                raise ContractError(
                    f"{type(self).__name__}: there is no part {i} in items of {len(columns)}. "
                    "Give the places of the texts."
                )
            like = columns[i][0]
            padded = self._padded([plain(text) for text in columns[i]])
            kind = type(like) if isinstance(like, TensorText) else None
            columns[i] = [row if kind is None else kind.wrap(row) for row in padded]
        return list(zip(*columns, strict=True))

    def decode(self, x: Any, split_idx: int | None = None) -> Any:
        """Take the padding off the texts of one item."""
        if not isinstance(x, tuple):
            return self._without(x)
        return tuple(self._without(part) if i in self.fields else part for i, part in enumerate(x))

    def _padded(self, texts: list[Tensor]) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define _padded.")

    def _without(self, x: Any) -> Any:
        return x[x != self.pad_idx] if isinstance(x, Tensor) and x.ndim == 1 else x


@savable
@dataclass
class PadInput(_Pad):
    """Pad the texts of a batch to the longest.

    Args:
        pad_idx: What to fill up with.
        pad_fields: The place of the text in an item, or several.
        pad_first: Whether to fill up at the front.
        backwards: Whether texts are turned round once they are padded.

    Example:
        >>> PadInput()([(torch.tensor([5, 6]), "a"), (torch.tensor([7]), "b")])
        [(tensor([5, 6]), 'a'), (tensor([7, 1]), 'b')]
    """

    pad_idx: int = PAD_IDX
    pad_fields: int | Sequence[int] = 0
    pad_first: bool = False
    backwards: bool = False

    @property
    def fields(self) -> Sequence[int]:
        """The places of the texts."""
        return [self.pad_fields] if isinstance(self.pad_fields, int) else self.pad_fields

    def _padded(self, texts: list[Tensor]) -> Tensor:
        out = pad_texts(texts, self.pad_idx, pad_first=self.pad_first)
        return out.flip(-1) if self.backwards else out

    def _without(self, x: Any) -> Any:
        kept = super()._without(x)
        return kept.flip(-1) if self.backwards and isinstance(kept, Tensor) else kept


@savable
@dataclass
class PadChunk(_Pad):
    """Pad the first text of the items of a batch as `pad_chunk` does.

    Args:
        pad_idx: What to fill up with.
        pad_first: Whether whole steps come at the front.
        seq_len: The length of a step.
        undo: Whether decoding takes the padding off.

    Example:
        >>> tfm = PadChunk(seq_len=2)
        >>> batch = tfm([(torch.arange(5, 10), 0), (torch.tensor([7]), 1)])
        >>> batch[1][0].tolist(), tfm.decode(batch[1])
        ([1, 1, 1, 1, 7], (tensor([7]), 1))
    """

    pad_idx: int = PAD_IDX
    pad_first: bool = True
    seq_len: int = 72
    undo: bool = True

    def _padded(self, texts: list[Tensor]) -> Tensor:
        return pad_texts(texts, self.pad_idx, pad_first=self.pad_first, seq_len=self.seq_len)

    def _without(self, x: Any) -> Any:
        return super()._without(x) if self.undo else x


@savable
@dataclass
class ReverseText(Transform):
    """Turn a text round, for a model that reads backwards.

    Example:
        >>> ReverseText()(TensorText([1, 2, 3]))
        TensorText([3, 2, 1])
    """

    def encodes(self, x: TensorText) -> TensorText:
        """Turn it round."""
        return TensorText.wrap(x.flip(-1))

    decodes = encodes


def pad_input(samples: Any, pad_idx: int = PAD_IDX, **settings: Any) -> Any:
    """Pad the texts of the items of a batch: `PadInput` as a function.

    Args:
        samples: The items.
        pad_idx: What to fill up with.
        settings: The other settings of `PadInput`, which refuses unknown ones.

    Example:
        >>> pad_input([(torch.tensor([5, 6]), 0), (torch.tensor([7]), 1)], pad_first=True)
        [(tensor([5, 6]), 0), (tensor([1, 7]), 1)]
    """
    return PadInput(pad_idx, **settings)(samples)
