"""What tests and doctests share: quiet, no open figures, and a home that is not the user's."""

import os
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _quiet_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's cache out of reach, progress bars silent and torch on one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAMINA_HOME", str(tmp_path_factory.mktemp("lamina_home")))
        patch.setenv("LAMINA_PROGRESS", "off")
        patch.setenv("MPLBACKEND", "Agg")
        if "PYTEST_XDIST_WORKER" in os.environ:
            import torch

            torch.set_num_threads(1)
        yield


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    """Close what a test drew: matplotlib keeps every figure, and warns of the twenty-first."""
    yield
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")
