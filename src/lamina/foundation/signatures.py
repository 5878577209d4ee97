"""Signatures: visible keyword arguments for functions that pass `**kwargs` on.

These change what help and editors show; they cost nothing per call. Lamina's own code declares its
keywords with `Unpack[TypedDict]` instead; the tools here are for users.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import update_wrapper, wraps
from types import MethodType
from typing import Any, TypeVar, get_args, overload

from lamina.foundation.errors import ContractError, refuse_unknown

__all__ = [
    "allowed_keywords",
    "delegates",
    "funcs_kwargs",
    "method",
    "signature_names",
    "strict",
    "use_kwargs_dict",
]

T = TypeVar("T")
C = TypeVar("C", bound=type)
Parameter = inspect.Parameter

_BY_KEYWORD = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def signature_names(fn: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names that a call may use as keywords; for a class, those of its constructor.

    Example:
        >>> def f(a, /, b, *args, c=1, **rest): ...
        >>> signature_names(f)
        ('b', 'c')
    """
    parameters = inspect.signature(fn).parameters.values()
    return tuple(p.name for p in parameters if p.kind in _BY_KEYWORD)


def strict(fn: T) -> T:
    """Refuse keywords that a function or constructor does not take, with a suggestion.

    Decorates functions, methods and classes; for constructors the message names the class. What
    `**kwargs: Unpack[SomeTypedDict]` allows counts as taken.

    Example:
        >>> @strict
        ... def fit(n_epoch, lr=0.1): ...
        >>> fit(1, lrr=0.2)
        Traceback (most recent call last):
        lamina.foundation.errors.UnknownArgumentError: fit: unknown argument 'lrr'. ...
    """
    if isinstance(fn, type):
        fn.__init__ = strict(fn.__init__)
        return fn
    function: Callable[..., Any] = fn  # type: ignore[assignment]  # T is the caller's own type
    known = allowed_keywords(function)
    if known is None:
        raise ContractError(f"strict: {function!r} takes any keyword. Declare them with Unpack.")
    is_init = function.__name__ == "__init__"

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not kwargs.keys() <= known:
            name = type(args[0]).__name__ if is_init else function.__qualname__
            refuse_unknown(name.rpartition("<locals>.")[2], kwargs, known - {"self", "cls"})
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]  # takes and gives what `fn` does


def allowed_keywords(fn: Callable[..., Any]) -> frozenset[str] | None:
    """Return all keywords that a call may use; None if it may use any.

    Example:
        >>> allowed_keywords(lambda a, **rest: a) is None
        True
    """
    names = frozenset(signature_names(fn))
    for p in inspect.signature(fn).parameters.values():
        if p.kind is Parameter.VAR_KEYWORD:
            declared = get_args(p.annotation)
            return names | declared[0].__annotations__.keys() if declared else None
    return names


def delegates(
    to: Callable[..., Any] | None = None,
    keep: bool = False,  # noqa: FBT001 - the known signature
    but: str | Iterable[str] | None = None,
) -> Callable[[T], T]:
    """Show the keyword arguments of `to` instead of `**kwargs`.

    Decorates functions, methods, classmethods, staticmethods, and classes (their `__init__`).
    The call itself is unchanged: `to` still checks what it is given.

    Args:
        to: where `**kwargs` goes: a function, or a class for its constructor. For a decorated
            class it defaults to the base class.
        keep: keep `**kwargs` besides, so that a further `delegates` can follow.
        but: names to leave out.

    Raises:
        ContractError: there is no `**kwargs` to replace, or no target.

    Example:
        >>> def base(x, lr=0.1, *, wd=0.0): ...
        >>> @delegates(base, but="wd")
        ... def special(y, **kwargs):
        ...     return base(y, **kwargs)
        >>> inspect.signature(special)
        <Signature (y, *, lr=0.1)>
    """
    left_out = {but} if isinstance(but, str) else set(but or ())

    def decorate(target: T) -> T:
        fn, source = _function_and_source(target, to)
        added = {
            name: parameter
            for name, parameter in _keywords_of(source).items()
            if name not in left_out
        }
        _show(fn, added, keep=keep)
        fn.__delwrap__ = source
        return target

    return decorate


