"""Objects seen as bags of attributes: paths of names, attribute dicts, readable reprs."""

import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast, overload

__all__ = [
    "NS",
    "AttrDict",
    "basic_repr",
    "camel2snake",
    "nested_attr",
    "snake2camel",
    "typed",
]

F = TypeVar("F", bound=Callable[..., Any])
_MISSING: Any = object()


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


class NS(types.SimpleNamespace):
    """A namespace that can also be indexed by name and iterated over its names.

    Example:
        >>> ns = NS(a=1, b=2)
        >>> ns.a, ns["b"], list(ns)
        (1, 2, ['a', 'b'])
    """

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)


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


def snake2camel(name: str) -> str:
    """Turn `snake_case` into `CamelCase`.

    Example:
        >>> snake2camel("mixed_precision")
        'MixedPrecision'
    """
    return "".join(part.capitalize() for part in name.split("_"))


@overload
def typed(f: F, *, cast: bool = False) -> F: ...
@overload
def typed(f: None = None, *, cast: bool = False) -> Callable[[F], F]: ...
def typed(f: Any = None, *, cast: bool = False) -> Any:
    """Check the types of arguments against the annotations at each call.

    Of generic types the origin is checked, of unions each member; None is allowed where it is the
    default. Unannotated parameters, `Any` and type variables are not checked.

    Args:
        f: the function; left out when used as `@typed(cast=True)`.
        cast: first try to convert an argument of another type by calling the annotation.

    Raises:
        TypeError: (by the call) an argument is of another type and cannot be converted.

    Example:
        >>> @typed
        ... def double(x: int) -> int: return 2 * x
        >>> double("a")
        Traceback (most recent call last):
        TypeError: double: x is 'a', a str. Expected int.
    """
    if f is None:
        return functools.partial(typed, cast=cast)
    signature = inspect.signature(f)

    @functools.cache
    def hints() -> dict[str, Any]:  # at the first call: annotations may name later classes
        return {k: v for k, v in typing.get_type_hints(f).items() if k in signature.parameters}

    @functools.wraps(f)
    def checked(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for name, hint in hints().items():
            if name in bound.arguments and _is_single(signature.parameters[name]):
                value = bound.arguments[name]
                if value is None and signature.parameters[name].default is None:
                    continue
                where = f"{f.__name__}: {name}"
                bound.arguments[name] = _check(value, _classes(hint), where, convert=cast)
        return f(*bound.args, **bound.kwargs)

    return checked


def _is_single(parameter: inspect.Parameter) -> bool:
    return parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}


def _classes(hint: Any) -> tuple[type, ...]:
    """Return the classes an annotation allows; none if it cannot be checked."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        members = [_classes(member) for member in typing.get_args(hint)]
        return sum(members, ()) if all(members) else ()
    cls = typing.get_origin(hint) or hint
    return (cls,) if isinstance(cls, type) and cls is not Any else ()


def _check(value: Any, classes: tuple[type, ...], where: str, *, convert: bool) -> Any:
    if not classes or isinstance(value, classes):
        return value
    if convert:
        for cls in classes:
            try:
                return cls(value)
            except (TypeError, ValueError):
                continue
    expected = " or ".join(cls.__name__ for cls in classes)
    raise TypeError(f"{where} is {value!r}, a {type(value).__name__}. Expected {expected}.")
