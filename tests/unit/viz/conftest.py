import pytest

from lamina.viz.canvas import close


@pytest.fixture(autouse=True)
def close_figures():
    yield
    close()
