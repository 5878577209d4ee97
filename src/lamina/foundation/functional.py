"""Building functions from functions, and the small tools of every day.

Compose, bind, `Self`, curried operators; attributes by path, attribute dicts, readable reprs.

What is built here can be pickled whenever its parts can, so it works in worker processes.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

__all__ = [
    "AttrDict",
    "Curried",
    "Self",
    "add",
    "arg0",
    "arg1",
    "arg2",
    "arg3",
    "arg4",
    "as_function",
    "as_predicate",
    "basic_repr",
    "bind",
    "camel2snake",
    "compose",
    "eq",
    "ge",
    "gt",
    "ifnone",
    "in_",
    "is_",
    "is_not",
    "le",
    "lt",
    "maps",
    "mapt",
    "mod",
    "mul",
    "ne",
    "nested_attr",
    "noop",
    "noops",
    "not_",
    "rstar",
    "star",
    "sub",
    "true",
    "truediv",
]

T = TypeVar("T")
R = TypeVar("R")
_MISSING: Any = object()


def noop(x: Any = None, *_args: Any, **_kwargs: Any) -> Any:  # kwargs: ignored on purpose
    """Return the first argument and ignore the others.

    Example:
        >>> noop(3, "ignored")
        3
    """
    return x


def noops(
    _self: Any,
    x: Any = None,
    *_args: Any,
    **_kwargs: Any,  # kwargs: ignored on purpose
) -> Any:
    """Return the first argument after `self`: `noop` for use as a method.

    Example:
        >>> class Plain:
        ...     encodes = noops
        >>> Plain().encodes(3)
        3
    """
    return x


def ifnone(a: T | None, b: T) -> T:
    """Return `a`, or `b` if `a` is None.

    Example:
        >>> ifnone(0, 5), ifnone(None, 5)
        (0, 5)
    """
    return b if a is None else a


def true(x: Any) -> bool:
    """Tell whether `x` is true; an array is true when it has elements.

    Example:
        >>> true([]), true("a")
        (False, True)
    """
    shape = getattr(x, "shape", None)
    return bool(x) if not shape else len(x) > 0


@dataclass(frozen=True, slots=True)
class _Composed:
    """Functions called one after the other, each with the result of the one before."""

    funcs: tuple[Callable[..., Any], ...]

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        for f in self.funcs:
            x = f(x, *args, **kwargs)
        return x

    def __repr__(self) -> str:
        return f"compose({', '.join(_name(f) for f in self.funcs)})"


def _name(f: object) -> str:
    return getattr(f, "__name__", None) or repr(f)


def compose(*funcs: Callable[..., Any] | None, order: str | None = None) -> Callable[..., Any]:
    """Build the function that calls all `funcs`, the first one first.

    Further arguments of the call go to every function. None and `noop` are left out.

    Args:
        funcs: functions of one value.
        order: name of an attribute to sort the functions by; 0 where it is missing.

    Example:
        >>> compose(abs, str)(-3)
        '3'
    """
    chain = [f for f in funcs if f is not None and f is not noop]
    if order is not None:
        chain.sort(key=lambda f: getattr(f, order, 0))
    if not chain:
        return noop
    return chain[0] if len(chain) == 1 else _Composed(tuple(chain))


def nested_attr(obj: Any, path: str, default: Any = _MISSING) -> Any:
    """Get an attribute of an attribute ...: `nested_attr(x, "a.b")` is `x.a.b`.

    Of a mapping, the value of that key.

    Args:
        obj: where to start.
        path: names joined by dots; the empty path is `obj` itself.
        default: returned if a name is missing; without it that is an error.

    Raises:
        AttributeError: a name is missing and there is no `default`.

    Example:
        >>> nested_attr(3, "real.imag"), nested_attr({"a": 3}, "a.none", default="-")
        (0, '-')
    """
    for name in path.split(".") if path else ():
        found = _attr(obj, name)
        if found is _MISSING and default is _MISSING:
            raise AttributeError(
                f"nested_attr: a {type(obj).__name__} has no {name!r} (in {path!r})."
            )
        if found is _MISSING:
            return default
        obj = found
    return obj


def _attr(obj: Any, name: str) -> Any:
    if isinstance(obj, Mapping):
        return cast("Mapping[str, Any]", obj).get(name, _MISSING)
    return getattr(obj, name, _MISSING)


def maps(*args: Any) -> Iterator[Any]:
    """Map several functions, one after the other, over the collection given last.

    Example:
        >>> list(maps(abs, str, [-1, 2]))
        ['1', '2']
    """
    *funcs, items = args
    return map(compose(*funcs), items)


def mapt(f: Callable[..., R], *colls: Iterable[Any]) -> tuple[R, ...]:
    """Map to a tuple.

    Example:
        >>> mapt(abs, [-1, 2])
        (1, 2)
    """
    return tuple(map(f, *colls))


@dataclass(frozen=True, slots=True)
class _Arg:
    """A placeholder for an argument of the call of a bound function."""

    position: int

    def __repr__(self) -> str:
        return f"arg{self.position}"


arg0 = _Arg(0)
arg1 = _Arg(1)
arg2 = _Arg(2)
arg3 = _Arg(3)
arg4 = _Arg(4)


class bind:  # noqa: N801 - read and used as a function, like functools.partial
    """Fix arguments of a function, anywhere: `arg0` to `arg4` stand for those of the call.

    Arguments of the call beyond the highest placeholder follow the fixed ones.

    Args:
        func: the function to call.
        args: fixed positional arguments and placeholders.
        kwargs: fixed keyword arguments and placeholders; the call may override them.

    Raises:
        TypeError: (by the call) fewer arguments than placeholders.

    Example:
        >>> halve = bind(pow, arg0, -1)
        >>> halve(4)
        0.25
        >>> bind(divmod, arg1, arg0)(2, 7)
        (3, 1)
    """

    def __init__(  # kwargs: given to `func` by the call, which refuses unknown ones
        self, func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        places = [a.position for a in (*args, *kwargs.values()) if isinstance(a, _Arg)]
        self._n_places = max(places, default=-1) + 1

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # kwargs: given to `func`
        """Call the function with the placeholders filled."""
        if len(args) < self._n_places:
            raise TypeError(f"{self!r}: got {len(args)} arguments, expected {self._n_places}.")
        filled = [args[a.position] if isinstance(a, _Arg) else a for a in self.args]
        named = {k: args[a.position] if isinstance(a, _Arg) else a for k, a in self.kwargs.items()}
        return self.func(*filled, *args[self._n_places :], **(named | kwargs))

    def __repr__(self) -> str:
        fixed = [repr(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.kwargs.items()]
        return f"bind({', '.join([_name(self.func), *fixed])})"


def as_function(f: Any, *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """Return `f` as a function: a format string formats, a mapping or sequence is looked up.

    Args:
        f: a function, a format string, or something with indices.
        args: arguments to `bind`.
        kwargs: keyword arguments to `bind`.

    Raises:
        TypeError: `f` is none of these.

    Example:
        >>> as_function("{}.jpg")(3), as_function({"a": 1})("a"), as_function(pow, 2)(3)
        ('3.jpg', 1, 8)
    """
    if not callable(f):
        f = f.format if isinstance(f, str) else getattr(f, "__getitem__", None)
        if f is None:
            raise TypeError("as_function: got something that can neither be called nor indexed.")
    func = cast("Callable[..., Any]", f)
    return bind(func, *args, **kwargs) if args or kwargs else func


@dataclass(frozen=True, slots=True)
class not_:  # noqa: N801 - read and used as a function
    """Build the function whose answer is the opposite of that of `f`.

    Example:
        >>> not_(str.isdigit)("a1")
        True
    """

    f: Callable[..., object]

    def __call__(self, *args: Any, **kwargs: Any) -> bool:
        """Return the opposite."""
        return not self.f(*args, **kwargs)


def as_predicate(f: Any = None, *, negate: bool = False, **kwargs: Any) -> Callable[[Any], Any]:
    """Return `f` as a test: by default the truth of the value, else by the rules of `as_function`.

    Example:
        >>> as_predicate({"a": True}, negate=True)("a")
        False
    """
    test = true if f is None or f is noop else as_function(f, **kwargs)
    return not_(test) if negate else test


@dataclass(frozen=True, slots=True)
class star:  # noqa: N801 - read and used as a function
    """Build the function of one tuple that calls `f` with its items.

    Example:
        >>> list(map(star(pow), [(2, 3), (3, 2)]))
        [8, 9]
    """

    f: Callable[..., Any]

    def __call__(self, items: Iterable[Any], **kwargs: Any) -> Any:
        """Call with the items as arguments."""
        return self.f(*items, **kwargs)


@dataclass(frozen=True, slots=True)
class rstar:  # noqa: N801 - read and used as a function
    """Build the function of one tuple that calls `f` with its items in reverse order.

    Example:
        >>> rstar(pow)((2, 3))
        9
    """

    f: Callable[..., Any]

    def __call__(self, items: Iterable[Any], **kwargs: Any) -> Any:
        """Call with the items as arguments, last first."""
        return self.f(*tuple(items)[::-1], **kwargs)


@dataclass(frozen=True, slots=True)
class _WithRight:
    """A binary operator that has its right operand and waits for the left one."""

    op: Callable[[Any, Any], Any]
    right: Any

    def __call__(self, left: Any) -> Any:
        return self.op(left, self.right)


@dataclass(frozen=True, slots=True)
class Curried:
    """A binary operator that, given one operand, returns the function of the left one.

    `gt(4)` is the predicate "greater than 4"; `gt(5, 4)` compares at once.

    Args:
        op: the function of two operands.

    Example:
        >>> gt(4)(5), gt(5, 4), sub(1)(10)
        (True, True, 9)
    """

    op: Callable[[Any, Any], Any]

    def __call__(self, a: Any, b: Any = _MISSING) -> Any:
        """Compute, or wait for the left operand if there is only one."""
        return _WithRight(self.op, a) if b is _MISSING else self.op(a, b)


def _is_in(x: Any, items: Any) -> bool:
    return x in items


def _divide(a: Any, b: Any) -> Any:
    return a / b


lt = Curried(operator.lt)
gt = Curried(operator.gt)
le = Curried(operator.le)
ge = Curried(operator.ge)
eq = Curried(operator.eq)
ne = Curried(operator.ne)
add = Curried(operator.add)
sub = Curried(operator.sub)
mul = Curried(operator.mul)
truediv = Curried(_divide)
mod = Curried(operator.mod)
is_ = Curried(operator.is_)
is_not = Curried(operator.is_not)
in_ = Curried(_is_in)


class AttrDict(dict[str, Any]):
    """A dict whose items are also its attributes.

    Example:
        >>> d = AttrDict(lr=0.1)
        >>> d.wd = 0.01
        >>> d.lr, d["wd"]
        (0.1, 0.01)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__ = self

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (dict(self),)

    def copy(self) -> "AttrDict":
        """Return a shallow copy of the same kind."""
        return AttrDict(self)


