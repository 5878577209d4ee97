"""Three-way merges: always a valid notebook, no needless conflict, nothing lost."""

import random
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

from lamina.notebook.document import Cell, Notebook, read_notebook, to_raw, write_notebook
from lamina.notebook.git.conflict import count_conflicts, pick_side
from lamina.notebook.git.merge import Merged, merge_notebooks

LABELS = {"<<<<<<< ours", "=======", ">>>>>>> theirs"}


def make_notebook(*sources: str) -> Notebook:
    return Notebook([Cell(f"id{i}", "code", source) for i, source in enumerate(sources)])


def sources(notebook: Notebook) -> list[str]:
    return [cell.source for cell in notebook.cells]


def merge(base: list[str], ours: list[str], theirs: list[str]) -> Merged:
    """Merge notebooks whose cells are named by the first word of their source."""
    made = [
        Notebook([Cell(s.split()[0], "code", s) for s in side]) for side in (base, ours, theirs)
    ]
    return merge_notebooks(*made)


class Editor:
    """Makes random edits, each with words that occur nowhere else."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.n = 0

    def word(self) -> str:
        self.n += 1
        return f"word{self.n}"

    def cell(self) -> Cell:
        lines = [f"{self.word()} = {self.n}" for _ in range(self.random.randint(1, 4))]
        kind = self.random.choice(["code", "code", "markdown", "raw"])
        cell = Cell(self.word(), kind, "\n".join(lines))
        if kind == "code":
            cell.outputs = [{"output_type": "stream", "name": "stdout", "text": self.word()}]
        return cell

    def notebook(self) -> Notebook:
        return Notebook([self.cell() for _ in range(self.random.randint(0, 12))])

    def edit(self, notebook: Notebook, allowed: set[str]) -> tuple[Notebook, set[str]]:
        """Change, delete, move and insert; return the edit and the ids that were deleted."""
        result, deleted = deepcopy(notebook), set[str]()
        for cell in list(result.cells):
            action = self.random.choice(["keep", "keep", "change", "delete", "move", "insert"])
            if action == "insert":
                result.cells.insert(self.random.randint(0, len(result.cells)), self.cell())
            elif cell.id in allowed and action != "keep":
                self.change(result, cell, action, deleted)
        return result, deleted

    def change(self, notebook: Notebook, cell: Cell, action: str, deleted: set[str]) -> None:
        if action == "change":
            lines = cell.source.split("\n")
            lines.insert(self.random.randint(0, len(lines)), f"{self.word()} = 0")
            cell.source = "\n".join(lines)
            return
        notebook.cells.remove(cell)
        if action == "delete":
            deleted.add(cell.id)
        else:
            notebook.cells.insert(self.random.randint(0, len(notebook.cells)), cell)


def validate(notebook: Notebook) -> None:
    nbformat.validate(to_raw(notebook), relax_add_props=False)
    notebook.refuse_duplicate_ids()


def words(notebook: Notebook) -> set[str]:
    return {word for cell in notebook.cells for word in cell.source.split() if "word" in word}


def kept_order(merged: Notebook, side: Notebook) -> bool:
    places = {cell.id: i for i, cell in enumerate(merged.cells)}
    found = [places[cell.id] for cell in side.cells if cell.id in places]
    return found == sorted(found)


@pytest.mark.parametrize("start", range(0, 500, 50))
def test_edits_of_different_cells_merge_without_conflict_and_loss(start: int) -> None:
    for seed in range(start, start + 50):
        editor = Editor(seed)
        base = editor.notebook()
        names = {cell.id for cell in base.cells}
        mine = {name for name in names if editor.random.random() < 0.5}
        ours, gone = editor.edit(base, mine)
        theirs, gone_too = editor.edit(base, names - mine)
        merged = merge_notebooks(base, ours, theirs)
        validate(merged.notebook)
        assert not merged.conflicts
        lines = words(Notebook([c for c in base.cells if c.id in gone | gone_too]))
        assert words(merged.notebook) == (words(ours) | words(theirs)) - lines
        new = {c.id for c in [*ours.cells, *theirs.cells]} - gone - gone_too
        assert {c.id for c in merged.notebook.cells} == new


@pytest.mark.parametrize("start", range(0, 500, 50))
def test_any_two_edits_give_a_valid_notebook_that_holds_all_new_lines(start: int) -> None:
    for seed in range(start, start + 50):
        editor = Editor(seed)
        base = editor.notebook()
        names = {cell.id for cell in base.cells}
        ours, theirs = (editor.edit(base, names)[0] for _ in range(2))
        merged = merge_notebooks(base, ours, theirs)
        validate(merged.notebook)
        assert (words(ours) | words(theirs)) - words(base) <= words(merged.notebook)
        assert count_conflicts(merged.notebook) == len(merged.conflicts)
        for side, changed in (("ours", ours), ("theirs", theirs)):
            picked = deepcopy(merged.notebook)
            pick_side(picked, side)
            assert words(changed) - words(base) <= words(picked)


@pytest.mark.parametrize("seed", range(20))
def test_an_edit_of_one_side_alone_is_the_result(seed: int) -> None:
    editor = Editor(seed)
    base = editor.notebook()
    edited, _ = editor.edit(base, {cell.id for cell in base.cells})
    for ours, theirs in ((edited, base), (base, edited), (edited, edited)):
        assert merge_notebooks(base, ours, theirs).notebook.cells == edited.cells


@pytest.mark.parametrize("seed", range(20))
def test_moves_of_one_side_keep_their_order(seed: int) -> None:
    editor = Editor(seed)
    base = editor.notebook()
    ours, theirs = deepcopy(base), deepcopy(base)
    editor.random.shuffle(theirs.cells)
    for cell in ours.cells:
        cell.source += f"\n{editor.word()}"
    merged = merge_notebooks(base, ours, theirs).notebook
    assert kept_order(merged, theirs)
    assert words(merged) == words(ours)


def test_edits_of_different_lines_of_one_cell_merge() -> None:
    merged = merge(["a 1\nb\nc"], ["a 2\nb\nc"], ["a 1\nb\nd"])
    assert sources(merged.notebook) == ["a 2\nb\nd"]


def test_a_conflict_keeps_both_versions_between_markers() -> None:
    merged = merge(["a 1", "b"], ["a 2", "b"], ["a 3", "b"])
    assert sources(merged.notebook) == [
        "<<<<<<< ours",
        "a 2",
        "=======",
        "a 3",
        ">>>>>>> theirs",
        "b",
    ]
    assert merged.conflicts == ["cell #a: changed by both sides"]


def test_a_deletion_against_a_change_is_a_conflict() -> None:
    merged = merge(["a 1", "b"], ["b"], ["a 2", "b"])
    assert sources(merged.notebook)[:4] == ["<<<<<<< ours", "=======", "a 2", ">>>>>>> theirs"]
    assert "deleted by ours" in merged.conflicts[0]


def test_cells_added_at_one_place_follow_each_other() -> None:
    assert sources(merge(["a"], ["a", "b", "c"], ["a", "d"]).notebook) == ["a", "b", "c", "d"]


def test_a_cell_that_both_added_is_there_once() -> None:
    base, ours, theirs = make_notebook("a"), make_notebook("a", "same"), make_notebook("a", "same")
    theirs.cells[1].id = "other"
    assert sources(merge_notebooks(base, ours, theirs).notebook) == ["a", "same"]


def test_two_cells_added_under_one_id_are_a_conflict_of_a_valid_notebook() -> None:
    base, ours, theirs = make_notebook("a"), make_notebook("a", "b"), make_notebook("a", "c")
    merged = merge_notebooks(base, ours, theirs)
    validate(merged.notebook)
    assert set(sources(merged.notebook)) == {"a", "b", "c"} | LABELS


def test_different_pictures_under_one_name_are_a_conflict() -> None:
    sides = [make_notebook("![](a.png)") for _ in range(3)]
    for n, side in enumerate(sides):
        side.cells[0].kind = "markdown"
        side.cells[0].extra = {"attachments": {"a.png": {"image/png": str(n)}}}
    assert count_conflicts(merge_notebooks(*sides).notebook) == 1


def test_metadata_merge_by_key_and_clashes_are_solved_silently() -> None:
    base, ours, theirs = (make_notebook("a") for _ in range(3))
    base.metadata = {"kernelspec": {"name": "a", "language": "python"}}
    ours.metadata = {"kernelspec": {"name": "b", "language": "python"}, "authors": []}
    theirs.metadata = {"kernelspec": {"name": "c"}}
    merged = merge_notebooks(base, ours, theirs)
    assert merged.notebook.metadata == {"kernelspec": {"name": "b"}, "authors": []}
    assert not merged.conflicts


def test_outputs_come_from_the_side_whose_source_is_kept() -> None:
    base, ours, theirs = (make_notebook("a") for _ in range(3))
    ours.cells[0].execution_count = 7
    theirs.cells[0].source = "b"
    theirs.cells[0].execution_count = 8
    assert merge_notebooks(base, ours, theirs).notebook.cells[0].execution_count == 8


def test_notebooks_whose_ids_are_new_in_each_file_merge_by_likeness() -> None:
    base, ours, theirs = (make_notebook("a = 1000", "b = 2000") for _ in range(3))
    ours.cells[0].source = "a = 1001"
    theirs.cells[1].source = "b = 2001"
    for n, side in enumerate((base, ours, theirs)):
        for cell in side.cells:
            cell.id = f"{cell.id}-{n}"
    merged = merge_notebooks(base, ours, theirs)
    assert sources(merged.notebook) == ["a = 1001", "b = 2001"]
    assert not merged.conflicts


def git(folder: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    names = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    return subprocess.run(
        ["git", *names, *args], cwd=folder, check=check, capture_output=True, text=True
    )


@pytest.mark.slow
def test_git_merges_notebooks_with_the_driver(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    command = f"{sys.executable} -m lamina.cli.main nb merge %O %A %B %P"
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "config", "merge.lamina-nb.driver", command)
    (tmp_path / ".gitattributes").write_text("*.ipynb merge=lamina-nb\n", "utf-8")
    for branch, edit in (
        ("main", ()),
        ("theirs", ("x = 1", "y = 3")),
        ("ours", ("x = 2", "y = 2")),
    ):
        git(tmp_path, "checkout", "-q", "-B", branch, "main", check=branch != "main")
        write_notebook(make_notebook(*(edit or ("x = 1", "y = 2"))), path)
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", branch)
    git(tmp_path, "merge", "-q", "-m", "both", "theirs")
    assert sources(read_notebook(path)) == ["x = 2", "y = 3"]
