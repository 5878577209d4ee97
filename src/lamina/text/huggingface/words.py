"""Going on with a text, and filling its gaps, by a language model of `transformers`."""

import inspect
from dataclasses import replace
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.foundation.signatures import signature_names
from lamina.text.answers.generation import Sampling, SamplingArgs, add_words, drawing
from lamina.text.huggingface.model import PretrainedModel
from lamina.text.huggingface.tokenizer import PretrainedTokenizer, positions
from lamina.text.tokenize import text_of

__all__ = ["fill_masks", "go_on"]

_MEMORY = ("cache", "past_key_values")  # how releases of transformers call what was read


def go_on(
    learn: Any,
    text: str,
    n_words: int = 1,
    *,
    seed: int | None = None,
    only_last_word: bool = False,
    **sampling: Unpack[SamplingArgs],
) -> str:
    """Go on with a text by `n_words` tokens.

    Args:
        learn: A learner of a causal language model.
        text: How it begins.
        n_words: How many tokens to add.
        seed: The same seed gives the same text; None takes the learner's.
        only_last_word: Whether to return only what was added.
        sampling: See `lamina.text.answers.generation.Sampling`.

    Returns:
        The text, with the tokens that were added.

    Raises:
        UnknownArgumentError: A name in `sampling` is unknown.
        ContractError: A value in `sampling` is impossible, or the text has no tokens.
    """
    refuse_unknown("predict", sampling, [*signature_names(go_on), *SamplingArgs.__annotations__])
    chosen, tokenizer = Sampling(**sampling), learn.tokenizer
    begin = _numbers(tokenizer, text)
    unknown = tokenizer.index("unk")
    for_all = unknown == tokenizer.pad_idx == tokenizer.index("eos")  # GPT-2's, may end a text
    never = [] if unknown is None or for_all or not chosen.no_unk else [unknown]
    with drawing(learn, text, seed):
        added = add_words(_Keeping(learn.model, tokenizer), begin, n_words, chosen, never)
    vocab = tokenizer.vocab
    return tokenizer.join(vocab[i] for i in (added if only_last_word else [*begin, *added]))


@torch.no_grad()
def fill_masks(learn: Any, text: str) -> str:
    """Put the likeliest token in place of every mask of a text.

    Args:
        learn: A learner of a masked language model.
        text: A text with masks, as the tokenizer writes them ("[MASK]").

    Raises:
        ContractError: There is no mask in it.
    """
    tokenizer, model = learn.tokenizer, learn.model
    x = torch.tensor([_numbers(tokenizer, text)], device=next(model.parameters()).device)
    gaps = x == tokenizer.index("mask")
    if not gaps.any():
        mask = tokenizer.special.get("mask")
        raise ContractError(f"predict: there is no {mask} in the text. Put one where words lack.")
    training = model.training
    try:
        found = model.eval()(x)[..., : len(tokenizer.vocab)].argmax(-1)
    finally:
        model.train(training)
    vocab = tokenizer.vocab
    return tokenizer.join(vocab[i] for i in torch.where(gaps, found, x)[0].tolist())


def _numbers(tokenizer: PretrainedTokenizer, text: str) -> list[int]:
    whole = replace(tokenizer, mark_end=False, max_len=None)
    return [whole.tokenizer.token_to_id(token) for token in next(iter(whole([text_of(text)])))]


class _Keeping(nn.Module):
    """A model that is given new tokens only, and keeps what it has read before."""

    def __init__(self, model: PretrainedModel, tokenizer: PretrainedTokenizer) -> None:
        super().__init__()
        self.model, self.n_tokens = model, len(tokenizer.vocab)
        self.most = positions(model.bare.config)
        takes = inspect.signature(model.bare.forward).parameters
        self.memory = next((name for name in _MEMORY if name in takes), None)
        self.reset()

    def reset(self) -> None:
        """Forget what was read."""
        self.read: list[int] = []
        self.past: Any = None

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of what follows tokens, `(1, length, tokens)`."""
        self.read += x[0].tolist()
        if self.most is not None and len(self.read) > self.most:
            self.read, self.past = self.read[-max(1, self.most // 2) :], None
        if self.past is None:
            x = torch.tensor([self.read], device=x.device)
        options = {} if self.memory is None else {self.memory: self.past, "use_cache": True}
        out = self.model.model(input_ids=x, return_dict=True, **options)
        self.past = None if self.memory is None else getattr(out, self.memory)
        return out.logits[..., : self.n_tokens]
