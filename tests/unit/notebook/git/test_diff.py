"""Differences of notebooks, cell by cell."""

import subprocess
from pathlib import Path

from lamina.notebook.cli import main
from lamina.notebook.document import Cell, Notebook, write_notebook
from lamina.notebook.git.diff import diff_notebooks


def make(*sources: str) -> Notebook:
    """Cells are named by their first word."""
    return Notebook([Cell(s.split()[0], "code", s) for s in sources])


def changes(old: Notebook, new: Notebook, **kinds: bool) -> list[tuple[str, str]]:
    return [(diff.place, diff.change) for diff in diff_notebooks(old, new, **kinds)]


def test_the_same_cells_do_not_differ() -> None:
    assert changes(make("a = 1", "b = 2"), make("a = 1", "b = 2")) == []


def test_cells_are_added_removed_changed_and_moved() -> None:
    old, new = make("a = 1", "b = 2", "c = 3", "d"), make("c = 3", "a = 9", "n", "d")
    assert changes(old, new) == [
        ("cell 1 (#c)", "moved"),
        ("cell 2 (#a)", "changed"),
        ("cell 3 (#n)", "added"),
        ("cell 2 (#b)", "removed"),
    ]


def test_changed_lines_stand_among_their_neighbours() -> None:
    old = Notebook([Cell("a", "code", "\n".join(f"x{i}" for i in range(20)))])
    new = Notebook([Cell("a", "code", old.cells[0].source.replace("x2\n", "y\n") + "\nend")])
    (diff,) = diff_notebooks(old, new)
    assert diff.lines[:4] == (" x0", " x1", "-x2", "+y")
    assert diff.lines[-6:] == (" x5", " ...", " x17", " x18", " x19", "+end")


def test_outputs_and_metadata_count_only_when_asked() -> None:
    old, new = make("a"), make("a")
    new.cells[0].outputs = [{"output_type": "stream", "name": "stdout", "text": ["hello\n"]}]
    assert changes(old, new) == []
    assert diff_notebooks(old, new, outputs=True)[0].lines == (" a", "+output: hello")
    new.cells[0].metadata = {"tags": ["t"]}
    assert diff_notebooks(old, new, metadata=True)[0].lines == (" a", "+metadata: {'tags': ['t']}")


def test_pictures_are_compared_by_a_hash() -> None:
    old, new = make("a"), make("a")
    for notebook, data in ((old, "AAAA"), (new, "AAAB")):
        bundle = {"image/png": data, "text/plain": ["<Figure>"]}
        notebook.cells[0].outputs = [{"output_type": "display_data", "data": bundle}]
    lines = diff_notebooks(old, new, outputs=True)[0].lines
    assert lines[1].startswith("-output: <image/png, 4 characters, ")


def test_the_command_prints_without_colours_to_a_file(tmp_path: Path, capsys) -> None:
    a, b = str(tmp_path / "a.ipynb"), str(tmp_path / "b.ipynb")
    write_notebook(make("a = 1"), a)
    write_notebook(make("a = 2"), b)
    assert (main(["diff", a, a]), capsys.readouterr().out) == (0, "")
    assert main(["diff", a, b]) == 1
    want = f"--- {a}\n+++ {b}\n@@ cell 1 (#a): changed @@\n-a = 1\n+a = 2\n"
    assert capsys.readouterr().out == want


def test_colours_on_a_terminal(tmp_path: Path, capsys, monkeypatch) -> None:
    write_notebook(make("a"), tmp_path / "a.ipynb")
    write_notebook(make("b"), tmp_path / "b.ipynb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    main(["diff", str(tmp_path / "a.ipynb"), str(tmp_path / "b.ipynb")])
    assert "\x1b[32m+b\x1b[0m\n" in capsys.readouterr().out


def test_one_file_is_compared_with_head(tmp_path: Path, capsys) -> None:
    file = tmp_path / "a.ipynb"
    write_notebook(make("a = 1"), file)
    for args in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *args], cwd=tmp_path, check=True)
    assert main(["diff", str(file)]) == 2
    assert "git has no version of it at HEAD" in capsys.readouterr().err
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *who, "commit", "-qm", "."], cwd=tmp_path, check=True)
    write_notebook(make("a = 2"), file)
    assert main(["diff", str(file)]) == 1
    assert "+a = 2" in capsys.readouterr().out


def test_textconv_shows_a_broken_notebook_as_it_is(tmp_path: Path, capsys) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text("{broken")
    assert (main(["diff", "--textconv", str(file)]), capsys.readouterr().out) == (0, "{broken")


def test_a_wrong_number_of_files_is_refused(capsys) -> None:
    assert main(["diff", "a", "b", "c"]) == 2
    assert "got 3 files; expected one or two." in capsys.readouterr().err
