"""Fetch a file over HTTP so that it is whole and the right one, or say plainly what went wrong.

A transfer goes to `<name>.part` and is renamed when size and checksums agree, so a file under its
final name is always complete. A dropped transfer continues where it stopped, unless the server has
another version by then: `<name>.part.version` keeps what it called the first (ETag or
Last-Modified). One process fetches, others that want the same file wait for it.

`LAMINA_MIRRORS`, a comma-separated list of addresses, names servers to ask first: each takes the
place of the host. `LAMINA_OFFLINE=1` forbids all transfers.
"""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from lamina.foundation.errors import DownloadError
from lamina.foundation.progress import track
from lamina.foundation.signatures import strict

__all__ = ["FULL", "ROOM", "Expected", "download", "file_checksum", "lock"]

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # what the system says when nothing more fits
ROOM = "Make room, or set LAMINA_HOME to a folder on a larger disk."

_CHUNK = 1 << 18
_AGAIN = {408, 425, 429, 500, 502, 503, 504}  # answers that may be better next time


@strict
@dataclass(frozen=True, slots=True)
class Expected:
    """What a file must be to be accepted; None means that it is not known.

    Args:
        size: length in bytes.
        sha256: checksum in hexadecimal, or its first digits as in the names of published weights.
        md5: the weaker checksum that older sources publish.
        pinned: the file that says which sha256 was there before, if that is where it is from.
    """

    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    pinned: Path | None = None

    def problem(self, path: Path) -> str | None:
        """Say what is wrong with the file at `path`, or return None if nothing is."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"it has {size:,} bytes, expected {self.size:,}"
        for kind, want in (("sha256", self.sha256), ("md5", self.md5)):
            if want is None:
                continue
            got = file_checksum(path, kind)
            if not want or not got.startswith(want.lower()):
                return f"its {kind} is {got}, expected {want}{self._why(kind)}"
        return None

    def _why(self, kind: str) -> str:
        if self.pinned is None or kind != "sha256":
            return ""
        return (
            " as when it was first fetched. If a new version was announced, remove its line from "
            f"{self.pinned} and call again"
        )

    def __str__(self) -> str:
        facts = (("size", self.size), ("sha256", self.sha256), ("md5", self.md5))
        return ", ".join(f"{name} {value}" for name, value in facts if value is not None)


class _Interrupted(Exception):  # noqa: N818 - control flow inside this module
    """The transfer stopped early; what came so far is kept, and another try may go on."""


@strict
def file_checksum(path: Path, kind: str = "sha256") -> str:
    """Return the checksum of a file's content in hexadecimal.

    Args:
        path: the file.
        kind: a name that `hashlib` knows.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