def use_kwargs_dict(
    keep: bool = False,  # noqa: FBT001 - the known signature
    **kwargs: object,  # kwargs: the names are the content
) -> Callable[[T], T]:
    """Show the given names and defaults instead of `**kwargs`.

    Args:
        keep: keep `**kwargs` besides.
        kwargs: the names with their defaults.

    Raises:
        ContractError: there is no `**kwargs` to replace.

    Example:
        >>> @use_kwargs_dict(size=224, pad=None)
        ... def f(x, **kwargs): ...
        >>> inspect.signature(f)
        <Signature (x, *, size=224, pad=None)>
    """
    added = {
        name: Parameter(name, Parameter.KEYWORD_ONLY, default=default)
        for name, default in kwargs.items()
    }

    def decorate(target: T) -> T:
        _show(_unwrapped(target), added, keep=keep)
        return target

    return decorate


def method(fn: Callable[..., Any]) -> "_Method":
    """Mark a function that replaces a method, so that it receives the object as first argument.

    Example:
        >>> @funcs_kwargs
        ... class Greeter:
        ...     _methods = ["greet"]
        ...     name = "Ada"
        ...     def greet(self): return "hello"
        >>> Greeter(greet=method(lambda self: f"hello {self.name}")).greet()
        'hello Ada'
    """
    return _Method(fn)


@overload
def funcs_kwargs(as_method: C) -> C: ...


@overload
def funcs_kwargs(
    as_method: bool = False,  # noqa: FBT001 - the known signature
) -> Callable[[C], C]: ...


def funcs_kwargs(as_method: Any = False) -> Any:
    """Let the constructor replace the methods that the class lists in `_methods`.

    A function given under a method's name is used in its place on that object; None means not
    given. The constructor refuses keywords that neither it nor a base class names.

    Args:
        as_method: give every function the object as first argument; otherwise only those marked
            with `method`. As a plain decorator, `@funcs_kwargs`, it is False.

    Raises:
        ContractError: `_methods` is missing or names a method that the class does not have.

    Example:
        >>> @funcs_kwargs
        ... class Loader:
        ...     _methods = ["read"]
        ...     def __init__(self, size=1, **kwargs):
        ...         self.size = size
        ...     def read(self, i): return i
        >>> Loader(size=2, read=lambda i: i * 10).read(4)
        40
        >>> Loader(reed=abs)
        Traceback (most recent call last):
        lamina.foundation.errors.UnknownArgumentError: Loader: unknown argument 'reed'. ...
    """
    if isinstance(as_method, type):
        return _replaceable(as_method, as_method=False)

    def decorate(cls: C) -> C:
        return _replaceable(cls, as_method=as_method)

    return decorate


@dataclass(frozen=True)
class _Method:
    """A function that wants the object as first argument."""

    fn: Callable[..., Any]


def _replaceable(cls: C, *, as_method: bool) -> C:
    names = _method_names(cls)
    original: Callable[..., None] = cls.__init__
    known = (*_constructor_names(cls), *names)

    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        given = {name: kwargs.pop(name) for name in names if name in kwargs}
        refuse_unknown(type(self).__name__, kwargs, known)
        for name, fn in given.items():
            if fn is not None:
                setattr(self, name, _bound(fn, self, as_method=as_method))
        original(self, *args, **kwargs)

    optional = {name: Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in names}
    init: Any = update_wrapper(construct, original)
    init.__signature__ = _extended(_plain_signature(original), optional, keep=False)
    cls.__init__ = init
    return cls


