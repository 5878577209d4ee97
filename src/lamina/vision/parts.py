"""An item or batch as its parts: transforms that draw once for all of them share this."""

from collections.abc import Callable
from typing import Any

__all__ = ["each_part", "parts_of"]


def parts_of(x: Any) -> tuple[Any, ...]:
    """The elements of a tuple; anything else is its only part.

    Example:
        >>> parts_of((1, 2)), parts_of("one")
        ((1, 2), ('one',))
    """
    return x if isinstance(x, tuple) else (x,)


def each_part(f: Callable[[Any], Any], x: Any) -> Any:
    """Apply `f` to every part of `x`; a tuple stays one of its class.

    Example:
        >>> each_part(str, (1, 2)), each_part(str, 1)
        (('1', '2'), '1')
    """
    if not isinstance(x, tuple):
        return f(x)
    done = [f(part) for part in x]
    return type(x)(*done) if hasattr(x, "_fields") else type(x)(done)
