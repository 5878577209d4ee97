"""Going on with a text: one word after the other, drawn from a language model's scores."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.foundation.seeding import Randomness, base_seed, using
from lamina.foundation.signatures import signature_names, strict
from lamina.tensor.random import generator
from lamina.text.rules import BOS, EOS, PAD, TK_MAJ, TK_REP, TK_UP, TK_WREP, UNK
from lamina.text.types import LMTensorText, Tokens
from lamina.text.vocab import text_vocab

__all__ = [
    "Sampling",
    "SamplingArgs",
    "add_words",
    "decode_spec_tokens",
    "drawing",
    "generate",
    "next_word_probabilities",
]

_MUTE = (PAD, "xxfake")  # no text has them


@strict
@dataclass(frozen=True)
class Sampling:
    """Which words may come next, and how likely they are.

    Args:
        temperature: Below 1 the likely words become likelier; 0 always takes the likeliest.
        top_k: Only so many of the likeliest words.
        top_p: Only the likeliest words that together have this probability.
        min_p: Only words with at least this share of the likeliest word's probability.
        no_repeat: No run of so many words comes twice; 0 allows all.
        no_unk: Never the token for unknown words.

    Source: Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020 (top-p); Nguyen
    et al., "Turning Up the Heat: Min-p Sampling", 2024.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    no_repeat: int = 0
    no_unk: bool = True

    def __post_init__(self) -> None:
        bounds = {"temperature": (0, None), "top_k": (1, None), "top_p": (0, 1), "min_p": (0, 1)}
        for name, (least, most) in {**bounds, "no_repeat": (0, None)}.items():
            value = getattr(self, name)
            if value is not None and not (value >= least and (most is None or value <= most)):
                upper = "" if most is None else f" and at most {most}"
                raise ContractError(f"generate: {name}={value!r} must be at least {least}{upper}.")


class SamplingArgs(TypedDict, total=False):
    """The fields of `Sampling`."""

    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None
    no_repeat: int
    no_unk: bool


def next_word_probabilities(scores: Tensor, sampling: Sampling) -> Tensor:
    """Return the probability of every word from a model's scores.

    Args:
        scores: Of shape `(words,)`; minus infinity excludes a word.
        sampling: What is allowed.

    Raises:
        ContractError: No word is allowed.

    Example:
        >>> scores = torch.tensor([0.5, 0.3, 0.2]).log()
        >>> next_word_probabilities(scores, Sampling(top_k=2))
        tensor([0.6250, 0.3750, 0.0000])
    """
    if scores.max() == -torch.inf:
        advice = f"with no_repeat={sampling.no_repeat}. Give a longer run, or fewer n_words."
        raise ContractError(f"generate: no word is left that may come, {advice}")
    if sampling.temperature == 0:
        return torch.nn.functional.one_hot(scores.argmax(), len(scores)).to(scores.dtype)
    probabilities = ((scores - scores.max()) / sampling.temperature).softmax(0)
    ordered, places = probabilities.sort(descending=True)
    keep = torch.ones_like(ordered, dtype=torch.bool)
    if sampling.top_k is not None:
        keep[sampling.top_k :] = False
    if sampling.top_p is not None:
        keep &= ordered.cumsum(0) - ordered < sampling.top_p
    if sampling.min_p is not None:
        keep &= ordered >= sampling.min_p * ordered[0]
    keep[0] = True
    kept = torch.zeros_like(probabilities).scatter(0, places, ordered * keep)
    return kept / kept.sum()


@strict
def decode_spec_tokens(tokens: Sequence[str]) -> list[str]:
    """Undo the rules: capitals and repetitions are written out, marks of texts left out.

    Example:
        >>> " ".join(decode_spec_tokens(["xxbos", "xxmaj", "so", "xxup", "usa", "xxrep", "3", "!"]))
        'So USA !!!'
    """
    out: list[str] = []
    left = iter(tokens)
    for token in left:
        if token == TK_MAJ:
            out.append(next(left, "").capitalize())
        elif token == TK_UP:
            out.append(next(left, "").upper())
        elif token in (TK_REP, TK_WREP):
            count, word = next(left, ""), next(left, "")
            n = int(count) if count.isdecimal() else 1
            out += [word * n] if token == TK_REP else [word] * n
        elif token not in (BOS, EOS, PAD):
            out.append(token)
    return [token for token in out if token]


