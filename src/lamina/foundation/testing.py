"""One-line checks for tests and notebooks, which understand arrays, tensors and nested values."""

# ruff: noqa: PT028 - these are checks to call, not tests to collect

import contextlib
import io
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

from lamina.foundation.sequences import equal, is_array, is_mapping, is_sequence, plain

__all__ = [
    "ExceptionExpected",
    "is_close",
    "test_close",
    "test_eq",
    "test_eq_type",
    "test_fail",
    "test_is",
    "test_ne",
    "test_shuffled",
    "test_stdout",
    "test_warns",
]


F = TypeVar("F", bound=Callable[..., None])


def _not_a_test(f: F) -> F:
    """Keep pytest from collecting the check in the modules that import it."""
    f.__dict__["__test__"] = False
    return f


def _check(ok: bool, what: str, a: object, b: object) -> None:  # noqa: FBT001 - like an assert
    if not ok:
        raise AssertionError(f"{what}:\n{a!r}\n{b!r}")


@_not_a_test
def test_eq(a: Any, b: Any) -> None:
    """Check that two values are equal: nested, and with arrays by their content.

    Raises:
        AssertionError: they are not.

    Example:
        >>> test_eq([1, (2, 3)], (1, [2, 3]))
    """
    _check(equal(a, b), "not equal", a, b)


@_not_a_test
def test_ne(a: Any, b: Any) -> None:
    """Check that two values are not equal.

    Raises:
        AssertionError: they are.

    Example:
        >>> test_ne([1], [2])
    """
    _check(not equal(a, b), "equal", a, b)


@_not_a_test
def test_eq_type(a: Any, b: Any) -> None:
    """Check that two values, and the items of sequences, are equal and of the same types.

    Raises:
        AssertionError: they are not.

    Example:
        >>> test_eq_type([1, 2.0], [1, 2.0])
    """
    test_eq(a, b)
    _check(_same_types(a, b), "of other types", a, b)


def _same_types(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    return not is_sequence(a) or all(map(_same_types, a, b))


def is_close(a: Any, b: Any, eps: float = 1e-5) -> bool:
    """Tell whether numbers, arrays or collections of them differ by at most `eps` everywhere.

    Example:
        >>> is_close([1.0, 2.0], (1.0, 2.000001))
        True
    """
    if is_array(a) and type(a) is type(b):
        return tuple(a.shape) == tuple(b.shape) and bool((abs(a - b) <= eps).all())
    if is_array(a) or is_array(b):
        a, b = plain(a), plain(b)
    if is_mapping(a) and is_mapping(b):
        return a.keys() == b.keys() and all(is_close(v, b[k], eps) for k, v in a.items())
    if is_sequence(a) and is_sequence(b):
        return len(a) == len(b) and all(is_close(x, y, eps) for x, y in zip(a, b, strict=True))
    return bool(abs(a - b) <= eps)


@_not_a_test
def test_close(a: Any, b: Any, eps: float = 1e-5) -> None:
    """Check that two values differ by at most `eps` everywhere.

    Raises:
        AssertionError: they do not.

    Example:
        >>> test_close(0.1 + 0.2, 0.3)
    """
    _check(is_close(a, b, eps), f"not within {eps}", a, b)


@_not_a_test
def test_is(a: object, b: object) -> None:
    """Check that two names mean the same object.

    Raises:
        AssertionError: they do not.

    Example:
        >>> test_is(None, None)
    """
    _check(a is b, "not the same object", a, b)


@_not_a_test
def test_shuffled(a: Iterable[Any], b: Iterable[Any]) -> None:
    """Check that two collections have the same (hashable) items in different orders.

    Raises:
        AssertionError: the order is the same, or the items are not.

    Example:
        >>> test_shuffled([1, 2, 3], [3, 1, 2])
    """
    a, b = list(a), list(b)
    test_ne(a, b)
    _check(Counter(a) == Counter(b), "not the same items", a, b)


@_not_a_test
def test_fail(
    f: Callable[[], object],
    *,
    exception: type[BaseException] = Exception,
    contains: str = "",
    message: str = "",
) -> None:
    """Check that a call raises.

    Args:
        f: the function to call.
        exception: the class of exception expected.
        contains: text expected in its message.
        message: what to say if nothing is raised.

    Raises:
        AssertionError: nothing is raised, or another message.

    Example:
        >>> test_fail(lambda: 1 / 0, contains="division")
    """
    with ExceptionExpected(exception, re.escape(contains), message=message):
        f()


class ExceptionExpected:
    """A block that must raise.

    Args:
        exception: the class of exception expected.
        regex: pattern expected in its message.
        message: what to say if nothing is raised.

    Raises:
        AssertionError: nothing is raised, or another message. Other exceptions pass through.

    Example:
        >>> with ExceptionExpected(ZeroDivisionError, "division"):
        ...     1 / 0
    """

    def __init__(
        self, exception: type[BaseException] = Exception, regex: str = "", *, message: str = ""
    ) -> None:
        self.exception = exception
        self.regex = regex
        self.message = message

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        if kind is None:
            raise AssertionError(
                self.message or f"expected {self.exception.__name__}, nothing was raised"
            )
        if not issubclass(kind, self.exception):
            return False
        if not re.search(self.regex, str(error)):
            raise AssertionError(f"expected {self.regex!r} in the message {str(error)!r}")
        return True


@_not_a_test
def test_warns(f: Callable[[], object], *, category: type[Warning] = Warning) -> None:
    """Check that a call warns.

    Raises:
        AssertionError: it does not.

    Example:
        >>> test_warns(lambda: warnings.warn("careful"))
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        f()
    if not any(issubclass(w.category, category) for w in caught):
        raise AssertionError(f"expected a {category.__name__}, got {caught}")


@_not_a_test
def test_stdout(f: Callable[[], object], expected: str, *, regex: bool = False) -> None:
    """Check what a call prints, without the last line break.

    Args:
        f: the function to call.
        expected: the text.
        regex: `expected` is a pattern to search for.

    Raises:
        AssertionError: it prints something else.

    Example:
        >>> test_stdout(lambda: print("hi"), "hi")
    """
    with contextlib.redirect_stdout(io.StringIO()) as out:
        f()
    text = out.getvalue().removesuffix("\n")
    ok = bool(re.search(expected, text)) if regex else text == expected
    _check(ok, "printed something else", text, expected)
