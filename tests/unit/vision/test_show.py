import pytest
import torch

from lamina.data.category import Category, MultiCategory
from lamina.data.show import show_batch, show_results
from lamina.foundation.errors import UnknownArgumentError
from lamina.tensor.types import (
    MaskMeta,
    PointsMeta,
    TensorBBox,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorPoint,
    TitledTensorScalar,
)
from lamina.vision.show import show_picture_pairs, show_picture_results


def image(level: float = 0.5) -> TensorImage:
    return TensorImage(torch.full((3, 4, 6), level))


def titles(axes) -> list[str]:
    return [ax.get_title() for ax in axes]


X, Y = image()[None], TensorCategory([0])


def test_pictures_come_with_their_labels():
    axes = show_batch(X, Y, [(image(), Category("cat")), (image(), Category("dog"))])
    assert titles(axes) == ["cat", "dog"]
    assert all(len(ax.images) == 1 for ax in axes)


@pytest.mark.parametrize("predicted", ["cat", "dog"])
def test_a_right_prediction_is_green_and_a_wrong_one_red(predicted: str):
    sample, out = (image(), Category("cat")), (Category(predicted),)
    (ax,) = show_results(X, Y, [sample], [out])
    assert ax.get_title() == f"cat\n{predicted}"
    assert ax.title.get_color() == ("green" if predicted == "cat" else "red")


def test_a_mask_lies_over_its_picture_and_beside_its_prediction():
    mask = TensorMask(torch.zeros(4, 6, dtype=torch.long))
    (ax,) = show_batch(X, mask[None], [(image(), mask)])
    assert len(ax.images) == 2
    axes = show_results(X, mask[None], [(image(), mask)], [(mask,)])
    assert titles(axes) == ["target", "predicted"]
    assert [len(ax.images) for ax in axes] == [2, 2]


def test_pictures_of_pictures_are_side_by_side():
    axes = show_batch(X, X, [(image(0), image(1))] * 3, max_n=2)
    assert titles(axes) == ["input", "target"] * 2
    assert [float(ax.images[0].get_array().max()) for ax in axes] == [0, 1, 0, 1]


def test_predicted_pictures_are_the_third_of_a_row():
    axes = show_results(X, X, [(image(0), image(1))] * 2, [(image(0.5),)] * 2)
    assert titles(axes) == ["input", "target", "predicted"] * 2
    assert len({round(ax.get_position().y0, 3) for ax in axes}) == 2


def test_pairs_of_pictures_have_their_own_functions():
    assert show_batch[TensorImage, TensorImage] is show_picture_pairs
    assert show_results[TensorImage, TensorImage] is show_picture_results


BOXES = TensorBBox([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.0, 0.0]], meta=PointsMeta((6, 4)))
POINTS = TensorPoint([[0.0, 0.0]], meta=PointsMeta((6, 4)))
MASK = TensorMask(torch.tensor([[0, 1], [1, 2]]), meta=MaskMeta(("road", "sky", "tree")))
CELLS = MultiCategory(["cell"])
TARGETS = [
    Category("cat"),
    MultiCategory(["cat", "dog"]),
    TitledTensorScalar(0.5),
    MASK,
    POINTS,
    BOXES,
    image(),
    "text",
    3,
    (BOXES, CELLS),
    (BOXES, Category("cat")),
    (Category("cat"), Category("dog")),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda x: type(x).__name__)
def test_every_pair_is_shown(target):
    parts = target if isinstance(target, tuple) else (target,)
    sample = (image(), *parts)
    for axes in (
        show_batch(X, target, [sample] * 3, max_n=2),
        show_results(X, target, [sample] * 3, [parts] * 3, max_n=2),
    ):
        assert all(ax.images for ax in axes)
        axes[0].figure.canvas.draw()


def test_points_and_boxes_are_drawn_in_pixels():
    (ax,) = show_batch(X, POINTS, [(image(), POINTS)])
    assert ax.collections[0].get_offsets().tolist() == [[3, 2]]
    (ax,) = show_batch(X, BOXES, [(image(), BOXES)])
    assert [(box.get_xy(), box.get_width(), box.get_height()) for box in ax.patches] == [
        ((3, 2), 1.5, 1)
    ]


def test_labels_stand_at_their_boxes():
    sample = (image(), BOXES[:1], CELLS)
    (ax,) = show_batch(X, sample[1:], [sample])
    assert [text.get_text() for text in ax.texts] == ["cell"]
    axes = show_results(X, sample[1:], [sample], [(BOXES[:1], MultiCategory(["plate"]))])
    assert [ax.texts[0].get_text() for ax in axes] == ["cell", "plate"]
    assert titles(axes) == ["target", "predicted"]


def test_masks_with_names_have_one_legend():
    axes = show_batch(X, MASK[None], [(image(), MASK), (image(), MASK[:1])])
    assert [ax.get_legend() for ax in axes] == [None, None]
    (legend,) = axes[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["road", "sky", "tree"]


def test_of_several_labels_all_must_be_right_for_green():
    sample, out = (image(), Category("cat"), Category("red")), (Category("dog"), Category("red"))
    (ax,) = show_results(X, (Y, Y), [sample], [out])
    assert ax.get_title() == "cat\nred\ndog\nred"
    assert ax.title.get_color() == "red"


def test_numbers_are_short_and_neither_right_nor_wrong():
    sample = (image(), TitledTensorScalar(1 / 3))
    (ax,) = show_results(X, sample[1], [sample], [(TitledTensorScalar(2 / 3),)])
    assert ax.get_title() == "0.3333\n0.6667"
    assert ax.title.get_color() == "k"


def test_an_unknown_option_is_refused():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'ncols'"):
        show_batch(X, X, [(image(), image())], cols=2)