def basic_repr(fields: str | Iterable[str] | None = None) -> Callable[[Any], str]:
    """Make a `__repr__` that shows the named attributes.

    Args:
        fields: names, in a list or joined by commas; paths with dots are allowed. By default all
            public attributes of the instance.

    Example:
        >>> class Crop:
        ...     __repr__ = basic_repr("size")
        ...     def __init__(self, size): self.size = size
        >>> Crop(224)
        Crop(size=224)
    """
    split = cast("list[str]", re.split(r"\s*,\s*", fields)) if isinstance(fields, str) else fields
    names = None if split is None else list(split)

    def __repr__(self: Any) -> str:  # noqa: N807 - it is going to be one
        shown = [n for n in self.__dict__ if n[0] != "_"] if names is None else names
        values = ", ".join(f"{n}={nested_attr(self, n, None)!r}" for n in shown)
        return f"{type(self).__name__}({values})"

    return __repr__


def camel2snake(name: str) -> str:
    """Turn `CamelCase` into `snake_case`.

    Example:
        >>> camel2snake("MixedPrecision"), camel2snake("TTACallback2D")
        ('mixed_precision', 'tta_callback2_d')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def _call(x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return x(*args, **kwargs)


_Step = tuple[Callable[..., Any], tuple[Any, ...]]


class _Recipe:
    """Attribute accesses, calls and indexings, recorded to be replayed on a value."""

    def __init__(self, steps: tuple[_Step, ...] = (), *, pending: bool = False) -> None:
        self._steps = steps
        self._pending = pending

    def __getattr__(self, name: str) -> "_Recipe":
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)  # so that copy, pickle and inspect see an ordinary object
        return _Recipe((*self._steps, (getattr, (name,))), pending=True)

    def __getitem__(self, idx: Any) -> "_Recipe":
        return _Recipe((*self._steps, (operator.getitem, (idx,))))

    def __invert__(self) -> "_Recipe":
        return _Recipe(self._steps)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._pending:
            return _Recipe((*self._steps, (_call, (args, kwargs))))
        (x,) = args
        for step, step_args in self._steps:
            x = step(x, *step_args)
        return x


Self: Any = _Recipe()
"""Records what to do with a value: `Self.strip().lower()` is `lambda x: x.strip().lower()`.

A call or an index ends the record, and calling it then applies it. A record that ends with an
attribute is closed with `~`: `~Self.name` is `lambda x: x.name`.
"""
