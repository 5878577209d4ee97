"""Words, as spaCy's rules for a language find them."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.text.rules import SPECIAL_TOKENS
from lamina.text.tokenizers.base import Remembered
from lamina.text.tokenizers.library import library

__all__ = ["SpacyTokenizer", "WordTokenizer"]

_RUNS = re.compile(r"\s+|\S+")


@savable
@strict
@dataclass
class SpacyTokenizer:
    """Cuts texts into words and signs with spaCy's rules for a language.

    spaCy works on what stands between spaces, each piece by itself, so every different piece is
    given to it once and remembered: the tokens are the same, several times sooner. One thing
    differs: a smiley that a space tears (`: x.A`) changes nothing here, and makes spaCy overlook
    the abbreviation `x.` that it shares a sign with.

    Args:
        lang: The code of the language, such as "en", "de", or "xx" for any.
        special_toks: What is never cut; None takes `SPECIAL_TOKENS`.

    Example:
        >>> list(SpacyTokenizer()(["Don't cut xxbos, please."]))
        [['Do', "n't", 'cut', 'xxbos', ',', 'please', '.']]
    """

    lang: str = "en"
    special_toks: Sequence[str] | None = None
    needs: ClassVar[str] = "spacy"

    def __post_init__(self) -> None:
        self._cut: Callable[[Iterable[str]], Iterator[list[str]]] | None = None

    def __call__(self, texts: Iterable[str], /) -> Iterator[list[str]]:
        """Give the tokens of each text.

        Args:
            texts: The texts.
        """
        if self._cut is None:
            self._cut = self._make()
        return self._cut(texts)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_cut": None}  # made again where it is needed

    def _make(self) -> Callable[[Iterable[str]], Iterator[list[str]]]:
        tokenizer = _load(self.lang)
        special = SPECIAL_TOKENS if self.special_toks is None else self.special_toks
        if type(tokenizer).__module__ != "spacy.tokenizer":  # those of some languages look wider
            return _around(tokenizer, special)
        for token in special:
            tokenizer.add_special_case(token, [{"ORTH": token}])

        def cut(piece: str) -> list[str]:
            return [piece] if piece.isspace() else [token.text for token in tokenizer(piece)]

        known = Remembered(cut).__getitem__
        return lambda texts: (list(chain.from_iterable(map(known, _pieces(t)))) for t in texts)


WordTokenizer = SpacyTokenizer


def _load(lang: str) -> Any:
    spacy = library("spacy")
    try:
        return spacy.blank(lang).tokenizer
    except ImportError as error:
        raise ContractError(
            f"SpacyTokenizer: spaCy cannot make a tokenizer for {lang!r}: {error}. Install what it "
            "asks for, give another code, or 'xx' for any language."
        ) from error


def _around(tokenizer: Any, special: Sequence[str]) -> Callable[[Iterable[str]], Any]:
    """Return what cuts texts between special tokens, which stay whole."""
    marks = re.compile(rf"\s*\b({'|'.join(map(re.escape, special))})\b\s*")

    def cut(text: str) -> list[str]:
        parts = marks.split(text)  # what is between marks, and these, by turns
        found = ([p] if i % 2 else [t.text for t in tokenizer(p)] for i, p in enumerate(parts))
        return list(chain.from_iterable(found))

    return lambda texts: map(cut, texts)


def _pieces(text: str) -> list[str]:
    """Cut a text where spaCy does first: a space only separates, other white space is a piece."""
    pieces = text.split(" ")
    if pieces == text.split():
        return pieces
    pieces = []
    for run in _RUNS.findall(text):
        piece = run[1:] if pieces and run[0] == " " else run
        if piece:
            pieces.append(piece)
    return pieces
