"""Kernels: the functions that do a transform's work, found by the type of what they are given.

A class collects its kernels when it is made, resolves their annotations at the first look-up, and
remembers what to run for every type that it has met. A kernel may be added later from outside;
everything remembered below that class is then forgotten.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from reprlib import Repr
from types import FunctionType
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_type_hints
from weakref import WeakSet

from lamina.foundation.annotations import annotated_types, positional_names
from lamina.foundation.dispatch import Dispatch, TypeTable
from lamina.foundation.errors import SkipItem, UnknownNameError

__all__ = ["KINDS", "Kernels", "Kind", "decodes", "describe", "encodes", "explain", "setups"]

Kind: TypeAlias = Literal["encodes", "decodes", "setups"]
Run: TypeAlias = Callable[[Any, Any], Any]  # (transform, value) -> value
F = TypeVar("F", bound=Callable[..., Any])

KINDS: tuple[Kind, ...] = get_args(Kind)
_VERBS = ("decode", "setup", "__call__")
_MARK = "_lamina_kernel"
_UNDECLARED = object()  # the return annotation says nothing about the type of the result
_short = Repr()
_short.maxother = _short.maxstring = 120


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
        is_override = self.name not in (None, self.kind) and not hasattr(fn, _MARK)
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
        return partial(_retain_each, fn) if is_tuple else _typed(fn, cls)


def marks(name: str, value: object) -> Iterator[Entry]:
    """Give the kernel entries that an attribute of a class body stands for."""
    if isinstance(value, Dispatch | FunctionType):
        if name in KINDS:
            yield Entry(value, name, name)
        elif (kind := value.__dict__.get(_MARK)) is not None:
            yield Entry(value, kind, name)


def marked(fn: Callable[..., Any]) -> Kind | None:
    """Return the kind that a function is marked or named for, or None."""
    name = getattr(fn, "__name__", None)
    return name if name in KINDS else getattr(fn, _MARK, None)


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
        text = _short.repr(x)
    except Exception:
        return name
    return text if text.startswith((name, "<")) else f"{name} {text}"


def explain(error: Exception, tfm: object, stage: str, x: object) -> None:
    """Note on an error which transform failed, in which stage, and on what."""
    if not isinstance(error, SkipItem):
        error.add_note(f"in {stage} of {_safe_repr(tfm)}, given {describe(x)}")


class _Plan(dict[type, Run]):
    """What to run for every type met so far; it fills itself at the first look-up."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[type], Run]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, cls: type) -> Run:
        run = self[cls] = self._make(cls)
        return run


def _mark(fn: F, kind: Kind) -> F:
    fn.__dict__[_MARK] = kind
    return fn


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


def _typed(fn: Run, cls: type) -> Run:
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


def _declare(fn: Run, wanted: type, own: bool, tfm: object, x: Any) -> Any:  # noqa: FBT001
    y = fn(tfm, x)
    if isinstance(y, wanted):
        return y
    return _cast(wanted, y, x) if own else _cast(wanted, y)


def _retain(fn: Run, cls: type, tfm: object, x: Any) -> Any:
    y = fn(tfm, x)
    if y.__class__ is cls or not issubclass(cls, y.__class__):
        return y
    return _cast(cls, y, x)


def _retain_each(fn: Run, tfm: object, x: tuple[Any, ...]) -> Any:
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


def _safe_repr(x: object) -> str:
    try:
        return _short.repr(x)
    except Exception:
        return type(x).__name__
