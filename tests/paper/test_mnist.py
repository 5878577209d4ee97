# ruff: noqa: F403, F405 - the paper imports everything
"""The paper's data block of handwritten digits, under both names of its last step."""

import pytest
import torch

from lamina.data.task import SingleLabel
from lamina.vision.all import *

MEAN_OF_PIXELS = 0.1  # most of them are black


@pytest.fixture(scope="module")
def mnist():
    return DataBlock(
        blocks=(ImageBlock(cls=PILImageBW), CategoryBlock),
        get_items=get_image_files,
        splitter=GrandparentSplitter(),
        get_y=parent_label,
    )


@pytest.fixture(scope="module")
def source():
    return untar_data(URLs.MNIST_TINY)


@pytest.mark.parametrize("verb", ["databunch", "dataloaders"])
def test_transforms_given_with_the_source_are_honoured(mnist, source, verb):
    set_seed(1)
    dls = getattr(mnist, verb)(source, batch_tfms=Normalize)
    x, y = dls.one_batch()
    assert [tfm.name for tfm in dls.train.after_batch] == ["IntToFloatTensor", "Normalize"]
    assert x.shape == (64, 1, 28, 28)
    assert y.shape == (64,)
    assert x.mean().abs() < 0.1
    assert x.std() == pytest.approx(1.0, abs=0.1)


def test_without_them_pixels_are_only_scaled(mnist, source):
    x, _ = mnist.dataloaders(source).one_batch()
    assert 0 <= x.min() < MEAN_OF_PIXELS < x.max() <= 1


def test_unknown_words_are_refused(mnist, source):
    with pytest.raises(LaminaError, match="Did you mean 'batch_tfms'"):
        mnist.databunch(source, batch_tfm=Normalize)


def test_folders_split_and_label(mnist, source):
    dls = mnist.dataloaders(source)
    assert (len(dls.train_ds), len(dls.valid_ds)) == (700, 700)
    assert list(dls.vocab) == ["3", "7"]
    assert dls.task == SingleLabel(vocab=["3", "7"])


def test_threes_and_sevens_are_learnt(mnist, source):
    set_seed(42)
    dls = mnist.databunch(source, batch_tfms=Normalize)
    layers = [ConvLayer(1, 8, stride=2), ConvLayer(8, 16, stride=2), ConvLayer(16, 32, stride=2)]
    model = nn.Sequential(*layers, Flatten(), nn.Linear(32 * 4 * 4, dls.c))
    learn = Learner(dls, model, metrics=accuracy)
    learn.fit_one_cycle(3, 1e-2)
    assert learn.recorder.values[-1][3] > 0.95


def test_a_grey_picture_enters_a_pretrained_network_of_colour(mnist, source):
    dls = mnist.dataloaders(source, bs=8)
    learn = vision_learner(dls, mobilenet_v2, metrics=accuracy)
    assert learn.model(dls.one_batch()[0].as_subclass(torch.Tensor)).shape == (8, 2)
