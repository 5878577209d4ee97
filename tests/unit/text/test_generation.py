"""Going on with a text: what can come, and what can not."""

import pandas as pd
import pytest
import torch

from lamina.foundation.errors import ContractError
from lamina.text.answers.generation import Sampling, add_words, next_word_probabilities
from lamina.text.learner import language_model_learner
from lamina.text.loaders import TextDataLoaders
from lamina.text.models.build import get_language_model
from lamina.text.tokenizers.fast import HFTokenizer
from lamina.text.vocab import text_vocab

SMALL = {"emb_sz": 8, "n_hid": 12, "n_layers": 1}
FRAME = pd.DataFrame({"text": ["the film was good", "a bad film , not good"] * 20})


def learner(tmp_path, **options):
    dls = TextDataLoaders.from_df(
        FRAME, tmp_path, text_col="text", is_lm=True, bs=4, seq_len=6, seed=1, device="cpu",
        **options,
    )  # fmt: skip
    return language_model_learner(dls, config=SMALL, pretrained=False, seed=1)


@pytest.mark.parametrize("odd", [{"temperature": float("nan")}, {"no_repeat": -1}])
def test_values_that_mean_nothing_are_refused(odd):
    with pytest.raises(ContractError, match="must be at least 0"):
        Sampling(**odd)


def test_a_temperature_near_zero_takes_the_likeliest():
    scores = torch.tensor([-2.0, 3.0, -torch.inf, 2.9])

    assert next_word_probabilities(scores, Sampling(1e-30)).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("temperature", [0, 1])
def test_when_no_word_is_left_it_says_so(temperature):
    model = get_language_model("AWD_LSTM", 5, SMALL)
    chosen = Sampling(temperature, no_repeat=1)

    assert sorted(add_words(model, [2], 2, chosen, [0, 1])) == [3, 4]
    with pytest.raises(ContractError, match=r"no word is left.*no_repeat=1\. Give a longer run"):
        add_words(model, [2], 3, chosen, [0, 1])


def test_what_fills_up_never_comes(tmp_path):
    learn = learner(tmp_path)
    vocab = text_vocab(learn.dls)
    said = learn.predict("the film", 300, temperature=50, decoder=list).split()

    assert "xxfake" in vocab
    assert not {"xxfake", "xxpad", "xxunk"} & set(said)
    assert "xxunk" in learn.predict("the", 300, temperature=50, no_unk=False, decoder=list)


def test_a_vocabulary_may_lack_the_unknown(tmp_path):
    words = ["xxbos", "xxpad", "the", "film", "was", "good", "a", "bad", ",", "not"]
    learn = learner(tmp_path, text_vocab=words)

    assert len(learn.predict("the film", 4, decoder=list, top_k=3).split()) == 7


def test_a_reader_from_the_end_says_what_comes_before(tmp_path):
    learn = learner(tmp_path, backwards=True)
    said = learn.predict("the film", 3, decoder=list).split()

    assert said[3:] == ["the", "film"]


def test_a_text_must_have_a_token(tmp_path):
    texts = list(FRAME.text)
    tok = HFTokenizer.trained(texts, "bpe", 300, special_toks=["xxunk", "xxpad"])
    learn = learner(tmp_path, tok_tfm=tok)
    with pytest.raises(ContractError, match="the text has no tokens"):
        learn.predict("", 3)
