"""Edits of a module go back into its notebooks."""

import json

import pytest

from lamina.notebook.document import read_notebook, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.export import export_notebooks
from lamina.notebook.index import INDEX
from lamina.notebook.sync import sync_modules

CORE = (
    "#| default_exp core",
    "#| export\ndef f():\n    return 1",
    "assert f() == 1",
    "#| export\nfrom pets.util import g",
    "md:The end.",
    "#| export\nX = 2",
)
F, G, X = (f"# %% nbs/a.ipynb #c{i}\n" for i in (1, 3, 5))


@pytest.fixture
def core(project):
    project.path = project.notebook("a.ipynb", *CORE)
    notebook = read_notebook(project.path)
    notebook.cells[1].outputs = [{"output_type": "stream", "name": "stdout", "text": ["1"]}]
    notebook.cells[1].metadata = {"tags": ["mine"]}
    write_notebook(notebook)
    export_notebooks(project.config)
    return project


def sources(project) -> list[str]:
    return [cell.source for cell in read_notebook(project.path).cells]


def ids(project) -> list[str]:
    return [cell.id for cell in read_notebook(project.path).cells]


def change_notebook(project, number: int, source: str) -> None:
    notebook = read_notebook(project.path)
    notebook.cells[number].source = source
    write_notebook(notebook)


def test_nothing_to_do_touches_nothing(core) -> None:
    before = core.path.stat().st_mtime_ns
    report = sync_modules(core.config)
    assert (report.notebooks, report.modules) == ([], [])
    assert core.path.stat().st_mtime_ns == before


def test_an_edit_keeps_directives_outputs_and_metadata(core) -> None:
    core.edit("return 1", "return 1 + 1")
    report = sync_modules(core.config)
    cell = read_notebook(core.path).cells[1]
    assert cell.source == "#| export\ndef f():\n    return 1 + 1"
    assert (cell.metadata, cell.outputs[0]["text"]) == ({"tags": ["mine"]}, ["1"])
    assert (report.edited, report.notebooks) == (["nbs/a.ipynb#c1"], [core.path])


def test_relative_imports_become_absolute_again(core) -> None:
    core.edit("from .util import g", "from .util import g, h\nfrom . import i")
    sync_modules(core.config)
    assert sources(core)[3] == "#| export\nfrom pets.util import g, h\nfrom pets import i"
    assert "from .util import g, h\nfrom . import i" in core.module()


def test_a_new_cell_follows_the_one_before_it(core) -> None:
    core.edit("\n" + X, "\n# %%\nnew = 1\n\n# %% Helpers\n#| hide\ndef helper(): ...\n\n" + X)
    report = sync_modules(core.config)
    assert sources(core)[4:6] == [
        "#| export\nnew = 1",
        "#| export\n# Helpers\n#| hide\ndef helper(): ...",
    ]
    assert len(report.added) == 2
    assert '__all__ = ["X", "f", "helper", "new"]' in core.module()


def test_code_in_front_of_all_cells_becomes_the_first(core) -> None:
    core.edit("\n" + F, "\nimport re\n\n" + F)
    sync_modules(core.config)
    assert sources(core)[:3] == ["#| default_exp core", "#| export\nimport re", CORE[1]]


def test_a_moved_cell_moves_alone(core) -> None:
    text = core.module()
    moved = text[text.index(F) : text.index(G)]
    core.edit(moved, "")
    core.edit("X = 2\n", "X = 2\n\n" + moved)
    report = sync_modules(core.config)
    assert ids(core) == ["c0", "c2", "c3", "c4", "c5", "c1"]
    assert (report.moved, report.edited) == (["nbs/a.ipynb#c1"], [])
    assert read_notebook(core.path).cells[5].outputs


def test_a_removed_marker_deletes_the_cell(core) -> None:
    core.edit(X + "X = 2\n", "")
    assert sync_modules(core.config).deleted == ["nbs/a.ipynb#c5"]
    assert ids(core) == ["c0", "c1", "c2", "c3", "c4"]


def test_a_copied_marker_makes_a_new_cell(core) -> None:
    core.edit(X + "X = 2\n", X + "X = 2\n\n" + X + "Y = 3\n")
    sync_modules(core.config)
    assert sources(core)[5:] == ["#| export\nX = 2", "#| export\nY = 3"]


def test_edits_of_different_cells_on_both_sides_come_together(core) -> None:
    core.edit("X = 2", "X = 3")
    change_notebook(core, 1, "#| export\ndef f():\n    return 'notebook'")
    sync_modules(core.config)
    assert sources(core)[5] == "#| export\nX = 3"
    assert "return 'notebook'" in core.module()


def test_the_same_cell_changed_on_both_sides_is_a_conflict(core) -> None:
    core.edit("X = 2", "X = 'module'")
    change_notebook(core, 5, "#| export\nX = 'notebook'")
    before = core.path.read_text()
    with pytest.raises(NotebookError, match=r"both changed.*nbs/a\.ipynb#c5\. Undo one.*--force"):
        sync_modules(core.config)
    assert core.path.read_text() == before
    sync_modules(core.config, force=True)
    assert sources(core)[5] == "#| export\nX = 'module'"


