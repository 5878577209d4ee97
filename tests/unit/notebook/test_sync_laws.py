"""Round trips of generated projects: notebook -> module -> edit -> notebook -> module."""

from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from lamina.notebook.config import Config
from lamina.notebook.directives import parse_directives, split_directives
from lamina.notebook.document import Cell, Notebook, read_notebook, write_notebook
from lamina.notebook.export import export_notebooks
from lamina.notebook.layout import Section, parse_module, render_module
from lamina.notebook.sync import sync_modules

names = st.sampled_from(["alpha", "beta", "gamma", "_delta", "größe"])
lines = st.one_of(
    st.builds("{} = {}".format, names, st.integers(0, 99)),
    st.builds("def {}(x):\n    return x + {}".format, names, st.integers(0, 99)),
    st.builds("class {}:\n\n    y = 'a\\n'".format, names),
    st.just("from pkg.other import thing"),
    st.just("if True:\n    from pkg import x, y"),
    st.just("from __future__ import annotations"),
    st.just("# %% nbs/00_a.ipynb #c0"),
    st.just("# %%"),
    st.just('text = """\n# %% nbs/00_a.ipynb #c1\n# %%\n"""'),
    st.just("# a comment, ünïcödé\n"),
    st.just("\n\n"),
    st.just("import os, re;from pkg.other import more"),
)
futures_first = st.lists(lines, max_size=4).map(
    lambda parts: "\n".join(sorted(parts, key=lambda part: "__future__" not in part))
)
outputs = st.lists(
    st.builds(lambda t: {"output_type": "stream", "name": "stdout", "text": [t]}, st.text()),
    max_size=2,
)


@st.composite
def cells(draw: st.DrawFn, number: int) -> Cell:
    kind = draw(st.sampled_from(["export", "export", "export", "code", "markdown"]))
    source = draw(futures_first)
    if kind == "export":
        gap = draw(st.sampled_from(["", "#| hide\n", "\n"]))
        source = f"#| export\n{gap}{source}"
    cell = Cell(f"c{number}", "markdown" if kind == "markdown" else "code", source)
    cell.metadata = draw(st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=2))
    if cell.kind == "code":
        cell.outputs, cell.execution_count = draw(outputs), draw(st.none() | st.integers(1, 9))
    return cell


@st.composite
def projects(draw: st.DrawFn) -> list[Notebook]:
    return [draw(notebook()) for _ in range(draw(st.integers(1, 3)))]


@st.composite
def notebook(draw: st.DrawFn) -> Notebook:
    """Draw a notebook; its module is named once, by itself or in an exported cell, or each time."""
    head = draw(
        st.sampled_from(["#| default_exp core", "#| default_exp core\n#| export\nz = 1", ""])
    )
    found = [Cell("first", "code", head), *(draw(cells(i)) for i in range(draw(st.integers(0, 6))))]
    for cell in found if not head else ():
        cell.source = cell.source.replace("#| export\n", "#| export core\n")
    return Notebook(found, draw(st.dictionaries(st.sampled_from("xyz"), st.text(), max_size=2)))


def write_project(root: Path, notebooks: list[Notebook]) -> Config:
    for number, notebook in enumerate(notebooks):
        write_notebook(notebook, root / "nbs" / f"0{number}_{'abc'[number]}.ipynb")
    return Config(root=root, nbs_path=root / "nbs", lib_path=root / "pkg")


def state(root: Path) -> dict[str, str]:
    return {str(p): p.read_text("utf-8") for p in root.rglob("*") if p.is_file()}


law = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@law
@given(projects())
def test_export_twice_and_sync_without_edits_change_nothing(notebooks: list[Notebook]) -> None:
    with TemporaryDirectory() as folder:
        config = write_project(Path(folder), notebooks)
        export_notebooks(config)
        before = state(config.root)
        assert export_notebooks(config).written == []
        report = sync_modules(config)
        assert (report.notebooks, report.modules) == ([], [])
        assert state(config.root) == before


@law
@given(projects(), st.data())
def test_edits_of_a_module_come_into_the_notebooks(
    notebooks: list[Notebook], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        config = write_project(Path(folder), notebooks)
        export_notebooks(config)
        module = config.lib_path / "core.py"
        if not module.exists():
            return
        before = {p: read_notebook(p) for p in sorted((config.root / "nbs").iterdir())}
        wanted = edit(module, data)
        report = sync_modules(config)
        assert [s.text for s in sections(module)] == [text for _, text in wanted]
        untouched(before, {*report.edited, *report.deleted})
        after = state(config.root)
        assert sync_modules(config).notebooks == []
        assert export_notebooks(config).written == []
        assert state(config.root) == after


def sections(module: Path) -> list:
    """Take a module apart; one whose last cell was deleted is gone."""
    return parse_module(module.read_text("utf-8"), module)[0] if module.exists() else []


def edit(module: Path, data: st.DataObject) -> list[tuple[str, str]]:
    """Change, insert, move and delete sections of a module at random."""
    text = module.read_text("utf-8")
    found, auto = parse_module(text, module)
    parts = [(s.notebook, s.id, s.text) for s in found]
    code = st.sampled_from(["new_name = 1", "def added():\n    return 2", "from .other import q"])
    for _ in range(data.draw(st.integers(1, 4))):
        action = data.draw(st.sampled_from(["change", "insert", "move", "delete"]))
        if not parts or action == "insert":
            parts.insert(data.draw(st.integers(0, len(parts))), ("", "", data.draw(code)))
            continue
        chosen = parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        if action == "change":
            parts.append((*chosen[:2], data.draw(code)))
        elif action == "move":
            parts.insert(data.draw(st.integers(0, len(parts))), chosen)
    new = render_module([Section(*part) for part in parts], auto).replace("# %%  #\n", "# %%\n")
    module.write_text(new, "utf-8")
    return [(f"{n}#{i}", text) for n, i, text in parts]


def untouched(before: dict[Path, Notebook], changed: set[str]) -> None:
    """Check that nothing is lost: the others are where they were, or, exported ones, elsewhere."""
    after = {path: read_notebook(path) for path in before}
    everywhere = [signature(cell) for new in after.values() for cell in new.cells]
    for path, old in before.items():
        assert after[path].metadata == old.metadata
        for cell in old.cells:
            if f"nbs/{path.name}#{cell.id}" in changed:
                continue
            if "export" in parse_directives(cell):
                everywhere.remove(signature(cell))
            else:
                assert after[path].find(cell.id) == cell


def signature(cell: Cell) -> tuple:
    body = split_directives(cell.source).body
    return (cell.kind, body, cell.metadata, cell.outputs, cell.execution_count)