@contextmanager
def lock(path: Path) -> Generator[None]:
    """Hold a lock between processes; the system frees it if the holder dies.

    Args:
        path: the lock file, made if missing and left behind.

    Raises:
        DownloadError: its folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise DownloadError(
            f"download: cannot write into {path.parent}: {error.strerror}. Set LAMINA_HOME to a "
            "folder that you may write to."
        ) from error
    with file:
        _acquire(file)
        try:
            yield
        finally:
            _release(file)


@strict
def download(
    url: str,
    dest: Path,
    *,
    expected: Expected | None = None,
    force: bool = False,
    timeout_s: float = 30.0,
    retries: int = 4,
    wait_s: float = 1.0,
    mirrors: Sequence[str] = (),
) -> Path:
    """Fetch `url` to `dest`, unless an acceptable file is already there.

    Args:
        url: an http or https address.
        dest: the file to make.
        expected: size and checksums to insist on.
        force: fetch even if the file is there.
        timeout_s: how long the server may be silent.
        retries: further tries after a transfer that broke off.
        wait_s: pause before the first further try; doubled each time.
        mirrors: further addresses of the same file, asked in order if the first fails.

    Raises:
        DownloadError: the file could not be had; the message says how to put it there by hand.
    """
    expected = expected or Expected()
    addresses = [*_from_environment(url), url, *mirrors]
    for address in addresses:
        if urlsplit(address).scheme not in ("http", "https"):
            raise DownloadError(
                f"download: cannot fetch {address!r}. Give an http or https address."
            )
    waits = [wait_s * 2**i for i in range(retries)]
    with lock(dest.with_name(f"{dest.name}.lock")):
        if dest.exists() and not force and expected.problem(dest) is None:
            return dest
        if os.environ.get("LAMINA_OFFLINE", "0") not in ("", "0"):
            raise DownloadError(_forbidden(url, dest, expected))
        failures: list[DownloadError] = []
        for address in addresses:
            try:
                return _get(address, dest, expected, timeout_s, waits)
            except DownloadError as error:
                failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    listed = "\n".join(f"- {failure}" for failure in failures)
    raise DownloadError(f"download: none of {len(failures)} addresses gave the file:\n{listed}")


def _get(url: str, dest: Path, expected: Expected, timeout_s: float, waits: list[float]) -> Path:
    """Fetch one address to `dest` and check what came."""
    part = dest.with_name(f"{dest.name}.part")
    resumed = part.exists()
    _fetch(url, part, dest, expected, timeout_s, waits)
    problem = expected.problem(part)
    if problem is not None and resumed:
        # The earlier part may stem from another version of the file: once more from scratch.
        part.unlink()
        _fetch(url, part, dest, expected, timeout_s, [])
        problem = expected.problem(part)
    _stamp(part).unlink(missing_ok=True)
    if problem is not None:
        part.unlink()
        raise DownloadError(
            f"download: what {url} sent is not the file expected: {problem}. "
            "The file there may have changed or be damaged; it was not kept."
        )
    part.replace(dest)
    return dest


def _from_environment(url: str) -> list[str]:
    """Return the addresses of a file on the servers that the user wants to be asked first."""
    bases = os.environ.get("LAMINA_MIRRORS", "").split(",")
    path = urlsplit(url).path.lstrip("/")
    return [f"{base.strip().rstrip('/')}/{path}" for base in bases if base.strip()]


def _fetch(
    url: str, part: Path, dest: Path, expected: Expected, timeout_s: float, waits: list[float]
) -> None:
    """Fill `part`, going on after each interruption until the waits are used up."""
    for wait in [*waits, None]:
        try:
            _transfer(url, part, timeout_s)
        except _Interrupted as error:
            if wait is None:
                raise DownloadError(_offline(url, dest, expected, error.args[0])) from error
            time.sleep(wait)
        else:
            return


def _transfer(url: str, part: Path, timeout_s: float) -> None:
    """Make one request for what is still missing and append it to `part`."""
    have = part.stat().st_size if part.exists() else 0
    try:
        with _open(url, part, have, timeout_s) as answer:
            # Any other status than "partial content" sends the whole file again.
            whole = _receive(answer, part, have if answer.status == 206 else 0)
    except HTTPError as error:
        with error:
            _after_refusal(error, part, have, url)
        return
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise _Interrupted(str(getattr(error, "reason", error)) or repr(error)) from error
    if whole is not None and part.stat().st_size < whole:
        raise _Interrupted(f"the connection closed after {part.stat().st_size:,} bytes")


def _receive(answer: HTTPResponse, part: Path, have: int) -> int | None:
    """Write what comes after the bytes that are there; return the size of the whole, if known."""
    missing = answer.length
    _check_space(part, missing)
    try:
        with part.open("ab" if have else "wb") as file:
            if not have:
                _stamp(part).write_text(_version(answer), encoding="latin-1")
            for chunk in _progress(_chunks(answer), missing, part.stem):
                file.write(chunk)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DownloadError(f"download: the disk of {part.parent} is full. {ROOM}") from error
    return None if missing is None else have + missing


def _open(url: str, part: Path, have: int, timeout_s: float) -> HTTPResponse:
    headers = {"User-Agent": "lamina", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if version := _stamp(part).read_text(encoding="latin-1") if _stamp(part).exists() else "":
            headers["If-Range"] = version  # another version is sent whole
    return urlopen(Request(url, headers=headers), timeout=timeout_s)


def _stamp(part: Path) -> Path:
    """Return the file beside a part that says which version of the file the part is of."""
    return part.with_name(f"{part.name}.version")


def _version(answer: HTTPResponse) -> str:
    """Return what the server calls this version; "" if it does not say, or only nearly."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")


def _after_refusal(error: HTTPError, part: Path, have: int, url: str) -> None:
    """Decide what an HTTP error means: nothing is missing, try again, or give up."""
    if error.code == 416:  # nothing lies beyond what we have
        if error.headers.get("Content-Range", "").endswith(f"/{have}"):
            return
        part.unlink(missing_ok=True)
        raise _Interrupted("the part fetched earlier does not fit the file") from error
    if error.code in _AGAIN:
        raise _Interrupted(f"the server answered {error.code} {error.reason}") from error
    raise DownloadError(
        f"download: {url} answered {error.code} {error.reason}. Check the address."
    ) from error


def _chunks(answer: HTTPResponse) -> Iterator[bytes]:
    while chunk := answer.read(_CHUNK):
        yield chunk


def _progress(chunks: Iterator[bytes], size: int | None, name: str) -> Iterator[bytes]:
    if size is None or size < 16 * _CHUNK:
        return chunks
    return iter(track(chunks, total=-(-size // _CHUNK), description=f"Fetching {name}"))


def _check_space(part: Path, missing: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if missing is not None and missing > free:
        raise DownloadError(
            f"download: {missing:,} bytes are to come, but {part.parent} has only {free:,} free. "
            f"{ROOM}"
        )


def _forbidden(url: str, dest: Path, expected: Expected) -> str:
    facts = f" ({expected})" if str(expected) else ""
    there = (
        f" The file at {dest} is another one: {expected.problem(dest)}." if dest.exists() else ""
    )
    return (
        f"download: LAMINA_OFFLINE is set, so {url} is not fetched.{there} Put the file{facts} at "
        f"{dest} and call again, or unset LAMINA_OFFLINE."
    )


def _offline(url: str, dest: Path, expected: Expected, reason: str) -> str:
    facts = f" ({expected})" if str(expected) else ""
    return (
        f"download: could not fetch {url}: {reason}. Without a network, put the file{facts} "
        f"at {dest} and call again."
    )


def _acquire(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        _lock_windows(file)
    else:
        fcntl.flock(file, fcntl.LOCK_EX)


def _release(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return  # closing the file frees it
    fcntl.flock(file, fcntl.LOCK_UN)


def _lock_windows(file: IO[bytes]) -> None:
    import msvcrt

    file.seek(0)
    while True:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # pyright: ignore[reportAttributeAccessIssue] - exists on Windows only
        except OSError:  # it waits ten seconds at a time
            continue
        return
