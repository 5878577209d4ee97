"""Directives in comments and metadata."""

import pytest

from lamina.notebook.directives import (
    check_directives,
    default_export,
    has_flag,
    migrate_directives,
    notebook_directives,
    old_directives,
    parse_directives,
    split_directives,
)
from lamina.notebook.document import Cell, Notebook
from lamina.notebook.errors import NotebookError


def code(source: str, **metadata: object) -> Cell:
    return Cell("a1", "code", source, metadata=dict(metadata))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("#| export", {"export": ""}),
        ("#|export core", {"export": "core"}),
        ("# | export sub.core ", {"export": "sub.core"}),
        ("#| eval: false", {"eval": "false"}),
        ("#|eval:false", {"eval": "false"}),
        ("#| filter_stream a b", {"filter_stream": "a b"}),
        ("#| code-fold: show", {"code-fold": "show"}),
        ("# export", {}),
    ],
)
def test_spellings(line: str, expected: dict[str, str]) -> None:
    assert parse_directives(code(f"{line}\nx = 1")) == expected


def test_directives_end_where_the_code_begins() -> None:
    assert parse_directives(code("\n#| hide\n\n#| export\nx = 1\n#| eval: false")) == {
        "hide": "",
        "export": "",
    }


def test_head_and_body_are_the_source() -> None:
    source = "#| export\n\n#| hide\nx = 1\n"
    split = split_directives(source)
    assert (split.head, split.body) == ("#| export\n\n#| hide\n", "x = 1\n")


def test_metadata_hold_directives_too() -> None:
    cell = code("x = 1", lamina={"export": True, "eval": False, "code-fold": "show"})
    assert parse_directives(cell) == {"export": "", "eval": "false", "code-fold": "show"}


def test_the_default_module_comes_from_a_cell_or_the_notebook() -> None:
    assert default_export(Notebook([code("x"), code("#| default_exp a.b")])) == "a.b"
    assert default_export(Notebook(metadata={"lamina": {"default_exp": "c"}})) == "c"
    assert default_export(Notebook()) is None


def test_front_matter_holds_for_the_whole_notebook() -> None:
    text = "---\ntitle: 'Pets'\nskip_exec: true\nlist:\n  - a: b\n---\n\n# T"
    notebook = Notebook([Cell("a", "markdown", text)])
    assert notebook_directives(notebook) == {"title": "Pets", "skip_exec": "true", "list": ""}
    assert notebook_directives(Notebook([Cell("a", "markdown", "# T\n---\na: b\n---")])) == {}
    check_directives(notebook)


def test_an_unknown_directive_is_refused_with_the_closest() -> None:
    with pytest.raises(NotebookError, match=r"cell 1 \(#a1\): .*'#\| exprot'.*mean '#\| export'"):
        check_directives(Notebook([code("#| exprot\nx = 1")]))
    with pytest.raises(NotebookError, match=r"Did you mean '#\| default_exp'"):
        check_directives(Notebook(metadata={"lamina": {"default_export": "core"}}))


def test_flags_of_the_settings_are_known() -> None:
    cell = code("#| notest\nx = 1")
    check_directives(Notebook([cell]), flags=["notest"])
    assert has_flag(cell, ["notest"])
    assert not has_flag(cell, ["slow"])
    with pytest.raises(NotebookError, match="belongs in `tst_flags`"):
        check_directives(Notebook([code("#| qqqqq\nx = 1")]))


def test_older_spellings_are_found_and_rewritten() -> None:
    sources = ["# default_exp core", "#export\n# hide\nx = 1", "# hide and seek\nx", "x\n# export"]
    notebook = Notebook([code(source) for source in sources])
    assert [line for _, line in old_directives(notebook)] == [
        "# default_exp core",
        "#export",
        "# hide",
    ]
    assert migrate_directives(notebook) == 3
    assert [c.source for c in notebook.cells][:2] == [
        "#| default_exp core",
        "#| export\n#| hide\nx = 1",
    ]
