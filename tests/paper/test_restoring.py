# ruff: noqa: F403, F405 - as a reader of the paper types it
"""Pictures from pictures: sharp ones from coarse ones, and colours from grey ones.

Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020: two blocks of pictures are all
that the data block has to be told; the model, its loss and what is shown follow.
"""

import numpy as np
import pytest
import torch
from PIL import Image

from lamina.nn.losses.elementwise import MSELossFlat
from lamina.vision.all import *

pytestmark = pytest.mark.slow


def coarse(file: Path) -> PILImage:
    """The picture with an eighth of its pixels in each direction, in its old size."""
    image = PILImage.create(file)
    return PILImage.wrap(image.reduce(8).resize(image.size, Image.Resampling.BILINEAR))


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return sorted(get_image_files(untar_data(URLs.OXFORD_PETS) / "images"))[:48]


@pytest.fixture(scope="module")
def learn(files, tmp_path_factory):
    """The whole program: nothing says how many channels come out, nor what the loss is."""
    set_seed(0)
    pairs = DataBlock(
        blocks=(ImageBlock, ImageBlock),
        get_x=coarse,
        splitter=RandomSplitter(0.25, seed=0),
        item_tfms=Resize(64),
        batch_tfms=aug_transforms(max_lighting=0.0),
    )
    dls = pairs.dataloaders(files, bs=12, device="cpu", seed=0)
    learn = unet_learner(dls, mobilenet_v2, y_range=(-3, 3), path=tmp_path_factory.mktemp("sharp"))
    learn.fit_one_cycle(3, 4e-3)
    return learn


def test_outputs_and_loss_follow_from_the_blocks(learn):
    assert learn.dls.c == 3
    assert isinstance(learn.loss_func, MSELossFlat)
    assert learn.model.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 3, 64, 64)


def test_it_gets_better_at_it(learn):
    first, *_, last = (values[1] for values in learn.recorder.values)
    assert last < 0.8 * first


def test_input_target_and_prediction_are_shown_in_a_row(learn):
    axes = learn.show_results(max_n=2)
    assert [ax.get_title() for ax in axes] == ["input", "target", "predicted"] * 2
    assert all(len(ax.images) == 1 for ax in axes)


def test_a_loaded_learner_answers_with_a_picture(learn):
    photo = coarse(learn.dls.valid_ds.items[0])
    picture, _, numbers = load_learner(learn.export("sharp.lamina")).predict(photo)
    assert isinstance(picture, TensorImage)
    assert (picture.dtype, picture.shape) == (torch.uint8, (3, 64, 64))
    torch.testing.assert_close(numbers, learn.predict(photo)[2])


def test_versions_are_averaged_in_their_place(learn):
    plain, targs = learn.get_preds()
    mean, _ = learn.tta(n=2)
    losses = [(preds - targs).square().mean() for preds in (plain, mean)]
    assert losses[1] < 1.2 * losses[0]


def test_grey_pictures_get_colours(files, tmp_path):
    colours = DataBlock((ImageBlock(PILImageBW), ImageBlock), item_tfms=Resize(32))
    dls = colours.dataloaders(files[:10], bs=4, device="cpu")
    learn = unet_learner(dls, xresnet18, pretrained=False, path=tmp_path)
    learn.fit(1)
    assert np.asarray(learn.predict(files[0])[0]).shape == (3, 32, 32)


def test_colours_become_grey_with_a_body_that_knows_colours(files, tmp_path):
    grey = DataBlock((ImageBlock, ImageBlock(PILImageBW)), item_tfms=Resize(32))
    dls = grey.dataloaders(files[:10], bs=4, device="cpu")
    learn = unet_learner(dls, mobilenet_v2, path=tmp_path)
    learn.fit(1)
    assert learn.predict(files[0])[0].shape == (1, 32, 32)
