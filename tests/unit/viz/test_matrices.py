import pytest

from lamina.viz.canvas import new_axes
from lamina.viz.matrices import plot_matrix


def test_values_are_written_where_there_are_any():
    ax = plot_matrix([[3, 0], [1, 12]], ["a", "b"], ["c", "d"], title="counts")
    assert {t.get_text(): t.get_position() for t in ax.texts} == {
        "3": (0, 0),
        "1": (0, 1),
        "12": (1, 1),
    }
    assert ax.get_title() == "counts"


def test_parts_are_written_with_their_digits():
    ax = plot_matrix([[0.5, 0.004]], ["a"], [1, 2], n_decimals=2)
    assert [t.get_text() for t in ax.texts] == ["0.50"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "2"]


@pytest.mark.parametrize(("n", "side"), [(2, 4.0), (20, 10.5), (100, 16.0)])
def test_the_figure_grows_with_the_matrix(n, side):
    ax = plot_matrix([[0] * n] * n, range(n), range(n), with_values=False)
    assert tuple(ax.figure.get_size_inches()) == (side, side)


def test_given_axes_are_drawn_on():
    ax = new_axes()
    assert plot_matrix([[1]], ["a"], ["a"], ax=ax) is ax
