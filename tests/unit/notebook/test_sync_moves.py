"""Cells of a module move from one notebook to another."""

import os
from itertools import count

import pytest

from lamina.notebook.document import read_notebook, write_notebook
from lamina.notebook.export import export_notebooks
from lamina.notebook.sync import sync_modules

A, B = (
    ["#| default_exp core", *(f"#| export\n{letter}{i} = {i}" for i in (1, 2, 3))]
    for letter in "ab"
)


@pytest.fixture
def two(project):
    """Two notebooks in one module: a1 a2 a3 b1 b2 b3; the ids are c1 c2 c3 in both."""
    project.paths = [project.notebook("a.ipynb", *A), project.notebook("b.ipynb", *B)]
    notebook = read_notebook(project.paths[0])
    notebook.cells[2].outputs = [{"output_type": "stream", "name": "stdout", "text": ["2"]}]
    notebook.cells[2].metadata = {"tags": ["mine"]}
    write_notebook(notebook)
    export_notebooks(project.config)
    return project


def block(letter: str, number: int) -> str:
    return f"# %% nbs/{letter}.ipynb #c{number}\n{letter}{number} = {number}\n"


def move(project, moved: str, before: str) -> None:
    project.edit("\n" + moved, "")
    project.edit(before, moved + "\n" + before)


def names(project) -> list[list[str]]:
    """Say which names each notebook defines, in order."""
    cells = [read_notebook(path).cells for path in project.paths]
    return [[c.source.split("\n")[1][:2] for c in nb if " = " in c.source] for nb in cells]


def assert_settled(project) -> None:
    before = {path: path.read_bytes() for path in project.root.rglob("*.*") if path.is_file()}
    assert export_notebooks(project.config).written == []
    assert sync_modules(project.config).notebooks == []
    assert before == {path: path.read_bytes() for path in before}


def test_a_cell_among_those_of_another_notebook_moves_there(two) -> None:
    move(two, block("a", 2), block("b", 2))
    report = sync_modules(two.config)
    assert names(two) == [["a1", "a3"], ["b1", "a2", "b2", "b3"]]
    cell = read_notebook(two.paths[1]).cells[2]
    assert (cell.metadata, cell.outputs[0]["text"]) == ({"tags": ["mine"]}, ["2"])
    assert report.moved == [f"nbs/b.ipynb#{cell.id}"]
    assert cell.id != "c2"  # which b2 has
    assert (report.notebooks, report.added, report.deleted) == (two.paths, [], [])
    assert_settled(two)


def test_of_two_that_changed_places_the_upper_one_moved_down(two) -> None:
    move(two, block("a", 3), block("b", 2))
    sync_modules(two.config)
    assert names(two) == [["a1", "a2"], ["b1", "a3", "b2", "b3"]]
    assert_settled(two)


def test_moves_both_ways_keep_ids_that_are_free(two) -> None:
    move(two, block("a", 2), block("b", 3))
    move(two, block("b", 2), block("a", 1))
    sync_modules(two.config)
    assert names(two) == [["b2", "a1", "a3"], ["b1", "a2", "b3"]]
    ids = [[cell.id for cell in read_notebook(path).cells] for path in two.paths]
    assert ids == [["c0", "c2", "c1", "c3"], ["c0", "c1", "c2", "c3"]]
    assert_settled(two)


def test_a_new_cell_goes_to_the_notebook_of_its_neighbour(two) -> None:
    move(two, block("a", 2), block("b", 2))
    two.edit(block("b", 2), "# %%\nnew = 1\n\n" + block("b", 2))
    sync_modules(two.config)
    sources = [cell.source for cell in read_notebook(two.paths[1]).cells]
    assert sources[2:4] == [A[2], "#| export\nnew = 1"]
    assert_settled(two)


def test_a_moved_cell_can_be_edited_and_names_its_module_where_it_must(project) -> None:
    b = ["#| export core\nb1 = 1", "#| export core\nb2 = 2"]
    project.paths = [project.notebook("a.ipynb", *A), project.notebook("b.ipynb", *b)]
    export_notebooks(project.config)
    moved = block("a", 2)
    project.edit(moved, "")
    moved = moved.replace("= 2", "= 22")
    project.edit("# %% nbs/b.ipynb #c1", moved + "\n# %% nbs/b.ipynb #c1")
    report = sync_modules(project.config)
    cell = read_notebook(project.paths[1]).cells[1]
    assert (cell.id, cell.source) == ("c2", "#| export core\na2 = 22")
    assert (report.edited, report.moved) == (["nbs/a.ipynb#c2"], ["nbs/b.ipynb#c2"])
    assert_settled(project)


def test_what_a_cell_says_of_its_whole_notebook_stays_there(project) -> None:
    a = ["#| default_exp core\n#| export\na0 = 0", *A[1:]]
    project.paths = [project.notebook("a.ipynb", *a), project.notebook("b.ipynb", *B)]
    export_notebooks(project.config)
    move(project, block("a", 0), block("b", 2))
    sync_modules(project.config)
    sources = [[cell.source for cell in read_notebook(path).cells] for path in project.paths]
    assert sources[0] == ["#| default_exp core", *A[1:]]
    assert sources[1][2] == "#| export\na0 = 0"
    assert_settled(project)


def test_a_cell_of_another_module_keeps_its_directives(two) -> None:
    path = two.notebook("c.ipynb", "#| default_exp other", "#| export\n#| hide\nc1 = 1")
    export_notebooks(two.config)
    two.edit("# %% nbs/c.ipynb #c1\nc1 = 1\n", "", "other.py")
    two.edit(block("b", 2), "# %% nbs/c.ipynb #c1\nc1 = 1\n\n" + block("b", 2))
    report = sync_modules(two.config)
    assert read_notebook(two.paths[1]).cells[2].source == "#| export\n#| hide\nc1 = 1"
    assert [cell.id for cell in read_notebook(path).cells] == ["c0"]
    assert (len(report.moved), report.deleted) == (1, [])
    assert_settled(two)


@pytest.fixture
def full_disk(monkeypatch):
    """Let the writing of the file with this number fail."""

    def make(failing: int) -> None:
        numbers, fsync = count(1), os.fsync

        def fail(file: int) -> None:
            if next(numbers) == failing:
                raise OSError("the disk is full")
            fsync(file)

        monkeypatch.setattr(os, "fsync", fail)

    return make


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_no_cell_is_lost_when_a_file_cannot_be_written(two, full_disk, failing: int) -> None:
    move(two, block("a", 2), block("b", 3))
    move(two, block("b", 2), block("a", 1))
    full_disk(failing)
    with pytest.raises(OSError, match="full"):
        sync_modules(two.config)
    assert {name for found in names(two) for name in found} == {"a1", "a2", "a3", "b1", "b2", "b3"}


def test_a_sync_that_was_interrupted_is_finished_by_the_next(two, full_disk) -> None:
    move(two, block("a", 3), "# %% nbs/b.ipynb #c2\n")
    full_disk(2)
    with pytest.raises(OSError, match="full"):
        sync_modules(two.config)
    assert names(two) == [["a1", "a2", "a3"], ["b1", "a3", "b2", "b3"]]
    full_disk(0)
    sync_modules(two.config)
    assert names(two) == [["a1", "a2"], ["b1", "a3", "b2", "b3"]]
    assert_settled(two)
