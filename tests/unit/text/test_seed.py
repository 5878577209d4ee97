"""The seed of a learner of texts decides its first weights, and with them what it learns."""

import pandas as pd
import pytest
import torch

from lamina.text.learner import language_model_learner, text_classifier_learner
from lamina.text.loaders import TextDataLoaders

SMALL = {"emb_sz": 8, "n_hid": 12, "n_layers": 2}
TABLE = pd.DataFrame({"text": ["the cat sat", "the dog ran"] * 12, "label": ["a", "b"] * 12})
MAKERS = {"lm": language_model_learner, "classifier": text_classifier_learner}


def make(kind, path, arch="AWD_LSTM", seed=3):
    dls = TextDataLoaders.from_df(
        TABLE, path, text_col="text", label_col="label", is_lm=kind == "lm", min_freq=1, bs=4,
        seq_len=4, seed=1, device="cpu",
    )  # fmt: skip
    return MAKERS[kind](dls, arch, config=SMALL, pretrained=False, seed=seed)


def weights(learn):
    return [p.detach().clone() for p in learn.model.parameters()]


def same(first, second):
    return all(map(torch.equal, weights(first), weights(second)))


@pytest.mark.parametrize("arch", ["AWD_LSTM", "AWD_QRNN"])
@pytest.mark.parametrize("kind", MAKERS)
def test_a_seed_decides_the_first_weights(kind, arch, tmp_path):
    first, again, other = (make(kind, tmp_path, arch, seed) for seed in (3, 3, 4))

    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize("kind", MAKERS)
def test_without_a_seed_the_generator_decides(kind, tmp_path):
    first, again = (make(kind, tmp_path, seed=None) for _ in range(2))

    assert not same(first, again)


@pytest.mark.parametrize("kind", MAKERS)
def test_the_global_generator_is_left_as_it_was(kind, tmp_path):
    before = torch.get_rng_state()
    make(kind, tmp_path)

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", MAKERS)
def test_the_same_seed_gives_the_same_losses(kind, tmp_path):
    losses = []
    for _ in range(2):
        torch.rand(1)  # whatever was drawn before
        learn = make(kind, tmp_path)
        with learn.no_bar():
            learn.fit(1, 0.01)
        losses.append(learn.recorder.losses)

    assert losses[0] == losses[1]
