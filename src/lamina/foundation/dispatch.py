"""Dispatch by type: a table over one type, and functions chosen by the types of two arguments.

Which entry is nearest to a class is decided by one rule, `_distance`: its own bases in the order of
the MRO, then abstract classes that it only *counts* as (`numbers.Integral` for `int`), then
`object`. Lookups are cached by class; adding an entry empties the cache. An `ABC.register` made
after a class was first looked up is seen only after that.
"""

import inspect
from collections.abc import Callable
from types import MethodType, UnionType
from typing import Any, Generic, NewType, TypeVar, get_origin, overload

from lamina.foundation.annotations import annotated_types, as_types, full_name, positional_names
from lamina.foundation.errors import ContractError, DispatchError

__all__ = ["Dispatch", "TypeTable", "annotated_types", "dispatch", "typedispatch"]

V = TypeVar("V")
F = TypeVar("F", bound=Callable[..., Any])
Pair = tuple[type, type]
Key = type | UnionType | tuple[type | UnionType, ...] | None

_OPEN = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)  # what tools are shown: the implementations may differ
_BOUND = ("self", "cls")  # first parameters that are not dispatched on


class TypeTable(Generic[V]):
    """A table from types to values; a class finds the value of its nearest registered type.

    Of two abstract classes equally near, the one added later wins.

    Attributes:
        cache: what `find` answered so far, by class. Hot paths may read it themselves; the
            dict stays the same object for the life of the table.

    Example:
        >>> import numbers
        >>> table = TypeTable[str]()
        >>> table.add(numbers.Integral, "whole")
        >>> table.add(str | bytes, "text")
        >>> table.find(bool), table.find(bytes), table.find(float)
        ('whole', 'text', None)
    """

    __slots__ = ("_entries", "cache")

    def __init__(self) -> None:
        self._entries: dict[type, V] = {}
        self.cache: dict[type, V | None] = {}

    def add(self, key: object, value: V) -> None:
        """Register a value for a type, or for each type of a union or tuple.

        Raises:
            ContractError: the key is not something a class can be compared with.
        """
        for cls in as_types(key, "TypeTable.add"):
            self._entries.pop(cls, None)  # so that it counts as the latest
            self._entries[cls] = value
        self.cache.clear()

    def find(self, cls: type) -> V | None:
        """Return the value of the nearest registered type, or None if there is none."""
        try:
            return self.cache[cls]
        except KeyError:
            value = self.cache[cls] = self._nearest(cls)
            return value

    def types(self) -> tuple[type, ...]:
        """Return the registered types in the order of registration."""
        return tuple(self._entries)

    def copy(self) -> "TypeTable[V]":
        """Return an independent table with the same entries."""
        new = TypeTable[V]()
        new._entries.update(self._entries)
        return new

    def __repr__(self) -> str:
        return f"TypeTable({', '.join(map(_type_name, self._entries))})"

    def _nearest(self, cls: type) -> V | None:
        best: tuple[int, ...] | None = None
        value: V | None = None
        for key, entry in self._entries.items():
            distance = _distance(cls, key)
            if distance is not None and (best is None or distance <= best):
                best, value = distance, entry
        return value


