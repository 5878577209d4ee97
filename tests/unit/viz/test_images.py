import numpy as np
import pytest
import torch
from PIL import Image

from lamina.foundation.errors import ContractError, DataError, UnknownArgumentError
from lamina.viz.canvas import save_figure
from lamina.viz.images import (
    make_sheet,
    show_boxes,
    show_image,
    show_images,
    show_mask,
    show_points,
)


def drawn(ax):
    return np.asarray(ax.images[-1].get_array())


@pytest.mark.parametrize(
    ("im", "shape"),
    [
        (torch.zeros(3, 4, 6), (4, 6, 3)),
        (torch.zeros(1, 4, 6), (4, 6)),
        (torch.zeros(4, 6), (4, 6)),
        (torch.zeros(3, 5, 3), (5, 3, 3)),
        (np.zeros((4, 6, 3)), (4, 6, 3)),
        (np.zeros((3, 6, 3)), (3, 6, 3)),
        (np.zeros((4, 6, 1)), (4, 6)),
        (np.zeros((3, 4, 6)), (4, 6, 3)),
        (torch.zeros(4, 5, 6, dtype=torch.uint8), (5, 6, 4)),
        (torch.zeros(3, 4, 6, dtype=torch.float16), (4, 6, 3)),
        (Image.new("RGB", (6, 4)), (4, 6, 3)),
        (Image.new("L", (6, 4)), (4, 6)),
    ],
)
def test_layouts(im, shape):
    assert drawn(show_image(im)).shape == shape


def test_one_channel_is_gray_unless_told():
    assert show_image(np.zeros((2, 2))).images[0].get_cmap().name == "gray"
    assert show_image(np.zeros((2, 2)), cmap="viridis").images[0].get_cmap().name == "viridis"


def test_colours_out_of_range_are_clipped():
    assert drawn(show_image(torch.tensor([-1.0, 0.5, 2.0])[:, None, None])).tolist() == [
        [[0, 0.5, 1]]
    ]


def test_title_size_and_options():
    ax = show_image(np.zeros((2, 2)), figsize=(2, 1), title="cat", alpha=0.5)
    assert ax.get_title() == "cat"
    assert not ax.axison
    assert ax.figure.get_size_inches().tolist() == [2, 1]
    assert ax.images[0].get_alpha() == 0.5


def test_drawing_on_given_axes():
    ax = show_image(np.zeros((2, 2)))
    assert show_image(np.zeros((2, 2)), ax) is ax
    assert len(ax.images) == 2


def test_unknown_option_is_refused():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'interpolation'"):
        show_image(np.zeros((2, 2)), interpolate="nearest")


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (5, 6, 7), (3,)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(
        DataError, match=r"has shape \(.*\)\. Expected \(height, width\).*one by one"
    ):
        show_image(torch.zeros(shape))


def test_several_images_in_one_row_or_a_grid():
    axes = show_images([np.zeros((2, 2))] * 4, titles=["a", 1, 2, 3])
    assert [ax.get_title() for ax in axes] == ["a", "1", "2", "3"]
    grids = [show_images([np.zeros((2, 2))] * 4, **k) for k in ({"ncols": 2}, {"nrows": None})]
    assert [g[0].get_subplotspec().get_gridspec().nrows for g in grids] == [2, 2]


def test_titles_must_match_images():
    with pytest.raises(ContractError, match=r"1 titles for 2 images. Give one title per image"):
        show_images([np.zeros((2, 2))] * 2, titles=["a"])


def test_classes_have_the_same_colour_in_every_mask():
    few, many = show_mask(np.full((2, 2), 3)), show_mask(np.array([[3, 90]]))
    assert few.images[0].to_rgba([3]).tolist() == many.images[0].to_rgba([3]).tolist()
    assert (
        few.images[0].to_rgba(np.arange(20)).tolist()
        == many.images[0].to_rgba(np.arange(20)).tolist()
    )


def test_mask_with_codes_names_only_what_occurs():
    ax = show_mask(torch.tensor([[[0, 2, 255]]]), codes=["void", "road", "sky"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["void", "sky"]


def test_mask_lies_over_the_image():
    ax = show_mask(np.zeros((2, 2)), show_image(np.zeros((2, 2))), title="both", alpha=0.3)
    assert [im.get_alpha() for im in ax.images] == [None, 0.3]
    assert ax.get_title() == "both"


def test_batch_of_masks_is_refused():
    with pytest.raises(DataError, match=r"has shape \(2, 4, 4\). Give one mask"):
        show_mask(torch.zeros(2, 4, 4))


def test_points_without_image_grow_downward():
    assert show_points(torch.tensor([[1.0, 2.0]])).yaxis_inverted()
    assert len(show_points([[1, 2], [3, 4]]).collections[0].get_offsets()) == 2


def test_boxes_are_where_they_should_be():
    ax = show_boxes(torch.tensor([[1, 2, 4, 6], [0, 0, 1, 1]]), labels=["cat", "dog"])
    assert ax.patches[0].get_bbox().bounds == (1, 2, 3, 4)
    assert [text.get_text() for text in ax.texts] == ["cat", "dog"]
    assert ax.yaxis_inverted()


def test_no_boxes_are_fine():
    assert len(show_boxes(np.zeros((0, 4))).patches) == 0


def test_everything_renders(tmp_path):
    ax = show_image(torch.rand(3, 20, 30), title="image")
    show_mask(np.eye(20, 30, dtype=int), ax, codes=["a", "b"])
    show_points([[3, 4]], ax)
    show_boxes([[2, 2, 9, 9]], ax, labels=["cat"])
    assert save_figure(tmp_path / "a.png", ax).stat().st_size > 1000


def test_sheet_centres_small_images_and_keeps_values():
    sheet = make_sheet([np.zeros((4, 4)), torch.ones(3, 2, 2), Image.new("RGB", (4, 4), "red")])
    assert sheet.shape == (4, 16, 3)
    assert sheet.dtype == np.uint8
    assert sheet[0, 0].tolist() == [0, 0, 0]
    assert sheet[1, 7].tolist() == [255, 255, 255]
    assert sheet[0, -1].tolist() == [255, 0, 0]


def test_sheet_of_nothing():
    with pytest.raises(ContractError, match=r"no images were given. Give at least one"):
        make_sheet([])
