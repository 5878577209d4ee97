from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lamina.data.block import CategoryBlock, DataBlock
from lamina.data.split import IndexSplitter
from lamina.data.task import Boxes, DenseLabels, Regression
from lamina.foundation.errors import UnknownArgumentError
from lamina.foundation.functional import noop
from lamina.tensor.bundle import read_bundle, write_bundle
from lamina.tensor.types import (
    MaskMeta,
    PointsMeta,
    TensorBBox,
    TensorImage,
    TensorMask,
    TensorMultiCategory,
    TensorPoint,
    plain,
)
from lamina.train.learner import Learner
from lamina.train.persistence import load_learner
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.resize import Resize
from lamina.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock, MaskBlock, PointBlock

ALL_TARGETS = (BBoxBlock, BBoxLblBlock, MaskBlock("abc"), PointBlock)
BOXES = {0: [[2, 3, 10, 12]], 1: [[0, 0, 5, 5], [8, 4, 20, 16]], 2: [], 3: [[1, 1, 4, 4]]}
LABELS = {0: ["cell"], 1: ["plate", "cell"], 2: [], 3: ["cell"]}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    values = np.random.default_rng(0).integers(0, 3, (20, 30), np.uint8)
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for path in paths:
        Image.fromarray(values).save(path)
    return paths


def number(path: Path) -> int:
    return int(path.stem)


def loaders(files, *targets, getters, tfms=(), **options):
    block = DataBlock(
        blocks=(ImageBlock, *targets),
        n_inp=1,
        getters=[noop, *getters],
        splitter=IndexSplitter([3]),
        item_tfms=Resize(32, "squish"),
        batch_tfms=tfms,
    )
    return block.dataloaders(files, bs=3, shuffle=False, device="cpu", **options)


def boxes_of(path: Path) -> list[list[int]]:
    return BOXES[number(path)]


def labels_of(path: Path) -> list[str]:
    return LABELS[number(path)]


def one_point(path: Path) -> list[list[int]]:
    return [[1, 1]]


def test_masks_are_indices_that_know_their_names(files):
    dls = loaders(files, MaskBlock(["a", "b", "c"]), getters=[noop])
    image, mask = dls.one_batch()
    assert type(image) is TensorImage
    assert type(mask) is TensorMask
    assert (mask.dtype, mask.shape) == (torch.int64, (3, 32, 32))
    assert mask.meta == MaskMeta(("a", "b", "c"))
    assert dls.task == DenseLabels(("a", "b", "c"))
    assert dls.c == 3


def test_a_misspelt_option_of_a_block_is_refused():
    with pytest.raises(UnknownArgumentError, match=r"MaskBlock.*Did you mean 'codes'"):
        MaskBlock(code=["a"])


def test_points_are_a_regression_and_decode_to_pixels(files):
    dls = loaders(files, PointBlock, getters=[lambda path: [[0, 20], [15, 10]]])
    batch = dls.one_batch()
    assert type(batch[1]) is TensorPoint
    assert batch[1].tolist() == [[[-1, 1], [0, 0]]] * 3
    assert batch[1].meta == PointsMeta((32, 32))
    assert dls.task == Regression(4)
    assert dls.decode_batch(batch)[0][1].tolist() == [[0, 32], [16, 16]]


def test_boxes_are_padded_to_a_batch_and_decode_to_what_was_given(files):
    dls = loaders(files, BBoxBlock, BBoxLblBlock, getters=[boxes_of, labels_of])
    batch = dls.one_batch()
    assert [type(part) for part in batch] == [TensorImage, TensorBBox, TensorMultiCategory]
    assert batch[1].shape == (3, 2, 4)
    assert batch[2].tolist() == [[1, 0], [2, 1], [0, 0]]
    assert dls.vocab == ["#na#", "cell", "plate"]
    assert dls.task == Boxes(dls.vocab)
    for i, (_, boxes, labels) in enumerate(dls.decode_batch(batch)):
        given = torch.tensor(BOXES[i]).reshape(-1, 4) * torch.tensor([32 / 30, 1.6] * 2)
        torch.testing.assert_close(plain(boxes), given)
        assert list(labels) == LABELS[i]


