# ruff: noqa: F403, F405 - as a reader of the paper types it
"""Pictures of digits from noise: the loop is the one of all learners, the rest are callbacks.

Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Callbacks": "gradient penalties,
adversarial training ..." as callbacks that read and write everything.
"""

from functools import partial

import pytest
import torch

from lamina.optim.recipes import RMSProp
from lamina.train.persistence import ModelSpec
from lamina.vision.all import *
from lamina.vision.gan.data import InvisibleTensor

pytestmark = pytest.mark.slow
NOISE = 32


@pytest.fixture(scope="module")
def learn(tmp_path_factory):
    set_seed(0)
    digits = DataBlock(
        blocks=(TransformBlock, ImageBlock(PILImageBW)),
        get_x=partial(generate_noise, size=NOISE),
        get_items=get_image_files,
        splitter=RandomSplitter(0.1, seed=0),
        item_tfms=Resize(16),
        batch_tfms=Normalize.from_stats([0.5], [0.5]),
    )
    path = untar_data(URLs.MNIST_TINY)
    dls = digits.dataloaders(path / "train", bs=32, device="cpu", seed=0)
    generator = ModelSpec(
        basic_generator, {"out_size": 16, "n_channels": 1, "in_sz": NOISE, "n_features": 16}
    )
    critic = basic_critic(16, 1, n_features=16)
    learn = GANLearner.wgan(
        dls, generator, critic, opt_func=RMSProp, path=tmp_path_factory.mktemp("gan")
    )
    learn.fit(12, 2e-3, wd=0.0)
    return learn


def test_made_pictures_have_the_ink_of_real_ones(learn):
    made, real = learn.get_preds()
    assert made.shape == real.shape == (len(learn.dls.valid_ds), 1, 16, 16)
    ink = [(x > 0).float().mean().item() for x in (made, real)]
    assert 0.5 * ink[1] < ink[0] < 2 * ink[1]
    where = [(x > 0).float().mean((0, 1)).flatten() for x in (made, plain(real))]
    assert torch.corrcoef(torch.stack(where))[0, 1] > 0.5


def test_batches_show_real_pictures_and_results_those_that_were_made(learn):
    x, _ = learn.dls.one_batch()
    assert isinstance(x, InvisibleTensor)
    assert all(len(ax.images) == 1 for ax in learn.dls.show_batch(max_n=2))
    axes = learn.show_results(max_n=4)
    assert [len(ax.images) for ax in axes] == [1] * 4


def test_noise_is_reproducible(learn):
    first, again = (plain(learn.dls.valid.one_batch()[0]) for _ in range(2))
    assert torch.equal(first, again)


def test_the_file_has_the_generator_alone(learn):
    again = load_learner(learn.export("digits.lamina"))
    noise = InvisibleTensor(torch.randn(NOISE))
    picture, _, numbers = again.predict(noise)
    assert isinstance(picture, TensorImage)
    assert (picture.dtype, picture.shape) == (torch.uint8, (1, 16, 16))
    torch.testing.assert_close(numbers, learn.predict(noise)[2])
    assert len(list(again.model.parameters())) == len(list(learn.model.generator.parameters()))
