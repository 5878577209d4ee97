"""Unpack tar and zip archives from strangers without letting them harm the machine.

Refused are names that leave the folder, links that point out of it, devices and pipes, encrypted
or damaged archives, and archives that unpack to more than they plausibly hold. Files are written
one by one with plain permissions; owners, set-uid bits and times of the archive are not taken over.
"""

import bz2
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Literal, cast

from lamina.data.external.download import FULL, ROOM
from lamina.foundation.errors import ArchiveError
from lamina.foundation.signatures import strict

__all__ = ["Limits", "extract"]

_CHUNK = 1 << 20
_HEADER = 1 << 24  # more than this in one read is no honest header
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # zip: unknown compression
    OSError,
    UnicodeError,
)


@strict
@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may unpack to.

    Args:
        max_bytes: total size of all files.
        max_members: number of files, folders and links.
        max_ratio: unpacked bytes per byte of the archive, looked at above `ratio_from`.
        ratio_from: unpacked bytes below which the ratio does not matter.
    """

    max_bytes: int = 1 << 40
    max_members: int = 20_000_000
    max_ratio: float = 200.0
    ratio_from: int = 100_000_000


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    kind: Literal["file", "folder", "symlink", "hardlink"]
    open: Callable[[], IO[bytes] | None]
    target: str = ""


@strict
def extract(archive: Path, dest: Path, *, limits: Limits | None = None) -> Path:
    """Unpack `archive` into the new folder `dest`, completely or not at all.

    An archive whose only top entry is a folder becomes that folder; any other gets its entries
    put into `dest`.

    Args:
        archive: a tar file (plain, gz, bz2 or xz) or a zip file; the content decides, not the name.
        dest: the folder to make; must not exist.
        limits: how much may come out.

    Raises:
        ArchiveError: the archive is damaged, hostile or too large; nothing is left behind.
    """
    if dest.exists():
        raise ArchiveError(f"extract: {dest} exists already. Remove it or choose another folder.")
    dest.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{dest.name}-", dir=dest.parent))
    try:
        _Extraction(archive, temporary, limits or Limits()).run()
        entries = list(temporary.iterdir())
        single = len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink()
        source = entries[0] if single else temporary
        source.chmod(0o755)
        source.rename(dest)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return dest


class _Guarded:
    """A file to read from that refuses absurd reads: no honest header claims gigabytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self.seek, self.tell, self._read = file.seek, file.tell, file.read

    def read(self, n: int) -> bytes:
        if n > _HEADER:
            raise tarfile.ReadError(f"a header claims {n:,} bytes")
        return self._read(n)


