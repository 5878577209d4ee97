"""Fixtures of all tests."""

import importlib.util
from pathlib import Path

import pytest

if importlib.util.find_spec("torchvision") is None:
    collect_ignore = ["interop"]


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder with the bundled samples."""
    return Path(__file__).resolve().parent.parent / "samples"
