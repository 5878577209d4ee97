"""The paper's data block for object detection, on photographs of blood cells.

Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Data block API". The paper takes
COCO; the names of file and variable that it misspells are corrected.
"""

# ruff: noqa: F403, F405 - as a reader of the paper types it

import json
from pathlib import Path

import pytest
import torch

from lamina.vision.all import *
from lamina.vision.all import L, noop, plain


@pytest.fixture(scope="module")
def coco_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs with a COCO file beside them, made of the sample's own annotations."""
    source = untar_data(URLs.BCCD)
    names, found = get_voc_annotations(sorted((source / "annotations").glob("*.xml")))
    kinds = sorted({label for _, labels in found for label in labels})
    notes = [
        {"image_id": i, "category_id": kinds.index(label), "bbox": [x0, y0, x1 - x0, y1 - y0]}
        for i, (boxes, labels) in enumerate(found)
        for (x0, y0, x1, y1), label in zip(boxes, labels, strict=True)
    ]
    images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    categories = [{"id": i, "name": kind} for i, kind in enumerate(kinds)]
    folder = tmp_path_factory.mktemp("coco")
    (folder / "train.json").write_text(
        json.dumps({"images": images, "annotations": notes, "categories": categories})
    )
    (folder / "train").symlink_to(source / "images")
    return folder


@pytest.fixture(scope="module")
def coco(coco_source: Path):
    images, lbl_bbox = get_annotations(coco_source / "train.json")
    lbl = dict(zip(images, lbl_bbox, strict=True))
    return DataBlock(
        blocks=(ImageBlock, BBoxBlock, BBoxLblBlock),
        get_items=get_image_files,
        splitter=RandomSplitter(),
        getters=[noop, lambda o: lbl[o.name][0], lambda o: lbl[o.name][1]],
        n_inp=1,
    )


@pytest.mark.parametrize("name", ["databunch", "dataloaders"])
def test_detection_as_printed(coco, coco_source: Path, name: str):
    make = getattr(coco, name)
    dls = make(
        coco_source,
        item_tfms=Resize(128),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(*imagenet_stats)],
    )
    x, boxes, labels = dls.one_batch()
    assert x.shape == (64, 3, 128, 128)
    assert boxes.shape == (*labels.shape, 4)
    assert dls.vocab == ["#na#", "Platelets", "RBC", "WBC"]
    assert boxes.abs().max() <= 1
    is_box = plain(labels) > 0
    assert is_box.sum() > 64 * 3
    assert torch.equal((plain(boxes)[..., 2:] > plain(boxes)[..., :2]).all(-1), is_box)


def test_the_boxes_are_drawn_with_their_labels(coco, coco_source: Path):
    dls = coco.dataloaders(coco_source, item_tfms=Resize(128), bs=4, device="cpu")
    axes = dls.show_batch(max_n=4)
    shown = L(text.get_text() for ax in axes for text in ax.texts)
    assert set(shown) <= {"Platelets", "RBC", "WBC"}
    assert len(shown) == sum(len(ax.patches) for ax in axes) > 8
