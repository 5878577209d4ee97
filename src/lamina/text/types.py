"""What texts are on their way to a model and back: tokens, tensors of them, words again."""

from typing import Any

from lamina.foundation.collections import L
from lamina.tensor.types import TensorBase
from lamina.viz.titles import show_title

__all__ = ["LMTensorText", "TensorText", "TitledStr", "Tokens"]


class TensorText(TensorBase):
    """The numbers of the tokens of a text, or of a batch of texts: `(..., length)`."""


class LMTensorText(TensorText):
    """The same for a language model, whose target is the text one token later."""


class Tokens(L[str]):
    """The tokens of a text.

    Example:
        >>> Tokens(["xxbos", "hello"])
        (#2) ['xxbos','hello']
    """


class TitledStr(str):
    """A text that can be shown.

    Example:
        >>> TitledStr("a fine film").shortened(6)
        'a fine...'
    """

    __slots__ = ()

    def shortened(self, n: int | None) -> str:
        """Return at most the first characters, and what says that there are more.

        Args:
            n: How many; None for all.
        """
        return str(self) if n is None or len(self) <= n else f"{self[:n]}..."

    def show(self, ax: Any = None, **options: Any) -> Any:
        """Write the text as a title and return the axes.

        Args:
            ax: Where to write; None opens a new figure.
            options: See `lamina.viz.titles.show_title`, which refuses unknown ones.
        """
        return show_title(str(self), ax=ax, **options)
