"""Checksums of archives as they were when first fetched, kept beside the archives."""

import json
from pathlib import Path

from lamina.data.external.download import lock
from lamina.foundation.errors import DownloadError
from lamina.foundation.paths import atomic_write

__all__ = ["Pins"]


class Pins:
    """A file with the SHA-256 of each address, for sources that publish none or only an MD5.

    Args:
        path: the file; made with the first pin.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pins = Pins(Path(folder, "pins.json"))
        ...     pins.add("https://example.org/birds.tgz", "ab12")
        ...     pins.get("https://example.org/birds.tgz"), pins.get("https://example.org/x")
        ('ab12', None)
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, url: str) -> str | None:
        """Return the checksum that an address is pinned to.

        Raises:
            DownloadError: the file is damaged.
        """
        return self._read().get(str(url))

    def add(self, url: str, checksum: str) -> None:
        """Pin an address that has no pin yet.

        Args:
            url: the address.
            checksum: the SHA-256 of what it gave.
        """
        with lock(self.path.with_name(f"{self.path.name}.lock")):
            pins = {str(url): checksum} | self._read()
            with atomic_write(self.path) as file:
                file.write_text(json.dumps(pins, indent=1, sort_keys=True), encoding="utf-8")

    def _read(self) -> dict[str, str]:
        if not self.path.is_file():
            return {}
        try:
            pins = json.loads(self.path.read_text(encoding="utf-8"))
        except ValueError:
            pins = None
        if not isinstance(pins, dict):
            raise DownloadError(
                f"untar_data: {self.path}, which holds the checksums of fetched archives, is "
                "damaged. Restore it, or delete it to pin anew what is fetched from now on."
            )
        return pins
