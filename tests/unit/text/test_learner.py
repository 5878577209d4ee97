"""Learners of texts: they learn, pass the reader on, and are exported with their words."""

import json
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from lamina.data.block import RegressionBlock
from lamina.foundation.errors import (
    BundleError,
    ContractError,
    UnknownArgumentError,
    UnknownNameError,
)
from lamina.metrics.classify import accuracy
from lamina.metrics.text import Perplexity
from lamina.text.answers.generation import Sampling, decode_spec_tokens, next_word_probabilities
from lamina.text.callbacks import RNNRegularizer
from lamina.text.learner import TextLearner, language_model_learner, text_classifier_learner
from lamina.text.loaders import TextDataLoaders
from lamina.text.models.heads import SequentialRNN
from lamina.text.models.transfer import match_embeds
from lamina.text.vocab import text_vocab
from lamina.train.callback import Callback
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
        dls, config=SMALL, pretrained=False, drop_mult=0.1, metrics=[accuracy, Perplexity()], seed=1
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
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False, metrics=accuracy, seed=1)
    with learn.no_bar():
        learn.fit_one_cycle(8, 0.02)

    assert learn.validate()[1] > 0.9
    assert learn.predict("an awful book")[0] == "neg"


def test_the_reader_is_passed_on(lm, dls):
    file = lm.save_encoder("reader")
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False).load_encoder(file)

    assert torch.equal(learn.model.encoder.module.encoder.weight, lm.model.encoder.encoder.weight)


def test_a_reader_is_found_by_the_path_that_saving_returned(reviews, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dls = TextDataLoaders.from_df(reviews, "here", text_col="text", label_col="label", bs=8)
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False)

    assert learn.load_encoder(learn.save_encoder("reader")) is learn


def test_a_chain_of_modules_passes_its_reader_on(lm, dls):
    chain = SequentialRNN(lm.model.encoder, lm.model.decoder)
    learn = TextLearner(lm.dls, chain, loss_func=lm.loss_func)
    file = learn.save_encoder("chain")
    other = text_classifier_learner(dls, config=SMALL, pretrained=False).load_encoder(file)

    assert any(isinstance(cb, RNNRegularizer) for cb in learn.cbs)
    assert torch.equal(other.model.encoder.module.encoder.weight, chain[0].encoder.weight)


def test_a_reader_of_another_size_is_refused(lm, dls):
    file = lm.save_encoder("reader")
    learn = text_classifier_learner(dls, config={**SMALL, "n_hid": 10}, pretrained=False)

    with pytest.raises(ContractError, match="Build it with the emb_sz, n_hid and n_layers of the"):
        learn.load_encoder(file)


def test_a_reader_that_knows_no_word_is_refused(lm, reviews, tmp_path):
    file = lm.save_encoder("reader")
    other = reviews.assign(text="wholly other words")
    dls = TextDataLoaders.from_df(other, tmp_path, text_col="text", label_col="label", bs=8)
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False)
    with pytest.raises(ContractError, match=r"know none of the \d+ words\. Cut the texts with"):
        learn.load_encoder(file)


def test_words_keep_their_vectors_in_another_vocabulary():
    weight = torch.tensor([[1.0, 0.0], [3.0, 4.0]])

    assert match_embeds(weight, ["a", "b"], ["b", "c", "a"]).tolist() == [[3, 4], [2, 2], [1, 0]]


def test_groups_can_be_unfrozen_one_by_one(dls):
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False)
    learn.freeze_to(-2)
    trained = [name for name, p in learn.model.named_parameters() if p.requires_grad]

    assert len(learn.opt.param_groups) == 4
    assert all(name.startswith(("head", "encoder.module.rnns.1")) for name in trained)


@pytest.mark.parametrize("kind", ["lm", "classifier"])
def test_an_exported_learner_predicts_the_same(kind, lm, dls, tmp_path):
    learn = lm if kind == "lm" else text_classifier_learner(dls, config=SMALL, pretrained=False)
    again = load_learner(learn.export(tmp_path / "text.lamina"))
    x = torch.randint(9, 20, (2, 6))

    assert torch.equal(again.model.eval()(x), reset(learn.model)(x))


