"""Types read from annotations: the keys of dispatch and patch, and checks of arguments."""

import functools
import inspect
from collections.abc import Callable, Iterable
from types import FunctionType, NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from lamina.foundation.errors import ContractError

__all__ = ["annotated_types", "as_types", "full_name", "positional_names", "typed"]


F = TypeVar("F", bound=Callable[..., Any])


def annotated_types(fn: Callable[..., Any], position: int) -> tuple[type, ...]:
    """Return the types that a function's annotation admits at a position.

    Args:
        fn: the function; its annotation may be a string, a union, a tuple, a generic (which
            counts as its origin); a missing one means `object`.
        position: which parameter, counted from 0.

    Raises:
        ContractError: the annotation names something unknown or is no type.

    Example:
        >>> def f(x: int | None, y: "list[str]", z): ...
        >>> [annotated_types(f, i) for i in range(3)]
        [(<class 'int'>, <class 'NoneType'>), (<class 'list'>,), (<class 'object'>,)]
    """
    names = positional_names(fn)
    if position >= len(names):
        return (object,)
    where = f"{full_name(fn)}, parameter {names[position]!r}"
    try:
        annotation = _annotation(fn, names[position])
    except NameError as error:
        raise ContractError(
            f"{where}: the annotation needs the name {error.name!r}, which is not defined where "
            "the function was. Import it for real, not for type checkers only."
        ) from error
    except (SyntaxError, TypeError) as error:
        raise ContractError(
            f"{where}: the annotation is no type ({error}). Use a class, or a union written A | B."
        ) from error
    return as_types(annotation, where)


def as_types(key: object, where: str) -> tuple[type, ...]:
    """Flatten an annotation into the classes that it admits."""
    if (parts := _parts(key)) is not None:
        return tuple(dict.fromkeys(cls for part in parts for cls in as_types(part, where)))
    origin = get_origin(key)
    cls = key if origin is None else origin
    if key is None:
        return (NoneType,)
    if key is Any:
        return (object,)
    try:
        issubclass(object, cls)  # pyright: ignore[reportArgumentType] - that is the question
    except TypeError as error:
        raise ContractError(
            f"{where}: {key!r} cannot be dispatched on. Use a class, an abstract class, or a "
            "union or tuple of them."
        ) from error
    return (cls,)  # pyright: ignore[reportReturnType] - issubclass has accepted it


def positional_names(fn: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the parameters that can be given by position."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except ValueError:  # some built-in functions have no signature
        return ()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in parameters if p.kind in kinds)


def full_name(fn: Callable[..., Any]) -> str:
    """Return a function's module and qualified name, for messages."""
    if isinstance(fn, FunctionType):
        return f"{fn.__module__}.{fn.__qualname__}"
    return getattr(fn, "__name__", repr(fn))


@overload
def typed(f: F, *, cast: bool = False) -> F: ...
@overload
def typed(f: None = None, *, cast: bool = False) -> Callable[[F], F]: ...
def typed(f: Any = None, *, cast: bool = False) -> Any:
    """Check the types of arguments against the annotations at each call.

    Of generic types the origin is checked, of unions each member; a parameter's default passes.

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
    def hints() -> dict[str, tuple[type, ...]]:  # at the first call: they may name later classes
        return {
            name: as_types(_annotation(f, name), f"{f.__name__}: {name}")
            for name, p in signature.parameters.items()
            if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
        }

    @functools.wraps(f)
    def checked(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            allowed = hints().get(name, (object,))
            if value is not signature.parameters[name].default and not isinstance(value, allowed):
                where = f"{f.__name__}: {name}"
                bound.arguments[name] = _convert(value, allowed, where, convert=cast)
        return f(*bound.args, **bound.kwargs)

    return checked


def _convert(value: Any, allowed: tuple[type, ...], where: str, *, convert: bool) -> Any:
    for cls in allowed if convert else ():
        try:
            return cls(value)
        except (TypeError, ValueError):
            continue
    expected = " or ".join("None" if cls is NoneType else cls.__name__ for cls in allowed)
    raise TypeError(f"{where} is {value!r}, a {type(value).__name__}. Expected {expected}.")


def _annotation(fn: Callable[..., Any], name: str) -> object:
    """Evaluate one annotation; the others may name what exists for type checkers only."""
    raw = inspect.signature(fn).parameters[name].annotation
    if raw is inspect.Parameter.empty:
        return object
    if not isinstance(raw, str):
        return raw

    def carrier() -> None: ...

    carrier.__annotations__ = {name: raw}
    inner = inspect.unwrap(fn)
    return get_type_hints(carrier, globalns=getattr(inner, "__globals__", {}))[name]


def _parts(key: object) -> Iterable[object] | None:
    """Return what a compound annotation is made of; None for a plain type."""
    if isinstance(key, tuple):
        return cast("tuple[object, ...]", key)
    if isinstance(key, NewType):
        return [key.__supertype__]
    if isinstance(key, TypeVar):
        return key.__constraints__ or [key.__bound__ or object]
    origin, args = get_origin(key), get_args(key)
    if origin is Annotated:
        return args[:1]
    if origin is Literal:
        return map(type, args)
    return args if origin in (Union, UnionType) else None
