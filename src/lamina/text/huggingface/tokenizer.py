"""The tokenizer that belongs to a model of `transformers`, as data."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.text.rules import FLD, Rule
from lamina.text.tokenizers.fast import HFTokenizer
from lamina.text.tokenizers.library import library

__all__ = ["PretrainedTokenizer", "positions"]

_BATCH = 1000
_NO_LIMIT = 1_000_000  # tokenizers without a limit claim an astronomical one
_KINDS = ("pad", "cls", "sep", "mask", "unk", "bos", "eos")
_FIELD = re.compile(rf" ?{FLD} (\d+) ")


@savable
@dataclass(repr=False)
class PretrainedTokenizer(HFTokenizer):
    """Cuts texts as the model expects it whose tokenizer this is, special tokens included.

    A `TextBlock` takes vocabulary and padding from it. Several columns of a row come with the
    separating token between them.

    Args:
        json: The tokenizer, in the form that `tokenizer.json` files have.
        special: The special tokens by what they are for: "pad", "cls", "sep", "mask", "unk", "bos",
            "eos".
        pad_first: Whether batches are filled up at the front.
        max_len: How many tokens of a text count, special ones included; None for all.
        mark_end: Whether the token of the end comes after every text.
        inputs: What the model takes: "input_ids", "attention_mask", "token_type_ids".

    Example:
        >>> trained = HFTokenizer.trained(["low lower"] * 9, "bpe", 300, special_toks=["[PAD]"])
        >>> tok = PretrainedTokenizer(trained.json, {"pad": "[PAD]"})
        >>> tok.pad_idx, tok.join(next(iter(tok(["low lower"]))))
        (0, 'low lower')
    """

    special: Mapping[str, str] = field(default_factory=dict)
    pad_first: bool = False
    max_len: int | None = None
    mark_end: bool = False
    inputs: Sequence[str] = ("input_ids", "attention_mask")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._vocab: list[str] | None = None

    @classmethod
    def from_pretrained(cls, name: str | Path, max_len: int | None = None) -> "PretrainedTokenizer":
        """Load the tokenizer of a model.

        Args:
            name: A folder, or a name on Hugging Face's hub.
            max_len: How many tokens of a text count; None takes what the model can read.

        Raises:
            ContractError: It can't be had, or it is none of the library `tokenizers`.
            MissingExtraError: `transformers` is not installed.
        """
        lib = library("transformers")
        try:
            loaded = lib.AutoTokenizer.from_pretrained(str(name), trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise ContractError(
                f"PretrainedTokenizer: there is no tokenizer to be had for {str(name)!r}. Give a "
                f"folder with a tokenizer.json, or a name on the hub. ({error})"
            ) from error
        backend = getattr(loaded, "backend_tokenizer", None)
        if backend is None:
            raise ContractError(
                f"PretrainedTokenizer: that of {str(name)!r} has no form in the library "
                "`tokenizers`. Use a model that has a tokenizer.json."
            )
        backend.no_truncation()
        backend.no_padding()
        found = {kind: getattr(loaded, f"{kind}_token", None) for kind in _KINDS}
        special = {kind: str(token) for kind, token in found.items() if token is not None}
        limit = max_len or _limit(name, loaded.model_max_length)
        return cls(
            backend.to_str(),
            special,
            pad_first=loaded.padding_side == "left",
            max_len=limit,
            inputs=tuple(loaded.model_input_names),
        )

    def of_stream(self) -> "PretrainedTokenizer":
        """Return one for language models: nothing is cut off, and the end of a text is marked."""
        marked = "eos" in self.special and not {"cls", "sep"} & self.special.keys()
        return replace(self, max_len=None, mark_end=marked)

    @property
    def vocab(self) -> list[str]:
        """The tokens by their numbers; a number without a token has a name that no text gives."""
        if self._vocab is None:
            numbers = self.tokenizer.get_vocab()
            self._vocab = [f"[no token {i}]" for i in range(max(numbers.values()) + 1)]
            for token, i in numbers.items():
                self._vocab[i] = token
        return self._vocab

    @property
    def pad_idx(self) -> int:
        """The number of the padding; that of the end where there is no token for it."""
        return next((i for kind in ("pad", "eos", "unk") if (i := self.index(kind)) is not None), 0)

    def index(self, kind: str) -> int | None:
        """Return the number of a special token, None if there is none of the kind.

        Args:
            kind: What it is for, such as "mask".
        """
        token = self.special.get(kind)
        return None if token is None else self.tokenizer.token_to_id(token)

    @property
    def rules(self) -> Sequence[Rule]:
        """One rule: columns are parted by the model's own token."""
        return (self._part_fields,)

    def __call__(self, texts: Iterable[str], /) -> Iterator[list[str]]:
        """Give the tokens of each text, with those that the model expects around them.

        Args:
            texts: The texts.
        """
        vocab, end, remaining = self.vocab, self.special.get("eos"), iter(texts)
        if self.max_len is not None:
            self.tokenizer.enable_truncation(self.max_len)
        while batch := list(islice(remaining, _BATCH)):
            for found in self.tokenizer.encode_batch_fast(batch):
                tokens = [vocab[i] for i in found.ids]
                yield [*tokens, end] if self.mark_end and end is not None else tokens

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text of tokens, without the special ones."""
        numbers = [self.tokenizer.token_to_id(token) for token in tokens]
        return self.tokenizer.decode([i for i in numbers if i is not None]).strip()

    def to_transformers(self) -> Any:
        """Return it as `transformers` has it."""
        lib = library("transformers")
        options: dict[str, Any] = {f"{kind}_token": token for kind, token in self.special.items()}
        if self.max_len is not None:
            options["model_max_length"] = self.max_len
        return lib.PreTrainedTokenizerFast(
            tokenizer_object=HFTokenizer(self.json).tokenizer,
            padding_side="left" if self.pad_first else "right",
            model_input_names=list(self.inputs),
            **options,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_vocab": None}

    def __repr__(self) -> str:
        return f"PretrainedTokenizer({len(self.vocab)} tokens, max_len={self.max_len})"

    def _part_fields(self, text: str) -> str:
        if not text.startswith(f"{FLD} 1 "):
            return text
        part = self.special.get("sep", "\n")
        return _FIELD.sub(lambda found: "" if found[1] == "1" else f" {part} ", text)


def _limit(name: str | Path, claimed: int) -> int | None:
    """Return how many tokens a model reads: what its tokenizer says, or what its config does."""
    if claimed < _NO_LIMIT:
        return claimed
    try:
        config = library("transformers").AutoConfig.from_pretrained(
            str(name), trust_remote_code=False
        )
    except (OSError, ValueError):
        return None
    return positions(config)


def positions(config: Any) -> int | None:
    """Return how many tokens a model has positions for, None if it does not say.

    Args:
        config: The configuration of `transformers`.

    Example:
        >>> from transformers import BertConfig, RobertaConfig
        >>> positions(BertConfig(max_position_embeddings=512))
        512
        >>> positions(RobertaConfig(max_position_embeddings=514, pad_token_id=1))
        512
    """
    most = getattr(config, "max_position_embeddings", None) or 0
    if most <= 0:
        return None
    counts_on = any(kind in config.model_type for kind in ("roberta", "camembert", "xmod"))
    return most - config.pad_token_id - 1 if counts_on else most
