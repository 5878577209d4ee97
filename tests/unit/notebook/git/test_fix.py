"""Repairs: whatever was done to a file, it becomes a valid notebook and no text is lost."""

import json
import random
import subprocess
from pathlib import Path

import nbformat
import pytest

from lamina.notebook.cli import main
from lamina.notebook.document import Cell, Notebook, read_notebook, render_notebook, to_raw
from lamina.notebook.errors import NotebookError
from lamina.notebook.git.conflict import count_conflicts
from lamina.notebook.git.fix import fix_notebook, fix_text

KERNEL = {"kernelspec": {"display_name": "python3", "language": "python", "name": "python3"}}


def text_of(*sources: str, ids: str = "") -> str:
    names = ids or "abcdefghij"
    cells = [Cell(name, "code", s) for name, s in zip(names, sources, strict=False)]
    return render_notebook(Notebook(cells, dict(KERNEL)))


def sources(notebook: Notebook) -> list[str]:
    return [cell.source for cell in notebook.cells]


def conflicted(tmp_path: Path, base: str, ours: str, theirs: str, *options: str) -> str:
    """Let git merge three texts."""
    for name, text in (("ours", ours), ("base", base), ("theirs", theirs)):
        (tmp_path / name).write_text(text)
    command = ["git", "merge-file", "-p", *options, "ours", "base", "theirs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    return done.stdout


def test_a_sound_notebook_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(text_of("x = 1"))
    before = path.stat().st_mtime_ns
    assert fix_notebook(path).notes == []
    assert (path.stat().st_mtime_ns, [*tmp_path.iterdir()]) == (before, [path])


@pytest.mark.parametrize("style", [[], ["--diff3"]])
def test_conflict_markers_become_marked_cells(tmp_path: Path, style: list[str]) -> None:
    base, ours, theirs = text_of("x = 0", "y"), text_of("x = 1", "y"), text_of("x = 2", "y")
    text = conflicted(tmp_path, base, ours, theirs, *style)
    fixed = fix_text(text)
    assert sources(fixed.notebook) == [
        "<<<<<<< ours", "x = 1", "=======", "x = 2", ">>>>>>> theirs", "y"
    ]  # fmt: skip
    assert "1 conflicts are left between marked cells" in fixed.notes[0]
    nbformat.validate(to_raw(fixed.notebook))


def test_a_side_can_be_taken(tmp_path: Path, capsys) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(conflicted(tmp_path, text_of("x = 0"), text_of("x = 1"), text_of("x = 2")))
    assert main(["fix", str(path)]) == 1
    assert main(["fix", str(path), "--take", "theirs"]) == 0  # of the marked cells
    assert sources(read_notebook(path)) == ["x = 2"]
    assert "the conflicts are solved by theirs" in capsys.readouterr().out
    assert "<<<<<<<" in (tmp_path / "a.ipynb.bak").read_text()


def test_outputs_that_clash_are_no_conflict(tmp_path: Path) -> None:
    texts = []
    for number in range(3):
        cell = Cell("a", "code", "x", execution_count=number)
        cell.outputs = [{"output_type": "stream", "name": "stdout", "text": [str(number)]}]
        texts.append(render_notebook(Notebook([cell], dict(KERNEL))))
    fixed = fix_text(conflicted(tmp_path, *texts))
    assert count_conflicts(fixed.notebook) == 0
    assert fixed.notebook.cells[0].outputs[0]["text"] == ["1"]


def test_a_missing_comma_and_a_comma_too_much() -> None:
    text = text_of("x = 1", "y = [1,]", "z")
    broken = text.replace("  },\n  {", "  }\n  {", 1).replace("   ]\n  }", "   ],\n  }")
    assert sources(fix_text(broken).notebook) == ["x = 1", "y = [1,]", "z"]


@pytest.mark.parametrize("seed", range(60))
def test_of_a_truncated_file_all_text_is_kept(seed: int) -> None:
    text = text_of("first = 1", "second = 2", "third = 3")
    cut = random.Random(seed).randrange(text.index("[") + 1, len(text) - 1)
    fixed = fix_text(text[:cut])
    kept = "".join(sources(fixed.notebook))
    assert [w for w in ("first", "second", "third") if w in text[:cut]] == [
        w for w in ("first", "second", "third") if w in kept
    ]
    nbformat.validate(to_raw(fixed.notebook))


def test_an_unreadable_cell_in_the_middle_becomes_a_raw_cell() -> None:
    broken = text_of("x = 1", "y = 2", "z").replace('"y = 2"', '"y = 2')
    fixed = fix_text(broken)
    assert [cell.kind for cell in fixed.notebook.cells] == ["code", "raw", "code"]
    assert "y = 2" in fixed.notebook.cells[1].source
    assert fixed.notebook.metadata == KERNEL
    assert fixed.notes == ["broken JSON at line 20: 3 cells are recovered"]


def test_ids_are_made_unique_and_valid() -> None:
    fixed = fix_text(text_of("x", "y", "z", ids=["a", "a", "not an id"]))
    ids = [cell.id for cell in fixed.notebook.cells]
    assert ids[0] == "a"
    assert len(set(ids)) == 3
    assert fixed.notes[0] == "the id 'not an id' of cell 3 is not allowed: a new one"
    assert fixed.notes[1] == "ids of more than one cell (a): all but the first new"
    nbformat.validate(to_raw(fixed.notebook))


def test_old_formats_are_brought_to_the_present() -> None:
    cell = {"cell_type": "code", "input": ["x = 1"], "outputs": [], "language": "python"}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell]}]}
    fixed = fix_text(json.dumps(old))
    assert sources(fixed.notebook) == ["x = 1"]
    assert fixed.notes[0] == "nbformat 3.0 is now 4.5"
    raw = {"cells": [{"cell_type": "markdown", "source": "t"}], "nbformat": 4, "nbformat_minor": 0}
    fixed = fix_text(json.dumps(raw))
    assert fixed.notes == ["nbformat 4.0 is now 4.5", "the kernel is now 'python3'"]
    assert to_raw(fixed.notebook)["nbformat_minor"] == 5


def test_cells_of_unknown_kinds_become_what_they_look_like() -> None:
    cells = [{"cell_type": "heading", "source": "T"}, {"source": "1", "outputs": None}, 7]
    fixed = fix_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}))
    assert [cell.kind for cell in fixed.notebook.cells] == ["markdown", "code", "raw"]


def test_a_kernel_can_be_chosen() -> None:
    fixed = fix_text(text_of("x"), kernel="other")
    assert (fixed.notebook.kernel, fixed.notes) == ("other", ["the kernel is now 'other'"])


@pytest.mark.parametrize("text", ["", "no notebook", "[1]", '{"nbformat": 4}'])
def test_what_is_no_notebook_is_refused_and_not_touched(text: str, tmp_path: Path, capsys) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    assert main(["fix", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"lamina nb: {path}: ")
    assert ([*tmp_path.iterdir()], path.read_text()) == ([path], text)


def test_only_notebooks_that_exist(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="there is no such file"):
        fix_notebook(tmp_path / "a.ipynb")
    with pytest.raises(NotebookError, match=r"is no \.ipynb file"):
        fix_notebook(tmp_path / "a.py")
