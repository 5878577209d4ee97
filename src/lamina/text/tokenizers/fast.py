"""The tokenizers of Hugging Face's library `tokenizers`, loaded from a file or trained here."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from lamina.foundation.errors import DataError, UnknownNameError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.text.rules import BOS, SPECIAL_TOKENS, UNK, Rule, mark_start
from lamina.text.tokenizers.library import library

__all__ = ["HFTokenizer"]

_BATCH = 1000

Kind = Literal["bpe", "wordpiece", "wordlevel"]


@savable
@strict
@dataclass(repr=False)
class HFTokenizer:
    """Cuts texts as a tokenizer of the library `tokenizers` does.

    What happens to letters is this tokenizer's own business, so of the rules only the mark of the
    beginning is used unless others are given, and that only if the vocabulary has it.

    Args:
        json: The tokenizer, in the form that `tokenizer.json` files have.

    Example:
        >>> tok = HFTokenizer.trained(["low lower lowest"] * 9, "bpe", vocab_sz=300)
        >>> tok.join(next(tok(["lower low"])))
        'lower low'
    """

    json: str
    needs: ClassVar[str] = "tokenizers"

    def __post_init__(self) -> None:
        self._tokenizer: Any = None

    @classmethod
    def from_file(cls, file: str | Path) -> Self:
        """Load one from a `tokenizer.json`.

        Args:
            file: The file.

        Raises:
            DataError: It cannot be read, or holds something else.
        """
        try:
            made = cls(Path(file).read_text(encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            raise DataError(f"{file} cannot be read ({error}). Give a tokenizer.json.") from error
        made.tokenizer  # noqa: B018 - so that a wrong file is found here
        return made

    @classmethod
    def trained(
        cls,
        texts: Iterable[str],
        kind: Kind = "bpe",
        vocab_sz: int = 30_000,
        special_toks: Sequence[str] = SPECIAL_TOKENS,
        *,
        min_freq: int = 2,
    ) -> Self:
        """Train one on texts.

        Args:
            texts: The texts, which go through memory one after another.
            kind: "bpe" (pairs of bytes, of which any text can be made), "wordpiece" (parts of
                words), or "wordlevel" (words and signs).
            vocab_sz: How many tokens to learn at most.
            special_toks: What is never cut.
            min_freq: How often a token must occur.

        Raises:
            UnknownNameError: There is no such kind.
        """
        tokenizer, trainer = _begun(kind)
        settings: dict[str, Any] = {"vocab_size": vocab_sz, "min_frequency": min_freq}
        if kind == "bpe":  # so that there is no text that cannot be written
            settings["initial_alphabet"] = library("tokenizers").pre_tokenizers.ByteLevel.alphabet()
        made = trainer(special_tokens=list(special_toks), show_progress=False, **settings)
        tokenizer.train_from_iterator(texts, made)
        return cls(tokenizer.to_str())

    @property
    def rules(self) -> Sequence[Rule]:
        """The rules to use when none are given."""
        return () if self.tokenizer.token_to_id(BOS) is None else (mark_start,)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the library.

        Raises:
            DataError: The text is none.
        """
        if self._tokenizer is None:
            lib = library("tokenizers")
            try:
                self._tokenizer = lib.Tokenizer.from_str(self.json)
            except Exception as error:  # the library raises no class of its own
                raise DataError(
                    f"{type(self).__name__}: {self.json[:40]!r} is no tokenizer ({error}). Give "
                    "the content of a tokenizer.json."
                ) from error
        return self._tokenizer

    def __call__(self, texts: Iterable[str], /) -> Iterator[list[str]]:
        """Give the tokens of each text.

        Args:
            texts: The texts.
        """
        tokens = {number: token for token, number in self.tokenizer.get_vocab().items()}
        remaining = iter(texts)
        while batch := list(islice(remaining, _BATCH)):
            for found in self.tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                yield list(map(tokens.__getitem__, found.ids))

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text of tokens."""
        decoder = self.tokenizer.decoder
        return " ".join(tokens) if decoder is None else decoder.decode(list(tokens)).strip()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_tokenizer": None}

    def __repr__(self) -> str:
        kind = type(self.tokenizer.model).__name__
        return f"HFTokenizer({kind} of {self.tokenizer.get_vocab_size()} tokens)"


def _begun(kind: str) -> tuple[Any, Any]:
    """Return an untrained tokenizer of a kind, and the class that trains it."""
    lib = library("tokenizers")
    models, before, trainers = lib.models, lib.pre_tokenizers, lib.trainers
    kinds = {
        "bpe": (models.BPE, before.ByteLevel, trainers.BpeTrainer),
        "wordpiece": (models.WordPiece, before.BertPreTokenizer, trainers.WordPieceTrainer),
        "wordlevel": (models.WordLevel, before.Whitespace, trainers.WordLevelTrainer),
    }
    if kind not in kinds:
        raise UnknownNameError("kind", kind, kinds, where="HFTokenizer.trained")
    model, pre_tokenizer, trainer = kinds[kind]
    tokenizer = lib.Tokenizer(model() if kind == "bpe" else model(unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizer()
    if kind != "wordlevel":
        decoders = lib.decoders
        tokenizer.decoder = decoders.ByteLevel() if kind == "bpe" else decoders.WordPiece()
    return tokenizer, trainer
