"""Which words of a text a classifier's answer hangs on."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.tensor.types import plain
from lamina.text.models.build import reader_of
from lamina.text.vocab import text_vocab

__all__ = ["WordImportance", "word_importance"]


@dataclass(frozen=True)
class WordImportance:
    """How much each word of a text moves one output; a notebook shows it in colour.

    Args:
        tokens: The words as the model read them.
        weights: How much each counts, from 0 to 1 for the one that counts most.
        output: The number of the output.
        label: What it stands for.
    """

    tokens: list[str]
    weights: list[float]
    output: int
    label: Any

    def to_html(self) -> str:
        """Return the text, darker where it counts more."""
        words = (
            f'<span title="{weight:.2f}" style="background: rgba(255, 140, 0, {weight:.2f})">'
            f"{escape(token)}</span>"
            for token, weight in zip(self.tokens, self.weights, strict=True)
        )
        return f"<p><b>{escape(str(self.label))}</b>: {' '.join(words)}</p>"

    _repr_html_ = to_html

    def __str__(self) -> str:
        order = sorted(range(len(self.tokens)), key=lambda i: -self.weights[i])
        told = ", ".join(f"{self.tokens[i]} {self.weights[i]:.2f}" for i in order[:10])
        return f"{self.label}: {told}"


@strict
def word_importance(learn: Any, text: Any, output: int | None = None) -> WordImportance:
    """Say which words the answer hangs on: by how much the output's score moves with each.

    The measure is the length of the score's gradient in the vector of a word. As in training, it
    does not cross from one step of the reader to the one before: what a word does to later steps
    is left out, and words that are too far from the end for `max_len` get 0.

    Args:
        learn: A learner of a classifier, or of numbers.
        text: A text, as for `learn.predict`.
        output: The number of the output to explain; None takes the one with the highest score.

    Raises:
        ContractError: The model has no reader whose word vectors could be seen.
    """
    model, vocab = learn.model, text_vocab(learn.dls)
    if not hasattr(model, "head"):
        raise ContractError(
            f"word_importance: {type(model).__name__} is no classifier on one of Lamina's readers. "
            "Give the learner of text_classifier_learner with AWD_LSTM or AWD_QRNN."
        )
    batch = learn.dls.test_dl([text], num_workers=0).one_batch()
    words = plain(batch[0] if isinstance(batch, tuple | list) else batch)
    with _evaluating(model), torch.enable_grad(), _seen_vectors(model) as vectors:
        scores = model(words)[0]
        output = int(scores.argmax()) if output is None else output
        tracked = [seen for seen in vectors if seen.requires_grad]
        grads = iter(torch.autograd.grad(scores[output], tracked, allow_unused=True))
    parts = [next(grads) if seen.requires_grad else None for seen in vectors]
    sizes = torch.cat([_lengths(seen, grad) for seen, grad in zip(vectors, parts, strict=True)])
    tokens = [vocab[i] for i in words[0].tolist() if i != model.encoder.pad_idx]
    weights = (sizes / sizes.max().clamp(min=torch.finfo(sizes.dtype).tiny)).tolist()
    labels = getattr(learn.dls.task, "vocab", None)
    label = output if labels is None else labels[output]
    return WordImportance(tokens, weights[: len(tokens)], output, label)


def _lengths(vectors: Tensor, grad: Tensor | None) -> Tensor:
    grad = torch.zeros_like(vectors) if grad is None else grad
    return grad[0].detach().float().cpu().norm(dim=-1)


@contextmanager
def _seen_vectors(model: Any) -> Generator[list[Tensor]]:
    """Collect the vectors of the words that the reader is given, step by step."""
    seen: list[Tensor] = []

    def keep(_module: Any, _args: Any, out: Tensor) -> Tensor:
        vectors = out.detach().requires_grad_(torch.is_grad_enabled())
        seen.append(vectors)
        return vectors

    handle = reader_of(model).encoder_dp.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def _evaluating(model: Any) -> Generator[None]:
    """Have the model in evaluation mode, and recurrent layers that still know their gradient."""
    training = model.training
    try:
        with torch.backends.cudnn.flags(enabled=False):
            yield model.eval()
    finally:
        model.reset()
        model.train(training)
