"""The optional libraries behind the application, imported on first use."""

from importlib import import_module
from typing import Any

from lamina.foundation.errors import needs

__all__ = ["library"]

_MODELS = ("transformers", "peft")


def library(name: str) -> Any:
    """Return an optional library.

    Args:
        name: Its name.

    Raises:
        MissingExtraError: It is not installed.

    Example:
        >>> library("tokenizers").__name__
        'tokenizers'
    """
    with needs(name, "text-hf" if name in _MODELS else "text"):
        return import_module(name)
