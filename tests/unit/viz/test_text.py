import pytest

from lamina.foundation.errors import ContractError
from lamina.viz.images import show_image
from lamina.viz.tables import Table
from lamina.viz.titles import show_title


def test_titles_pile_up_over_an_image():
    ax = show_image([[0, 1]], title="dog")
    show_title("cat", ax, label="predicted", color="r")
    assert ax.get_title() == "dog\npredicted: cat"
    assert ax.title.get_color() == "r"


def test_title_alone_has_no_frame():
    assert not show_title(3).axison


def test_long_and_broken_cells_fit_one_line():
    text = str(Table(["text"], [["a\nb  c"], ["x" * 100]], title="T"))
    assert text.splitlines() == ["T", "text", "a b c", "x" * 57 + "..."]


def test_html_escapes_everything():
    html = Table(["<h>"], [["<b>"], [0.5]], title="<t>")._repr_html_()
    assert html == (
        "<table><caption>&lt;t&gt;</caption><thead><tr><th>&lt;h&gt;</th></tr></thead><tbody>"
        "<tr><td>&lt;b&gt;</td></tr><tr><td>0.5000</td></tr></tbody></table>"
    )


def test_empty_table_is_its_header():
    assert str(Table(["a", "b"], [])) == "a  b"


def test_uneven_rows_are_refused():
    with pytest.raises(ContractError, match=r"row 1 has 1 cells, the header 2. Give every row"):
        Table(["a", "b"], [[1, 2], [1]])
