"""Getting items: files below a folder, and parts of composite items."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lamina.data.kernels import describe
from lamina.data.transform import ItemTransform
from lamina.foundation.collections import L
from lamina.foundation.errors import DataError, ItemError
from lamina.foundation.registry import record, savable
from lamina.foundation.signatures import strict

__all__ = [
    "AttrGetter",
    "FileGetter",
    "ImageGetter",
    "ItemGetter",
    "get_files",
    "get_image_files",
    "get_text_files",
    "image_extensions",
]

image_extensions = frozenset(
    f".{name}"
    for name in (
        *("avif", "bmp", "dib", "gif", "ico", "jfif", "jp2", "jpe", "jpeg", "jpg", "pbm", "pcx"),
        *("pgm", "png", "pnm", "ppm", "ras", "sgi", "tga", "tif", "tiff", "webp", "xbm"),
    )
)


@strict
def get_files(
    path: Path | str,
    extensions: Iterable[str] | str | None = None,
    *,
    recurse: bool = True,
    folders: Iterable[str] | str | None = None,
    followlinks: bool = True,
) -> L[Path]:
    """List the files below a folder, sorted, so that a split is the same on every machine.

    Files and folders whose names start with a dot are left out.

    Args:
        path: the folder.
        extensions: only files that end so, in any case, such as `".txt"` or `"txt"`; None is all.
        recurse: whether to look into folders below.
        folders: the only folders directly below `path` to look into (`"."` is `path` itself); None
            is all.
        followlinks: whether to follow links to folders.

    Raises:
        DataError: there is no such folder, or not one of `folders`.

    Example:
        >>> get_files("no/such/folder")
        Traceback (most recent call last):
        lamina.foundation.errors.DataError: get_files: there is no folder 'no/such/folder'. ...
    """
    root = Path(path)
    if not root.is_dir():
        base = "" if root.is_absolute() else f"; it is relative to {str(Path.cwd())!r}"
        raise DataError(f"get_files: there is no folder {str(path)!r}. Check the path{base}.")
    wanted = None if extensions is None else tuple(_with_dot(e) for e in _names(extensions))
    only = None if folders is None else set(_names(folders))
    if missing := [name for name in only or () if not (root / name).is_dir()]:
        raise DataError(f"get_files: there is no folder {missing[0]!r} in {str(path)!r}.")
    found = (
        folder / name
        for folder, names in _walk(root, recurse=recurse, only=only, followlinks=followlinks)
        for name in names
        if not name.startswith(".") and (wanted is None or name.lower().endswith(wanted))
    )
    return L(sorted(found))


@strict
def get_image_files(
    path: Path | str, *, recurse: bool = True, folders: Iterable[str] | str | None = None
) -> L[Path]:
    """List the image files below a folder.

    Args:
        path: the folder.
        recurse: whether to look into folders below.
        folders: the only folders directly below `path` to look into; None is all.
    """
    return get_files(path, image_extensions, recurse=recurse, folders=folders)


@strict
def get_text_files(
    path: Path | str, *, recurse: bool = True, folders: Iterable[str] | str | None = None
) -> L[Path]:
    """List the `.txt` files below a folder.

    Args:
        path: the folder.
        recurse: whether to look into folders below.
        folders: the only folders directly below `path` to look into; None is all.
    """
    return get_files(path, ".txt", recurse=recurse, folders=folders)


@record
class FileGetter:
    """`get_files` with its options given beforehand.

    Args:
        suf: a folder below the source to look in.
        extensions: see `get_files`.
        recurse: see `get_files`.
        folders: see `get_files`.

    Example:
        >>> get_csv = FileGetter("tables", ".csv", recurse=False)
    """

    suf: str = ""
    extensions: Any = None
    recurse: bool = True
    folders: Any = None

    def __call__(self, path: Path | str) -> L[Path]:
        """List the files below a folder."""
        return get_files(
            Path(path) / self.suf, self.extensions, recurse=self.recurse, folders=self.folders
        )


@record
class ImageGetter:
    """`get_image_files` with its options given beforehand.

    Args:
        suf: a folder below the source to look in.
        recurse: see `get_image_files`.
        folders: see `get_image_files`.
    """

    suf: str = ""
    recurse: bool = True
    folders: Any = None

    def __call__(self, path: Path | str) -> L[Path]:
        """List the image files below a folder."""
        return get_image_files(Path(path) / self.suf, recurse=self.recurse, folders=self.folders)


@savable
@dataclass
class ItemGetter(ItemTransform):
    """Element `i` of an item.

    Args:
        i: an index or a key.

    Example:
        >>> ItemGetter(1)(("a", "b"))
        'b'
    """

    i: Any
    order: ClassVar[int] = 0

    def encodes(self, x: Any) -> Any:
        """Return the element."""
        try:
            return x[self.i]
        except (IndexError, KeyError, TypeError) as error:
            raise ItemError(
                f"ItemGetter({self.i!r}): {describe(x)} has no such element. The index must fit "
                "every item.",
                stage="encodes",
            ) from error


@savable
@dataclass
class AttrGetter(ItemTransform):
    """An attribute of an item.

    Args:
        nm: the name of the attribute.
        default: used for items that do not have it.

    Example:
        >>> AttrGetter("real")(3)
        3
    """

    nm: str
    default: Any = None
    order: ClassVar[int] = 0

    def encodes(self, x: Any) -> Any:
        """Return the attribute."""
        return getattr(x, self.nm, self.default)


def _with_dot(extension: str) -> str:
    return f".{extension.removeprefix('.').lower()}"


def _names(names: Iterable[str] | str) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _walk(
    root: Path, *, recurse: bool, only: set[str] | None, followlinks: bool
) -> Iterator[tuple[Path, list[str]]]:
    """Give each folder with the names of its files; `only` holds for the first level."""
    for place, below, files in os.walk(root, followlinks=followlinks):
        folder = Path(place)
        is_root, names = folder == root, files
        kept = [b for b in below if not b.startswith(".") and not _leads_up(folder / b)]
        if is_root and only is not None:
            kept = [name for name in kept if name in only]
            names = files if "." in only else []
        below[:] = kept if recurse or (is_root and only is not None) else []
        yield folder, names


def _leads_up(folder: Path) -> bool:
    """Tell whether a folder is a link to one that it lies in, which would never end."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())