ASK = """
import sys
from lamina.text.all import *
lm, classifier = map(load_learner, sys.argv[1:])
print(lm.predict("this is", 5, seed=3))
print(classifier.predict("an awful book")[2].tolist())
"""


def test_another_process_says_the_same(lm, dls, tmp_path):
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False)
    files = lm.export(tmp_path / "lm.lamina"), learn.export(tmp_path / "clas.lamina")
    out = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, files)], check=True, capture_output=True, text=True
    ).stdout.splitlines()

    assert out[0] == lm.predict("this is", 5, seed=3)
    assert json.loads(out[1]) == pytest.approx(learn.predict("an awful book")[2].tolist(), abs=1e-6)


def reset(model):
    model.reset()
    return model.eval()


def test_a_text_goes_on_in_the_same_way_with_the_same_seed(lm):
    texts = [lm.predict("this is a good", 8, seed=n) for n in (1, 1, 2, 3)]

    assert texts[0] == texts[1]
    assert len(set(texts)) > 1
    assert all(text.startswith("this is a good") for text in texts)
    assert len(lm.predict("this is", 8, decoder=list).split()) == 11  # with xxbos


def test_the_likeliest_words_are_those_of_the_training_texts(lm):
    text = lm.predict("this is", 1, temperature=0, only_last_word=True)

    assert text == "a"


def test_a_loaded_model_goes_on_too(lm, tmp_path):
    again = load_learner(lm.export(tmp_path / "lm.lamina"))

    assert again.predict("this is", 5, seed=3) == lm.predict("this is", 5, seed=3)


def test_no_run_of_words_comes_twice(lm):
    words = lm.predict("this", 20, no_repeat=2).split()
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


def test_the_rules_are_undone():
    tokens = [
        "xxbos",
        "xxmaj",
        "so",
        "xxup",
        "usa",
        "xxrep",
        "3",
        "!",
        "xxwrep",
        "2",
        "no",
        "xxpad",
        "xxunk",
    ]

    assert " ".join(decode_spec_tokens(tokens)) == "So USA !!! no no xxunk"


def test_a_mark_at_the_end_stands_for_nothing():
    assert decode_spec_tokens(["a", "xxrep", "3"]) == ["a"]
    assert decode_spec_tokens(["a", "xxmaj"]) == ["a"]


def test_impossible_sampling_is_refused():
    with pytest.raises(ContractError, match=r"top_p=1\.5 must be at least 0 and at most 1"):
        Sampling(top_p=1.5)


def test_groups_are_unfrozen_one_after_another(dls):
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False, seed=1)
    frozen = []
    see = Callback(before_fit=lambda learn: frozen.append(learn.opt.frozen_idx))
    with learn.no_bar(), learn.added_cbs([see]):
        learn.fit_gradually(n_epoch=1)

    assert frozen == [3, 2, 1, 0]
    assert [h["lr"] for h in learn.opt.hypers] == sorted(h["lr"] for h in learn.opt.hypers)


def test_quiet_activations_cost_nothing(dls):
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False, alpha=0, beta=0)
    assert not any(isinstance(cb, RNNRegularizer) for cb in learn.cbs)


def test_activations_and_their_change_are_added_to_the_loss():
    raw, dropped = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    model = SimpleNamespace(activations=(raw, dropped, None))
    learn = SimpleNamespace(model=model, loss_grad=torch.tensor(1.0))
    RNNRegularizer(2, 3).after_loss(learn)
    change = (raw[:, 1:] - raw[:, :-1]).square().mean()

    assert torch.isclose(learn.loss_grad, 1 + 2 * dropped.square().mean() + 3 * change)


def test_padding_is_not_regularised():
    raw = torch.randn(1, 5, 4)
    mask = torch.tensor([[False, False, False, True, True]])
    losses = []
    for activations in ((raw, raw, mask), (raw[:, :3], raw[:, :3], None)):
        learn = SimpleNamespace(model=SimpleNamespace(activations=activations), loss_grad=0.0)
        RNNRegularizer().after_loss(learn)
        losses.append(learn.loss_grad)

    assert torch.isclose(*losses)


