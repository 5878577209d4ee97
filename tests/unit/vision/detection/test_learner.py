"""The detector's learner on photographs of blood cells: every verb, and an answer in pixels."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from lamina.data.block import DataBlock
from lamina.data.external.untar import untar_data
from lamina.data.external.urls import URLs
from lamina.data.get import get_image_files
from lamina.data.split import FuncSplitter, IndexSplitter
from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.tensor.types import plain
from lamina.train.interpretation import Interpretation
from lamina.train.persistence import load_learner
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.mixing import CopyPaste, Mosaic
from lamina.vision.augmentation.resize import Resize
from lamina.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock
from lamina.vision.detection.learner import SecondLook, detection_learner
from lamina.vision.detection.metric import MeanAveragePrecision
from lamina.vision.images import PILImage
from lamina.vision.models.model import split_groups
from lamina.vision.targets.annotations import get_voc_annotations


@pytest.fixture(scope="module")
def cells():
    path = untar_data(URLs.BCCD)
    names, found = get_voc_annotations(sorted((path / "annotations").glob("*.xml")))
    boxes = dict(zip(names, found, strict=True))
    return path, boxes


def cell_block(cells, **options):
    _, boxes = cells
    settings = {"item_tfms": Resize((96, 128), method="squish"), **options}
    return DataBlock(
        blocks=(ImageBlock, BBoxBlock, BBoxLblBlock),
        getters=[lambda f: f, lambda f: boxes[f.name][0], lambda f: boxes[f.name][1]],
        n_inp=1,
        **settings,
    )


@pytest.fixture(scope="module")
def learn(cells):
    block = cell_block(cells, splitter=IndexSplitter(range(4)))
    photos = sorted(get_image_files(cells[0] / "images"))[:12]
    dls = block.dataloaders(photos, bs=4, device="cpu")
    made = detection_learner(dls, "squeezenet1_1", metrics=MeanAveragePrecision(at=0.5), seed=0)
    with made.no_bar():
        made.fit(1)
    made.loss_func.min_score = 0.001
    made.loss_func.max_boxes = 20
    return made


def test_the_body_is_frozen_and_the_pictures_are_normalised(learn):
    assert 0 < learn.opt.frozen_idx == len(split_groups(learn.model)) - 1
    assert [type(t).__name__ for t in learn.dls.train.after_batch].count("Normalize") == 1


def test_predictions_of_a_set_are_as_many_for_every_picture(learn):
    with learn.no_bar():
        found, (boxes, labels), answers = learn.get_preds(with_decoded=True)

    assert found.shape == (4, 20, 6)
    assert len(boxes) == len(labels) == 4
    assert [part.shape for part in answers] == [(4, 20, 4), (4, 20), (4, 20)]
    assert (found[..., 4] > 0).any()
    assert found[:, :, 5].diff().max() <= 0


@pytest.mark.parametrize("size", [(300, 400), (200, 200)])
def test_an_answer_is_in_pixels_of_the_picture_that_is_given(learn, size):
    photo = PILImage.create(np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8))
    boxes, labels, scores = learn.predict(photo)
    with learn.no_bar():
        found = learn.get_preds(dl=learn.dls.test_dl([photo]))[0][0, : len(boxes)]
    pixels = (found[:, :4] + 1) / 2 * torch.tensor([size[1], size[0]] * 2)

    assert torch.allclose(plain(boxes), pixels, atol=1e-2)
    assert set(labels) <= {"Platelets", "RBC", "WBC"}
    assert torch.equal(scores, found[:, 5])


@pytest.mark.parametrize("method", ["crop", "pad"])
def test_cropped_and_padded_pictures_have_their_own_pixels_too(cells, method):
    block = cell_block(cells, item_tfms=Resize(64, method=method, pad_mode="zeros"))
    photos = sorted(get_image_files(cells[0] / "images"))[:4]
    dls = block.dataloaders(photos, bs=2, device="cpu")
    learn = detection_learner(dls, "squeezenet1_1", pretrained=False)
    learn.loss_func.min_score = 0.0
    boxes, _, _ = learn.predict(np.zeros((100, 200, 3), dtype=np.uint8))
    widest = float(plain(boxes)[:, [0, 2]].max() - plain(boxes)[:, [0, 2]].min())

    assert widest == pytest.approx(100 if method == "crop" else 200, abs=2)


def test_results_are_drawn_with_their_scores_beside_the_targets(learn):
    left, right, *_ = learn.show_results(max_n=2)

    assert (left.get_title(), right.get_title()) == ("target", "predicted")
    assert all(text.get_text().endswith("%") for text in right.texts)
    assert {text.get_text() for text in left.texts} <= {"Platelets", "RBC", "WBC"}


def test_the_hardest_pictures_are_shown(learn):
    with learn.no_bar():
        interp = Interpretation.from_learner(learn)
    axes = interp.plot_top_losses(2)

    assert interp.losses.shape == (4,)
    assert "loss" in axes[1].get_title()


def test_second_looks_add_to_what_is_found(learn):
    with learn.no_bar():
        plain_found = learn.get_preds()[0]
        found = learn.tta(n=2)[0]
        measured = learn.validate(cbs=SecondLook())

    assert found.shape == plain_found.shape
    assert found[..., 5].sum() > plain_found[..., 5].sum()
    assert len(measured) == 2


def test_a_mirrored_picture_is_seen_at_the_same_place(learn):
    x = torch.rand(1, 3, 96, 128)
    both = torch.cat([x, x.flip(-1)], -1)  # the same from left and right
    with learn.no_bar():
        found = learn.get_preds(dl=[(both,)], act=lambda pred: pred, cbs=SecondLook())[0]
    own, other = found.chunk(2, dim=1)
    left, top, right, bottom = own[..., :4].unbind(-1)
    turned = torch.stack([-right, top, -left, bottom], -1)

    assert torch.allclose(other[..., :4], turned, atol=1e-5)


LOAD = """
import sys, torch
from lamina.vision.all import *
learn = load_learner(sys.argv[1])
boxes, labels, scores = learn.predict(sys.argv[2])
print(type(learn).__name__, len(boxes), list(labels), round(float(boxes.sum()), 1))
"""


def test_an_exported_detector_says_the_same_in_a_new_process(learn, cells, tmp_path):
    photo = sorted(get_image_files(cells[0] / "images"))[20]
    file = learn.export(tmp_path / "cells.lamina")
    command = [sys.executable, "-c", LOAD, str(file), str(photo)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    boxes, labels, _ = learn.predict(photo)
    loaded = load_learner(file)

    total = round(float(boxes.sum()), 1)
    assert said == f"DetectionLearner {len(boxes)} {list(labels)} {total}"
    assert (loaded.loss_func.min_score, loaded.loss_func.max_boxes) == (0.001, 20)


def test_boxes_of_mosaics_and_pasted_cells_go_through_the_pipeline(cells):
    photos = sorted(get_image_files(cells[0] / "images"))[:12]
    batch_tfms = aug_transforms(max_zoom=2.0, p_affine=1.0)
    block = cell_block(cells, batch_tfms=batch_tfms)
    dls = block.dataloaders(photos, bs=4, device="cpu", seed=0)
    dls.add_tfms([Mosaic(p=1.0), CopyPaste(p=1.0)], "before_batch")
    _, boxes, labels = (plain(part) for part in dls.one_batch())
    has_area = (boxes[..., 2:] > boxes[..., :2]).all(-1)

    assert boxes.abs().max() <= 1
    assert torch.equal(has_area, labels > 0)  # what left the picture counts as filling
    assert not boxes[~has_area].any()
    assert has_area.sum(1).min() > 4


def test_an_unknown_option_is_refused(learn):
    with pytest.raises(UnknownArgumentError, match="n_channels"):
        detection_learner(learn.dls, "squeezenet1_1", n_chanels=3)


def test_boxes_without_labels_are_refused(cells):
    _, boxes = cells
    block = DataBlock((ImageBlock, BBoxBlock), get_y=lambda f: boxes[f.name][0])
    photos = sorted(get_image_files(cells[0] / "images"))[:4]

    with pytest.raises(ContractError, match="BBoxLblBlock"):
        detection_learner(block.dataloaders(photos, bs=2), "squeezenet1_1", pretrained=False)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4])
def test_cells_are_found_after_five_epochs_from_any_first_weights(cells, seed):
    path = cells[0]
    train, test = ((path / f"{part}.txt").read_text().split() for part in ("train", "test"))
    photos = [f for f in get_image_files(path / "images") if f.stem in {*train[:120], *test[:30]}]
    block = cell_block(
        cells,
        splitter=FuncSplitter(lambda file: file.stem in test),
        batch_tfms=aug_transforms(flip_vert=True, max_rotate=0.0, max_warp=0.0),
    )
    dls = block.dataloaders(photos, bs=8, seed=1, device="cpu")
    metric = MeanAveragePrecision(at=0.5)
    learn = detection_learner(dls, "squeezenet1_1", metrics=metric, seed=seed)
    learn.unfreeze()
    with learn.no_bar():
        learn.fit_one_cycle(5, slice(1e-4, 2e-3))

    assert learn.validate()[1] > 0.35  # one kind of cell of three alone: 0.2
