"""Registries: what a saved file may name, and tables of named things.

A saved file holds names and plain data, never code. Only what is registered here with `savable`,
or passed by the user as `allow=`, can be made from it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import Any, Generic, TypeVar, dataclass_transform, overload

from lamina.foundation.errors import ContractError, UnknownNameError, UntrustedError
from lamina.foundation.signatures import strict

__all__ = ["Registry", "name_of", "record", "resolve", "savable"]

V = TypeVar("V")
F = TypeVar("F", bound=Callable[..., Any])


class Registry(Generic[V]):
    """A table of named things that knows what to say about a name it does not have.

    Args:
        what: the kind of thing, for messages.

    Example:
        >>> shapes = Registry[str]("shape")
        >>> shapes.register("circle")("round")
        'round'
        >>> shapes["circle"]
        'round'
        >>> shapes["cirle"]
        Traceback (most recent call last):
        lamina.foundation.errors.UnknownNameError: ... Did you mean 'circle'?
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._entries: dict[str, V] = {}

    def register(self, name: str) -> Callable[[V], V]:
        """Return a decorator that enters a value under the name and returns it.

        A value may replace the one that was defined in the same place, as when a notebook cell
        runs again.

        Raises:
            ContractError: the name is taken by something else.
        """

        def enter(value: V) -> V:
            _enter(self._entries, name, value, f"Registry({self.what}).register")
            return value

        return enter

    def names(self) -> tuple[str, ...]:
        """Return all names, sorted."""
        return tuple(sorted(self._entries))

    def __getitem__(self, name: str) -> V:
        try:
            return self._entries[name]
        except KeyError:
            where = f"Registry({self.what})"
            raise UnknownNameError(self.what, name, self.names(), where=where) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __repr__(self) -> str:
        return f"Registry({self.what}: {', '.join(self.names())})"


_savable: dict[str, Callable[..., Any]] = {}
_names: dict[int, str] = {}  # by identity; `_savable` decides whether an entry still holds


@overload
def savable(what: str) -> Callable[[F], F]: ...


@overload
def savable(what: F) -> F: ...


def savable(what: str | Callable[..., Any]) -> Any:
    """Allow a class or function to be named in saved files, as `@savable` or `@savable("name")`.

    A class must be a dataclass, whose fields are its state, an enumeration, or have
    `to_state(self)`, which returns a dict of plain data, and a classmethod `from_state(state)`
    that rebuilds it.

    Args:
        what: the class or function; or the stable name that files use for it, by default
            `module:qualname`. A name that files use must never change.

    Raises:
        ContractError: the class cannot be saved, or the name is taken.

    Example:
        >>> @savable("docs:double")
        ... def double(x: float) -> float:
        ...     return 2 * x
        >>> name_of(double), resolve("docs:double") is double
        ('docs:double', True)
    """
    if not isinstance(what, str):
        return _register_savable(what, _own_name(what))

    def register(obj: F) -> F:
        _register_savable(obj, what)
        return obj

    return register


@dataclass_transform(frozen_default=True)
def record(cls: type[V]) -> type[V]:
    """Make a class a frozen dataclass that refuses unknown arguments and may be in saved files.

    Example:
        >>> @record
        ... class Half:
        ...     part: float = 0.5
        >>> Half(), resolve(name_of(Half)) is Half
        (Half(part=0.5), True)
    """
    return savable(strict(dataclass(frozen=True)(cls)))


def name_of(obj: object) -> str | None:
    """Return the name under which a class or function is saved, or None if it is not savable."""
    name = _names.get(id(obj))
    return name if name is not None and _savable[name] is obj else None


def resolve(name: str, allow: Iterable[Callable[..., Any]] = ()) -> Callable[..., Any]:
    """Return the class or function that a saved file names; nothing is imported for it.

    Args:
        name: the name in the file.
        allow: classes and functions of the user that are accepted besides the registered ones,
            under `module:qualname`.

    Raises:
        UntrustedError: the name is neither registered nor allowed.
    """
    allowed = {_own_name(obj): obj for obj in allow}
    found = _savable.get(name) or allowed.get(name)
    if found is None:
        raise UntrustedError(
            f"The file names {name!r}, which is not among the classes and functions that may be "
            f"loaded. {_how_to_allow(name)}",
            name,
        )
    return found


def _how_to_allow(name: str) -> str:
    module, _, attribute = name.partition(":")
    package, *parts = module.split(".")
    if package == "lamina" and parts:
        return (
            f"It belongs to a part of Lamina that is not imported: import lamina.{parts[0]}.all "
            "before loading, or update Lamina if that does not help."
        )
    attribute = attribute or name
    return f"If you trust it, import {attribute} from {module} and pass allow=[{attribute}]."


def _register_savable(obj: Callable[..., Any], name: str) -> Callable[..., Any]:
    if isinstance(obj, type) and not _has_state(obj):
        raise ContractError(
            f"savable: {_own_name(obj)} is no dataclass and has no to_state and from_state. "
            "Add them, or put @savable above @dataclass."
        )
    _enter(_savable, name, obj, "savable")
    _names[id(obj)] = name
    return obj


def _has_state(cls: type) -> bool:
    has_methods = hasattr(cls, "to_state") and hasattr(cls, "from_state")
    return has_methods or is_dataclass(cls) or issubclass(cls, Enum)


def _enter(entries: dict[str, V], name: str, value: V, where: str) -> None:
    """Enter a value unless another one, defined elsewhere, has the name."""
    old = entries.get(name)
    if old is not None and old is not value and _own_name(old) != _own_name(value):
        raise ContractError(f"{where}: the name {name!r} is taken by {old!r}. Choose another.")
    entries[name] = value


def _own_name(obj: object) -> str:
    """Return `module:qualname`; for what has no name of its own, what tells it from others."""
    qualname = getattr(obj, "__qualname__", None)
    if not isinstance(qualname, str):
        return f"object:{id(obj)}"
    return f"{getattr(obj, '__module__', None)}:{qualname}"
