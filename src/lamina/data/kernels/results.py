"""Results: the type that a kernel's result gets, from its annotation and from what it was given."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, get_type_hints

__all__ = ["Run", "retain_each", "typed"]

Run: TypeAlias = Callable[[Any, Any], Any]  # (transform, value) -> value

_UNDECLARED = object()  # the return annotation says nothing about the type of the result


def typed(fn: Run, cls: type) -> Run:
    """Return the kernel for values of a class, with its result given the right type.

    The return annotation casts; without one (or with a base of `cls`) a result whose type is a
    base of `cls` becomes a `cls` again.
    """
    declared = _declared(fn)
    if isinstance(declared, type) and _castable(declared):
        own = issubclass(cls, declared) and _castable(cls)
        return partial(_declare, fn, cls if own else declared, own)
    if declared is not _UNDECLARED or not _castable(cls) or cls in (int, float, str):
        return fn
    return partial(_retain, fn, cls)


def retain_each(fn: Run, tfm: object, x: tuple[Any, ...]) -> Any:
    """Let the elements of a tuple keep their types through a kernel that sees it as a whole."""
    y = fn(tfm, x)
    if not isinstance(y, tuple) or len(y) != len(x):
        return y
    parts = [
        _cast(old.__class__, new, old)
        if new.__class__ is not old.__class__
        and issubclass(old.__class__, new.__class__)
        and _castable(old.__class__)
        else new
        for old, new in zip(x, y, strict=True)
    ]
    return y.__class__(*parts) if hasattr(y, "_fields") else y.__class__(parts)


def _declare(fn: Run, wanted: type, own: bool, tfm: object, x: Any) -> Any:  # noqa: FBT001 - bound by partial
    y = fn(tfm, x)
    if isinstance(y, wanted):
        return y
    return _cast(wanted, y, x) if own else _cast(wanted, y)


def _retain(fn: Run, cls: type, tfm: object, x: Any) -> Any:
    y = fn(tfm, x)
    if y.__class__ is cls or not issubclass(cls, y.__class__):
        return y
    return _cast(cls, y, x)


def _castable(cls: type) -> bool:
    """Tell the types with a meaning of their own: with `wrap`, and kinds of text and numbers."""
    return hasattr(cls, "wrap") or (issubclass(cls, int | float | str) and cls is not bool)


def _cast(cls: Any, y: Any, *like: Any) -> Any:
    return cls.wrap(y, *like) if hasattr(cls, "wrap") and issubclass(cls, type(y)) else cls(y)


def _declared(fn: Callable[..., Any]) -> object:
    """Read a return annotation: a class, None, or `_UNDECLARED`."""
    inner = getattr(fn, "args", (fn,))[0] if isinstance(fn, partial) else fn
    raw = getattr(inner, "__annotations__", {}).get("return", _UNDECLARED)
    if isinstance(raw, str):

        def carrier() -> None: ...

        carrier.__annotations__ = {"return": raw}
        try:
            names = getattr(inspect.unwrap(inner), "__globals__", {})
            raw = get_type_hints(carrier, globalns=names)["return"]
        except NameError:  # named for type checkers only
            return _UNDECLARED
    if raw is None or raw is type(None):
        return None
    return raw if inspect.isclass(raw) else _UNDECLARED
