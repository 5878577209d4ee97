"""Learners that answer together, and what an answer hangs on."""

import pandas as pd
import pytest
import torch

from lamina.foundation.errors import ContractError
from lamina.text.answers.ensemble import ensemble_preds
from lamina.text.answers.explain import word_importance
from lamina.text.learner import language_model_learner, text_classifier_learner
from lamina.text.loaders import TextDataLoaders

SMALL = {"emb_sz": 12, "n_hid": 16, "n_layers": 2}
THINGS = ("film", "book", "long and winding road", "dog")


@pytest.fixture(scope="module")
def reviews():
    rows = [
        (f"that {thing} was {word}", label)
        for _ in range(10)
        for label, words in (("pos", ("good", "fine")), ("neg", ("bad", "awful")))
        for word in words
        for thing in THINGS
    ]
    return pd.DataFrame(rows, columns=["text", "label"])


def learner(reviews, path, **options):
    dls = TextDataLoaders.from_df(
        reviews, path, text_col="text", label_col="label", bs=8, device="cpu", **options
    )
    learn = text_classifier_learner(dls, config=SMALL, pretrained=False, seed=1)
    with learn.no_bar():
        learn.fit_one_cycle(3, 0.02)
    return learn


@pytest.fixture(scope="module")
def both(reviews, tmp_path_factory):
    path = tmp_path_factory.mktemp("both")
    return [learner(reviews, path, seed=1, backwards=back) for back in (False, True)]


def test_the_mean_of_both_directions(both):
    preds, targets = ensemble_preds(both)
    (ours, targs), (theirs, _) = (learn.get_preds() for learn in both)

    assert torch.allclose(preds, (ours + theirs) / 2)
    assert torch.equal(targets, targs)
    assert (preds.argmax(1) == targets).float().mean() > 0.9


def test_weights_and_new_texts(both):
    texts = ["that dog was awful", "that long and winding road was fine", "that book was good"]
    preds, targets = ensemble_preds(both, items=texts, weights=[3, 1])
    one = torch.stack([learn.predict(texts[1])[2] for learn in both])

    assert targets is None
    assert torch.allclose(preds[1], 0.75 * one[0] + 0.25 * one[1], atol=1e-6)
    assert preds.argmax(1).tolist() == [0, 1, 1]


def test_other_items_are_refused(both, reviews, tmp_path):
    other = learner(reviews, tmp_path, seed=2)
    with pytest.raises(ContractError, match=r"Make their loaders with the same split"):
        ensemble_preds([both[0], other])
    with pytest.raises(ContractError, match=r"Give at least one learner"):
        ensemble_preds([])


@pytest.mark.parametrize("direction", [0, 1])
def test_the_words_that_count(both, direction):
    found = word_importance(both[direction], "that film was awful")
    weights = dict(zip(found.tokens, found.weights, strict=True))

    assert found.label == "neg"
    assert max(weights.values()) == 1
    assert set(found.tokens) >= {"film", "was", "awful"}
    assert weights["awful"] > weights["film"]


def test_importance_is_shown_and_leaves_the_model_as_it_was(both):
    learn = both[0]
    before = learn.predict("that film was fine")[2]
    found = word_importance(learn, "that film was <b>", output=0)

    assert "&lt;b&gt;" in found.to_html() or "xxunk" in found.to_html()
    assert str(found).startswith("neg: ")
    assert torch.equal(learn.predict("that film was fine")[2], before)
    assert all(p.grad is None or (p.grad == 0).all() for p in learn.model.parameters())


def test_a_language_model_has_no_classes_to_explain(reviews, tmp_path):
    dls = TextDataLoaders.from_df(
        reviews, tmp_path, text_col="text", is_lm=True, bs=4, seq_len=5, device="cpu"
    )
    learn = language_model_learner(dls, config=SMALL, pretrained=False)
    with pytest.raises(ContractError, match=r"Give the learner of text_classifier_learner"):
        word_importance(learn, "that film")
