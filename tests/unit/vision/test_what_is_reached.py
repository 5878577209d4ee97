"""Loose lower bounds of what short trainings on bundled pictures reach, so that breakage shows.

Breeds, trimaps and cells have theirs beside their other tests.
"""

import gzip

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from lamina.data.block import DataBlock
from lamina.data.external.untar import untar_data
from lamina.data.external.urls import URLs
from lamina.data.loaders import DataLoaders
from lamina.data.normalize import IntToFloatTensor
from lamina.data.split import RandomSplitter
from lamina.metrics.classify import accuracy
from lamina.nn.conv import ConvLayer
from lamina.nn.losses import CrossEntropyLossFlat
from lamina.tensor.types import TensorCategory, TensorImage
from lamina.train.learner import Learner
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.resize import Resize
from lamina.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock
from lamina.vision.detection.learner import detection_learner
from lamina.vision.detection.metric import MeanAveragePrecision
from lamina.vision.targets.annotations import get_annotations

pytestmark = pytest.mark.slow

SEED = 1


def digits(part: str, n: int) -> TensorDataset:
    """The first pictures and labels of one of the two pairs of official files."""
    pixels, labels = (
        np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8, offset=start)
        for file, start in (
            (untar_data(URLs.MNIST_IDX) / f"{part}-images-idx3-ubyte.gz", 16),
            (untar_data(URLs.MNIST_IDX) / f"{part}-labels-idx1-ubyte.gz", 8),
        )
    )
    x = torch.tensor(pixels[: n * 28 * 28]).view(n, 1, 28, 28)
    return TensorDataset(TensorImage(x), TensorCategory(torch.tensor(labels[:n]).long()))


def test_digits_held_in_memory_are_learnt_in_two_epochs():
    sets = digits("train", 8_000), digits("t10k", 2_000)
    dls = DataLoaders.from_dsets(*sets, after_batch=IntToFloatTensor(), bs=64, device="cpu")
    torch.manual_seed(SEED)
    convs = [ConvLayer(ni, nf, stride=2) for ni, nf in ((1, 16), (16, 32), (32, 64), (64, 128))]
    model = nn.Sequential(*convs, nn.Flatten(), nn.Linear(512, 10))
    learn = Learner(dls, model, CrossEntropyLossFlat(), metrics=accuracy, seed=SEED)
    with learn.no_bar():
        learn.fit_one_cycle(2, 1e-2)
    assert learn.validate()[1] > 0.92


def test_heads_of_pets_are_found():
    path = untar_data(URLs.OXFORD_PETS)
    names, found = get_annotations(path / "annotations" / "coco_head_boxes.json")
    heads = {name: boxes for name, (boxes, _) in zip(names, found, strict=True)}
    block = DataBlock(
        blocks=(ImageBlock, BBoxBlock, BBoxLblBlock),
        getters=[lambda f: f, lambda f: heads[f.name], lambda f: ["head"] * len(heads[f.name])],
        splitter=RandomSplitter(seed=SEED),
        n_inp=1,
        item_tfms=Resize(96, method="squish"),
        batch_tfms=aug_transforms(max_warp=0.0, max_rotate=0.0),
    )
    dls = block.dataloaders([path / "images" / f for f in names[:250]], bs=8, device="cpu")
    torch.manual_seed(SEED)
    metric = MeanAveragePrecision(at=0.5)
    learn = detection_learner(dls, "squeezenet1_1", metrics=metric, seed=SEED)
    learn.unfreeze()
    with learn.no_bar():
        learn.fit_one_cycle(6, slice(1e-4, 2e-3))
    assert learn.validate()[1] > 0.4
