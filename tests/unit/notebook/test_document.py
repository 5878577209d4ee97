"""Reading and writing notebooks."""

import json
from pathlib import Path

import nbformat
import pytest

from lamina.notebook.document import (
    Cell,
    Notebook,
    parse_notebook,
    read_notebook,
    render_notebook,
    write_notebook,
)
from lamina.notebook.errors import NotebookError

PERCENT = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   lamina:
#     default_exp: core
# ---

# %% [markdown]
# # Title

# %%
#| export
def f():
    return 1

# %% tags=["slow"]
x = 1



# %%
y = 2
"""
MARKDOWN = """\
---
jupyter:
  kernelspec:
    display_name: Python 3
    language: python
    name: python3
---

# Title

```python
#| export
x = 1
```

The end.
"""


def test_what_jupyter_writes_is_written_again_byte_for_byte() -> None:
    node = nbformat.v4.new_notebook(metadata={"b": 1, "a": {"z": "ü"}})
    output = nbformat.v4.new_output("execute_result", {"text/plain": "1\n2"}, execution_count=3)
    node.cells = [
        nbformat.v4.new_markdown_cell("# T\n\ntext", attachments={"a.png": {"image/png": "xx"}}),
        nbformat.v4.new_code_cell("x\n\ny", outputs=[output], execution_count=3),
        nbformat.v4.new_raw_cell(""),
    ]
    text = nbformat.writes(node) + "\n"
    assert render_notebook(parse_notebook(text)) == text


def test_what_is_written_is_valid() -> None:
    notebook = Notebook([Cell.new("x = 1"), Cell.new("# T", "markdown")])
    nbformat.validate(nbformat.reads(render_notebook(notebook), as_version=4))


@pytest.mark.parametrize(("name", "text"), [("a.py", PERCENT), ("a.md", MARKDOWN)])
def test_text_notebooks_are_written_again_as_they_were(name: str, text: str) -> None:
    assert render_notebook(parse_notebook(text, name)) == text


def test_text_notebooks_are_cells_with_stable_ids() -> None:
    first = parse_notebook(PERCENT, "a.py")
    second = parse_notebook(PERCENT + "\n# %%\nz = 3\n", "a.py")
    assert [cell.kind for cell in first.cells] == ["markdown", "code", "code", "code"]
    assert first.cells[2].metadata["tags"] == ["slow"]
    assert [cell.id for cell in first.cells] == [cell.id for cell in second.cells[:-1]]


def test_old_notebooks_get_ids_that_depend_on_their_content_alone() -> None:
    cells = [{"cell_type": "code", "source": s, "metadata": {}} for s in ("x", "y", "x")]
    old = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 2})
    ids = [cell.id for cell in parse_notebook(old).cells]
    assert len(set(ids)) == 3
    assert [cell.id for cell in parse_notebook(old).cells] == ids


def test_notebooks_of_format_3_are_upgraded() -> None:
    cell = {"cell_type": "code", "input": "x = 1", "language": "python", "outputs": []}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell]}]}
    assert parse_notebook(json.dumps(old)).cells[0].source == "x = 1"


def test_broken_json_is_named_with_its_place() -> None:
    with pytest.raises(NotebookError, match=r"a\.ipynb: is not valid JSON: .* line 2, column 3"):
        parse_notebook('{"cells":\n  ?}', "a.ipynb")


def test_conflict_markers_lead_to_the_command_that_solves_them() -> None:
    text = '{"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> other\n]}'
    with pytest.raises(NotebookError, match=r"conflict markers.*Run `lamina nb fix a\.ipynb`"):
        parse_notebook(text, "a.ipynb")


@pytest.mark.parametrize("text", ["[]", "{}", '{"cells": {}}'])
def test_json_that_is_no_notebook_is_refused(text: str) -> None:
    with pytest.raises(NotebookError, match="no notebook: it has no list of cells"):
        parse_notebook(text)


def test_cells_of_an_unknown_type_are_refused() -> None:
    with pytest.raises(NotebookError, match="cell 1: has the type 'heading'; expected one of code"):
        parse_notebook('{"cells": [{"cell_type": "heading"}]}')


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_bytes(b"{\xff")
    with pytest.raises(NotebookError, match=r"is not UTF-8: .* byte 1"):
        read_notebook(tmp_path / "a.ipynb")


def test_two_cells_with_one_id_are_refused() -> None:
    notebook = Notebook([Cell("a", "code", "x"), Cell("a", "code", "y")])
    with pytest.raises(NotebookError, match=r"cells \[1, 2\] have the same id 'a'.*nb clean"):
        notebook.refuse_duplicate_ids()


def test_a_notebook_without_a_kernel_is_python() -> None:
    assert (Notebook().language, Notebook().kernel) == ("python", None)
    other = Notebook(metadata={"kernelspec": {"name": "ir", "language": "R"}})
    assert (other.language, other.kernel) == ("r", "ir")


def test_writing_the_same_touches_nothing(tmp_path: Path) -> None:
    notebook = Notebook([Cell("a", "code", "x")])
    assert write_notebook(notebook, tmp_path / "a.ipynb")
    assert not write_notebook(notebook)


def test_writing_needs_a_path() -> None:
    with pytest.raises(NotebookError, match=r"has no path\. Pass the file"):
        write_notebook(Notebook())
