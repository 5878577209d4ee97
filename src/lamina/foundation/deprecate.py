"""Deprecation: old names keep working for a while and say what replaces them.

What is decorated carries its message as `__deprecated__` and the version in which it goes as
`__removed_in__`, so that a test can find what is overdue.
"""

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from lamina.foundation.errors import ContractError

__all__ = ["deprecated", "renamed", "renamed_arguments"]

P = ParamSpec("P")
R = TypeVar("R")


def deprecated(instead: str, *, removed_in: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for a function whose calls warn.

    Args:
        instead: what to use, as an imperative: `"Use lr_find"`.
        removed_in: the version in which it goes.

    Example:
        >>> @deprecated("Use new", removed_in="2.0")
        ... def old(): return 1
        >>> old.__deprecated__
        'old is deprecated and goes in version 2.0. Use new.'
    """

    def decorate(fn: Callable[P, R]) -> Callable[P, R]:
        return _warning(fn, fn.__qualname__, instead, removed_in)

    return decorate


def renamed(old: str, new: Callable[P, R], *, removed_in: str) -> Callable[P, R]:
    """Return a function or class under its old name; calling it warns and names the new one.

    Args:
        old: the old name.
        new: what it is now.
        removed_in: the version in which the old name goes.

    Example:
        >>> fit_flat = renamed("fit_flat", max, removed_in="2.0")
        >>> fit_flat.__deprecated__
        'fit_flat is deprecated and goes in version 2.0. Use max.'
    """
    alias = _warning(new, old, f"Use {new.__qualname__}", removed_in)
    alias.__name__ = alias.__qualname__ = old
    return alias


def renamed_arguments(
    *,
    removed_in: str,
    **old_to_new: str,  # kwargs: the names are the content
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that accepts old names of keyword arguments, with a warning.

    Args:
        removed_in: the version in which the old names go.
        old_to_new: the new name for each old one.

    Raises:
        ContractError: in a call, if both the old and the new name are given.

    Example:
        >>> @renamed_arguments(removed_in="2.0", tfms="item_tfms")
        ... def f(item_tfms=None): return item_tfms
        >>> f(item_tfms=1)
        1
    """

    def decorate(fn: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(fn)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if not old_to_new.keys().isdisjoint(kwargs):
                _rename(kwargs, old_to_new, fn.__qualname__, removed_in)
            return fn(*args, **kwargs)

        return call

    return decorate


def _warning(fn: Callable[P, R], name: str, instead: str, removed_in: str) -> Callable[P, R]:
    message = f"{name} is deprecated and goes in version {removed_in}. {instead}."

    @functools.wraps(fn, updated=())
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return fn(*args, **kwargs)

    call.__dict__.update(__deprecated__=message, __removed_in__=removed_in)
    return call


def _rename(
    kwargs: dict[str, Any], old_to_new: dict[str, str], where: str, removed_in: str
) -> None:
    """Move old keywords to their new names, in place, with one warning each."""
    for old in [name for name in old_to_new if name in kwargs]:
        new = old_to_new[old]
        if new in kwargs:
            raise ContractError(
                f"{where}: got both {old!r} and {new!r}, its new name. Give {new!r} only."
            )
        warnings.warn(
            f"{where}: argument {old!r} is deprecated and goes in version {removed_in}. "
            f"Use {new!r}.",
            DeprecationWarning,
            stacklevel=3,
        )
        kwargs[new] = kwargs.pop(old)
