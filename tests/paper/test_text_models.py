# ruff: noqa: F403, F405 - the paper imports everything
"""The paper's language model and classifier of texts, on the bundled samples.

The paper reads reviews; here the texts are articles of Wikipedia, and one text in many languages,
and the networks are small.
"""

import gzip
from collections import Counter, defaultdict
from math import exp, log

import pandas as pd
import pytest

from lamina.text.all import *

SMALL = {"emb_sz": 64, "n_hid": 128, "n_layers": 2}
ROMANCE = ["French", "Italian", "Portuguese", "Romanian", "Spanish"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A folder with `texts.csv`, as in the paper."""
    path = tmp_path_factory.mktemp("texts")
    frame = pd.read_csv(untar_data(URLs.UDHR_MULTILINGUAL) / "udhr_paragraphs.csv.gz")
    language = frame.language.str.split(r"[ ,(]", n=1, regex=True).str[0]
    picked = frame.assign(label=language)[language.isin(ROMANCE)].dropna(subset=["text"])
    picked[["label", "text"]].to_csv(path / "texts.csv", index=False)
    return path


def test_the_papers_language_model_and_classifier(path):
    df_tok, count = tokenize_df(pd.read_csv(path / "texts.csv"), ["text"])
    dls_lm = TextDataLoaders.from_df(
        df_tok, path=path, vocab=make_vocab(count), text_col="text", is_lm=True,
        bs=16, seed=1, device="cpu",
    )  # fmt: skip
    learn = language_model_learner(
        dls_lm, AWD_LSTM, SMALL, pretrained=False, drop_mult=0.3, metrics=Perplexity(), seed=1
    )
    with learn.no_bar():
        learn.fit_one_cycle(4, 2e-2, moms=(0.8, 0.7, 0.8))
    assert learn.validate()[1] < len(make_vocab(count)) / 8

    dls_clas = TextDataLoaders.from_df(
        df_tok, path=path, vocab=make_vocab(count), text_col="text", label_col="label",
        bs=16, seed=1, device="cpu",
    )  # fmt: skip
    clas = text_classifier_learner(
        dls_clas, AWD_LSTM, config=SMALL, pretrained=False, metrics=accuracy, seed=1
    )
    clas.load_encoder(learn.save_encoder("reader"))
    with clas.no_bar():
        clas.fit_one_cycle(3, 2e-2, moms=(0.8, 0.7, 0.8))

    assert clas.validate()[1] > 0.8
    assert clas.predict("Toda persona tiene derecho a la vida")[0] == "Spanish"


def wikitext(part, n):
    """The first words of a part of WikiText-2 in articles' paragraphs."""
    with gzip.open(untar_data(URLs.WIKITEXT2) / f"{part}.txt.gz", "rt", encoding="utf-8") as file:
        return file.read().replace("\n", " xxeos ").split()[:n]


def kneser_ney(words, vocab_sz, n=5, discount=0.75):
    """The probability of a word after others, from counts of runs of up to `n` words.

    Shorter runs count by how many words they follow; an unseen run has that of a shorter one.
    """
    counts = [Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))]
    while len(next(iter(counts[0]))) > 1:
        counts.insert(0, Counter(run[1:] for run in counts[0]))
    totals, followers = [defaultdict(int) for _ in counts], [defaultdict(int) for _ in counts]
    for order, runs in enumerate(counts):
        for run, count in runs.items():
            totals[order][run[:-1]] += count
            followers[order][run[:-1]] += 1

    def probability(before, word):
        p = 1 / vocab_sz
        for order, runs in enumerate(counts):
            context = tuple(before[len(before) - order :])
            if total := totals[order].get(context):
                seen = max(runs[(*context, word)] - discount, 0)
                p = (seen + discount * followers[order][context] * p) / total
        return p

    return probability


def perplexity(probability, words):
    logs = [log(probability(words[max(0, i - 4) : i], words[i])) for i in range(4, len(words))]
    return exp(-sum(logs) / len(logs))


def unigram(words, vocab_sz):
    count = Counter(words)
    return lambda _, word: (count[word] + 1) / (len(words) + vocab_sz)


@pytest.mark.slow
def test_the_language_model_beats_what_counts_words(tmp_path):
    train, test = wikitext("valid", 120_000), wikitext("test", 30_000)
    vocab = make_vocab(Counter(train))
    known = set(vocab)
    train, test = ([w if w in known else "xxunk" for w in words] for words in (train, test))
    frame = pd.DataFrame({"text": [train, test], "is_valid": [False, True]})
    dls = TextDataLoaders.from_df(
        frame, tmp_path, text_col="text", vocab=vocab, is_lm=True, valid_col="is_valid",
        bs=20, seq_len=35, seed=1, device="cpu",
    )  # fmt: skip
    learn = language_model_learner(
        dls, AWD_LSTM, {"emb_sz": 100, "n_hid": 200, "n_layers": 2}, pretrained=False,
        drop_mult=1.5, metrics=Perplexity(), seed=1,
    )  # fmt: skip
    with learn.no_bar():
        learn.fit_one_cycle(3, 1e-2, wd=0.05)
    ours = learn.validate()[1]
    one = perplexity(unigram(train, len(vocab)), test)
    five = perplexity(kneser_ney(train, len(vocab)), test)

    assert ours < one / 2
    assert ours < five