def test_boxes_without_labels_are_a_task_too(files):
    dls = loaders(files, BBoxBlock, getters=[boxes_of])
    assert dls.task == Boxes()
    assert [len(boxes) for _, boxes in dls.decode_batch(dls.one_batch())] == [1, 2, 0]


def test_augmented_boxes_stay_within_the_picture(files):
    wild = aug_transforms(max_rotate=45.0, min_zoom=2.0, max_zoom=3.0, p_affine=1.0)
    dls = loaders(files, BBoxBlock, BBoxLblBlock, getters=[boxes_of, labels_of], tfms=wild)
    for seed in range(20):
        dls.train.seed = seed
        _, boxes, labels = map(plain, dls.one_batch())
        assert boxes.abs().max() <= 1
        has_area = (boxes[..., 2:] > boxes[..., :2]).all(-1)
        assert torch.equal(has_area, labels > 0)


def test_workers_give_the_same_batch(files):
    def batch(num_workers: int):
        getters = [boxes_of, labels_of, noop, one_point]
        options = {"getters": getters, "num_workers": num_workers, "seed": 1}
        return next(iter(loaders(files, *ALL_TARGETS, **options).train))

    for here, there in zip(batch(0), batch(2), strict=True):
        assert type(here) is type(there)
        assert getattr(here, "meta", None) == getattr(there, "meta", None)
        assert torch.equal(here, there)


@pytest.mark.parametrize(
    ("targets", "getters"),
    [
        ([MaskBlock("abc")], [noop]),
        ([PointBlock], [one_point]),
        ([BBoxBlock, BBoxLblBlock], [boxes_of, labels_of]),
        ([BBoxBlock, CategoryBlock], [boxes_of, number]),
    ],
    ids=["mask", "points", "boxes", "box and label"],
)
def test_the_pipelines_come_back_from_a_file(files, tmp_path: Path, targets, getters):
    dls = loaders(files, *targets, getters=getters, tfms=aug_transforms(size=24))
    tfms = [list(pipeline) for pipeline in dls.valid.pipelines.values()]
    tfms += [list(tl.tfms)[1:] for tl in dls.valid_ds.tls[1:]]
    state = {"tfms": tfms, "task": dls.task}
    found = read_bundle(write_bundle(tmp_path / "dls", state, kind="data")).object
    assert repr(found) == repr(state)


def learner(dls, n_out: int, folder: Path) -> Learner:
    model = nn.Conv2d(3, n_out, 32 if n_out == 4 else 1)
    return Learner(dls, model, path=folder, default_cbs=False)


def test_predicted_masks_know_their_names_before_and_after_export(files, tmp_path: Path):
    learn = learner(loaders(files, MaskBlock("abc"), getters=[noop]), 3, tmp_path)
    again = load_learner(learn.export("masks.lamina"), model=nn.Conv2d(3, 3, 1))
    for answer in (learn.predict(files[0])[0], again.predict(files[0])[0]):
        assert type(answer) is TensorMask
        assert answer.meta == MaskMeta(("a", "b", "c"))


def test_predicted_points_are_pixels_before_and_after_export(files, tmp_path: Path):
    dls = loaders(files, PointBlock, getters=[lambda path: [[0, 0], [30, 20]]])
    learn = learner(dls, 4, tmp_path)
    again = load_learner(learn.export("points.lamina"), model=nn.Conv2d(3, 4, 32))
    for points, _, output in (learn.predict(files[0]), again.predict(files[0])):
        assert type(points) is TensorPoint
        torch.testing.assert_close(plain(points), (output.reshape(2, 2) + 1) * 16)


def test_mixed_targets_are_explained_step_by_step(files):
    block = DataBlock(
        (ImageBlock, BBoxBlock, BBoxLblBlock), n_inp=1, getters=[noop, boxes_of, labels_of],
        item_tfms=Resize(32),
    )  # fmt: skip
    text = str(block.summary(files[:2]))
    for step in ("ToBoxes", "BoxLabels", "PointScaler", "BBoxLabeler", "ClipBoxes"):
        assert step in text
