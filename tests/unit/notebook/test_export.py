"""From notebooks to modules."""

import ast
import shutil
from pathlib import Path

import pytest

from lamina.notebook.document import Cell, Notebook, read_notebook, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.export import export_notebooks
from lamina.notebook.index import INDEX, find_index, read_index
from lamina.notebook.names import defined_symbols, exported_names, render_all

CORE = ("#| default_exp core", "#| export\ndef f():\n    return 1", "f()", "#| export\nX = 2")
MODULE = """\
# Made by `lamina nb` from nbs/00_core.ipynb: edit it there, or here and run `lamina nb sync`.
# %% auto
__all__ = ["X", "f"]

# %% nbs/00_core.ipynb #c1
def f():
    return 1

# %% nbs/00_core.ipynb #c3
X = 2
"""


def test_a_module_is_written_whole(project) -> None:
    project.notebook("00_core.ipynb", *CORE)
    report = export_notebooks(project.config)
    assert project.module() == MODULE
    assert [p.name for p in report.written] == ["core.py", "__init__.py"]
    assert project.module("__init__.py") == '__version__ = "0.0.1"\n'


def test_without_a_change_no_file_is_touched(project) -> None:
    project.notebook("00_core.ipynb", *CORE)
    export_notebooks(project.config)
    files = [p for p in project.root.rglob("*") if p.is_file()]
    before = [(p.stat().st_mtime_ns, p.stat().st_ino) for p in files]
    assert export_notebooks(project.config).written == []
    assert [(p.stat().st_mtime_ns, p.stat().st_ino) for p in files] == before


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(): ...\nasync def g(): ...\nclass A: ...", ["f", "g", "A"]),
        ("a = b = 1", ["a", "b"]),
        ("a, (b, *c) = 1, (2, 3)\n[d, e] = 1, 2", ["a", "b", "c", "d", "e"]),
        ("a: int = 1\nb: int", ["a"]),
        ("a += 1\na.b = 1\na[0] = 2", []),
        ("_a = 1\ndef _f(): ...\n__version__ = '1'", []),
        (
            "@patch\ndef f(self: A): ...\n@x.patch_to(B)\ndef g(self): ...",
            [],
        ),
        ("@cache\ndef f(): ...", ["f"]),
        ("_all_ = ['re', \"_private\"]", ["re"]),
        ("if x:\n    def f(): ...", []),
        ("import os", []),
    ],
)
def test_names_for_all(source: str, names: list[str]) -> None:
    assert exported_names(ast.parse(source)) == names


def test_symbols_are_also_methods_patches_and_constants() -> None:
    source = (
        "class A:\n    def f(self): ...\n    def _g(self): ...\n@patch\ndef h(self: A): ...\nB = 1"
    )
    assert defined_symbols(ast.parse(source)) == ["A", "A.f", "A.h", "B"]


def test_a_long_all_takes_a_line_per_name() -> None:
    text = render_all([f"some_long_name_{i}" for i in range(9)])
    assert text.splitlines()[:2] == ["__all__ = [", '    "some_long_name_0",']
    assert len(ast.literal_eval(text.partition("=")[2].strip())) == 9


def test_exporti_hides_names_and_exports_shows_them(project) -> None:
    project.notebook("a.ipynb", "#| default_exp core", "#| exporti\na = 1", "#| exports\nb = 1")
    export_notebooks(project.config)
    assert '__all__ = ["b"]' in project.module()
    assert "a = 1" in project.module()


def test_future_imports_go_to_the_top(project) -> None:
    future = "from __future__ import annotations"
    project.notebook("a.ipynb", "#| default_exp core", f"#| export\n{future}\nimport re")
    export_notebooks(project.config)
    text = project.module()
    assert text.index(future) < text.index("__all__") < text.index("import re")
    assert text.count(future) == 1
    compile(text, "core.py", "exec")


