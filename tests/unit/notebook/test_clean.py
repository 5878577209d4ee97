"""Cleaning takes out what changes with every run."""

import io
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from lamina.notebook.clean import clean_notebook, clean_notebooks
from lamina.notebook.cli import main
from lamina.notebook.config import Config
from lamina.notebook.document import (
    Cell,
    Notebook,
    parse_notebook,
    render_notebook,
    write_notebook,
)

CONFIG = Config(root=Path())


def clean(notebook: Notebook, **settings: object) -> Notebook:
    clean_notebook(notebook, replace(CONFIG, **settings))
    return notebook


def shown(text: str, kind: str = "text/plain", **settings: object) -> str:
    output = {"output_type": "execute_result", "data": {kind: text}, "metadata": {}}
    cell = Cell("a", "code", "x", [output | {"execution_count": 3}])
    return clean(Notebook([cell]), **settings).cells[0].outputs[0]["data"][kind]


def test_counts_go() -> None:
    output = {"output_type": "execute_result", "data": {}, "execution_count": 3}
    cell = clean(Notebook([Cell("a", "code", "x", [output], execution_count=3)])).cells[0]
    assert (cell.execution_count, cell.outputs[0]["execution_count"]) == (None, None)


def test_metadata_go_unless_allowed() -> None:
    cell = Cell("a", "code", "x", metadata={"tags": ["a"], "scrolled": 1, "mine": 2, "lamina": {}})
    metadata = {
        "widgets": {},
        "language_info": {"version": "3"},
        "mine": 1,
        "lamina": {"eval": True},
    }
    notebook = Notebook([cell], metadata)
    clean(notebook, allowed_metadata_keys=("mine",), allowed_cell_metadata_keys=("mine",))
    assert notebook.metadata == {"mine": 1, "lamina": {"eval": True}}
    assert cell.metadata == {"tags": ["a"], "mine": 2, "lamina": {}}


def test_the_kernel_is_called_by_its_name_alone() -> None:
    kernel = {"name": "python3", "display_name": "Python 3 (my machine)", "language": "python"}
    notebook = clean(Notebook(metadata={"kernelspec": kernel}))
    assert notebook.metadata["kernelspec"]["display_name"] == "python3"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<Model at 0x7f3a60b1c2d0>", "<Model>"),
        ("<function f at 0x7f3a60b1c2d0>", "<function f>"),
        ("[<A at 0x7f3a60b1>, <b.C object at 0x7f3a60b2>]", "[<A>, <b.C object>]"),
        ("<bound method A.f of <A object at 0x7f3a60b1>>", "<bound method A.f of <A object>>"),
        ("hex(16777215) is 0xffffff", "hex(16777215) is 0xffffff"),
        ("<p>0xff</p>", "<p>0xff</p>"),
    ],
)
def test_addresses_in_outputs_go(before: str, after: str) -> None:
    assert shown(before) == after
    assert shown(before, clean_ids=False) == before


def test_pictures_are_left_alone() -> None:
    assert shown("<A at 0x7f3a60b1>", "image/svg+xml") == "<A at 0x7f3a60b1>"


def test_all_outputs_go_on_demand() -> None:
    cell = Cell("a", "code", "x", [{"output_type": "stream", "text": "1"}])
    assert clean(Notebook([cell]), clear_all=True).cells[0].outputs == []


def test_the_second_of_two_equal_ids_is_renewed() -> None:
    notebook = clean(Notebook([Cell("a", "code", "x"), Cell("a", "code", "y")]))
    notebook.refuse_duplicate_ids()
    assert notebook.cells[0].id == "a"


words = st.text("<>at 0x7fabcdef:\n", max_size=40)


@given(st.lists(words, max_size=3), st.dictionaries(st.sampled_from(["tags", "b"]), words))
def test_cleaning_twice_changes_nothing_more(texts: list[str], metadata: dict[str, str]) -> None:
    outputs = [{"output_type": "stream", "name": "stdout", "text": texts}]
    notebook = clean(Notebook([Cell("a", "code", "x", outputs, metadata, 3)], dict(metadata)))
    again = clean(deepcopy(notebook))
    assert again == notebook


def test_files_are_cleaned_and_checked(project) -> None:
    path = project.notebook("a.ipynb", "x = 1")
    assert clean_notebooks(project.config) == []
    notebook = Notebook([Cell("a", "code", "x", execution_count=1)])
    write_notebook(notebook, path)
    assert clean_notebooks(project.config, check=True) == [path]
    assert clean_notebooks(project.config) == [path]
    assert clean_notebooks(project.config, check=True) == []


def test_text_notebooks_stay_as_they_are(project) -> None:
    path = project.root / "nbs" / "a.py"
    path.parent.mkdir()
    path.write_text('# %% [markdown]\n# # T\n\n# %%\nx = 1\n\n\n# %% tags=["a"]\ny = 1\n')
    assert clean_notebooks(project.config) == []


def test_as_a_filter_of_git(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    text = render_notebook(Notebook([Cell("a", "code", "x", execution_count=1)]))
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["clean", "--stdin"]) == 0
    assert parse_notebook(capsys.readouterr().out).cells[0].execution_count is None
