import pytest
import torch

from lamina.vision.augmentation.geometry import (
    crop_matrix,
    dihedral_matrix,
    flip_matrix,
    identity_matrix,
    map_points,
    rotate_matrix,
    tilt_matrix,
    warp,
    zoom_matrix,
)


def picture(height: int = 8, width: int = 8, n: int = 1) -> torch.Tensor:
    return torch.arange(n * 3 * height * width).view(n, 3, height, width) / (3 * height * width)


def one(value: float) -> torch.Tensor:
    return torch.tensor([value])


def smooth(height: int = 64, width: int = 64) -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 3, width), indexing="ij")
    return (x.sin() * y.cos())[None, None]


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (224, 224)])
def test_the_identity_changes_nothing(size):
    x = picture(*size)
    torch.testing.assert_close(warp(x, identity_matrix(1)), x, rtol=0, atol=2e-5)


@pytest.mark.parametrize("width", [8, 7, 224])
def test_a_flip_is_exact_to_rounding(width: int):
    x = picture(4, width, n=2)
    out = warp(x, flip_matrix(torch.tensor([True, False])))
    torch.testing.assert_close(out, torch.stack([x[0].flip(-1), x[1]]), rtol=0, atol=2e-5)


def test_a_flip_of_a_power_of_two_is_exact_to_the_bit():
    x = picture(64, 64)
    torch.testing.assert_close(warp(x, flip_matrix(one(1.0) > 0)), x.flip(-1), rtol=0, atol=0)


def test_the_eight_symmetries_are_all_different_and_exact():
    x = picture()
    found = [warp(x, dihedral_matrix(torch.tensor([k]))) for k in range(8)]
    expected = [y for t in (x, x.mT) for y in (t, t.flip(-1), t.flip(-2), t.flip(-1, -2))]
    for out in found:
        assert sum(torch.allclose(out, y, atol=1e-6) for y in expected) == 1
    assert len({tuple(out.flatten().tolist()) for out in found}) == 8


def test_a_quarter_turn_is_counter_clockwise():
    x = picture()
    torch.testing.assert_close(warp(x, rotate_matrix(one(90.0))), x.rot90(1, (-2, -1)))


def test_a_turn_shears_nothing_whatever_the_aspect():
    corners = torch.tensor([[[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]])
    moved = map_points(corners, rotate_matrix(one(30.0), aspect=0.5))[0]
    x, y = (moved[1:] - moved[0]) * torch.tensor([2.0, 1.0])  # to pixels of equal size
    assert x.dot(y).item() == pytest.approx(0, abs=1e-6)
    assert (x.norm() / 2).item() == pytest.approx(y.norm().item()) == 0.5


@pytest.mark.parametrize(("x", "edge"), [(0.0, -1.0), (1.0, 1.0), (0.5, 0.0)])
def test_a_zoom_keeps_its_place(x: float, edge: float):
    fixed = torch.tensor([[[edge, edge]]])
    torch.testing.assert_close(map_points(fixed, zoom_matrix(one(2.0), one(x), one(x))), fixed)


def test_a_zoom_of_two_shows_a_quarter():
    x = smooth()
    out = warp(x, zoom_matrix(one(2.0), one(0.0), one(0.0)))
    expected = torch.nn.functional.interpolate(x[..., :32, :32], scale_factor=2, mode="bilinear")
    torch.testing.assert_close(out[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-3, rtol=0)


def test_a_tilt_keeps_the_edges_and_makes_a_trapezium():
    corners = torch.tensor([[[-1.0, -1], [1, -1], [-1, 1], [1, 1]]])
    seen = tilt_matrix(one(0.2), one(0.0))[0] @ torch.cat([corners[0], torch.ones(4, 1)], 1).mT
    xy = (seen[:2] / seen[2]).mT
    assert xy[:, 0].tolist() == pytest.approx([-1, 1, -1, 1])
    left, right = xy[2, 1] - xy[0, 1], xy[3, 1] - xy[1, 1]
    assert (left / right).item() == pytest.approx(1.2 / 0.8)
    assert (left * right).item() == pytest.approx(4)


def test_a_crop_shows_its_box():
    x = picture()
    matrix = crop_matrix(one(-1.0), one(-0.5), one(0.0), one(0.5))
    torch.testing.assert_close(warp(x, matrix, (4, 4)), x[..., 2:6, :4], atol=1e-6, rtol=0)


def test_composing_is_multiplying():
    x = smooth(128, 128)
    first, second = rotate_matrix(one(20.0)), zoom_matrix(one(1.3), one(0.4), one(0.6))
    twice = warp(warp(x, first), second)
    torch.testing.assert_close(warp(x, first @ second), twice, atol=0.02, rtol=0)


def test_points_move_with_the_picture():
    x = torch.zeros(1, 1, 65, 65)
    x[..., 20, 45] = 1
    matrix = rotate_matrix(one(25.0)) @ tilt_matrix(one(0.2), one(-0.1))
    point = (torch.tensor([[[45.0, 20.0]]]) * 2 + 1) / 65 - 1
    px = ((map_points(point, matrix) + 1) * 65 - 1) / 2
    row, column = divmod(int(warp(x, matrix).argmax()), 65)
    assert px.flatten().tolist() == pytest.approx([column, row], abs=0.7)


def test_every_item_has_its_own_matrix():
    x = smooth(32, 32).expand(3, -1, -1, -1)
    matrices = rotate_matrix(torch.tensor([0.0, 90.0, 180.0]))
    out = warp(x, matrices)
    for i in range(3):
        torch.testing.assert_close(out[i : i + 1], warp(x[i : i + 1], matrices[i : i + 1]))


@pytest.mark.parametrize(("pad_mode", "outside"), [("zeros", 0.0), ("border", 1.0)])
def test_the_outside(pad_mode: str, outside: float):
    x = torch.ones(1, 1, 8, 8)
    out = warp(x, zoom_matrix(one(0.25), one(0.5), one(0.5)), pad_mode=pad_mode)
    assert out[0, 0, 0, 0].item() == outside


def test_a_strong_reduction_averages_first():
    checks = (torch.arange(64)[:, None] + torch.arange(64)) % 2
    x = checks.float()[None, None]
    torch.testing.assert_close(
        warp(x, identity_matrix(1), (16, 16)), torch.full((1, 1, 16, 16), 0.5)
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_find_the_same_places(dtype: torch.dtype):
    x = smooth(256, 256).to(dtype)
    matrix = rotate_matrix(one(17.0))
    out = warp(x, matrix)
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), warp(x.float(), matrix), atol=4e-3, rtol=0)