def test_imports_of_the_package_become_relative(project) -> None:
    source = (
        "#| export sub.deep.a\nfrom pets.core import f\nfrom pets import x;from pets.sub import y\n"
        "from pets.sub.deep.b import z\nfrom petshop import q\n"
        "if 1:\n    from pets.sub.c import (w,\n v)"
    )
    project.notebook("a.ipynb", source)
    export_notebooks(project.config)
    assert project.module("sub/deep/a.py").endswith(
        "from ...core import f\nfrom ... import x;from .. import y\nfrom .b import z\n"
        "from petshop import q\nif 1:\n    from ..c import (w,\n v)\n"
    )
    assert (project.root / "pets/sub/deep/__init__.py").read_text() == ""


def test_relative_imports_in_a_notebook_are_refused(project) -> None:
    project.notebook("a.ipynb", "#| export core\nfrom .util import f")
    with pytest.raises(
        NotebookError, match=r"cell 1 \(#c0\).*Name the package: 'from pets.util im"
    ):
        export_notebooks(project.config)


def test_markdown_becomes_the_docstring(project) -> None:
    tricky = 'Back\\slash, """quotes""" and "end"'
    project.notebook(
        "a.ipynb", "#| default_exp core", f"md:#| export\n{tricky}", "#| export\nx = 1"
    )
    export_notebooks(project.config)
    assert ast.get_docstring(ast.parse(project.module())) == tricky
    project.notebook("b.ipynb", "md:#| export core\nSecond")
    with pytest.raises(NotebookError, match=r"pets\.core has a docstring already"):
        export_notebooks(project.config)


def test_exportd_makes_any_cell_the_docstring(project) -> None:
    project.notebook("a.ipynb", "#| exportd core\nWhat it is for.", "#| export core\nx = 1")
    export_notebooks(project.config)
    assert ast.get_docstring(ast.parse(project.module())) == "What it is for."


def test_several_notebooks_write_one_module(project) -> None:
    project.notebook("01_more.ipynb", "#| export core\nb = 2")
    project.notebook("00_core.ipynb", "#| default_exp core", "#| export\na = 1")
    export_notebooks(project.config)
    text = project.module()
    assert text.startswith("# Made by `lamina nb` from nbs/00_core.ipynb, nbs/01_more.ipynb: ")
    assert text.index("a = 1") < text.index("b = 2")
    assert '["a", "b"]' in text


def test_text_notebooks_are_sources_too(project) -> None:
    folder = project.root / "nbs"
    folder.mkdir()
    (folder / "a.py").write_text("# %%\n#| default_exp core\n\n# %%\n#| export\na = 1\n")
    (folder / "b.md").write_text("---\njupyter: {}\n---\n\n```python\n#| export core\nb = 2\n```\n")
    export_notebooks(project.config)
    assert '__all__ = ["a", "b"]' in project.module()
    assert export_notebooks(project.config).written == []


def test_other_languages_are_left_alone(project) -> None:
    metadata = {"kernelspec": {"name": "ir", "language": "R"}}
    cells = [Cell("a", "code", "#| export core\nx <- 1")]
    write_notebook(Notebook(cells, metadata), project.root / "nbs/a.ipynb")
    assert export_notebooks(project.config).written == [project.root / "pets/__init__.py"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("#| export core\nx = = 1", r"not valid Python: invalid syntax, in line 1: 'x = = 1'"),
        ("#| export core\n%matplotlib inline", "'%matplotlib inline' is a command of IPython"),
        ("#| export\nx = 1", r"not said where to. Put '#\| default_exp MODULE'"),
        ("#| export my-core\nx = 1", "'my-core' is no name of a module"),
        ("#| export core\nfrom __future__ import annotations; x = 1", "on a line of its own"),
        ("#| exprt core\nx = 1", r"Did you mean '#\| export'"),
    ],
)
def test_what_cannot_be_exported_is_refused(project, source: str, message: str) -> None:
    project.notebook("a.ipynb", source)
    with pytest.raises(NotebookError, match=rf"a\.ipynb, cell 1 \(#c0\): .*{message}"):
        export_notebooks(project.config)


