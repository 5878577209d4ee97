"""The eyes of the data doctor for texts: those with nothing in them, and very long ones.

Importing this module enters its probe into `lamina.data.check.probes.PROBES`; the block of texts
does so. That a text is in two splits, or has two labels, is found by the probes for all data.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lamina.data.check.probes import PROBES, Finding, names_of
from lamina.data.check.report import flag
from lamina.data.check.subject import LOOKERS, Subject
from lamina.tensor.types import plain
from lamina.text.types import TensorText

__all__ = ["TextFacts", "find_odd_texts"]

_FEWEST = 2  # tokens; the mark of the beginning is one
_UNKNOWN = 0  # the number of `xxunk`
_MOST_UNKNOWN = 0.3


@dataclass(frozen=True)
class TextFacts:
    """What there is to know of a text.

    Args:
        size: How many tokens it has.
        unknown: The share of them that the vocabulary lacks.
    """

    size: int
    unknown: float


def _look(text: TensorText) -> TextFacts:
    ids = plain(text)
    return TextFacts(len(ids), (ids == _UNKNOWN).float().mean().item() if len(ids) else 0.0)


LOOKERS.add(TensorText, _look)


@PROBES.register("texts")
def find_odd_texts(subject: Subject) -> Iterator[Finding]:
    """Report texts without words, and those of which the vocabulary knows little.

    Args:
        subject: What to look at.
    """
    seen = subject.facts(TextFacts)
    yield from flag(
        "warning",
        "empty text",
        names_of(one for one in seen if one.facts.size < _FEWEST),
        "Texts without a word.",
        "Leave them out.",
    )
    yield from flag(
        "warning",
        "unknown words",
        names_of(one for one in seen if one.facts.unknown > _MOST_UNKNOWN),
        f"Over {_MOST_UNKNOWN:.0%} of the tokens are not in the vocabulary.",
        "Is the vocabulary of the same language and tokenizer? Lower min_freq, or use subwords.",
    )
