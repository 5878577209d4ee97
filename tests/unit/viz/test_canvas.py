import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError
from lamina.viz.canvas import close, get_grid, new_axes, save_figure, subplots, to_array


@pytest.mark.parametrize(
    "x",
    [
        torch.ones(2, 2, requires_grad=True),
        torch.ones(2, 2, dtype=torch.bfloat16),
        np.ones((2, 2)),
        [[1, 1], [1, 1]],
        Image.new("L", (2, 2), 1),
    ],
)
def test_any_array_like_is_read(x):
    assert to_array(x).tolist() == [[1, 1], [1, 1]]


def test_subplots_come_row_by_row_in_a_list():
    fig, axes = subplots(2, 3, imsize=2, suptitle="all")
    assert type(axes) is L
    assert list(axes) == fig.axes
    assert fig.get_suptitle() == "all"
    assert fig.get_size_inches().tolist() == [6, 4.6]


@pytest.mark.parametrize(
    ("n", "given", "rows_columns"),
    [
        (1, {}, (1, 1)),
        (2, {}, (1, 2)),
        (5, {}, (2, 3)),
        (9, {}, (3, 3)),
        (9, {"nrows": 1}, (1, 9)),
        (9, {"ncols": 2}, (5, 2)),
        (4, {"nrows": 3, "ncols": 4}, (3, 4)),
        (4, {"double": True}, (2, 4)),
    ],
)
def test_shape_of_the_grid(n, given, rows_columns):
    axes = get_grid(n, **given)
    grid = axes[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols) == rows_columns
    assert len(axes) == n * (2 if given.get("double") else 1)


def test_unused_axes_are_blank():
    axes = get_grid(5)
    assert [ax.axison for ax in axes[0].figure.axes] == [True] * 5 + [False]


def test_axes_that_are_there_are_used():
    ours = subplots(2, 3)[1]
    assert list(get_grid(2, double=True, ctxs=ours)) == list(ours)[:4]
    with pytest.raises(ContractError, match="6 axes in ctxs, 8 are needed"):
        get_grid(4, double=True, ctxs=ours)


def test_title_and_size_of_the_grid():
    figure = get_grid(2, figsize=(5, 4), title="two")[0].figure
    assert figure.get_suptitle() == "two"
    assert figure.get_size_inches().tolist() == [5, 4]


@pytest.mark.parametrize(
    ("n", "given", "message"),
    [
        (0, {}, r"n is 0. Give the number of things"),
        (5, {"nrows": 2, "ncols": 2}, r"2 rows of 2 cannot hold 5. Leave nrows or ncols out"),
    ],
)
def test_impossible_grids(n, given, message):
    with pytest.raises(ContractError, match=message):
        get_grid(n, **given)


@pytest.mark.parametrize("pick", [lambda ax: ax, lambda ax: ax.figure, lambda ax: [ax]])
def test_figure_is_saved_from_whatever_was_drawn(tmp_path, pick):
    path = save_figure(tmp_path / "a.png", pick(new_axes((2, 1))), dpi=50)
    with Image.open(path) as image:
        assert image.size == (100, 50)


def test_close_frees_one_or_all():
    axes = [new_axes() for _ in range(3)]
    close(axes[0])
    assert len(plt.get_fignums()) == 2
    close()
    assert plt.get_fignums() == []
