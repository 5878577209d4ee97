"""Vocabularies: from counted tokens to numbers, and back."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lamina.data.task import NextToken
from lamina.data.transform import Transform
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, ItemError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.tensor.types import plain
from lamina.text.rules import SPECIAL_TOKENS, UNK
from lamina.text.types import LMTensorText, TensorText, Tokens

__all__ = ["Numericalize", "count_tokens", "make_vocab", "text_vocab"]

_FAKE = "xxfake"  # fills a vocabulary up to a size that graphics cards like


@strict
def make_vocab(
    count: Counter[str],
    min_freq: int = 3,
    max_vocab: int = 60_000,
    special_toks: Sequence[str] | None = None,
) -> list[str]:
    """Make a vocabulary: the special tokens, then the most frequent ones.

    Args:
        count: How often each token occurs.
        min_freq: How often a token must occur.
        max_vocab: How many tokens there are at most.
        special_toks: The special tokens; None takes `SPECIAL_TOKENS`.

    Returns:
        The tokens, filled up with `"xxfake"` to a multiple of 8.

    Example:
        >>> make_vocab(Counter("abbccc"), min_freq=2)[9:]
        ['c', 'b', 'xxfake', 'xxfake', 'xxfake', 'xxfake', 'xxfake']
    """
    special = SPECIAL_TOKENS if special_toks is None else tuple(special_toks)
    known = set(special)
    frequent = [t for t, n in Counter(count).most_common() if n >= min_freq and t not in known]
    vocab = [*special, *frequent[: max(0, max_vocab - len(special))]]
    return vocab + [_FAKE] * (-len(vocab) % 8)


def count_tokens(texts: Iterable[Iterable[str]]) -> Counter[str]:
    """Count the tokens of tokenized texts; what has counted them already is asked.

    Args:
        texts: Lists of tokens.

    Example:
        >>> count_tokens([["a", "b"], ["a"]])["a"]
        2
    """
    counted = getattr(texts, "counter", None)
    if isinstance(counted, Counter):
        return counted
    count: Counter[str] = Counter()
    for tokens in texts:
        count.update(tokens)
    return count


@savable
@dataclass(repr=False)
class Numericalize(Transform):
    """Tokens to their numbers in a vocabulary, unknown ones to that of `"xxunk"`; and back.

    Args:
        vocab: The tokens, by their numbers; None makes one of the training texts.
        min_freq: How often a token must occur to be taken into it.
        max_vocab: How many tokens it has at most.
        special_toks: What comes first in it; None takes `SPECIAL_TOKENS`.
        is_lm: Whether the next token is what a model predicts.

    Example:
        >>> tfm = Numericalize(["xxunk", "xxpad", "hello"])
        >>> tfm(["hello", "you"]), tfm.decode(tfm(["hello", "you"]))
        (TensorText([2, 0]), (#2) ['hello','xxunk'])

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Text".
    """

    vocab: list[str] | None = None
    min_freq: int = 3
    max_vocab: int = 60_000
    special_toks: Sequence[str] | None = None
    is_lm: bool = False

    def __post_init__(self) -> None:
        self._o2i: dict[str, int] | None = None
        if self.vocab is not None:
            self.vocab = list(self.vocab)

    @property
    def o2i(self) -> dict[str, int]:
        """The number of each token.

        Raises:
            ContractError: There is no vocabulary yet.
        """
        if self._o2i is None:
            if self.vocab is None:
                raise ContractError(
                    "Numericalize: it has no vocabulary yet. Call setup(texts), or pass vocab=..."
                )
            backwards = reversed(list(enumerate(self.vocab)))  # the first of equal tokens counts
            self._o2i = {token: i for i, token in backwards}
        return self._o2i

    @property
    def text_vocab(self) -> list[str] | None:
        """The vocabulary under a name that labels do not share."""
        return self.vocab

    @property
    def task(self) -> NextToken | None:
        """The task of a language model, once the vocabulary is there."""
        return NextToken(self.vocab) if self.is_lm and self.vocab is not None else None

    def setups(self, items: Any) -> None:
        """Make the vocabulary of tokenized texts unless it was given."""
        if self.vocab is None:
            count = count_tokens(items)
            self.vocab = make_vocab(count, self.min_freq, self.max_vocab, self.special_toks)

    def encodes(self, x: list | L) -> TensorText:
        """Return the numbers of tokens."""
        o2i = self.o2i
        ids: list[Any] = list(map(o2i.get, x))
        if None in ids:
            unknown = o2i.get(UNK)
            if unknown is None:
                token = x[ids.index(None)]
                raise ItemError(
                    f"Numericalize: {token!r} is not in the vocabulary of {len(o2i)} tokens, "
                    f"which has no {UNK!r} for such cases. Add it to the vocabulary.",
                    stage="encodes",
                )
            ids = [unknown if i is None else i for i in ids]
        kind = LMTensorText if self.is_lm else TensorText
        return kind.wrap(torch.tensor(ids, dtype=torch.int64))

    def decodes(self, x: TensorText) -> Tokens:
        """Return the tokens of numbers."""
        vocab = self.vocab or []
        return Tokens([vocab[i] for i in plain(x).tolist()])

    def __repr__(self) -> str:
        size = "None" if self.vocab is None else f"{len(self.vocab)} tokens"
        return f"Numericalize(vocab={size}, min_freq={self.min_freq}, max_vocab={self.max_vocab})"


@strict
def text_vocab(dls: Any) -> list[str]:
    """Return the vocabulary of the texts of loaders, whatever their target is.

    Args:
        dls: `DataLoaders` or one loader.

    Raises:
        ContractError: There are no texts among their inputs.
    """
    found = dls.gather("text_vocab")
    if found is None:
        raise ContractError(
            "text_vocab: these loaders have no transform with a vocabulary of tokens. Make them "
            "with TextDataLoaders or a TextBlock."
        )
    return found[0] if isinstance(found, L) else found