def test_deleting_what_the_notebook_changed_is_a_conflict(core) -> None:
    core.edit(X + "X = 2\n", "")
    change_notebook(core, 5, "#| export\nX = 'notebook'")
    with pytest.raises(NotebookError, match="both changed"):
        sync_modules(core.config)


def test_editing_what_the_notebook_deleted_is_a_conflict(core) -> None:
    core.edit("X = 2", "X = 3")
    notebook = read_notebook(core.path)
    del notebook.cells[5]
    write_notebook(notebook)
    with pytest.raises(NotebookError, match="both changed"):
        sync_modules(core.config)
    sync_modules(core.config, force=True)
    assert "#| export\nX = 3" in sources(core)


def test_without_an_index_nothing_is_overwritten(core) -> None:
    (core.config.lib_path / INDEX).unlink()
    core.edit("X = 2", "X = 3")
    with pytest.raises(NotebookError, match="both changed"):
        sync_modules(core.config)
    with pytest.raises(NotebookError, match="was edited since"):
        export_notebooks(core.config)


def test_a_cell_cut_and_pasted_into_another_module_moves_to_its_notebook(core) -> None:
    other = core.notebook("b.ipynb", "#| default_exp other", "#| export\nY = 1")
    export_notebooks(core.config)
    core.edit(F + "def f():\n    return 1\n", "")
    core.edit("Y = 1\n", "Y = 1\n\n" + F + "def f():\n    return 1\n", "other.py")
    sync_modules(core.config)
    cell = read_notebook(other).cells[2]
    assert cell.source == "#| export\ndef f():\n    return 1"
    assert cell.outputs[0]["text"] == ["1"]
    assert ids(core) == ["c0", "c2", "c3", "c4", "c5"]
    assert "def f" in core.module("other.py")
    assert sync_modules(core.config).notebooks == []


def test_a_docstring_goes_back_to_markdown(core) -> None:
    core.edit("# %% auto", '"""About `core`.\n\nAnd more.\n"""\n\n# %% auto')
    sync_modules(core.config)
    cell = next(c for c in read_notebook(core.path).cells if "About" in c.source)
    assert (cell.kind, cell.source) == ("markdown", "#| export\nAbout `core`.\n\nAnd more.")
    core.edit("About", "All about")
    sync_modules(core.config)
    assert "#| export\nAll about `core`.\n\nAnd more." in sources(core)


def test_a_docstring_may_stand_anywhere_in_its_notebook(core) -> None:
    change_notebook(core, 4, "#| export\nDocs.")
    export_notebooks(core.config)
    core.edit("X = 2", "X = 3")
    assert sync_modules(core.config).moved == []
    change_notebook(core, 1, "#| export\ndef f(): ...")
    assert export_notebooks(core.config).written


def test_code_below_the_docstring_needs_a_marker(core) -> None:
    notebook = read_notebook(core.path)
    notebook.cells[4].source = "#| export\nDocs."
    write_notebook(notebook)
    export_notebooks(core.config)
    core.edit('"""Docs."""', '"""Docs."""\nx = 1')
    with pytest.raises(NotebookError, match=r"followed by code\. Put the code below a line '# %"):
        sync_modules(core.config)


def test_names_that_belong_to_new_cells_may_be_in_all(core) -> None:
    core.edit('"X", ', '"X", "new", ')
    core.edit("X = 2\n", "X = 2\n\n# %%\nnew = 1\n")
    sync_modules(core.config)
    assert '__all__ = ["X", "f", "new"]' in core.module()


@pytest.mark.parametrize(("old", "new"), [('"X", ', ""), ('"X", ', '"X", "re", ')])
def test_other_edits_of_all_are_refused(core, old: str, new: str) -> None:
    core.edit(old, new)
    with pytest.raises(NotebookError, match=r"'# %% auto' was edited.*Add names with `_all_"):
        sync_modules(core.config)


def test_a_module_that_does_not_parse_is_refused(core) -> None:
    core.edit("X = 2", "X = = 2")
    with pytest.raises(NotebookError, match=r"core\.py: is not valid Python.*export --force"):
        sync_modules(core.config)


def test_text_notebooks_are_written_back(project) -> None:
    path = project.root / "nbs" / "a.py"
    path.parent.mkdir()
    path.write_text("# %%\n#| default_exp core\n\n# %%\n#| export\nx = 1\n\n# %%\nx + 1\n")
    export_notebooks(project.config)
    project.edit("x = 1", "x = 2\n\n# %%\ny = 3")
    sync_modules(project.config)
    assert path.read_text() == (
        "# %%\n#| default_exp core\n\n# %%\n#| export\nx = 2\n\n# %%\n#| export\ny = 3\n\n"
        "# %%\nx + 1\n"
    )
    assert sync_modules(project.config).notebooks == []
    assert export_notebooks(project.config).written == []


def test_windows_line_ends_are_no_edit(core) -> None:
    path = core.root / "pets/core.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert sync_modules(core.config).edited == []
    assert json.loads(core.path.read_text())["cells"]