class Dispatch:
    """A function with several implementations, chosen by the types of two arguments.

    The keys are the first two positional parameters; a first parameter called `self` or `cls` is
    not one of them, so that a `Dispatch` in a class body is a method. A parameter without
    annotation takes any type. The nearest implementation wins: the first parameter decides, then
    the second, then the later registration. If an argument is not given (or given by keyword),
    an implementation that does not care about its type is preferred.

    Args:
        name: what messages and the repr call it.
        default: called when nothing fits; without it that is an error.

    Example:
        >>> show = Dispatch("show")
        >>> @show.register
        ... def _number(x: int | float, y: object) -> str:
        ...     return "number"
        >>> @show.register(str, int)
        ... def _text(x: object, y: object) -> str:
        ...     return "text and whole number"
        >>> show(1.5, "a"), show("a", True)
        ('number', 'text and whole number')
        >>> show("a", "b")
        Traceback (most recent call last):
        lamina.foundation.errors.DispatchError: show: no implementation for (str, str). ...
    """

    def __init__(self, name: str, default: Callable[..., Any] | None = None) -> None:
        self.__name__ = name
        self._default = default
        self._entries: dict[Pair, Callable[..., Any]] = {}
        self._cache: dict[Pair, Callable[..., Any]] = {}
        self.__signature__ = _OPEN
        self._first: int | None = None  # position of the first key, known after a registration

    @overload
    def register(self, *keys: Key) -> Callable[[F], F]: ...

    @overload
    def register(self, *keys: F) -> F: ...

    def register(self, *keys: Any) -> Any:
        """Add an implementation, as `@d.register` or `@d.register(T1, T2)`.

        Args:
            keys: the function, whose annotations are then the types; or one or two types (or
                unions, tuples of types), which returns a decorator.

        Returns:
            The function unchanged, or the decorator.

        Raises:
            ContractError: an annotation is no type, or methods and functions are mixed.
        """
        if len(keys) == 1 and not _is_key(keys[0]):
            return self._add(keys[0], None)
        if not 1 <= len(keys) <= 2:
            raise ContractError(f"{self.__name__}.register: takes one or two types, got {keys!r}.")

        def add(fn: F) -> F:
            return self._add(fn, keys)

        return add

    def find(self, first: type, second: type | None = None) -> Callable[..., Any] | None:
        """Return what a call with arguments of these types would run, or None."""
        pair = (first, _Absent if second is None else second)
        if (fn := self._cache.get(pair)) is None:
            fn = self._nearest(pair) or self._default
            if fn is not None:
                self._cache[pair] = fn
        return fn

    def invoke(self, first: type, second: type | None = None) -> Callable[..., Any]:
        """Return the implementation for these types, whatever the arguments will be.

        Raises:
            DispatchError: there is none.
        """
        if (fn := self.find(first, second)) is None:
            raise self._no_candidate((first, _Absent if second is None else second))
        return fn

    def types(self) -> tuple[Pair, ...]:
        """Return the registered pairs of types in the order of registration."""
        return tuple(self._entries)

    def __getitem__(self, types: type | Pair) -> Callable[..., Any]:
        return self.invoke(*types) if isinstance(types, tuple) else self.invoke(types)

    def __call__(self, *args: object, **kwargs: object) -> Any:
        """Run the implementation for the types of the first two arguments."""
        position = self._first or 0
        second = type(args[position + 1]) if len(args) > position + 1 else _Absent
        try:
            fn = self._cache[type(args[position]), second]
        except (KeyError, IndexError):
            fn = self._select(args[position:], second)
        return fn(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        rows = [(_pair_name(pair), full_name(fn)) for pair, fn in self._entries.items()]
        width = max((len(types) for types, _ in rows), default=0)
        if self._default is not None:
            rows.append(("otherwise", full_name(self._default)))
        lines = [f"  {types:<{width}}  {name}" for types, name in rows]
        return "\n".join([f"{self.__name__}: {len(self._entries)} signatures", *lines])

    def _add(self, fn: F, keys: tuple[Any, ...] | None) -> F:
        first = 1 if positional_names(fn)[:1] in [(name,) for name in _BOUND] else 0
        if self._first not in (None, first):
            raise ContractError(
                f"{self.__name__}.register: {full_name(fn)} and the implementations before it "
                "are not all methods or all functions. Give all of them a first parameter "
                "'self', or none."
            )
        self._first = first
        if keys is None:
            firsts, seconds = annotated_types(fn, first), annotated_types(fn, first + 1)
        else:
            firsts, seconds = (
                as_types(key, f"{self.__name__}.register") for key in (*keys, object)[:2]
            )
        for pair in [(a, b) for a in firsts for b in seconds]:
            self._entries.pop(pair, None)  # so that it counts as the latest
            self._entries[pair] = fn
        self._cache.clear()
        return fn

    def _select(self, args: tuple[object, ...], second: type) -> Callable[..., Any]:
        if not args:
            raise DispatchError(
                f"{self.__name__}: called without a positional argument to dispatch on. "
                "Give the first one or two arguments by position."
            )
        return self.invoke(type(args[0]), second)

    def _nearest(self, pair: Pair) -> Callable[..., Any] | None:
        best: tuple[tuple[int, ...], ...] | None = None
        nearest: Callable[..., Any] | None = None
        for key, fn in self._entries.items():
            first, second = _distance(pair[0], key[0]), _distance(pair[1], key[1])
            if first is None or second is None:
                continue
            if best is None or (first, second) <= best:
                best, nearest = (first, second), fn
        return nearest

    def _no_candidate(self, pair: Pair) -> DispatchError:
        near = sorted(self._entries, key=lambda key: _likeness(pair, key), reverse=True)[:3]
        listed = "; ".join(map(_pair_name, near)) or "none, nothing is registered"
        return DispatchError(
            f"{self.__name__}: no implementation for {_pair_name(pair)}. Nearest: {listed}. "
            f"Add one with @{self.__name__}.register."
        )


def dispatch(fn: Callable[..., Any]) -> Dispatch:
    """Make functions of the same module and qualified name one function, chosen by type.

    Two arguments count; see `Dispatch` for the rule. In a class body it makes a method. A function
    of a local scope keeps the implementations of earlier runs of that scope.

    Example:
        >>> import numbers
        >>> @dispatch
        ... def f(x: numbers.Integral, y):
        ...     return x + 1
        >>> @dispatch
        ... def f(x: int, y: float):
        ...     return x + y
        >>> f(3, 2), f(3, 2.5)
        (4, 5.5)
    """
    where = (fn.__module__, fn.__qualname__)
    if (made := _decorated.get(where)) is None:
        made = _decorated[where] = _Decorated(fn.__name__)
        made.__qualname__ = fn.__qualname__
        made.__module__ = fn.__module__
        made.__doc__ = fn.__doc__
    made.register(fn)
    return made


typedispatch = dispatch


class _Absent:
    """Stands for the type of an argument that was not given."""


class _Decorated(Dispatch):
    """A `Dispatch` that stands under the name of its functions: pickled by name, as they are."""

    __qualname__: str

    def __reduce__(self) -> str:
        return self.__qualname__


_decorated: dict[tuple[str, str], _Decorated] = {}


def _is_key(value: object) -> bool:
    """Tell a type, union or tuple of types from an implementation."""
    return (
        value is None
        or isinstance(value, type | UnionType | tuple | TypeVar | NewType)
        or (get_origin(value) is not None)
    )


def _distance(cls: type, key: type) -> tuple[int, ...] | None:
    """Measure how far a registered type is from a class; None if it does not cover it.

    Tuples compare as: own bases by MRO, then abstract classes (those that came in with a nearer
    base first, of these the more derived), then `object`.
    """
    if key is object:
        return (0,) if cls is _Absent else (2,)
    if cls is _Absent:
        return (1,)
    mro = cls.__mro__
    if key in mro:
        return (0, mro.index(key))
    if not issubclass(cls, key):
        return None
    entered = max(i for i, base in enumerate(mro) if issubclass(base, key))
    return (1, entered, -len(key.__mro__))


def _likeness(pair: Pair, key: Pair) -> tuple[int, int]:
    """Rank a signature that does not fit: how many arguments do, and how much bases are shared."""
    fits = sum(_distance(cls, wanted) is not None for cls, wanted in zip(pair, key, strict=True))
    shared = sum(len({*cls.__mro__} & {*want.__mro__}) for cls, want in zip(pair, key, strict=True))
    return fits, shared


def _type_name(cls: type) -> str:
    return "(not given)" if cls is _Absent else cls.__qualname__


def _pair_name(pair: Pair) -> str:
    return f"({', '.join(map(_type_name, pair))})"
