"""The code on the documentation's pages runs."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(5))
def test_each_layer_in_plain_python(number):
    block = _blocks("how-it-works.md")[number]
    assert "assert" in block
    exec(compile(block, "how-it-works.md", "exec"), {"__name__": "page"})  # noqa: S102  # a page of ours


def test_the_guide_to_data_runs_from_top_to_bottom():
    page = {"__name__": "page"}
    for block in _blocks("data.md"):
        exec(compile(block, "data.md", "exec"), page)  # noqa: S102  # a page of ours
