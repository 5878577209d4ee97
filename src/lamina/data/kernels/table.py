"""Tables: the kernels of a class and its bases, and what to run for every type met so far."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any
from weakref import WeakSet

from lamina.data.kernels.describe import describe
from lamina.data.kernels.marks import KINDS, Kind, mark_of
from lamina.data.kernels.results import Run, retain_each, typed
from lamina.foundation.annotations import annotated_types
from lamina.foundation.dispatch import Dispatch, TypeTable

__all__ = ["Entry", "Kernels", "entries_of"]


@dataclass(frozen=True)
class Entry:
    """One kernel of a class.

    Args:
        fn: the function as written.
        kind: what it is for.
        name: the attribute that holds it, so that a subclass can override it; None if it came
            from outside the class.
        is_method: whether its first parameter is the transform.
    """

    fn: Callable[..., Any]
    kind: Kind
    name: str | None
    is_method: bool = True

    def resolve(self, owner: type) -> Iterator[tuple[type, Run]]:
        """Give the types that the kernel takes in a class, each with the function to call."""
        fn = self.fn if self.name is None else getattr(owner, self.name)
        # An override without annotation of a marked method takes what that method took.
        is_override = self.name not in (None, self.kind) and mark_of(fn) is None
        keyed = self.fn if is_override else fn
        if isinstance(keyed, Dispatch):
            found = [(cls, keyed[cls]) for cls, _ in keyed.types()]
        else:
            found = [(cls, fn) for cls in annotated_types(keyed, int(self.is_method))]
        for cls, run in found:
            yield cls, run if self.is_method else partial(_call_function, run)


class Kernels:
    """The kernels of one class (or of one transform made from functions), and its bases'.

    Args:
        owner: the class that they belong to.
        bases: the kernels of its bases, the most basic first.

    Attributes:
        encode: what `__call__` runs, by type of the value.
        decode: what `decode` runs, by type of the value.
    """

    __slots__ = (
        "__weakref__",
        "_derived",
        "_lineage",
        "_owner",
        "_tables",
        "decode",
        "encode",
        "entries",
    )

    def __init__(self, owner: type, bases: Iterable["Kernels"] = ()) -> None:
        self._owner = owner
        self._lineage = (*bases, self)
        self._derived: WeakSet[Kernels] = WeakSet()
        self._tables: dict[Kind, TypeTable[Run]] = {}
        self.entries: list[Entry] = []
        self.encode = _Plan(partial(self._plan, "encodes"))
        self.decode = _Plan(partial(self._plan, "decodes"))
        for kernels in self._lineage[:-1]:
            kernels._derived.add(self)

    @property
    def lineage(self) -> tuple["Kernels", ...]:
        """The kernels of the bases, most basic first, then these."""
        return self._lineage

    def add(self, *entries: Entry) -> None:
        """Add kernels; they win over those added before for the same type."""
        self.entries.extend(entries)
        for kernels in (self, *self._derived):
            kernels._tables.clear()
            kernels.encode.clear()
            kernels.decode.clear()

    def has(self, kind: Kind) -> bool:
        """Tell whether there is any kernel of a kind."""
        return any(entry.kind == kind for owner in self._lineage for entry in owner.entries)

    def find(self, kind: Kind, cls: type) -> Run | None:
        """Return the kernel nearest to a class, or None."""
        return self._table(kind).find(cls)

    def names(self, kind: Kind, cls: type) -> bool:
        """Tell whether a kernel asks for a class or a base of it; `object` is only itself."""
        keys = self._table(kind).types()
        return any(cls is key or (key is not object and issubclass(cls, key)) for key in keys)

    def _table(self, kind: Kind) -> TypeTable[Run]:
        """Return the kernels of a kind by type, collected at the first need."""
        if (table := self._tables.get(kind)) is None:
            table = self._tables[kind] = TypeTable[Run]()
            entries = [entry for owner in self._lineage for entry in owner.entries]
            for key, fn in (
                pair for e in entries if e.kind == kind for pair in e.resolve(self._owner)
            ):
                table.add(key, fn)
        return table

    def _plan(self, kind: Kind, cls: type) -> Run:
        """Decide what to run for values of a class."""
        is_tuple = issubclass(cls, tuple)
        if is_tuple and not getattr(self._owner, "sees_tuples", False):
            return partial(_each, self.encode if kind == "encodes" else self.decode, cls)
        if (fn := self.find(kind, cls)) is None:
            return _unchanged
        if getattr(self._owner, "is_inplace", False):
            return partial(_in_place, fn)
        return partial(retain_each, fn) if is_tuple else typed(fn, cls)


def entries_of(name: str, value: object) -> Iterator[Entry]:
    """Give the kernel entries that an attribute of a class body stands for."""
    if isinstance(value, Dispatch | FunctionType):
        kind = name if name in KINDS else mark_of(value)
        if kind is not None:
            yield Entry(value, kind, name)


class _Plan(dict[type, Run]):
    """What to run for every type met so far; it fills itself at the first look-up."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[type], Run]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, cls: type) -> Run:
        run = self[cls] = self._make(cls)
        return run


def _call_function(fn: Callable[[Any], Any], _tfm: object, x: Any) -> Any:
    return fn(x)


def _unchanged(_tfm: object, x: Any) -> Any:
    return x


def _in_place(fn: Run, tfm: object, x: Any) -> Any:
    fn(tfm, x)
    return x


def _each(plan: _Plan, cls: type, tfm: object, x: tuple[Any, ...]) -> Any:
    """Run on every element of a tuple and keep the tuple's class."""
    parts: list[Any] = []
    try:
        for part in x:
            parts.append(plan[part.__class__](tfm, part))  # noqa: PERF401 - its length tells where
    except Exception as error:
        error.add_note(f"at element {len(parts)} of the tuple: {describe(x[len(parts)])}")
        raise
    if cls is tuple:
        return tuple(parts)
    return cls(*parts) if hasattr(cls, "_fields") else cls(parts)
