import numpy as np
import pytest
import torch

from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import PointsMeta, TensorBBox, TensorPoint, plain
from lamina.vision.augmentation.geometry import dihedral_matrix, warp
from lamina.vision.augmentation.symmetry import DihedralItem, dihedral
from lamina.vision.images import PILMask


def mask(width: int = 6, height: int = 4) -> PILMask:
    return PILMask.create(np.arange(width * height, dtype=np.uint8).reshape(height, width))


@pytest.mark.parametrize("k", range(8))
def test_a_symmetry_is_that_of_the_batch(k: int):
    square = mask(5, 5)
    values = torch.tensor(np.asarray(square), dtype=torch.float32)[None, None]
    moved = warp(values, dihedral_matrix(torch.tensor([k])), mode="nearest")
    np.testing.assert_array_equal(np.asarray(dihedral(square, k)), moved[0, 0].numpy())


@pytest.mark.parametrize("k", range(8))
def test_points_and_boxes_move_with_the_picture(k: int):
    meta = PointsMeta((6, 4))
    point = TensorPoint([[2.5 / 3 - 1, 1.5 / 2 - 1]], meta=meta)  # the centre of pixel (2, 1)
    box = TensorBBox([[2 / 3 - 1, 1 / 2 - 1, 3 / 3 - 1, 2 / 2 - 1]], meta=meta)  # that pixel
    image, point, box = (dihedral(x, k) for x in (mask(), point, box))
    x, y = ((plain(point)[0] + 1) / 2 * torch.tensor(image.size)).tolist()
    assert np.asarray(image)[int(y), int(x)] == 1 * 6 + 2
    assert point.meta == box.meta == PointsMeta(image.size)
    torch.testing.assert_close((plain(box)[:, :2] + plain(box)[:, 2:]) / 2, plain(point))


def test_what_is_given_stays_as_it_is():
    point = TensorPoint([[0.5, 0.25]], meta=PointsMeta((6, 4)))
    picture = mask()
    dihedral(point, 7)
    dihedral(picture, 7)
    assert plain(point).tolist() == [[0.5, 0.25]]
    assert point.meta == PointsMeta((6, 4))
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(mask()))


def test_pixels_are_refused():
    with pytest.raises(ContractError, match=r"TensorPoint in pixels cannot .* add PointScaler"):
        dihedral(TensorPoint([[3.0, 4.0]]), 1)


def test_every_symmetry_is_drawn_in_training_only():
    made = set()
    for seed in range(60):
        with using(Randomness(seed)):
            made.add(np.asarray(DihedralItem()(mask(), split_idx=0)).tobytes())
    assert len(made) == 8
    picture = mask()
    assert DihedralItem()(picture, split_idx=1) is picture