def test_several_labels_and_several_columns(reviews, tmp_path):
    table = reviews.assign(title=reviews.text.str[:6], tags=reviews.label + ";film")
    dls = TextDataLoaders.from_df(
        table, tmp_path, text_col=["title", "text"], label_col="tags", label_delim=";", seed=1,
        bs=8, device="cpu",
    )  # fmt: skip
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False, seed=1)
    with learn.no_bar():
        learn.fit_one_cycle(3, 0.02)

    assert dls.vocab[-1] == ["film", "neg", "pos"]
    tags, _, probabilities = learn.predict(pd.Series({"title": "this i", "text": "a fine film"}))
    assert probabilities.shape == (3,)
    assert "film" in list(tags)


def test_numbers_of_texts_stay_in_their_range(reviews, tmp_path):
    table = reviews.assign(stars=(reviews.label == "pos") * 4.0 + 1)
    dls = TextDataLoaders.from_df(
        table, tmp_path, text_col="text", label_col="stars", y_block=RegressionBlock(), seed=1,
        bs=8, device="cpu",
    )  # fmt: skip
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False, y_range=(0, 6), seed=1)
    with learn.no_bar():
        learn.fit_one_cycle(4, 0.02)
    preds, stars = learn.get_preds()

    assert ((preds > 0) & (preds < 6)).all()
    assert (preds.flatten() - stars.flatten()).abs().mean() < 1.5


@pytest.mark.parametrize(
    ("labels", "block", "n_out"),
    [(["label", "kind"], None, 4), (["stars", "length"], RegressionBlock(n_out=2), 2)],
)
def test_several_columns_of_targets(reviews, tmp_path, labels, block, n_out):
    table = reviews.assign(kind=reviews.text.str.split().str[4], stars=1.5, length=3.0)
    dls = TextDataLoaders.from_df(
        table, tmp_path, text_col="text", label_col=labels, y_block=block, seed=1, bs=8,
        device="cpu",
    )  # fmt: skip
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False, seed=1)
    with learn.no_bar():
        learn.fit_one_cycle(2, 0.02)
    again = load_learner(learn.export())

    told = [each.predict("an awful book")[2] for each in (learn, again)]
    assert told[0].shape == (n_out,)
    torch.testing.assert_close(*told)


def test_unknown_names_are_refused(lm, dls):
    with pytest.raises(UnknownArgumentError, match="Did you mean 'n_layers'"):
        text_classifier_learner(dls, config={"n_layer": 2})
    with pytest.raises(UnknownArgumentError, match="Did you mean 'temperature'"):
        lm.predict("this", temprature=1)
    with pytest.raises(UnknownArgumentError, match="Did you mean 'drop_mult'"):
        text_classifier_learner(dls, drop_mul=2)
    with pytest.raises(UnknownNameError, match="Did you mean 'AWD_LSTM'"):
        text_classifier_learner(dls, "AWD_LSTN")


def test_a_dot_belongs_to_the_name_of_a_reader(dls):
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False)
    files = [learn.save_encoder(name).name for name in ("ft_0.5", "ft_0.7.safetensors")]

    assert files == ["ft_0.5.safetensors", "ft_0.7.safetensors"]


def test_a_reader_that_is_not_there_is_named_with_those_that_are(dls):
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False)
    with pytest.raises(BundleError, match=r"no file .*nope\.safetensors\. Give .* no readers\."):
        learn.load_encoder("nope")
    learn.save_encoder("mine")
    with pytest.raises(BundleError, match=r"in the folder are mine\.safetensors\."):
        learn.load_encoder("nope")


def test_loaders_for_the_other_kind_of_learner_are_refused(lm, dls):
    with pytest.raises(ContractError, match=r"streams of words .*\. Make them without is_lm=True"):
        text_classifier_learner(lm.dls, config=SMALL, pretrained=False)
    with pytest.raises(ContractError, match=r"texts with labels.*\. Make them with is_lm=True"):
        language_model_learner(dls, config=SMALL, pretrained=False)


def test_outputs_that_contradict_the_labels_need_a_loss(dls):
    with pytest.raises(ContractError, match=r"n_out=7, but .* needs 2\. Leave n_out out, or pass"):
        text_classifier_learner(dls, config=SMALL, pretrained=False, n_out=7)
    learn = text_classifier_learner(
        dls, config=SMALL, pretrained=False, n_out=7, loss_func=torch.nn.MSELoss()
    )

    assert learn.model.eval()(torch.full((1, 3), 5)).shape == (1, 7)
