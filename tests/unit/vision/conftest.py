"""Photographs for the tests of vision."""

import tarfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def photos(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ten photographs whose content is known."""
    folder = tmp_path_factory.mktemp("photos")
    with tarfile.open(samples / "known_photos.tgz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "known_photos"
