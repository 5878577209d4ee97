"""Folders of pictures: find the broken ones, make them smaller, fetch them.

Each function goes on after a failure and reports all of them with the reasons.
"""

import io
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from http.client import HTTPException
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from PIL import Image, ImageOps

from lamina.data.get import get_image_files
from lamina.foundation.collections import L
from lamina.foundation.errors import DataError
from lamina.foundation.parallel import parallel
from lamina.foundation.paths import atomic_write
from lamina.foundation.signatures import strict

__all__ = ["Failed", "download_images", "resize_images", "verify_image", "verify_images"]

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


class Failed(L[Any]):
    """The items for which something failed; `reasons` says why for each.

    Example:
        >>> failed = Failed.of({"a.jpg": "no known image format"})
        >>> failed, failed.reasons["a.jpg"]
        ((#1) ['a.jpg'], 'no known image format')
    """

    reasons: dict[Any, str]

    @classmethod
    def of(cls, reasons: dict[Any, str]) -> "Failed":
        """Make it from the reasons."""
        new = cls(list(reasons))
        new.reasons = reasons
        return new


@strict
def verify_image(fn: str | Path) -> str | None:
    """Decode a picture, and say what is wrong with it; None if nothing is.

    Args:
        fn: The file.
    """
    try:
        with Image.open(fn) as im:
            im.load()
    except _BROKEN as error:
        return _why(error)
    return None


@strict
def verify_images(fns: Iterable[str | Path], *, n_workers: int | None = None) -> Failed:
    """Decode pictures, and return those that cannot be, with the reasons.

    Args:
        fns: The files.
        n_workers: Threads; None takes one for each CPU.

    Example:
        >>> verify_images(["missing.jpg"])
        (#1) ['missing.jpg']
    """
    files = list(fns)
    whys = parallel(verify_image, files, n_workers=n_workers, threadpool=True)
    return Failed.of({f: why for f, why in zip(files, whys, strict=True) if why is not None})


@strict
def resize_images(
    path: str | Path,
    max_size: int | None = None,
    dest: str | Path = ".",
    *,
    recurse: bool = False,
    n_workers: int | None = None,
    resume: bool = False,
    quality: int = 90,
) -> Failed:
    """Copy the pictures of a folder with no side above `max_size`, and return those that failed.

    Pictures that are small enough are copied as they are; the others keep their format and aspect
    and are turned upright. A file appears when it is complete.

    Args:
        path: The folder.
        max_size: The most pixels of the longer side; None only copies.
        dest: The folder for the results, which may be the same.
        recurse: Whether folders inside are treated too; they are kept.
        n_workers: Threads; None takes one for each CPU.
        resume: Leave out files that are in `dest` already.
        quality: Of JPEG and WebP files.
    """
    root, target = Path(path), Path(dest)
    files = get_image_files(root, recurse=recurse)
    to_do = [f for f in files if not (resume and (target / f.relative_to(root)).exists())]
    shrink = partial(_shrink, root=root, dest=target, max_size=max_size, quality=quality)
    return _all(shrink, to_do, n_workers)


def _shrink(file: Path, *, root: Path, dest: Path, max_size: int | None, quality: int) -> None:
    out = dest / file.relative_to(root)
    out.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(file) as im:
        if max_size is not None and max(im.size) > max_size:
            kind = "JPEG" if im.format == "MPO" else im.format
            factor = max_size / max(im.size)
            size = max(1, round(im.width * factor)), max(1, round(im.height * factor))
            im.draft(None, size)
            upright = ImageOps.exif_transpose(im)
            upright = upright.convert("RGB") if upright.mode == "P" else upright
            upright.thumbnail((max_size, max_size), Image.Resampling.LANCZOS)
            with atomic_write(out) as part:
                upright.save(part, format=kind, quality=quality)
            return
        im.load()  # a broken file is no copy worth having
    if out.resolve() != file.resolve():
        with atomic_write(out) as part:
            shutil.copyfile(file, part)


@strict
def download_images(
    dest: str | Path,
    urls: Iterable[str] | str | Path,
    *,
    max_pics: int = 1000,
    n_workers: int = 8,
    timeout: float = 4.0,
    preserve_filename: bool = False,
    max_bytes: int = 50_000_000,
) -> Failed:
    """Fetch pictures into a folder, and return the addresses that failed, with the reasons.

    Args:
        dest: The folder, made if missing.
        urls: The addresses, or a text file with one a line.
        max_pics: The most that are fetched.
        n_workers: How many at a time.
        timeout: Seconds that a server may be silent.
        preserve_filename: Whether files are called as in their address, the first of that name
            at least; else by their number.
        max_bytes: The most that a file may have.
    """
    if isinstance(urls, str | Path):
        urls = Path(urls).read_text(encoding="utf-8").split()
    Path(dest).mkdir(parents=True, exist_ok=True)
    chosen = list(dict.fromkeys(islice(urls, max_pics)))
    numbers = {url: f"{i:08d}" for i, url in enumerate(chosen)}
    owners = {_own_name(url): url for url in reversed(chosen)}  # of equal names, the first counts

    def fetch(url: str) -> None:
        data = _fetched(url, timeout, max_bytes)
        suffix, name = _suffix(data), _own_name(url)
        is_kept = preserve_filename and name and owners[name] == url
        with atomic_write(Path(dest) / (name if is_kept else numbers[url] + suffix)) as part:
            part.write_bytes(data)

    return _all(fetch, chosen, n_workers)


def _fetched(url: str, timeout: float, max_bytes: int) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise DataError("no http or https address")
    with urlopen(
        Request(url, headers={"User-Agent": "lamina"}), timeout=timeout
    ) as answer:  # the scheme was checked
        data: bytes = answer.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise DataError(f"more than {max_bytes:,} bytes")
    return data


def _suffix(data: bytes) -> str:
    """The usual ending for the format of a picture, which `data` must be."""
    with Image.open(io.BytesIO(data)) as im:
        im.verify()
        kind = (im.format or "").lower()
    return ".jpg" if kind in ("jpeg", "mpo") else f".{kind}"


def _own_name(url: str) -> str:
    return Path(unquote(urlsplit(url).path)).name


def _all(f: Callable[[Any], None], items: list[Any], n_workers: int | None) -> Failed:
    """Call `f` on all items in threads, and gather what failed."""
    done = parallel(_outcome, items, f, n_workers=n_workers, threadpool=True)
    return Failed.of({x: why for x, why in zip(items, done, strict=True) if why is not None})


def _outcome(item: Any, f: Callable[[Any], None]) -> str | None:
    try:
        f(item)
    except (*_BROKEN, HTTPException, DataError) as error:
        return _why(error)
    return None


def _why(error: Exception) -> str:
    text = str(error)
    return "no known image format" if "cannot identify image file" in text else text or repr(error)
