"""Words for messages: what a value is, and where it was when something went wrong."""

from reprlib import Repr

from lamina.foundation.errors import SkipItem

__all__ = ["describe", "explain"]

_short = Repr()
_short.maxother = _short.maxstring = 120


def describe(x: object) -> str:
    """Describe a value for a message: its type, with its shape, its size or a short repr.

    Example:
        >>> describe("a/b.png"), describe((1, None))
        ("str 'a/b.png'", 'tuple (1, None)')
    """
    name = type(x).__name__
    try:
        if (shape := getattr(x, "shape", None)) is not None:
            return f"{name} of shape {tuple(shape)}"
        if isinstance(x, tuple) and any(hasattr(part, "shape") for part in x):
            return f"{name} ({', '.join(map(describe, x))})"
        text = _short.repr(x)
    except Exception:
        return name
    return text if text.startswith((name, "<")) else f"{name} {text}"


def explain(error: Exception, tfm: object, stage: str, x: object) -> None:
    """Note on an error which transform failed, in which stage, and on what."""
    if not isinstance(error, SkipItem):
        error.add_note(f"in {stage} of {_safe_repr(tfm)}, given {describe(x)}")


def _safe_repr(x: object) -> str:
    try:
        return _short.repr(x)
    except Exception:
        return type(x).__name__
