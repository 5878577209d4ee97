"""Listing, finding and safely writing files."""

import mimetypes
import os
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from lamina.foundation.collections import L
from lamina.foundation.sequences import listify

__all__ = ["atomic_write", "find_files", "ls", "working_directory", "write_text"]

StrPath = str | os.PathLike[str]


def ls(
    path: StrPath = ".",
    n_max: int | None = None,
    *,
    file_type: str | None = None,
    file_exts: str | Iterable[str] | None = None,
) -> L[Path]:
    """List a folder, sorted by name.

    Args:
        path: the folder.
        n_max: at most so many entries.
        file_type: only files of this MIME family, such as `"image"` or `"text"`.
        file_exts: only files with one of these extensions, such as `".csv"`; case is ignored.
    """
    keep = _filter(file_type, file_exts)
    return L(list(islice(filter(keep, sorted(Path(path).iterdir())), n_max)))


def find_files(
    path: StrPath,
    *,
    file_type: str | None = None,
    file_exts: str | Iterable[str] | None = None,
    recursive: bool = True,
    skip_hidden: bool = True,
    follow_links: bool = False,
) -> L[Path]:
    """Find the files in a folder and below it, in the same order on every machine.

    Args:
        path: where to start; a file is found itself.
        file_type: only files of this MIME family, such as `"image"` or `"text"`.
        file_exts: only files with one of these extensions, such as `".csv"`; case is ignored.
        recursive: also look in the folders below.
        skip_hidden: leave out files and folders whose name starts with a dot.
        follow_links: also look in folders that are links; none is visited twice.

    Raises:
        FileNotFoundError: there is nothing at `path`.
    """
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(f"find_files: there is nothing at {str(root)!r}.")
    keep = _filter(file_type, file_exts)
    if root.is_file():
        return L([root] if keep(root) else [])
    found: list[Path] = []
    for folder, names in _walk(root, skip_hidden=skip_hidden, follow_links=follow_links):
        shown = (n for n in names if not (skip_hidden and n.startswith(".")))
        found.extend(file for n in sorted(shown) if keep(file := Path(folder, n)))
        if not recursive:
            break
    return L(found)


def _walk(root: Path, *, skip_hidden: bool, follow_links: bool) -> Iterator[tuple[str, list[str]]]:
    visited = {os.path.realpath(root)}
    for folder, subfolders, names in os.walk(root, followlinks=follow_links):
        yield folder, names
        below = [n for n in sorted(subfolders) if not (skip_hidden and n.startswith("."))]
        subfolders[:] = _unvisited(Path(folder), below, visited) if follow_links else below


def _unvisited(folder: Path, names: list[str], visited: set[str]) -> list[str]:
    """Leave out folders seen before: a link may lead back up, and the walk would never end."""
    chosen: list[str] = []
    for name in sorted(names, key=lambda n: (folder / n).is_symlink()):
        real = os.path.realpath(folder / name)
        if real not in visited:
            visited.add(real)
            chosen.append(name)
    return chosen


def _filter(file_type: str | None, file_exts: str | Iterable[str] | None) -> Callable[[Path], bool]:
    exts = {e.lower() for e in listify(file_exts)}
    if file_type is not None:
        exts |= {e for e, t in mimetypes.types_map.items() if t.startswith(f"{file_type}/")}
    any_file = file_type is None and file_exts is None
    return lambda file: any_file or file.suffix.lower() in exts


def write_text(path: StrPath, text: str, *, encoding: str = "utf8") -> Path:
    """Write a text file and the folders above it, and return its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


@contextmanager
def working_directory(path: StrPath) -> Generator[Path, None, None]:
    """Change the working directory inside a `with` block.

    Args:
        path: the directory.

    Example:
        >>> with working_directory("/") as here:
        ...     Path.cwd() == here
        True
    """
    before = Path.cwd()
    os.chdir(path)
    try:
        yield Path.cwd()
    finally:
        os.chdir(before)


@contextmanager
def atomic_write(path: StrPath) -> Generator[Path, None, None]:
    """Give a temporary path that becomes `path` when the block ends well.

    Whoever reads `path`, even after a crash, finds the old file or the whole new one. If the block
    raises, the temporary file is removed and `path` is as it was. Folders above are made.

    Args:
        path: the file to write; the temporary one lies beside it, with the same extension.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_write(Path(folder, "new", "a.txt")) as file:
        ...         _ = file.write_text("whole")
        ...     Path(folder, "new", "a.txt").read_text()
        'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # or the rename could survive a power cut and the data not
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
