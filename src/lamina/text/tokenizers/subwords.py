"""Parts of words, as a SentencePiece model learns them from texts."""

import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from lamina.foundation.errors import ContractError, DataError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.text.rules import SPECIAL_TOKENS
from lamina.text.tokenizers.library import library

__all__ = ["SentencePieceTokenizer", "SubwordTokenizer"]

_SPACE = "▁"  # begins every piece that begins a word
_BATCH = 256
_LONGEST = 1 << 17  # bytes of a text that is learnt from
_EUROPEAN = frozenset(
    "bg cs da de el en es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv".split()  # noqa: SIM905 - one word per line would be a page
)


@savable
@strict
@dataclass(repr=False)
class SentencePieceTokenizer:
    """Cuts texts into parts of words that a SentencePiece model knows.

    Args:
        lang: The language; it decides how many of the signs a model covers.
        special_toks: What is never cut; None takes `SPECIAL_TOKENS`.
        sp_model: A trained model: its file, or the content of that; None trains one.
        vocab_sz: How many parts to learn; None takes a quarter of the different words.
        max_vocab_sz: The most that None gives.
        model_type: How to learn: "unigram" or "bpe".
        char_coverage: The share of signs to cover; None takes 0.99999 for European languages,
            else 0.9998.

    Example:
        >>> tok = SentencePieceTokenizer(vocab_sz=40).train(["a fine film"] * 20)
        >>> tok.join(next(tok(["a film"])))
        'a film'

    Source: Kudo & Richardson, "SentencePiece", 2018.
    """

    lang: str = "en"
    special_toks: Sequence[str] | None = None
    sp_model: bytes | str | Path | None = None
    vocab_sz: int | None = None
    max_vocab_sz: int = 30_000
    model_type: Literal["unigram", "bpe"] = "unigram"
    char_coverage: float | None = None
    needs: ClassVar[str] = "sentencepiece"

    def __post_init__(self) -> None:
        self._processor: Any = None
        if isinstance(self.sp_model, str | Path):
            try:
                self.sp_model = Path(self.sp_model).read_bytes()
            except OSError as error:
                raise self._wrong(error) from error
        special = SPECIAL_TOKENS if self.special_toks is None else self.special_toks
        self._special: dict[str, str] = {_SPACE + token: token for token in special}

    @property
    def is_trained(self) -> bool:
        """Whether there is a model."""
        return self.sp_model is not None

    def train(self, texts: Iterable[str]) -> Self:
        """Learn a model and return the tokenizer; one text after another goes through memory.

        Args:
            texts: What to learn from, as it will be when it is to be cut.

        Raises:
            ContractError: The texts have too few different signs or words for `vocab_sz`.
        """
        words: set[str] = set()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "texts.txt"
            with file.open("w", encoding="utf-8") as lines:
                for text in texts:
                    found = text.split()
                    words.update(found)
                    lines.write(" ".join(found) + "\n")
            self.sp_model = self._learn(file, len(words))
        self._processor = None
        return self

    def __call__(self, texts: Iterable[str], /) -> Iterator[list[str]]:
        """Give the parts of each text.

        Args:
            texts: The texts.

        Raises:
            ContractError: There is no model yet.
        """
        processor: Any = self._loaded()
        whole: dict[str, str] = self._special
        remaining = iter(texts)
        while batch := list(islice(remaining, _BATCH)):
            found: list[list[str]] = processor.encode(batch, out_type=str, num_threads=1)
            yield from ([whole.get(piece, piece) for piece in pieces] for pieces in found)

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text of parts."""
        special = set(self._special.values())
        pieces = (_SPACE + token if token in special else token for token in tokens)
        return "".join(pieces).replace(_SPACE, " ").strip()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_processor": None}

    def __repr__(self) -> str:
        trained = "trained" if self.is_trained else "not trained"
        return f"SentencePieceTokenizer({self.lang!r}, {self.model_type}, {trained})"

    def _learn(self, file: Path, n_words: int) -> bytes:
        guessed = -(-min(self.max_vocab_sz, max(n_words // 4, 29)) // 8) * 8
        coverage = 0.99999 if self.lang in _EUROPEAN else 0.9998
        model = io.BytesIO()
        try:
            library("sentencepiece").SentencePieceTrainer.train(
                input=str(file),
                model_writer=model,
                vocab_size=self.vocab_sz or guessed,
                hard_vocab_limit=self.model_type != "unigram",
                model_type=self.model_type,
                character_coverage=self.char_coverage or coverage,
                user_defined_symbols=list(self._special),
                unk_id=len(self._special),
                pad_id=-1,
                bos_id=-1,
                eos_id=-1,
                max_sentence_length=_LONGEST,
                minloglevel=2,
            )
        except (RuntimeError, OSError) as error:
            raise ContractError(
                f"SentencePieceTokenizer.train: {error}. Give vocab_sz a value that fits the "
                "texts, or more texts."
            ) from error
        return model.getvalue()

    def _loaded(self) -> Any:
        if self._processor is None:
            if self.sp_model is None:
                raise ContractError(
                    "SentencePieceTokenizer: it has no model. Call train(texts), or pass sp_model=."
                )
            lib = library("sentencepiece")
            try:
                self._processor = lib.SentencePieceProcessor(model_proto=self.sp_model)
            except RuntimeError as error:
                raise self._wrong(error) from error
        return self._processor

    def _wrong(self, error: Exception) -> DataError:
        return DataError(
            f"SentencePieceTokenizer: sp_model is no model that can be read ({error}). "
            "Give a .model file that SentencePiece wrote, or its content."
        )


SubwordTokenizer = SentencePieceTokenizer
