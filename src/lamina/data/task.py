"""Tasks: what a target is, from which loss, activation, decoding and output size follow.

A target transform says its task after it is set up; nothing here knows losses or models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import record

__all__ = [
    "Boxes",
    "DenseLabels",
    "DenseNumbers",
    "MultiLabel",
    "NextToken",
    "Ranking",
    "Regression",
    "SingleLabel",
    "Task",
]


@dataclass(frozen=True)
class Task:
    """What a target is; `n_out` is the number of outputs that a model needs for it."""

    @property
    def n_out(self) -> int:
        """The number of outputs.

        Raises:
            ContractError: the task does not say.
        """
        raise ContractError(
            f"{type(self).__name__}: this task does not fix the number of outputs. Pass n_out=..."
        )


@dataclass(frozen=True)
class _OverVocab(Task):
    """A task whose outputs are those of a vocabulary, one each."""

    vocab: Sequence[Any]

    @property
    def n_out(self) -> int:
        """One output per label."""
        return len(self.vocab)


@record
class SingleLabel(_OverVocab):
    """Exactly one label per item.

    Args:
        vocab: the labels, in the order of the outputs.

    Example:
        >>> SingleLabel(["cat", "dog"]).n_out
        2
    """


@record
class MultiLabel(_OverVocab):
    """Any number of labels per item.

    Args:
        vocab: the labels, in the order of the outputs.
        thresh: the probability from which a label counts as predicted.
    """

    thresh: float = 0.5


@record
class Regression(Task):
    """One or several numbers per item.

    Args:
        n_out: how many.

    Example:
        >>> Regression(3).n_out
        3
    """

    n_out: int = 1  # pyright: ignore[reportIncompatibleMethodOverride,reportIncompatibleVariableOverride,reportAssignmentType] - given, not counted


@record
class DenseLabels(Task):
    """One label per pixel.

    Args:
        codes: the labels, in the order of the outputs.
    """

    codes: Sequence[Any]

    @property
    def n_out(self) -> int:
        """One output per label."""
        return len(self.codes)


@record
class DenseNumbers(Regression):
    """Numbers per pixel, such as the colours of a picture.

    Args:
        n_out: how many per pixel.
    """


@record
class Boxes(Task):
    """Boxes with a label each.

    Args:
        vocab: the labels, in the order of the outputs; empty if boxes have none.
    """

    vocab: Sequence[Any] = ()

    @property
    def n_out(self) -> int:
        """One output per label, and four coordinates."""
        return len(self.vocab) + 4


@record
class NextToken(_OverVocab):
    """The token that follows.

    Args:
        vocab: the tokens, in the order of the outputs.
    """


@record
class Ranking(Task):
    """A score by which items are ordered."""

    @property
    def n_out(self) -> int:
        """One output: the score."""
        return 1
