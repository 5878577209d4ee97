# ruff: noqa: F403, F405 - the paper imports everything
"""The paper's loaders of texts: a language model and a classifier of the same tokens, and a block.

The texts are those of the samples: articles of Wikipedia, and one text in several languages.
"""

import gzip
from operator import attrgetter

import pandas as pd
import pytest

from lamina.data.task import NextToken, SingleLabel
from lamina.text.all import *

LANGUAGES = ["English", "German", "French", "Spanish", "Danish"]


@pytest.fixture(scope="module")
def declarations():
    file = untar_data(URLs.UDHR_MULTILINGUAL) / "udhr_paragraphs.csv.gz"
    frame = pd.read_csv(file)
    main = frame.language.str.split(r"[ ,(]", n=1, regex=True).str[0]
    picked = frame.assign(label=main)[main.isin(LANGUAGES)].dropna(subset=["text"])
    return picked[["label", "text"]].reset_index(drop=True)


@pytest.fixture(scope="module")
def wikitext():
    with gzip.open(untar_data(URLs.WIKITEXT2) / "valid.txt.gz", "rt", encoding="utf-8") as lines:
        texts = [line.strip() for line in lines if len(line) > 200]
    return pd.DataFrame({"text": texts[:400]})


def test_loaders_of_a_language_model(wikitext):
    df_tok, count = tokenize_df(wikitext, ["text"])
    dls_lm = TextDataLoaders.from_df(
        df_tok, path=".", vocab=make_vocab(count), text_col="text", is_lm=True, device="cpu"
    )
    x, y = dls_lm.one_batch()

    assert x.shape == y.shape == (64, 72)
    assert (x[:, 1:] == y[:, :-1]).all()
    assert dls_lm.task == NextToken(make_vocab(count))
    assert (x == 0).float().mean() < 0.2


def test_loaders_of_a_classifier_with_the_same_tokens(declarations):
    df_tok, count = tokenize_df(declarations, ["text"])
    dls_clas = TextDataLoaders.from_df(
        df_tok,
        path=".",
        vocab=make_vocab(count),
        text_col="text",
        label_col="label",
        device="cpu",
    )
    x, y = dls_clas.one_batch()

    assert text_vocab(dls_clas) == make_vocab(count)
    assert dls_clas.task == SingleLabel(sorted(set(declarations.label)))
    assert x.shape[0] == len(y) == 64
    texts = [text for text, _ in dls_clas.decode_batch((x, y), max_n=64)]
    assert all(text.startswith("xxbos") for text in texts)
    assert dls_clas.show_batch(max_n=2).header == ["text", "category"]


@pytest.mark.parametrize("verb", ["databunch", "dataloaders"])
def test_the_block_of_a_language_model(wikitext, verb):
    df_tok, count = tokenize_df(wikitext, "text")
    imdb_lm = DataBlock(
        blocks=TextBlock(make_vocab(count), is_lm=True),
        get_x=attrgetter("text"),
        splitter=RandomSplitter(),
    )
    dls = getattr(imdb_lm, verb)(df_tok, bs=16, seq_len=50, device="cpu")

    assert dls.one_batch()[0].shape == (16, 50)
    rows = [x for x, _ in dls.valid]
    assert sum(row.shape[1] for row in rows) == (len(dls.valid.documents.tokens) - 1) // 16
    assert sum(len(dl.dataset) for dl in dls) == len(wikitext)
