"""`untar_data`: from the name of a data set to a local folder that holds it."""

import functools
import json
import logging
import os
import re
import shutil
from pathlib import Path
from typing import TypedDict, cast

from lamina.data.external.archives import extract
from lamina.data.external.download import Expected, download, file_checksum, lock
from lamina.data.external.pins import Pins
from lamina.data.external.urls import ALIKE, FOLDERS, Source, URLs, find_source, home
from lamina.foundation.errors import DownloadError, UnknownNameError
from lamina.foundation.sequences import uniqueify
from lamina.foundation.signatures import strict

__all__ = ["prefetch_data", "sample_file", "samples", "samples_folder", "untar_data"]

_log = logging.getLogger("lamina.data")


class SampleFacts(TypedDict):
    """What the index of the bundled samples says about one of them."""

    file: str
    size: int
    sha256: str
    licence: str


def samples_folder() -> Path | None:
    """Return the folder of the bundled samples, or None if there is none here.

    It is `$LAMINA_SAMPLES`, else the folder `samples` of a source checkout.
    """
    given = os.environ.get("LAMINA_SAMPLES")
    folder = Path(given) if given else Path(__file__).resolve().parents[4] / "samples"
    return folder if (folder / "index.json").is_file() else None


def samples() -> dict[str, SampleFacts]:
    """Return what is known about each bundled sample: file, size, sha256 and licence."""
    folder = samples_folder()
    if folder is None:
        return {}
    text = (folder / "index.json").read_text(encoding="utf-8")
    return cast("dict[str, SampleFacts]", json.loads(text))


def sample_file(name: str) -> Path:
    """Return the checked file of a bundled sample, such as pretrained weights.

    Args:
        name: the sample's name in the index.

    Raises:
        UnknownNameError: there is no such sample.
        DownloadError: the file is missing or damaged.
    """
    facts = samples().get(name)
    folder = samples_folder()
    if facts is None or folder is None:
        raise UnknownNameError("sample", name, samples(), where="sample_file")
    path = folder / facts["file"]
    expected = Expected(size=facts["size"], sha256=facts["sha256"])
    problem = expected.problem(path) if path.is_file() else "it is missing"
    if problem is not None:
        raise DownloadError(
            f"sample_file: the bundled sample {path} cannot be used: {problem}. "
            "Restore it from the source repository."
        )
    return path


@strict
def untar_data(
    url: str,
    *,
    archive: str | Path | None = None,
    data: str | Path | None = None,
    c_key: str = "data",
    force_download: bool = False,
    base: str | Path | None = None,
    full: bool | None = None,
) -> Path:
    """Return a local folder with the data set, unpacking or downloading it where needed.

    Looked at in this order: a folder `./data/<name>`, of weights `./models/<name>`; a sample
    bundled with Lamina that stands in for the set; the cache; the network. A bundled sample has the
    layout of the full set and fewer items (`URLs.PETS` gives 607 photographs, not 7,390), which a
    log message says once.

    An archive without a published SHA-256 is pinned to that of its first transfer: if the address
    later gives another file, it is refused. `LAMINA_MIRRORS` names servers to ask first, and
    `LAMINA_OFFLINE=1` forbids transfers; see `lamina.data.external.download`.

    Args:
        url: a name of `URLs`, the name of a bundled sample, or the address of an archive.
        archive: the folder for archives; default `<base>/archive`.
        data: the folder for unpacked sets; default `<base>/data`.
        c_key: "data", or "model" for weights: they are kept in `models` instead of `data`.
        force_download: fetch and unpack again, the full set.
        base: the folder for both; default `home()`.
        full: True insists on the full set, False allows a bundled sample; default: whether the
            environment variable `LAMINA_FULL_DATA` is set.

    Raises:
        UnknownNameError: the name, or the key, is not known.
        DownloadError: the archive could not be had; the message says where to put it by hand, and
            a note which bundled sample is of the same data.
        ArchiveError: the archive is damaged or hostile.

    Example:
        >>> untar_data("MNIST_TNY")
        Traceback (most recent call last):
        lamina.foundation.errors.UnknownNameError: untar_data: unknown data set 'MNIST_TNY'. ...
    """
    source = find_source(url)
    if c_key not in (kinds := ("data", "model")):
        raise UnknownNameError("c_key", c_key, kinds, where="untar_data")
    root = Path(base) if base is not None else home()
    if full is None:
        full = force_download or bool(os.environ.get("LAMINA_FULL_DATA"))
    local = Path(FOLDERS[c_key]) / source.stem
    if data is None and not force_download and not source.bundled and local.is_dir():
        return local
    sample = source.sample
    if sample is not None and (source.bundled or not full) and (sample in samples()):
        return _untar_sample(source, sample, root)
    if source.bundled:
        raise DownloadError(
            f"untar_data: the sample {sample!r} comes with Lamina's source repository and is not "
            "here. Set LAMINA_SAMPLES to the repository's folder 'samples'."
        )
    archives = Path(archive) if archive is not None else root / FOLDERS["archive"]
    folder = (Path(data) if data is not None else root / FOLDERS[c_key]) / source.stem
    try:
        return _untar_download(source, archives / source.file, folder, force=force_download)
    except DownloadError as error:
        if (like := ALIKE.get(source)) and find_source(like).sample in samples():
            error.add_note(f"Lamina brings a sample of these data: untar_data(URLs.{like})")
        raise


