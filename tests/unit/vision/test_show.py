import pytest
import torch

from lamina.data.category import Category
from lamina.data.show import show_batch, show_results
from lamina.foundation.errors import UnknownArgumentError
from lamina.tensor.types import TensorCategory, TensorImage, TensorMask
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


def test_an_unknown_option_is_refused():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'ncols'"):
        show_batch(X, X, [(image(), image())], cols=2)
