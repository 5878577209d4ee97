"""The optional libraries behind this folder, imported on first use."""

from importlib import import_module
from typing import Any, Literal

from lamina.foundation.errors import MissingExtraError

__all__ = ["library"]


def library(name: Literal["transformers", "peft"]) -> Any:
    """Return an optional library.

    Args:
        name: Its name.

    Raises:
        MissingExtraError: It is not installed.

    Example:
        >>> library("transformers").__name__
        'transformers'
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(name, "text-hf") from error
