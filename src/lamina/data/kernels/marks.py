"""Marks: which functions are kernels, and of which kind."""

from collections.abc import Callable
from difflib import get_close_matches
from types import FunctionType
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from lamina.foundation.annotations import positional_names
from lamina.foundation.dispatch import Dispatch
from lamina.foundation.errors import UnknownNameError

__all__ = [
    "KINDS",
    "Kind",
    "decodes",
    "encodes",
    "is_kernel_method",
    "kind_of",
    "mark_of",
    "refuse_misspelt",
    "setups",
]

Kind: TypeAlias = Literal["encodes", "decodes", "setups"]
F = TypeVar("F", bound=Callable[..., Any])

KINDS: tuple[Kind, ...] = get_args(Kind)
_VERBS = ("decode", "setup", "__call__")
_MARK = "_lamina_kernel"


def encodes(fn: F) -> F:
    """Mark a method as a kernel of `__call__`, used for values of the type that it annotates.

    Do not mix marked methods with a plain method called `encodes` in one class body: inside
    that body the name would mean the method.

    Example:
        >>> from lamina.data.transform import Transform
        >>> class Double(Transform):
        ...     @encodes
        ...     def _number(self, x: int | float):
        ...         return 2 * x
        >>> Double()((2, "two"))
        (4, 'two')
    """
    return _mark(fn, "encodes")


def decodes(fn: F) -> F:
    """Mark a method as a kernel of `decode`; see `encodes`."""
    return _mark(fn, "decodes")


def setups(fn: F) -> F:
    """Mark a method as a kernel of `setup`, chosen by the type of the items; see `encodes`."""
    return _mark(fn, "setups")


def mark_of(fn: object) -> Kind | None:
    """Return the kind that a function is marked for, or None."""
    return getattr(fn, _MARK, None)


def kind_of(fn: object) -> Kind | None:
    """Return the kind that a function is named or marked for, or None."""
    name = getattr(fn, "__name__", None)
    return name if name in KINDS else mark_of(fn)


def is_kernel_method(fn: object) -> bool:
    """Tell whether something is a function `encodes(self, x)`, `decodes` or `setups`."""
    return (
        isinstance(fn, FunctionType)
        and fn.__name__ in KINDS
        and positional_names(fn)[:1] == ("self",)
    )


def refuse_misspelt(cls: type, name: str, value: object, *, overrides_verbs: bool) -> None:
    """Refuse a method whose name is not, but could be meant for, that of a kernel.

    Args:
        cls: the transform class.
        name: the name of one of its attributes.
        value: the attribute.
        overrides_verbs: whether the class may replace the public verbs.

    Raises:
        UnknownNameError: the name is refused.
    """
    if not isinstance(value, FunctionType | staticmethod | classmethod | Dispatch):
        return
    if name in _VERBS:
        wrong = not overrides_verbs
    elif name.startswith("_"):
        wrong = False
    else:
        looks_like = name.startswith(("encode", "decode", "setup"))
        wrong = looks_like or bool(get_close_matches(name, KINDS, n=1, cutoff=0.85))
    if wrong:
        raise UnknownNameError("transform method", name, KINDS, where=f"class {cls.__name__}")


def _mark(fn: F, kind: Kind) -> F:
    fn.__dict__[_MARK] = kind
    return fn
