"""Image, mask, points and boxes agree after any draw, of item transforms and of a batch's."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import PointsMeta, TensorBBox, TensorImage, TensorMask, TensorPoint, plain
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.resize import RandomResizedCrop, Resize
from lamina.vision.augmentation.symmetry import DihedralItem
from lamina.vision.images import PILImage, PILMask

DRAWS = range(200)
WIDTH, HEIGHT = 96, 72
EDGES = torch.tensor([WIDTH, HEIGHT] * 2)


def item(i: int) -> tuple:
    """A white rectangle on black: picture, mask, its centre, its box."""
    left, top = 8 + i % 40, 6 + i % 29
    box = torch.tensor([[left, top, left + 24 + i % 9, top + 18 + i % 7]])
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[box[0, 1] : box[0, 3], box[0, 0] : box[0, 2]] = 1
    picture = PILImage.create(np.repeat(mask[..., None] * 255, 3, axis=2))
    scaled, meta = box / EDGES * 2 - 1, PointsMeta((WIDTH, HEIGHT))
    centre = (scaled[:, :2] + scaled[:, 2:]) / 2
    return (
        picture,
        PILMask.create(mask),
        TensorPoint(centre, meta=meta),
        TensorBBox(scaled, meta=meta),
    )


@cache
def drawn_items() -> list[tuple]:
    """Items after a random part of them was turned and brought to one size, one for each draw."""
    made = []
    for i in DRAWS:
        with using(Randomness(i)):
            parts = RandomResizedCrop((48, 64), min_scale=0.5)(item(i), split_idx=0)
            made.append(Resize((56, 64), "pad", "zeros")(DihedralItem()(parts, 0), 0))
    return made


@cache
def drawn_batch() -> tuple[Tensor, ...]:
    """The same items after one draw for each of all that happens to batches."""
    pictures, masks, points, boxes = zip(*drawn_items(), strict=True)
    batch = (
        TensorImage(torch.stack([p.to_tensor().float() / 255 for p in pictures])),
        TensorMask(torch.stack([m.to_tensor() for m in masks])),
        TensorPoint(torch.stack(list(points)), meta=PointsMeta((64, 56))),
        TensorBBox(torch.stack(list(boxes)), meta=PointsMeta((64, 56))),
    )
    (chain,) = aug_transforms(
        mult=2.0, flip_vert=True, max_zoom=1.3, max_lighting=0.0, p_affine=1.0, size=(60, 72),
        min_scale=0.7, pad_mode="zeros",
    )  # fmt: skip
    with using(Randomness(0)):
        return tuple(map(plain, chain(batch, split_idx=0)))


def check(image: Tensor, mask: Tensor, point: Tensor, box: Tensor) -> bool:
    """Check one draw; return whether the rectangle is still to be seen."""
    height, width = mask.shape
    assert ((image[0] > 0.5) == mask.bool()).float().mean() > 0.96
    x, y = ((point + 1) / 2 * torch.tensor([width, height])).floor().long().tolist()
    assert not (0 <= x < width and 0 <= y < height) or mask[y, x] == 1
    edges = (box + 1) / 2 * torch.tensor([width, height] * 2)
    rows, columns = mask.nonzero(as_tuple=True)
    centres = torch.stack([columns, rows], 1) + 0.5
    assert ((centres > edges[:2] - 1.5) & (centres < edges[2:] + 1.5)).all()
    return len(rows) > 0


@pytest.mark.parametrize("i", DRAWS[::50])
def test_an_item_itself_agrees(i: int):
    image, mask, points, boxes = item(i)
    assert check(
        image.to_tensor() / 255, plain(mask.to_tensor()), plain(points)[0], plain(boxes)[0]
    )


def test_items_agree_under_200_draws():
    seen = [
        check(plain(im.to_tensor()) / 255, plain(mask.to_tensor()), plain(p)[0], plain(b)[0])
        for im, mask, p, b in drawn_items()
    ]
    assert sum(seen) > 180


def test_batches_agree_under_200_draws():
    images, masks, points, boxes = drawn_batch()
    seen = [check(*one) for one in zip(images, masks, points[:, 0], boxes[:, 0], strict=True)]
    assert sum(seen) > 180


def test_boxes_of_what_is_mostly_outside_hold_what_is_seen():
    mask = torch.zeros(200, 1, 64, 64)
    mask[..., 16:, 16:] = 1
    boxes = torch.tensor([[[-0.5, -0.5, 6.0, 6.0], [1.5, 0.0, 3.0, 1.0]]]).repeat(200, 1, 1)
    (chain,) = aug_transforms(max_lighting=0.0, p_affine=1.0, pad_mode="zeros")
    with using(Randomness(0)):
        images, moved = map(plain, chain((TensorImage(mask), TensorBBox(boxes)), split_idx=0))
    nowhere = torch.full((2,), 2.0)
    for image, (box, unseen) in zip(images, moved, strict=True):
        assert check(image, image[0] > 0.5, nowhere, box)
        assert unseen.count_nonzero() == 0


def test_boxes_are_no_larger_than_what_they_hold():
    for _, mask, _, boxes in drawn_items():
        rows, columns = plain(mask.to_tensor()).nonzero(as_tuple=True)
        width, height = mask.size
        edges = (plain(boxes)[0] + 1) / 2 * torch.tensor([width, height] * 2)
        seen = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        inside = edges.clamp(min=torch.zeros(4), max=torch.tensor([width, height] * 2).float())
        assert (inside - seen).abs().max() <= 1.5
