"""Other libraries' names: the inventories that Sphinx sites offer (`objects.inv`)."""

import re
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from lamina.notebook.document import content_hash
from lamina.notebook.errors import NotebookError

__all__ = ["load_inventory", "parse_inventory", "render_inventory"]

FRESH_S = 7 * 24 * 3600
TIMEOUT_S = 10
MAX_BYTES = 50_000_000
_ENTRY = re.compile(r"(.+?) +(\S+:\S+) +(-?\d+) +(\S*) +(.*)")


def parse_inventory(data: bytes, url: str) -> dict[str, str]:
    """Read an inventory: the addresses of Python's names.

    Args:
        data: the file `objects.inv`, version 2.
        url: the address of the site, ending in a slash.

    Raises:
        NotebookError: it is no such file.

    Example:
        >>> data = render_inventory("pets", {"pets.greet": "api.html#greet"})
        >>> parse_inventory(data, "https://example.org/")
        {'pets.greet': 'https://example.org/api.html#greet'}
    """
    header, _, body = data.partition(b"zlib.\n")
    if not header.startswith(b"# Sphinx inventory version 2"):
        raise NotebookError("is no inventory of Sphinx (version 2).", url)
    try:
        text = zlib.decompressobj().decompress(body, MAX_BYTES).decode("utf-8")
    except (zlib.error, UnicodeDecodeError) as error:
        raise NotebookError(f"is a damaged inventory: {error}.", url) from None
    entries = (match.groups() for match in map(_ENTRY.fullmatch, text.splitlines()) if match)
    return {
        name: url + (uri[:-1] + name if uri.endswith("$") else uri)
        for name, kind, _, uri, _ in entries
        if kind.startswith("py:")
    }


def render_inventory(name: str, symbols: Mapping[str, str]) -> bytes:
    """Return the inventory of a site, so that other projects can link to its names."""
    head = f"# Sphinx inventory version 2\n# Project: {name}\n# Version: 0\n"
    note = "# The remainder of this file is compressed using zlib.\n"
    lines = (f"{symbol} py:obj 1 {quote(uri, '/#.')} -\n" for symbol, uri in symbols.items())
    return (head + note).encode() + zlib.compress("".join(lines).encode())


def load_inventory(place: str, root: Path, say: Callable[[str], object]) -> dict[str, str]:
    """Load an inventory from the project, from the cache, or from its site.

    What comes from a site is kept for a week, and longer if the site cannot be reached. Without a
    network and a kept file, it is skipped, and `say` told so.

    Args:
        place: the address of a site; behind it, with a space between, may stand a file of the
            project to read instead.
        root: the project's folder.
        say: receives the notice.

    Raises:
        NotebookError: the file in the project cannot be read.
    """
    url, _, file = place.partition(" ")
    url = url.rstrip("/") + "/"
    if file:
        return parse_inventory(_read(root / file.strip()), url)
    cached = _cache_folder() / f"{content_hash(url)}.inv"
    if not cached.is_file() or time.time() - cached.stat().st_mtime > FRESH_S:
        try:
            _fetch(url, cached)
        except (OSError, NotebookError) as error:
            kept = "an older copy is used" if cached.is_file() else "its names are not linked"
            reason = getattr(error, "reason", error)
            say(f"{url}objects.inv could not be fetched ({reason}); {kept}.\n")
    return parse_inventory(cached.read_bytes(), url) if cached.is_file() else {}


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotebookError(f"cannot be read: {error.strerror}.", file) from None


def _cache_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("lamina")) / "inventories"


def _fetch(url: str, cached: Path) -> None:
    if not url.startswith(("https://", "http://")):
        raise URLError("its address does not begin with https://")
    with urlopen(f"{url}objects.inv", timeout=TIMEOUT_S) as answer:
        data = answer.read(MAX_BYTES)
    parse_inventory(data, url)
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(data)
