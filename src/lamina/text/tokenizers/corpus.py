"""Tokenized texts as numbers: in memory, or in files that are mapped into it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Self, overload

import numpy as np

__all__ = ["Corpus", "Run", "TokenizedTexts"]

Ints = np.ndarray[Any, np.dtype[Any]]


class Run(NamedTuple):
    """Some texts, one after another.

    Args:
        ends: Where each text ends in `ids`, after a 0 for where the first begins.
        ids: The numbers of the tokens.
    """

    ends: Ints
    ids: Ints


class Corpus:
    """Collects tokenized texts, each different token once.

    Example:
        >>> corpus = Corpus()
        >>> run = corpus.add([2, 1], [0, 1, 0], ["a", "b"])
        >>> TokenizedTexts([run], corpus.words, corpus.counts)[0]
        ['a', 'b']
    """

    def __init__(self) -> None:
        self._index: defaultdict[str, int] = defaultdict(count().__next__)
        self._counts = np.zeros(1024, dtype=np.int64)

    def add(self, sizes: Sequence[int], ids: Sequence[int], words: Sequence[str]) -> Run:
        """Take texts that were numbered by themselves, and return them in the corpus's numbers.

        Args:
            sizes: How many tokens each text has.
            ids: All tokens, as places in `words`.
            words: The different tokens.
        """
        places = np.fromiter(map(self._index.__getitem__, words), np.int32, len(words))
        found = places[np.asarray(ids, dtype=np.int64)] if len(ids) else np.zeros(0, np.int32)
        while len(self._index) > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._counts += np.bincount(found, minlength=len(self._counts))
        ends = np.concatenate([[0], np.cumsum(np.asarray(sizes, dtype=np.int64))])
        return Run(ends.astype(np.int32), found)

    @property
    def words(self) -> list[str]:
        """The different tokens, by their numbers."""
        return list(self._index)

    @property
    def counts(self) -> Ints:
        """How often each of them occurs."""
        return self._counts[: len(self._index)]


class TokenizedTexts(Sequence[list[str]]):
    """Tokenized texts: a list of lists of tokens that takes four bytes per token.

    Args:
        runs: The texts as numbers.
        words: The token of each number.
        counts: How often each occurs.
        order: Which texts these are; None for all.
        path: The file that the numbers are in, if they are in one.

    Attributes:
        path: See above.

    Example:
        >>> run = Corpus().add([2, 1], [0, 1, 0], ["a", "b"])
        >>> texts = TokenizedTexts([run], ["a", "b"], np.array([2, 1]))
        >>> list(texts), texts.counter["a"], texts.lengths.tolist()
        ([['a', 'b'], ['a']], 2, [2, 1])
    """

    def __init__(
        self,
        runs: Sequence[Run],
        words: Sequence[str],
        counts: Ints,
        order: Ints | None = None,
        path: Path | None = None,
    ) -> None:
        self._runs = list(runs)
        self._words = words
        self._counts = counts
        self._order = order
        self._starts = np.cumsum([0, *(len(run.ends) - 1 for run in self._runs)])
        self.path = path

    @property
    def counter(self) -> Counter[str]:
        """How often each token occurs."""
        if self._order is None:
            pairs = zip(self._words, self._counts.tolist(), strict=True)
            return Counter({word: n for word, n in pairs if n})
        count: Counter[str] = Counter()
        for tokens in self:
            count.update(tokens)
        return count

    @property
    def lengths(self) -> Ints:
        """How many tokens each text has."""
        sizes = np.concatenate([np.diff(run.ends) for run in self._runs] or [np.zeros(0, np.int32)])
        return sizes if self._order is None else sizes[self._order]

    @property
    def iloc(self) -> Self:
        """The texts by position, as data frames have them: what takes a part asks for this."""
        return self

    def subset(self, idxs: Any) -> "TokenizedTexts":
        """Return some of the texts, without copying their tokens.

        Args:
            idxs: Their positions, or a mask.
        """
        own = np.arange(len(self)) if self._order is None else self._order
        picked = own[np.asarray(idxs, dtype=None if len(idxs) else np.int64)]
        return TokenizedTexts(self._runs, self._words, self._counts, picked, self.path)

    @overload
    def __getitem__(self, i: int) -> list[str]: ...

    @overload
    def __getitem__(self, i: slice | Sequence[int]) -> "TokenizedTexts": ...

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return self.subset(range(*i.indices(len(self))))
        if not isinstance(i, int | np.integer):
            return self.subset(i)
        if not -len(self) <= i < len(self):
            raise IndexError(f"TokenizedTexts: there is no text {i} among {len(self)}")
        place = int(i) % len(self)
        place = place if self._order is None else int(self._order[place])
        which = int(np.searchsorted(self._starts, place, side="right")) - 1
        ends, ids = self._runs[which]
        at = place - self._starts[which]
        return list(map(self._words.__getitem__, ids[ends[at] : ends[at + 1]].tolist()))

    def __iter__(self) -> Iterator[list[str]]:
        return (self[i] for i in range(len(self)))

    def __len__(self) -> int:
        return int(self._starts[-1]) if self._order is None else len(self._order)

    def __repr__(self) -> str:
        where = "in memory" if self.path is None else f"in {self.path}"
        n_words = len(self._words)
        return f"TokenizedTexts({len(self):,} texts of {n_words:,} different tokens, {where})"