class _Extraction:
    """One run over an archive: counts what comes out and refuses what must not."""

    def __init__(self, archive: Path, root: Path, limits: Limits) -> None:
        self.archive = archive
        self.root = Path(os.path.realpath(root))
        self.limits = limits
        self.n_bytes = 0
        self.n_members = 0
        self.links: list[tuple[Path, str]] = []

    def run(self) -> None:
        try:
            for member in self._members():
                self._write(member)
            self._make_links()
        except _DAMAGE as error:
            if getattr(error, "errno", None) in FULL:
                raise ArchiveError(
                    f"extract: {self.archive} does not fit on the disk of {self.root.parent}. "
                    f"{ROOM}"
                ) from error
            raise ArchiveError(
                f"extract: {self.archive} is damaged or not a tar or zip archive ({error}). "
                "Delete it and fetch it again."
            ) from error
        if self.n_members == 0:
            raise self._refusal("is empty")

    def _members(self) -> Iterator[_Member]:
        with self.archive.open("rb") as file:
            magic = file.read(4)
        if magic in (b"PK\3\4", b"PK\5\6"):
            with zipfile.ZipFile(self.archive) as bundle:
                for info in bundle.infolist():
                    yield self._from_zip(bundle, info)
            return
        opener = _OPENERS.get(magic[:2], open)
        with opener(self.archive, "rb") as plain:
            guarded = cast("IO[bytes]", _Guarded(cast("IO[bytes]", plain)))
            with tarfile.open(fileobj=guarded, mode="r:") as bundle:
                while (info := bundle.next()) is not None:
                    yield self._from_tar(bundle, info)
                    vars(bundle)["members"] = []  # it would keep a record of every member
            while rest := plain.read(_CHUNK):  # to the end: only there is the checksum of gz and xz
                self._count(len(rest))

    def _from_tar(self, bundle: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
        def opener() -> IO[bytes] | None:
            return bundle.extractfile(info)

        if info.isreg():
            return _Member(info.name, "file", opener)
        if info.isdir():
            return _Member(info.name, "folder", opener)
        if info.issym():
            return _Member(info.name, "symlink", opener, info.linkname)
        if info.islnk():
            return _Member(info.name, "hardlink", opener, info.linkname)
        raise self._refusal("holds a device, a pipe or another special file", info.name)

    def _from_zip(self, bundle: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
        if info.flag_bits & 1:
            raise self._refusal("is encrypted", info.filename)
        mode = stat.S_IFMT(info.external_attr >> 16)

        def opener() -> IO[bytes]:
            return bundle.open(info)

        if info.is_dir():
            return _Member(info.filename, "folder", opener)
        if mode == stat.S_IFLNK:
            with bundle.open(info) as file:
                target = file.read(4096).decode("utf-8", "surrogateescape")
            return _Member(info.filename, "symlink", opener, target)
        if mode not in (0, stat.S_IFREG):
            raise self._refusal("holds a device, a pipe or another special file", info.filename)
        return _Member(info.filename, "file", opener)

    def _write(self, member: _Member) -> None:
        self.n_members += 1
        if self.n_members > self.limits.max_members:
            raise self._refusal(f"holds more than {self.limits.max_members:,} members")
        path = self._inside(member.name, member.name)
        if member.kind == "folder":
            path.mkdir(parents=True, exist_ok=True)
            return
        if path == self.root:
            raise self._refusal("has a file without a name", member.name)
        if member.kind == "symlink":
            where = PurePosixPath(member.name).parent / member.target
            self._inside(str(where), member.name, absolute=member.target)
            self.links.append((path, member.target))
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.kind == "hardlink":
            self._copy_link(member, path)
            return
        self._copy(member.open(), path)

    def _copy_link(self, member: _Member, path: Path) -> None:
        """Write a hard link as a copy of the file that it names, which must have come before."""
        origin = self._inside(member.target, member.name)
        if not origin.is_file():
            raise self._refusal(f"links to {member.target!r}, which is not before it", member.name)
        self._copy(origin.open("rb"), path)

    def _copy(self, source: IO[bytes] | None, path: Path) -> None:
        if source is None:
            raise self._refusal("holds a file without content", path.name)
        with source, path.open("wb") as target:
            while chunk := source.read(_CHUNK):
                self._count(len(chunk))
                target.write(chunk)

    def _count(self, n: int) -> None:
        self.n_bytes += n
        if self.n_bytes > self.limits.max_bytes:
            raise self._refusal(f"unpacks to more than {self.limits.max_bytes:,} bytes")
        ratio = self.n_bytes / max(1, self.archive.stat().st_size)
        if self.n_bytes > self.limits.ratio_from and ratio > self.limits.max_ratio:
            raise self._refusal(f"unpacks to more than {self.limits.max_ratio:g} times its size")

    def _inside(self, name: str, member: str, *, absolute: str | None = None) -> Path:
        """Return the place of a name below the root; refuse one that leaves the folder."""
        windows = PureWindowsPath(name if absolute is None else absolute)
        text = os.path.normpath(name)
        leaves = text == ".." or text.startswith(("../", "/", "\\"))
        if "\0" in name or "\\" in name or windows.drive or windows.root or leaves:
            raise self._refusal("holds a name or link that leaves its folder", member)
        if absolute is None and ".." in PurePosixPath(name).parts:
            raise self._refusal("holds a name or link that leaves its folder", member)
        return self.root / text

    def _make_links(self) -> None:
        """Make the links last, so that no file is written through one; check where they end."""
        for path, target in self.links:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(target)
        for path, target in self.links:
            end = Path(os.path.realpath(path))
            if end != self.root and self.root not in end.parents:
                raise self._refusal(f"holds a link to {target!r}, outside its folder", path.name)

    def _refusal(self, why: str, member: str | None = None) -> ArchiveError:
        which = f" (member {member!r})" if member is not None else ""
        return ArchiveError(
            f"extract: {self.archive} {why}{which}. Nothing was unpacked; "
            "use another source for it if you can."
        )
