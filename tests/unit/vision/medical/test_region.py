"""Finding, cutting out and resizing the part of a picture that matters."""

import torch

from lamina.vision.medical.region import (
    crop_resize,
    gauss_blur2d,
    mask2bbox,
    mask_from_blur,
    uniform_blur2d,
    zoom,
)


def scene() -> torch.Tensor:
    """Air around soft tissue around bone, in Hounsfield units."""
    x = torch.full((80, 100), -1000.0)
    x[20:60, 30:80] = 40
    x[35:45, 50:60] = 1500
    return x


def test_a_blur_keeps_what_is_flat_and_the_sum_of_a_point():
    flat, point = torch.full((12, 14), 3.0), torch.zeros(2, 31, 31)
    point[:, 15, 15] = 1
    torch.testing.assert_close(gauss_blur2d(flat, 9), flat)
    blurred = gauss_blur2d(point, 12)
    torch.testing.assert_close(blurred.sum((1, 2)), torch.ones(2))
    torch.testing.assert_close(blurred, blurred.transpose(1, 2))
    assert blurred[0, 15, 15] == blurred.max()


def test_a_uniform_blur_is_the_mean_of_a_square():
    x = torch.rand(2, 9, 11, generator=torch.Generator().manual_seed(0))
    for s in (2, 3, 5):
        blurred = uniform_blur2d(x, s)
        first = 4 - (s - 1) // 2  # of the square around row and column 4
        expected = x[:, first : first + s, first : first + s].mean((1, 2))
        torch.testing.assert_close(blurred[:, 4, 4], expected)
        assert blurred.shape == x.shape


def test_the_mask_covers_what_is_in_the_window():
    mask = mask_from_blur(scene(), "brain", sigma=0.05)
    assert mask[20:60, 30:80].float().mean() > 0.95
    assert not mask[:10].any()
    assert not mask[:, :20].any()


def test_boxes_of_masks():
    masks = torch.zeros(3, 8, 10, dtype=torch.bool)
    masks[0, 2:5, 3:9] = True
    masks[1, 7, 0] = True
    assert mask2bbox(masks).tolist() == [[3, 2, 9, 5], [0, 7, 1, 8], [0, 0, 10, 8]]


def test_cutting_out_gives_the_part_alone():
    x = scene()[None, None]
    box = mask2bbox(x[:, 0] > -500)
    cut = crop_resize(x, box, (40, 50))
    torch.testing.assert_close(cut[0, 0], x[0, 0, 20:60, 30:80], atol=0.1, rtol=0)
    assert crop_resize(x, box, 16).shape == (1, 1, 16, 16)


def test_zoom_averages_when_it_shrinks():
    board = (torch.arange(64).view(8, 8) % 2).float()
    torch.testing.assert_close(zoom(board, 0.25)[0, 0], torch.tensor(0.5), atol=0.05, rtol=0)