def generate(
    learn: Any,
    text: str,
    n_words: int = 1,
    *,
    decoder: Callable[[Sequence[str]], Sequence[str]] = decode_spec_tokens,
    seed: int | None = None,
    only_last_word: bool = False,
    **sampling: Unpack[SamplingArgs],
) -> str:
    """Go on with a text by `n_words` tokens.

    The text is read once; then every new token is read alone, since the model keeps its state.

    Args:
        learn: A learner of a language model.
        text: How it begins.
        n_words: How many tokens to add.
        decoder: Turns all tokens into those that are joined to the text that is returned.
        seed: The same seed gives the same text; None takes the learner's.
        only_last_word: Whether to return only what was added.
        sampling: Which tokens may come, and how likely they are: `temperature`, `top_k`, `top_p`,
            `min_p`, `no_repeat`, `no_unk`; see `Sampling`.

    Returns:
        The text, with the tokens that were added.

    Raises:
        UnknownArgumentError: A name in `sampling` is unknown.
        ContractError: A value in `sampling` is impossible, or the text has no tokens.
    """
    refuse_unknown("predict", sampling, [*signature_names(generate), *SamplingArgs.__annotations__])
    chosen = Sampling(**sampling)
    steps = learn.dls[min(1, len(learn.dls) - 1)].dataset.tls[0].tfms
    begin = torch.as_tensor(steps(text)).as_subclass(Tensor).tolist()
    vocab = text_vocab(learn.dls)
    never = [i for i, word in enumerate(vocab) if word in (UNK, *_MUTE)[not chosen.no_unk :]]
    if len(begin) > 1 and vocab[begin[-1]] == BOS:
        begin.pop()  # where texts are read from the end, what comes before them is asked for
    with drawing(learn, text, seed):
        added = add_words(learn.model, begin, n_words, chosen, never)
    out = added if only_last_word else [*begin, *added]
    return _written(steps, out, decoder)


def drawing(learn: Any, text: str, seed: int | None) -> AbstractContextManager[Any]:
    """Make the randomness with which a text goes on the current one: a seed's, or the learner's."""
    seed = learn.seed if seed is None else seed
    return using(Randomness(base_seed() if seed is None else seed).child("generate", text))


def _written(steps: Any, numbers: list[int], decoder: Callable[..., Any]) -> str:
    """Undo the steps that made numbers of a text; on the way, its tokens go through a decoder."""
    x: Any = LMTensorText(torch.tensor(numbers, dtype=torch.long))
    for step in reversed(list(steps)):
        x = step.decode(Tokens(decoder(x)) if isinstance(x, Tokens) else x)
    return str(x)


@torch.no_grad()
def add_words(
    model: Any, begin: list[int], n_words: int, sampling: Sampling, never: Sequence[int] = ()
) -> list[int]:
    """Return what follows some tokens, drawn one after the other from the current randomness.

    Args:
        model: A language model; `reset` lets it forget, and it knows what it was given since.
        begin: The numbers of the tokens.
        n_words: How many to add.
        sampling: Which may come, and how likely they are.
        never: The numbers of tokens that never come.

    Raises:
        ContractError: There are no tokens, or none may come next.

    Example:
        >>> from lamina.text.models.build import get_language_model
        >>> model = get_language_model("AWD_LSTM", 30, {"emb_sz": 8, "n_hid": 12, "n_layers": 1})
        >>> len(add_words(model, [2, 5], 3, Sampling()))
        3
    """
    if not begin:
        raise ContractError("predict: the text has no tokens. Begin with at least one word.")
    training, device = model.training, next(model.parameters()).device
    model.eval()
    model.reset()
    words = list(begin)
    try:
        for _ in range(n_words):
            fresh = words if len(words) == len(begin) else words[-1:]
            scores = model(torch.tensor([fresh], device=device))[0, -1].float().cpu()
            barred = _repeating(words, sampling.no_repeat)
            scores[[*barred, *never]] = -torch.inf
            probabilities = next_word_probabilities(scores, sampling)
            words.append(int(probabilities.multinomial(1, generator=generator())))
    finally:
        model.reset()
        model.train(training)
    return words[len(begin) :]


def _repeating(words: list[int], n: int) -> list[int]:
    """Return the words that would end a run of `n` words that was there before."""
    if n < 1 or len(words) < n:
        return []
    last = words[len(words) - n + 1 :]
    starts = range(len(words) - n + 1)
    return [words[i + n - 1] for i in starts if words[i : i + n - 1] == last]