def _method_names(cls: type) -> tuple[str, ...]:
    names: tuple[str, ...] | None = getattr(cls, "_methods", None)
    if names is None:
        raise ContractError(
            f"funcs_kwargs: {cls.__qualname__} has no _methods. List in it the names of the "
            "methods that may be replaced."
        )
    if missing := [name for name in names if not hasattr(cls, name)]:
        raise ContractError(
            f"funcs_kwargs: {cls.__qualname__}._methods names {missing}, which the class does "
            "not have. Define them or take them out."
        )
    return tuple(names)


def _bound(fn: Any, instance: object, *, as_method: bool) -> Any:
    if isinstance(fn, _Method):
        return MethodType(fn.fn, instance)
    return MethodType(fn, instance) if as_method else fn


def _constructor_names(cls: type) -> set[str]:
    """Collect the keywords of `__init__`, and of the bases' as long as `**kwargs` goes on."""
    names: set[str] = set()
    for base in cls.__mro__[:-1]:
        if "__init__" in vars(base):
            parameters = [*_plain_signature(base.__init__).parameters.values()][1:]
            names.update(p.name for p in parameters if p.kind in _BY_KEYWORD)
            if not any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
                break
    return names


def _plain_signature(init: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of an `__init__`; that of `object` takes nothing but the object."""
    if init is object.__init__:
        return inspect.Signature([Parameter("self", Parameter.POSITIONAL_ONLY)])
    return inspect.signature(init)


def _function_and_source(
    target: object, to: Callable[..., Any] | None
) -> tuple[Any, Callable[..., Any]]:
    """Return the function whose signature changes, and where the keywords come from."""
    fn = _unwrapped(target)
    if to is not None:
        return fn, to
    if not isinstance(target, type):
        raise ContractError(
            f"delegates: {_name(fn)} needs a target. Say where its **kwargs goes, as in "
            "@delegates(other_function); only a class has a default, its base class."
        )
    return fn, target.__bases__[0]


def _unwrapped(target: object) -> Any:
    """Return the function behind a class, classmethod or staticmethod."""
    if isinstance(target, type):
        if "__init__" not in vars(target):
            raise ContractError(
                f"{target.__qualname__} has no __init__ of its own whose **kwargs could be "
                "replaced. Define one, or leave the decorator out."
            )
        return vars(target)["__init__"]
    return getattr(target, "__func__", target)


def _keywords_of(source: Callable[..., Any]) -> dict[str, Parameter]:
    """Return what `**kwargs` can carry: parameters with a default, and keyword-only ones."""
    return {
        p.name: p.replace(kind=Parameter.KEYWORD_ONLY)
        for p in inspect.signature(source).parameters.values()
        if p.kind is Parameter.KEYWORD_ONLY
        or (p.kind in _BY_KEYWORD and p.default is not Parameter.empty)
    }


def _show(fn: Any, added: Mapping[str, Parameter], *, keep: bool) -> None:
    signature = inspect.signature(fn)
    if not any(p.kind is Parameter.VAR_KEYWORD for p in signature.parameters.values()):
        raise ContractError(
            f"{_name(fn)}{signature} has no **kwargs to replace. Add it, or leave the decorator "
            "out; to apply several, give all but the last keep=True."
        )
    fn.__signature__ = _extended(signature, added, keep=keep)


def _extended(
    signature: inspect.Signature, added: Mapping[str, Parameter], *, keep: bool
) -> inspect.Signature:
    """Put keyword-only parameters in the place of `**kwargs`; the function's own come first."""
    own = list(signature.parameters.values())
    rest = [p for p in own if p.kind is Parameter.VAR_KEYWORD]
    own = [p for p in own if p.kind is not Parameter.VAR_KEYWORD]
    new = [p for name, p in added.items() if name not in signature.parameters]
    return signature.replace(parameters=[*own, *new, *(rest if keep else [])])


def _name(fn: object) -> str:
    return getattr(fn, "__qualname__", repr(fn))
