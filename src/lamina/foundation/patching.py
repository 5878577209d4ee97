"""Methods added to existing classes, for users who extend a library interactively.

Lamina itself patches nothing.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, overload

from lamina.foundation.annotations import annotated_types, as_types, full_name
from lamina.foundation.errors import ContractError

__all__ = ["patch", "patch_to"]

F = TypeVar("F", bound=Callable[..., Any])

_WRAPPERS: dict[str, Callable[[Callable[..., Any]], object]] = {
    "method": lambda fn: fn,
    "property": property,
    "classmethod": classmethod,
    "staticmethod": staticmethod,
}


@overload
def patch(f: F) -> F: ...


@overload
def patch(
    f: None = None,
    *,
    as_prop: bool = False,
    cls_method: bool = False,
    static_method: bool = False,
    set_prop: bool = False,
    nm: str | None = None,
) -> Callable[[F], F]: ...


def patch(
    f: Any = None,
    *,
    as_prop: bool = False,
    cls_method: bool = False,
    static_method: bool = False,
    set_prop: bool = False,
    nm: str | None = None,
) -> Any:
    """Add a function as a method to the class that annotates its first parameter.

    A union or a tuple of classes patches each of them. The function itself stays usable as one.

    Args:
        f: the function.
        as_prop: make it a property.
        cls_method: make it a classmethod; its first parameter is annotated with the class.
        static_method: make it a staticmethod of the class that annotates its first parameter.
        set_prop: make it the setter of the property of its name.
        nm: the name of the method, by default the function's.

    Raises:
        ContractError: no class is named, the class cannot be changed, or two kinds are asked for.

    Example:
        >>> from pathlib import PurePosixPath
        >>> class Folder(PurePosixPath): ...
        >>> @patch
        ... def shout(self: Folder) -> str:
        ...     return self.name.upper()
        >>> Folder("a/b").shout()
        'B'
    """
    kind = _one_kind(
        property=as_prop, classmethod=cls_method, staticmethod=static_method, setter=set_prop
    )

    def add(fn: F) -> F:
        classes = annotated_types(fn, 0)
        if classes == (object,):
            raise ContractError(
                f"patch: {full_name(fn)} does not say which class it is for. Annotate its first "
                "parameter, as in `def f(self: Path)`, or use patch_to."
            )
        return _add_to(classes, fn, kind, nm)

    return add if f is None else add(f)


def patch_to(
    cls: Any,
    as_prop: bool = False,  # noqa: FBT001 - the known signature
    cls_method: bool = False,  # noqa: FBT001 - the known signature
    set_prop: bool = False,  # noqa: FBT001 - the known signature
    static_method: bool = False,  # noqa: FBT001 - the known signature
    nm: str | None = None,
) -> Callable[[F], F]:
    """Return a decorator that adds a function as a method to a class.

    Args:
        cls: the class, or a union or tuple of classes.
        as_prop: make it a property.
        cls_method: make it a classmethod.
        set_prop: make it the setter of the property of its name.
        static_method: make it a staticmethod.
        nm: the name of the method, by default the function's.

    Raises:
        ContractError: the class cannot be changed, or two kinds are asked for.

    Example:
        >>> class A: ...
        >>> @patch_to(A, as_prop=True)
        ... def answer(self) -> int:
        ...     return 42
        >>> A().answer
        42
    """
    kind = _one_kind(
        property=as_prop, classmethod=cls_method, staticmethod=static_method, setter=set_prop
    )
    classes = as_types(cls, "patch_to")
    return lambda fn: _add_to(classes, fn, kind, nm)


def _one_kind(**kinds: bool) -> str:
    """Return the kind that is asked for: one of the names given, or a plain method."""
    asked = [kind for kind, wanted in kinds.items() if wanted]
    if len(asked) > 1:
        raise ContractError(f"patch: a method cannot be {' and '.join(asked)}. Ask for one.")
    return asked[0] if asked else "method"


def _add_to(classes: tuple[type, ...], fn: F, kind: str, name: str | None) -> F:
    name = name or fn.__name__
    for cls in classes:
        member = _member(cls, _copy_for(cls, fn, name), kind, name)
        try:
            setattr(cls, name, member)
        except TypeError as error:
            raise ContractError(
                f"patch: {cls.__qualname__} cannot be changed ({error}). Patch a subclass."
            ) from error
    return fn


def _member(cls: type, fn: Callable[..., Any], kind: str, name: str) -> object:
    """Wrap the function as the kind of class member that was asked for."""
    if kind != "setter":
        return _WRAPPERS[kind](fn)
    existing = getattr(cls, name, None)
    if not isinstance(existing, property):
        raise ContractError(
            f"patch: {cls.__qualname__} has no property {name!r} to set. Patch it first with "
            "as_prop=True."
        )
    return existing.setter(fn)


def _copy_for(cls: type, fn: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Copy the function, so that each class has one under its own name."""
    if not isinstance(fn, FunctionType):
        return fn
    new = FunctionType(fn.__code__, fn.__globals__, name, fn.__defaults__, fn.__closure__)
    new.__kwdefaults__ = fn.__kwdefaults__
    new.__annotations__ = dict(fn.__annotations__)
    new.__doc__, new.__module__ = fn.__doc__, fn.__module__
    new.__qualname__ = f"{cls.__qualname__}.{name}"
    new.__dict__.update(fn.__dict__)
    return new
