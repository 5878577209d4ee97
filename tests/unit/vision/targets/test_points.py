import pytest
import torch

from lamina.data.task import Regression
from lamina.foundation.errors import ContractError, ItemError
from lamina.tensor.types import PointsMeta, TensorBBox, TensorImage, TensorPoint, plain
from lamina.vision.augmentation.resize import Resize
from lamina.vision.augmentation.symmetry import FlipItem
from lamina.vision.images import PILImage
from lamina.vision.targets.points import PointScaler, ToBoxes, ToPoints

IMAGE = TensorImage(torch.zeros(3, 50, 100))
CORNERS = [[0.0, 0.0], [100.0, 50.0], [25.0, 25.0]]


def picture(width: int = 100, height: int = 50) -> PILImage:
    return PILImage.create(torch.zeros(3, height, width))


def test_the_corners_of_a_picture_are_minus_one_and_one():
    _, points = PointScaler()((IMAGE, TensorPoint(CORNERS)))
    assert points.tolist() == [[-1, -1], [1, 1], [-0.5, 0]]
    assert points.meta == PointsMeta((100, 50))


@pytest.mark.parametrize("scaler", [PointScaler(), PointScaler(y_first=True)], ids=repr)
def test_decoding_gives_back_the_pixels(scaler: PointScaler):
    item = (picture(), TensorPoint(CORNERS), TensorBBox([[1.0, 2.0, 30.0, 40.0]]))
    _, points, boxes = scaler.decode(scaler(item))
    torch.testing.assert_close(plain(points), plain(item[1]))
    torch.testing.assert_close(plain(boxes), plain(item[2]))


def test_y_may_come_first():
    _, points = PointScaler(y_first=True)((IMAGE, TensorPoint([[0.0, 100.0]])))
    assert points.tolist() == [[1, -1]]


def test_coordinates_from_minus_one_to_one_can_be_given():
    _, points = PointScaler(do_scale=False)((IMAGE, TensorPoint([[0.5, 0.5]])))
    assert points.tolist() == [[0.5, 0.5]]
    assert points.meta == PointsMeta((100, 50))


def test_what_is_scaled_stays():
    once = PointScaler()((IMAGE, TensorPoint(CORNERS)))
    assert PointScaler()(once)[1] is once[1]


def test_flat_predictions_are_decoded_to_points():
    prediction = TensorPoint(torch.tensor([-1.0, -1.0, 1.0, 1.0]))
    assert PointScaler().decode((IMAGE, prediction))[1].tolist() == [[0, 0], [100, 50]]


def test_points_need_a_picture():
    with pytest.raises(ContractError, match="no picture"):
        PointScaler()((TensorPoint(CORNERS),))


def test_resizing_in_pixels_is_refused():
    with pytest.raises(ContractError, match="PointScaler"):
        Resize(10)((picture(), TensorPoint(CORNERS)))


def test_a_squished_picture_keeps_its_coordinates():
    _, points = Resize(20, "squish")(PointScaler()((picture(), TensorPoint(CORNERS))))
    torch.testing.assert_close(plain(points), torch.tensor([[-1.0, -1], [1, 1], [-0.5, 0]]))
    assert points.meta == PointsMeta((20, 20))


def test_padding_and_cropping_move_points():
    scaled = PointScaler()((picture(), TensorPoint(CORNERS)))
    padded = Resize(20, "pad")(scaled)[1]
    torch.testing.assert_close(plain(padded), torch.tensor([[-1.0, -0.5], [1, 0.5], [-0.5, 0]]))
    middle = Resize(50)(scaled)[1]
    torch.testing.assert_close(plain(middle), torch.tensor([[-2.0, -1], [2, 1], [-1, 0]]))


def test_flipping_mirrors_points_and_keeps_boxes_in_order():
    boxes = TensorBBox([[0.0, 0.0, 25.0, 25.0]])
    _, points, flipped = FlipItem(p=1.0)(
        PointScaler()((picture(), TensorPoint(CORNERS), boxes)), split_idx=0
    )
    assert points.tolist() == [[1, -1], [-1, 1], [0.5, 0]]
    assert flipped.tolist() == [[0.5, -1, 1, 0]]


def test_points_are_counted():
    tfm = ToPoints()
    tfm.setup([CORNERS])
    assert tfm.task == Regression(6)
    with pytest.raises(ItemError, match="2 points where 3 were expected"):
        tfm(CORNERS[:2])


@pytest.mark.parametrize("tfm", [ToPoints(), ToBoxes()], ids=repr)
@pytest.mark.parametrize("x", ["a.jpg", [1.0, 2.0, 3.0], None])
def test_what_is_no_list_of_coordinates_is_refused(tfm, x):
    with pytest.raises(ItemError, match="lists were expected"):
        tfm(x)


def test_an_item_may_have_no_boxes():
    assert ToBoxes()([]).shape == (0, 4)


def test_width_and_height_are_not_taken_for_corners():
    with pytest.raises(ItemError, match=r"box 1 .* width and height need"):
        ToBoxes()([[0, 0, 2, 2], [50, 50, 20, 30]])


def test_a_box_without_an_edge_is_refused():
    with pytest.raises(
        ItemError, match=r"box 0 is \[1.0, 1.0, nan, 2.0\], .* or is NaN\. Expected"
    ):
        ToBoxes()([[1, 1, float("nan"), 2]])
