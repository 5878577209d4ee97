import numpy as np
import pytest
import torch

from lamina.data.block import DataBlock
from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import (
    TensorBBox,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorMultiCategory,
    plain,
)
from lamina.vision.augmentation.mixing import CopyPaste, Mosaic
from lamina.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock
from lamina.vision.targets.boxes import PadBoxes

MIXTURES = [Mosaic(), CopyPaste(p=1.0)]


def sample(k: int, height: int = 48, width: int = 64):
    """One rectangle, whose pixels, class and label are `k`; the box says where it is."""
    mask = torch.zeros(height, width, dtype=torch.uint8)
    left, top = 4 + 5 * k, 3 + 4 * k
    mask[top : top + 16, left : left + 20] = k
    image = (mask * 20).expand(3, -1, -1).clone()
    pixels = torch.tensor([[left, top, left + 20.0, top + 16]])
    box = pixels * 2 / torch.tensor([width, height, width, height]) - 1
    return TensorImage(image), TensorMask(mask), TensorBBox(box), TensorMultiCategory([k])


def mixed(tfm, seed: int, samples=None):
    with using(Randomness(seed)):
        return tfm([sample(k) for k in range(1, 6)] if samples is None else samples, split_idx=0)


@pytest.mark.parametrize("tfm", MIXTURES, ids=repr)
@pytest.mark.parametrize("seed", range(10))
def test_image_mask_boxes_and_labels_agree(tfm, seed: int):
    for image, mask, boxes, labels in mixed(tfm, seed):
        assert image.shape == (3, 48, 64)
        assert (plain(image)[0].float() / 20 - plain(mask)).abs().gt(0.6).float().mean() < 0.08
        assert len(boxes) == len(labels)
        pixels = (plain(boxes).view(-1, 4) + 1) / 2 * torch.tensor([64, 48, 64, 48])
        for (left, top, right, bottom), label in zip(
            pixels.round().int().tolist(), labels.tolist(), strict=True
        ):
            inside = plain(mask)[top:bottom, left:right]
            assert (inside == label).any()


@pytest.mark.parametrize("seed", range(10))
def test_a_mosaic_shows_what_its_boxes_say(seed: int):
    for _, mask, boxes, labels in mixed(Mosaic(min_visible=0.0), seed):
        covered = torch.zeros(48, 64, dtype=torch.bool)
        pixels = (plain(boxes).view(-1, 4) + 1) / 2 * torch.tensor([64, 48, 64, 48])
        for left, top, right, bottom in pixels.tolist():
            covered[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = True
        assert covered[plain(mask) != 0].float().mean() > 0.97 if len(labels) else True


def test_a_mosaic_is_made_of_several():
    seen = [len(set(plain(mask).unique().tolist()) - {0}) for _, mask, _, _ in mixed(Mosaic(), 1)]
    assert max(seen) > 1


def test_boxes_cut_down_to_little_are_dropped():
    few = sum(len(s[2]) for s in mixed(Mosaic(min_visible=0.9), 2))
    many = sum(len(s[2]) for s in mixed(Mosaic(min_visible=0.01), 2))
    assert few < many


def test_a_pasted_object_comes_with_its_label():
    one, two = sample(1), sample(4)
    image, mask, boxes, labels = mixed(CopyPaste(1.0), 0, [one, two])[0]
    assert labels.tolist() == [1, 4]
    torch.testing.assert_close(plain(boxes), torch.cat([plain(one[2]), plain(two[2])]))
    assert (plain(image)[:, plain(two[1]) == 4] == 80).all()
    assert set(plain(mask).unique().tolist()) == {0, 1, 4}


def test_a_covered_box_goes():
    x = TensorImage(torch.zeros(3, 8, 8))
    small, large = TensorBBox([[-0.5, -0.5, 0.0, 0.0]]), TensorBBox([[-1.0, -1.0, 1.0, 1.0]])
    boxes = mixed(CopyPaste(1.0), 0, [(x, small), (x, large)])[0][1]
    torch.testing.assert_close(plain(boxes), plain(large))


def test_classes_of_a_mask_are_pasted_without_boxes():
    pairs = [sample(k)[:2] for k in (1, 3)]
    mask = mixed(CopyPaste(1.0), 0, pairs)[0][1]
    assert set(plain(mask).unique().tolist()) == {0, 1, 3}


def test_samples_of_other_sizes_are_brought_to_size():
    samples = [sample(1), sample(2, 96, 80)]
    for tfm in MIXTURES:
        assert [s[0].shape for s in mixed(tfm, 0, samples)] == [(3, 48, 64), (3, 96, 80)]


@pytest.mark.parametrize("tfm", MIXTURES, ids=repr)
def test_the_same_seed_gives_the_same_and_the_samples_stay(tfm):
    samples = [sample(k) for k in range(1, 6)]
    first, again = mixed(tfm, 5, samples), mixed(tfm, 5, samples)
    for a, b in zip(first, again, strict=True):
        assert all(torch.equal(plain(x), plain(y)) for x, y in zip(a, b, strict=True))
    for k, given in enumerate(samples, 1):
        assert all(torch.equal(plain(x), plain(y)) for x, y in zip(given, sample(k), strict=True))
    assert tfm(samples, split_idx=1) is samples


def test_boxes_are_filled_up_afterwards():
    filled = PadBoxes()(mixed(Mosaic(), 3))
    assert len({len(boxes) for _, _, boxes, _ in filled}) == 1
    assert Mosaic.order < PadBoxes.order


def test_what_cannot_be_combined_is_refused():
    with pytest.raises(ContractError, match=r"Mosaic: an item with a TensorCategory. It combines"):
        mixed(Mosaic(), 0, [(TensorImage(torch.zeros(3, 8, 8)), TensorCategory(1))])


@pytest.mark.parametrize("tfm", MIXTURES, ids=repr)
def test_it_joins_the_loaders_of_a_block(tfm):
    boxes = [[[2, 2, 9, 9]], [], [[0, 0, 5, 5], [8, 4, 15, 11]], [[3, 3, 7, 8]]]
    block = DataBlock(
        (ImageBlock, BBoxBlock, BBoxLblBlock),
        n_inp=1,
        getters=[
            lambda i: np.full((12, 16, 3), i, np.uint8),
            lambda i: boxes[i % 4],
            lambda i: ["cell"] * len(boxes[i % 4]),
        ],
    )
    dls = block.dataloaders(list(range(20)), bs=8, device="cpu")
    dls.add_tfms([tfm], "before_batch")
    image, box, label = dls.one_batch()
    assert image.shape == (8, 3, 12, 16)
    assert box.shape[:2] == label.shape
    assert ((plain(box)[..., 2:] > plain(box)[..., :2]).all(-1) == (plain(label) != 0)).all()
    assert dls.valid.one_batch()[0].shape == (4, 3, 12, 16)