def prefetch_data(*sources: str | Path) -> list[Path]:
    """Fetch data sets ahead, as for a machine without a network, and return their folders.

    Args:
        sources: what `untar_data` takes; or files, such as notebooks and scripts, which are
            searched for the names of sets: `URLs.PETS`.

    Example:
        >>> [folder.name for folder in prefetch_data("MNIST_TINY")]
        ['mnist_tiny']
    """
    names = [name for source in sources for name in _named_by(source)]
    return [untar_data(name) for name in uniqueify(names)]


def _named_by(source: str | Path) -> list[str]:
    """Return the sets that a file names; what is no file is a name itself."""
    if not Path(source).is_file():
        return [str(source)]
    found = re.findall(r"\bURLs\.(\w+)", Path(source).read_text(encoding="utf-8"))
    return [name for name in found if name in URLs.names()]


def _untar_sample(source: Source, name: str, root: Path) -> Path:
    """Unpack a bundled sample once; its checksum names the place, so a new version is unpacked."""
    folder = root / "samples" / samples()[name]["sha256"][:12] / name
    if not source.bundled:
        _tell(
            f"{source.file}: using the bundled sample {name!r}, a subset of the same layout. "
            "Pass full=True or set LAMINA_FULL_DATA=1 for the full set."
        )
    with lock(folder.with_name(f"{name}.lock")):
        if not folder.is_dir():
            extract(sample_file(name), folder)
    return folder


def _untar_download(source: Source, archive: Path, folder: Path, *, force: bool) -> Path:
    with lock(folder.with_name(f"{folder.name}.lock")):
        if folder.is_dir() and not force:
            return folder
        pins = Pins(archive.with_name("pins.json"))
        pin = pins.get(source) if source.sha256 is None else None
        if source.md5 is None and source.sha256 is None and pin is None:
            _tell(f"{source}: no checksum is known, so the archive is taken as it comes.")
        expected = Expected(
            sha256=source.sha256 or pin, md5=source.md5, pinned=pins.path if pin else None
        )
        archive.parent.mkdir(parents=True, exist_ok=True)
        download(source, archive, expected=expected, force=force, mirrors=source.mirrors)
        fresh = folder.with_name(f".{folder.name}-{os.getpid()}")  # the old one stays until then
        extract(archive, fresh)
        if folder.is_dir():
            shutil.rmtree(folder)
        fresh.rename(folder)
        if source.sha256 is None and pin is None:  # what cannot be unpacked is not pinned
            pins.add(source, file_checksum(archive))
        return folder


@functools.cache
def _tell(text: str) -> None:
    """Log a message once per process."""
    _log.warning(text)