def test_older_spellings_give_a_hint(project) -> None:
    project.notebook("a.ipynb", "# export\nx = 1")
    hints = export_notebooks(project.config).hints
    assert hints[0].startswith("nbs/a.ipynb, cell 1 (#c0): did you mean '#| export'? ")
    assert hints[0].endswith("`lamina nb migrate` rewrites such comments.")


def test_a_file_written_by_hand_is_never_overwritten(project) -> None:
    project.notebook("a.ipynb", *CORE)
    (project.root / "pets").mkdir()
    (project.root / "pets/core.py").write_text("mine = 1\n")
    for force in (False, True):
        with pytest.raises(NotebookError, match=r"pets/core\.py: exists, and was not made from"):
            export_notebooks(project.config, force=force)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("return 1", "return 9", r"nbs/00_core\.ipynb#c1"),
        ("X = 2\n", "X = 2\n\n# %%\nY = 3\n", "a new cell"),
        ("# %% nbs/00_core.ipynb #c3\nX = 2\n", "", r"#c3 \(deleted\)"),
    ],
)
def test_edits_of_a_module_are_not_lost(project, old: str, new: str, what: str) -> None:
    path = project.notebook("00_core.ipynb", *CORE)
    export_notebooks(project.config)
    project.edit(old, new)
    notebook = read_notebook(path)
    notebook.cells[0].source += "\n"
    with pytest.raises(NotebookError, match=rf"was edited since it was made: .*{what}.*nb sync"):
        export_notebooks(project.config)
    export_notebooks(project.config, force=True)
    assert project.module() == MODULE


def test_a_module_that_nothing_is_exported_to_goes(project) -> None:
    path = project.notebook("00_core.ipynb", *CORE)
    export_notebooks(project.config)
    path.unlink()
    project.edit("X = 2", "X = 3")
    with pytest.raises(NotebookError, match="was edited since"):
        export_notebooks(project.config)
    project.edit("X = 3", "X = 2")
    assert export_notebooks(project.config).removed == [project.root / "pets/core.py"]


def test_one_notebook_writes_its_modules_alone(project) -> None:
    project.notebook("a.ipynb", "#| export a\nx = 1")
    path = project.notebook("b.ipynb", "#| export b\nx = 1")
    export_notebooks(project.config, path)
    assert not (project.root / "pets/a.py").exists()
    assert (project.root / "pets/b.py").exists()


def test_a_notebook_outside_the_project_is_refused(project) -> None:
    project.notebook("a.ipynb", "#| export a\nx = 1")
    path = project.notebook("_draft.ipynb", "#| export b\nx = 1")
    with pytest.raises(NotebookError, match=r"_draft\.ipynb: is none of the notebooks"):
        export_notebooks(project.config, path)


def test_check_writes_nothing(project) -> None:
    project.notebook("00_core.ipynb", *CORE)
    report = export_notebooks(project.config, check=True)
    assert report.written == [project.root / "pets/core.py"]
    assert not (project.root / "pets").exists()


def test_the_index_knows_every_symbol(project, monkeypatch) -> None:
    project.notebook("a.ipynb", "#| export core\nclass A:\n    def f(self): ...\nB = 1")
    project.notebook("b.ipynb", "#| export more\nB = 2")
    export_notebooks(project.config)
    index = read_index(project.config.lib_path)
    assert index.lookup("A.f") == ("pets.core", "A.f", "nbs/a.ipynb#c0")
    assert index.lookup("pets.A.f") == index.lookup("pets.core.A.f") == index.lookup("A.f")
    assert index.lookup("B") is None
    assert index.lookup("pets.more.B") == ("pets.more", "B", "nbs/b.ipynb#c0")
    shutil.copytree(project.root / "pets", project.root / "path" / "pets_index_test")
    monkeypatch.syspath_prepend(project.root / "path")
    assert find_index("pets_index_test.core") == index


def test_a_damaged_index_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text("<<<<<<< HEAD")
    assert read_index(tmp_path).cells == {}
