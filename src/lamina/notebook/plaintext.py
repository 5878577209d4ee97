"""Notebooks as plain text: `.py` files in cells (percent format) and Markdown, through jupytext.

Such a file holds no cell ids: a cell's id is derived from its content, so it is stable as long as
the cell is.
"""

import json
import re
from pathlib import Path
from typing import Any

from lamina.foundation.errors import needs
from lamina.notebook.errors import NotebookError

__all__ = ["is_plaintext_notebook", "parse_plaintext", "render_plaintext"]

_FORMATS = {
    ".py": {"extension": ".py", "format_name": "percent"},
    ".md": {"extension": ".md"},
}
_PERCENT_CELL = re.compile(r"^# %%", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---\n.*?^(jupyter|jupytext|kernelspec):.*?^---$", re.M | re.S)


def is_plaintext_notebook(path: Path) -> bool:
    """Say whether a `.py` or `.md` file is a notebook, and not just a module or a page.

    A `.py` file must have a line that starts with `# %%`; a `.md` file must have `jupyter:`,
    `jupytext:` or `kernelspec:` in its front matter.
    """
    if path.suffix not in _FORMATS:
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    return bool((_PERCENT_CELL if path.suffix == ".py" else _FRONT_MATTER).search(text))


def parse_plaintext(text: str, path: Path) -> dict[str, Any]:
    """Return the notebook in a text file as the dictionary that an `.ipynb` file holds."""
    jupytext = _jupytext()
    from nbformat import ValidationError

    try:
        raw = json.loads(json.dumps(jupytext.reads(text, fmt=dict(_FORMATS[path.suffix]))))
    except (ValueError, KeyError, SyntaxError, ValidationError) as error:
        raise NotebookError(f"is no text notebook: {error}", path) from error
    for cell in raw["cells"]:
        del cell["id"]  # made up by jupytext; not in the file
    if not re.search(r"^(# +)? *jupytext:", text, re.MULTILINE):
        raw["metadata"]["jupytext"] = {"notebook_metadata_filter": "all,-jupytext"}
    return raw


def render_plaintext(raw: dict[str, Any], path: Path) -> str:
    """Return the text file of a notebook given as the dictionary of an `.ipynb` file."""
    jupytext = _jupytext()
    import nbformat

    cells = [cell | {"source": "".join(cell["source"])} for cell in raw["cells"]]
    node = nbformat.from_dict(raw | {"cells": cells})
    return jupytext.writes(node, fmt=dict(_FORMATS[path.suffix]))


def _jupytext() -> Any:
    with needs("jupytext", "notebook"):
        import jupytext
    return jupytext
