"""Learners of texts: they learn, pass the reader on, and are exported with their words."""

from itertools import pairwise

import pandas as pd
import pytest
import torch

from lamina.foundation.errors import ContractError, UnknownArgumentError, UnknownNameError
from lamina.metrics.classify import accuracy
from lamina.metrics.text import Perplexity
from lamina.text.generation import Sampling, next_word_probabilities
from lamina.text.learner import (
    language_model_learner,
    match_embeds,
    text_classifier_learner,
)
from lamina.text.loaders import TextDataLoaders
from lamina.text.vocab import text_vocab
from lamina.train.persistence import load_learner

SMALL = {"emb_sz": 16, "n_hid": 24, "n_layers": 2}
GOOD, BAD = ("good", "fine", "lovely"), ("bad", "awful", "dull")


@pytest.fixture(scope="module")
def reviews():
    rows = [
        (f"this is a {word} {thing} , {'very' if i % 2 else 'so'} {word}", label)
        for i in range(8)
        for label, words in (("pos", GOOD), ("neg", BAD))
        for word in words
        for thing in ("film", "book")
    ]
    return pd.DataFrame(rows, columns=["text", "label"])


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(1)  # of the first weights


@pytest.fixture(scope="module")
def lm(reviews, tmp_path_factory):
    dls = TextDataLoaders.from_df(
        reviews, path=tmp_path_factory.mktemp("lm"), is_lm=True, text_col="text", seq_len=8, bs=4,
        seed=1, device="cpu", tok_tfm=None,
    )  # fmt: skip
    torch.manual_seed(1)
    learn = language_model_learner(
        dls, config=SMALL, drop_mult=0.1, metrics=[accuracy, Perplexity()], seed=1
    )
    with learn.no_bar():
        learn.fit_one_cycle(4, 0.02)
    return learn


@pytest.fixture
def dls(reviews, lm, tmp_path):
    return TextDataLoaders.from_df(
        reviews, path=tmp_path, text_col="text", label_col="label", text_vocab=text_vocab(lm.dls),
        bs=8, seed=1, device="cpu",
    )  # fmt: skip


def test_a_language_model_learns(lm):
    loss, acc, perplexity = lm.validate()

    assert acc > 0.5
    assert perplexity == pytest.approx(torch.tensor(loss).exp().item(), rel=1e-3)


def test_a_classifier_learns(dls):
    learn = text_classifier_learner(dls, config=SMALL, metrics=accuracy, seed=1)
    with learn.no_bar():
        learn.fit_one_cycle(8, 0.02)

    assert learn.validate()[1] > 0.9
    assert learn.predict("an awful book")[0] == "neg"


def test_the_reader_is_passed_on(lm, dls):
    file = lm.save_encoder("reader")
    learn = text_classifier_learner(dls, config=SMALL).load_encoder(file)

    assert torch.equal(learn.model.encoder.module.encoder.weight, lm.model.encoder.encoder.weight)


def test_a_reader_of_another_size_is_refused(lm, dls):
    file = lm.save_encoder("reader")
    learn = text_classifier_learner(dls, config={**SMALL, "n_hid": 10})

    with pytest.raises(ContractError, match="Give both learners the same emb_sz"):
        learn.load_encoder(file)


def test_words_keep_their_vectors_in_another_vocabulary():
    weight = torch.tensor([[1.0, 0.0], [3.0, 4.0]])

    assert match_embeds(weight, ["a", "b"], ["b", "c", "a"]).tolist() == [[3, 4], [2, 2], [1, 0]]


def test_groups_can_be_unfrozen_one_by_one(dls):
    learn = text_classifier_learner(dls, config=SMALL)
    learn.freeze_to(-2)
    trained = [name for name, p in learn.model.named_parameters() if p.requires_grad]

    assert len(learn.opt.param_groups) == 4
    assert all(name.startswith(("head", "encoder.module.rnns.1")) for name in trained)


@pytest.mark.parametrize("kind", ["lm", "classifier"])
def test_an_exported_learner_predicts_the_same(kind, lm, dls, tmp_path):
    learn = lm if kind == "lm" else text_classifier_learner(dls, config=SMALL)
    again = load_learner(learn.export(tmp_path / "text.lamina"))
    x = torch.randint(9, 20, (2, 6))

    assert torch.equal(again.model.eval()(x), reset(learn.model)(x))


def reset(model):
    model.reset()
    return model.eval()


def test_a_text_goes_on_in_the_same_way_with_the_same_seed(lm):
    texts = [lm.predict("this is a good", 8, seed=n) for n in (1, 1, 2, 3)]

    assert texts[0] == texts[1]
    assert len(set(texts)) > 1
    assert all(text.startswith("xxbos this is a good") for text in texts)
    assert len(texts[0].split()) == 13


def test_the_likeliest_words_are_those_of_the_training_texts(lm):
    text = lm.predict("this is", 1, sampling=Sampling(temperature=0), only_last_word=True)

    assert text == "a"


def test_a_loaded_model_goes_on_too(lm, tmp_path):
    again = load_learner(lm.export(tmp_path / "lm.lamina"))

    assert again.predict("this is", 5, seed=3) == lm.predict("this is", 5, seed=3)


def test_no_run_of_words_comes_twice(lm):
    words = lm.predict("this", 20, sampling=Sampling(no_repeat=2)).split()
    pairs = list(pairwise(words))

    assert len(set(pairs)) == len(pairs)


SCORES = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.4, 0.3, 0.2, 0.1]),
        ({"temperature": 0}, [1, 0, 0, 0]),
        ({"temperature": 0.5}, [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.6}, [4 / 7, 3 / 7, 0, 0]),
        ({"min_p": 0.45}, [4 / 9, 3 / 9, 2 / 9, 0]),
    ],
)
def test_what_may_come_next(options, expected):
    found = next_word_probabilities(SCORES, Sampling(**options))

    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_impossible_sampling_is_refused():
    with pytest.raises(ContractError, match=r"top_p=1\.5 must be at least 0 and at most 1"):
        Sampling(top_p=1.5)


def test_unknown_names_are_refused(dls):
    with pytest.raises(UnknownArgumentError, match="Did you mean 'n_layers'"):
        text_classifier_learner(dls, config={"n_layer": 2})
    with pytest.raises(UnknownArgumentError, match="Did you mean 'drop_mult'"):
        text_classifier_learner(dls, drop_mul=2)
    with pytest.raises(UnknownNameError, match="Did you mean 'AWD_LSTM'"):
        text_classifier_learner(dls, "AWD_LSTN")
