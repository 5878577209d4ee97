"""What a reader sees of a notebook's cells."""

import pytest

from lamina.notebook.docs.cells import notebook_title, shown_cells
from lamina.notebook.docs.outputs import output_html, output_markdown
from lamina.notebook.document import Cell, Notebook

OUT = {"output_type": "stream", "name": "stdout", "text": ["keep 1\n", "drop 2\n"]}
ERR = {"output_type": "stream", "name": "stderr", "text": "warned\n"}


def shown(source: str, *outputs: dict, kind: str = "code"):
    notebook = Notebook([Cell("a", kind, source, outputs=list(outputs))])
    return next(iter(shown_cells(notebook)), None)


@pytest.mark.parametrize("directive", ["hide", "include: false", "exporti"])
def test_hidden_cells(directive: str) -> None:
    assert shown(f"#| {directive}\nx = 1") is None


@pytest.mark.parametrize("directive", ["echo: false", "hide_input", "output: asis\n#| echo: false"])
def test_output_without_code(directive: str) -> None:
    cell = shown(f"#| {directive}\nx = 1", OUT)
    assert (cell.text, len(cell.outputs)) == ("", 1)


@pytest.mark.parametrize("directive", ["hide_output", "output: false"])
def test_code_without_output(directive: str) -> None:
    cell = shown(f"#| {directive}\nx = 1", OUT)
    assert (cell.text, cell.outputs) == ("x = 1", [])


@pytest.mark.parametrize(
    ("directive", "fold"),
    [("collapse", "closed"), ("collapse: show", "open"), ("code-fold: true", "closed"),
     ("code-fold: show", "open"), ("code-fold: false", "")],
)  # fmt: skip
def test_folds(directive: str, fold: str) -> None:
    assert shown(f"#| {directive}\nx = 1").fold == fold


def test_lines_of_code_and_output_are_left_out() -> None:
    cell = shown("#| filter_stream drop other\n%matplotlib inline\nx = 1  #| hide_line\ny = 2", OUT)
    assert (cell.text, cell.outputs[0]["text"]) == ("y = 2", "keep 1\n")


def test_warnings_are_left_out_on_demand() -> None:
    assert shown("#| warning: false\nf()", ERR).outputs == []
    assert shown("f()", ERR).outputs == [ERR]


def test_exported_code_is_replaced_by_its_reference() -> None:
    plain, with_source = shown("#| export\nx = 1"), shown("#| exports\nx = 1")
    assert (plain.text, plain.is_documented) == ("", True)
    assert (with_source.text, with_source.is_documented) == ("x = 1", True)


def test_headings_with_a_dash_and_front_matter_are_not_shown() -> None:
    assert shown("## Setup -\ntext", kind="markdown").text == "text"
    notebook = Notebook(
        [Cell("a", "raw", "---\ntitle: Pets\n---"), Cell("b", "markdown", "# Cats")]
    )
    assert [cell.text for cell in shown_cells(notebook)] == ["# Cats"]
    assert notebook_title(notebook) == "Pets"


def test_attached_pictures_move_into_the_text() -> None:
    cell = Cell("a", "markdown", "![x](attachment:x.png)")
    cell.extra["attachments"] = {"x.png": {"image/png": "QUJD"}}
    (found,) = shown_cells(Notebook([cell]))
    assert found.text == "![x](data:image/png;base64,QUJD)"


def rich(**data: str) -> dict:
    named = {key.replace("__", "/"): value for key, value in data.items()}
    return {"output_type": "execute_result", "data": named, "metadata": {}}


def save(suffix: str, data: bytes) -> str:
    return f"x.{suffix}:{data.decode()}"


def test_the_richest_form_of_an_output_is_taken() -> None:
    picture = rich(text__plain="<Figure>", image__png="QUJD")
    assert 'src="x.png:ABC"' in output_html(picture, save, str)
    assert output_markdown(picture, save) == "![Output](x.png:ABC)"
    assert (
        output_html(rich(text__plain="1 < 2"), save, str) == '<pre class="nb-result">1 &lt; 2</pre>'
    )
    assert output_html(rich(text__markdown="**b**"), save, str.upper) == "**B**"


def test_nothing_is_loaded_from_elsewhere() -> None:
    table = '<script src="https://cdn.example.org/x.js"></script><style>a</style><table></table>'
    assert output_html(rich(text__html=table), save, str) == "<style>a</style><table></table>"
    assert output_markdown(rich(text__html=table), save) == "<table></table>"


def test_progress_bars_and_colours_leave_their_last_state() -> None:
    bar = OUT | {"text": "\x1b[31m 1%\x1b[0m\r99%\rdone\n"}
    assert output_html(bar, save, str) == '<pre class="nb-stream">done</pre>'


def test_messages_are_folded_and_errors_marked() -> None:
    assert output_html(ERR, save, str).startswith('<details class="nb-stderr">')
    assert output_markdown(ERR, save) == ""
    error = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mE: v"]}
    assert output_html(error, save, str) == '<pre class="nb-error">E: v</pre>'
