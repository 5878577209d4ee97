"""All errors that Lamina raises on purpose, and the helpers that word their suggestions.

Every class derives from `LaminaError` and from the built-in error that fits, so callers can catch
either. A message says where it happened, what was given, what was expected, and what to do.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from difflib import get_close_matches

__all__ = [
    "ArchiveError",
    "BundleError",
    "CollateError",
    "ContractError",
    "DataError",
    "DispatchError",
    "DownloadError",
    "ItemError",
    "LaminaError",
    "MissingExtraError",
    "SkipItem",
    "UnknownArgumentError",
    "UnknownNameError",
    "UntrustedError",
    "closest",
    "needs",
    "refuse_unknown",
]

_LISTED = 12  # names listed in a message when none is close


class LaminaError(Exception):
    """The root of Lamina's errors."""


class UnknownNameError(LaminaError, ValueError):
    """A name is not among the known ones; the message suggests the closest.

    Args:
        what: the kind of thing named, such as `"architecture"`.
        got: the name given.
        known: the names that exist.
        where: the function or class that was asked.

    Example:
        >>> str(UnknownNameError("metric", "acuracy", ["accuracy", "f1"], where="metric"))
        "metric: unknown metric 'acuracy'. Did you mean 'accuracy'?"
    """

    def __init__(self, what: str, got: object, known: Iterable[str], *, where: str) -> None:
        self.what = what
        self.got = got
        self.known = tuple(known)
        self.where = where
        super().__init__(f"{where}: unknown {what} {got!r}. {_advice(str(got), self.known)}")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_unknown_name, (self.what, self.got, self.known, self.where)


class UnknownArgumentError(LaminaError, TypeError):
    """A call was given keyword arguments that it does not take.

    Args:
        where: the function or class that was called.
        got: the unknown names.
        known: the names that it takes.

    Example:
        >>> str(UnknownArgumentError("vision_learner", ["metric"], ["lr", "metrics"]))
        "vision_learner: unknown argument 'metric'. Did you mean 'metrics'?"
    """

    def __init__(self, where: str, got: Iterable[str], known: Iterable[str]) -> None:
        self.where = where
        self.got = tuple(got)
        self.known = tuple(known)
        if len(self.got) == 1:
            text = f"unknown argument {self.got[0]!r}. {_advice(self.got[0], self.known)}"
        else:
            each = "; ".join(f"{name!r}: {_advice(name, self.known)}" for name in self.got)
            text = f"unknown arguments. {each}"
        super().__init__(f"{where}: {text}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.where, self.got, self.known)


class ContractError(LaminaError, ValueError):
    """A part was used against its contract."""


class DispatchError(LaminaError, TypeError):
    """No implementation is registered for the types given."""


class DataError(LaminaError, ValueError):
    """The data do not fit what was asked of them."""


class ItemError(DataError):
    """One item could not be read or transformed.

    Args:
        message: what went wrong.
        item: the item, or what names it (a path, an index).
        stage: the step that failed.
    """

    def __init__(self, message: str, item: object = None, stage: str | None = None) -> None:
        super().__init__(message)
        self.item = item
        self.stage = stage

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.item, self.stage)


class CollateError(DataError):
    """Items could not be put together into one batch."""


class BundleError(LaminaError, ValueError):
    """A saved file is damaged, too new, or not of the kind expected."""


class UntrustedError(BundleError):
    """A saved file names a class or function that is not allowed to be loaded.

    Args:
        message: what was refused and how to allow it.
        name: the name found in the file.
    """

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.name)


class DownloadError(LaminaError, OSError):
    """A file could not be fetched, or what came does not have the expected checksum."""


class ArchiveError(LaminaError, ValueError):
    """An archive is damaged or would write outside its target folder."""


class MissingExtraError(LaminaError, ImportError):
    """An optional library is needed and not installed.

    Args:
        library: the library that is missing.
        extra: the extra of Lamina that brings it.

    Example:
        >>> str(MissingExtraError("timm", "vision-backbones"))
        "This needs 'timm', which is not installed. Run: pip install 'lamina[vision-backbones]'"
    """

    def __init__(self, library: str, extra: str) -> None:
        self.library = library
        self.extra = extra
        super().__init__(
            f"This needs {library!r}, which is not installed. Run: pip install 'lamina[{extra}]'"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.library, self.extra)


@contextmanager
def needs(library: str, extra: str) -> Generator[None]:
    """Import an optional library inside a `with` block.

    Args:
        library: the name under which it is installed.
        extra: the extra of Lamina that brings it.

    Raises:
        MissingExtraError: it is not installed. One that is broken raises what it raises.

    Example:
        >>> with needs("imaginary", "all"):
        ...     import imaginary
        Traceback (most recent call last):
        lamina.foundation.errors.MissingExtraError: ... pip install 'lamina[all]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(library, extra) from error


class SkipItem(Exception):  # noqa: N818 - control flow, not an error
    """Raised by a transform to drop the current item without complaint."""


def closest(got: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like `got`, or None if none comes close.

    Example:
        >>> closest("metric", ["metrics", "model"])
        'metrics'
        >>> closest("batch_size", ["batch_tfms", "bs"])
        'bs'
        >>> closest("zzz", ["metrics", "model"]) is None
        True
    """
    by_lower = {name.lower(): name for name in known}
    initials = "".join(word[:1] for word in got.lower().split("_"))
    if len(initials) > 1 and initials in by_lower:
        return by_lower[initials]
    matches = get_close_matches(got.lower(), list(by_lower), n=1)
    return by_lower[matches[0]] if matches else None


def refuse_unknown(where: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Check that every given keyword is a known one.

    Args:
        where: the function or class that was called, for the message.
        given: the keywords of the call.
        known: the keywords that it takes.

    Raises:
        UnknownArgumentError: names every keyword that is not known, with suggestions.

    Example:
        >>> refuse_unknown("fit", ["lr"], ["lr", "wd"])
        >>> refuse_unknown("fit", ["lrr"], ["lr", "wd"])
        Traceback (most recent call last):
        lamina.foundation.errors.UnknownArgumentError: fit: unknown argument 'lrr'. ...
    """
    names = tuple(known)
    if bad := [name for name in given if name not in names]:
        raise UnknownArgumentError(where, bad, names)


def _advice(got: str, known: tuple[str, ...]) -> str:
    """Word the suggestion for an unknown name: the closest one, else a list of what exists."""
    if (match := closest(got, known)) is not None:
        return f"Did you mean {match!r}?"
    if not known:
        return "None are known."
    more = ", ..." if len(known) > _LISTED else ""
    return f"Known: {', '.join(sorted(known)[:_LISTED])}{more}"


def _rebuild_unknown_name(
    what: str, got: object, known: tuple[str, ...], where: str
) -> UnknownNameError:
    """Rebuild the error from a pickle: its `where` can be given by keyword only."""
    return UnknownNameError(what, got, known, where=where)
