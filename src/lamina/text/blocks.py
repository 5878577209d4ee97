"""The block of texts: what a `DataBlock` has to know of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from lamina.data.block import TransformBlock
from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.foundation.signatures import signature_names, strict
from lamina.text import check, show  # noqa: F401  # what the doctor looks for, how texts are shown
from lamina.text.huggingface.tokenizer import PretrainedTokenizer
from lamina.text.lm_loader import LMDataLoader
from lamina.text.padding import PAD_IDX, PadChunk, PadInput, ReverseText
from lamina.text.rules import PAD, Rule
from lamina.text.sorted_loader import SortedDL
from lamina.text.tokenize import Columns, Tokenizer
from lamina.text.vocab import Numericalize

__all__ = ["TextBlock", "TextBlockArgs", "VocabArgs"]


class VocabArgs(TypedDict, total=False):
    """How a vocabulary is made of texts.

    Attributes:
        min_freq: How often a token must occur to be taken into it (3).
        max_vocab: How many tokens it has at most (60,000).
        special_toks: What comes first in it.
    """

    min_freq: int
    max_vocab: int
    special_toks: Sequence[str] | None


class TextBlockArgs(VocabArgs, total=False):
    """Keyword arguments of `TextBlock.from_df` and `from_folder`.

    Besides those of `TextBlock`, they are the settings of `lamina.text.tokenize.Tokenizer`.
    """

    is_lm: bool
    seq_len: int
    backwards: bool
    tok: Any
    rules: Sequence[Rule] | None
    mark_fields: bool | None
    n_workers: int | None
    cache: bool | str | None


_TOKENIZER = ("tok", "rules", "mark_fields", "n_workers", "cache")


class TextBlock(TransformBlock):
    """Texts, tokenized and numbered.

    Texts may come as strings, as paths of files, or tokenized.

    Args:
        tok_tfm: What tokenizes: a `Tokenizer`, a tokenizer, or a function from a text to tokens.
            A vocabulary may stand here too, as in the paper.
        vocab: The tokens by number; None takes those of the training texts.
        is_lm: Whether the next token is the target.
        seq_len: Tokens that a language model reads at a time, and the step of padding.
        backwards: Whether texts are turned round.
        options: See `VocabArgs`.

    Example:
        >>> from lamina.data.block import DataBlock
        >>> block = DataBlock(TextBlock(["xxunk", "xxpad", "a", "b"], is_lm=True))
        >>> dls = block.dataloaders([["a", "b"] * 4] * 5, bs=2, seq_len=3, shuffle=False)
        >>> dls.one_batch()[1].tolist()
        [[3, 2, 3], [2, 3, 2]]

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Data block API".
    """

    def __init__(
        self,
        tok_tfm: Any = None,
        vocab: Sequence[str] | None = None,
        is_lm: bool = False,  # noqa: FBT001 - the known signature
        seq_len: int = 72,
        backwards: bool = False,  # noqa: FBT001 - the known signature
        **options: Unpack[VocabArgs],
    ) -> None:
        known = (*signature_names(TextBlock), *VocabArgs.__annotations__)
        refuse_unknown("TextBlock", options, known)
        if _is_vocab(tok_tfm):
            if vocab is not None:
                raise ContractError("TextBlock: two vocabularies given. Give one.")
            tok_tfm, vocab = None, tok_tfm
        words = None if vocab is None else list(vocab)
        tokenizer, padding = _tokenizer(tok_tfm), PadChunk(seq_len=seq_len)
        if isinstance(tok := getattr(tokenizer, "tok", None), PretrainedTokenizer):
            words = _own_words(tok, words)
            tokenizer = replace(tokenizer, tok=tok.of_stream()) if is_lm else tokenizer
            padding = PadInput(tok.pad_idx, pad_first=tok.pad_first)
        else:
            _check_padding(options.get("special_toks") if words is None else words)
        numbers = Numericalize(words, is_lm=is_lm, **options)
        reverse = [ReverseText()] if backwards else []
        super().__init__(
            type_tfms=[tokenizer, numbers, *reverse],
            dl_type=LMDataLoader if is_lm else SortedDL,
            dls_kwargs={"seq_len": seq_len} if is_lm else {"before_batch": padding},
        )

    @classmethod
    @strict
    def from_df(
        cls,
        text_cols: Columns,
        vocab: Sequence[str] | None = None,
        **options: Unpack[TextBlockArgs],
    ) -> "TextBlock":
        """Make a block for rows of a data frame; a getter that takes the column is not needed.

        Args:
            text_cols: The column of the texts, or several, which are joined with `xxfld` marks.
            vocab: See the class.
            options: See `TextBlockArgs`.
        """
        tokenizer, others = _parted(options)
        return cls(Tokenizer.from_df(text_cols, **tokenizer), vocab, **others)

    @classmethod
    @strict
    def from_folder(
        cls,
        path: str | Path,
        vocab: Sequence[str] | None = None,
        **options: Unpack[TextBlockArgs],
    ) -> "TextBlock":
        """Make a block for the files in a folder.

        Args:
            path: The folder.
            vocab: See the class.
            options: See `TextBlockArgs`.
        """
        tokenizer, others = _parted(options)
        return cls(Tokenizer.from_folder(path, **tokenizer), vocab, **others)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        text_cols: Columns | None = None,
        *,
        is_lm: bool = False,
        seq_len: int = 72,
        max_len: int | None = None,
    ) -> "TextBlock":
        """Make a block for a model of `transformers`: with its tokens, special ones and padding.

        Args:
            name: The model: a folder, or a name on Hugging Face's hub.
            text_cols: The column of the texts in a row, or several, between which the separating
                token comes; None for texts by themselves.
            is_lm: Whether the next token is the target.
            seq_len: Tokens that a language model reads at a time.
            max_len: How many tokens of a text count; None takes as many as the model can read.

        Raises:
            ContractError: There is no tokenizer of that name to be had.
            MissingExtraError: `transformers` is not installed.
        """
        tok = PretrainedTokenizer.from_pretrained(name, max_len)
        return cls(Tokenizer(tok, text_cols=text_cols), is_lm=is_lm, seq_len=seq_len)


def _own_words(tok: PretrainedTokenizer, words: list[str] | None) -> list[str]:
    """Return the vocabulary that a tokenizer brings, and refuse another one."""
    if words is not None and words != tok.vocab:
        raise ContractError(
            "TextBlock: a vocabulary is given for a tokenizer that brings its own. Leave it out."
        )
    return tok.vocab


def _check_padding(first: Sequence[str] | None) -> None:
    """Refuse a vocabulary in which the number of the padding is that of a word."""
    if first is not None and list(first[PAD_IDX : PAD_IDX + 1]) != [PAD]:
        advice = f"so it must be {PAD!r}, where make_vocab puts it. It begins with {first[:3]}."
        raise ContractError(f"TextBlock: token {PAD_IDX} is left out by models, {advice}")


def _parted(options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the settings of a tokenizer from the others."""
    own = {name: value for name, value in options.items() if name in _TOKENIZER}
    return own, {name: value for name, value in options.items() if name not in own}


def _is_vocab(x: Any) -> bool:
    is_many = isinstance(x, Sequence) and not isinstance(x, str)
    return is_many and not callable(x) and all(isinstance(token, str) for token in x)


def _tokenizer(tok_tfm: Any) -> Any:
    """Return the transform that tokenizes."""
    if isinstance(tok_tfm, Tokenizer):
        return tok_tfm
    if tok_tfm is None or hasattr(tok_tfm, "join"):
        return Tokenizer(tok_tfm)
    if not isinstance(tok_tfm, Callable):
        raise ContractError(
            f"TextBlock: {tok_tfm!r} cannot tokenize. Give a Tokenizer, a tokenizer such as "
            "SpacyTokenizer(), a function from a text to its tokens, or a vocabulary."
        )
    return tok_tfm
