"""The optional libraries behind this folder, imported on first use."""

from typing import Any

from lamina.foundation.errors import MissingExtraError

__all__ = ["peft", "transformers"]


def transformers() -> Any:
    """Return the library `transformers`.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import transformers as library
    except ImportError as error:
        raise MissingExtraError("transformers", "text-hf") from error
    return library


def peft() -> Any:
    """Return the library `peft`.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import peft as library
    except ImportError as error:
        raise MissingExtraError("peft", "text-hf") from error
    return library
