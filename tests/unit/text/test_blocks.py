from operator import attrgetter

import pandas as pd
import pytest
import torch

from lamina.data.block import CategoryBlock, DataBlock, MultiCategoryBlock, RegressionBlock
from lamina.data.label import ColReader
from lamina.data.split import ColSplitter
from lamina.data.task import NextToken, SingleLabel
from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.text.blocks import TextBlock
from lamina.text.lm_loader import LMDataLoader
from lamina.text.sorted_loader import SortedDL
from lamina.text.tokenize import tokenize_df
from lamina.text.types import TensorText
from lamina.text.vocab import make_vocab, text_vocab

WORDS = ["what", "a", "fine", "old", "film", "this", "is", "not", "dull", "at", "all"]
FRAME = pd.DataFrame(
    {
        "text": [" ".join(WORDS[: 2 + i % 9]) for i in range(60)],
        "title": [f"Film {i % 3}" for i in range(60)],
        "label": ["good" if i % 3 else "bad" for i in range(60)],
        "is_valid": [i % 5 == 0 for i in range(60)],
    }
)
SPLIT = ColSplitter()


def classifier(block, **settings):
    recipe = DataBlock((block, CategoryBlock), get_y=ColReader("label"), splitter=SPLIT, **settings)
    return recipe.dataloaders(FRAME, bs=8, device="cpu")


def test_rows_become_padded_numbers_and_labels():
    dls = classifier(TextBlock.from_df("text", min_freq=1))
    x, y = dls.one_batch()

    assert isinstance(dls.train, SortedDL)
    assert type(x) is TensorText
    assert x.shape == (8, 11)
    assert dls.task == SingleLabel(["bad", "good"])
    assert list(dls.vocab[1]) == ["bad", "good"]
    assert dls.decode_batch((x, y), max_n=1)[0][0].startswith("xxbos what a")


def test_only_training_texts_make_the_vocabulary():
    frame = FRAME.assign(text=[f"w{i} {'v' if v else 't'}" for i, v in enumerate(FRAME.is_valid)])
    block = DataBlock((TextBlock.from_df("text", min_freq=1), CategoryBlock), splitter=SPLIT)
    dls = block.new(get_y=ColReader("label")).dataloaders(frame, bs=8, device="cpu")
    words = text_vocab(dls)

    assert "t" in words
    assert "v" not in words


def test_getters_may_pick_the_text():
    dls = classifier(TextBlock(min_freq=1), get_x=ColReader("text"))

    assert dls.one_batch()[0].shape == (8, 11)


def test_several_columns_are_marked():
    dls = classifier(TextBlock.from_df(["title", "text"], min_freq=1))

    assert dls.decode_batch(dls.one_batch(), max_n=1)[0][0].startswith("xxbos xxfld 1 xxmaj film")


@pytest.mark.parametrize("get_x", [attrgetter("text"), ColReader("text")])
def test_the_papers_language_model(get_x):
    tokens, count = tokenize_df(FRAME, "text")
    block = DataBlock(blocks=TextBlock(make_vocab(count), is_lm=True), get_x=get_x, splitter=SPLIT)
    dls = block.databunch(tokens, bs=4, seq_len=6, device="cpu")

    assert isinstance(dls.train, LMDataLoader)
    assert dls.vocab == make_vocab(count) == text_vocab(dls)
    assert dls.task == NextToken(make_vocab(count))
    assert [tuple(part.shape) for part in dls.one_batch()] == [(4, 6), (4, 6)]
    assert dls.c == len(dls.vocab)


def test_the_classifier_takes_the_vocabulary_of_the_language_model():
    words = make_vocab(tokenize_df(FRAME, "text")[1])
    dls = classifier(TextBlock.from_df("text", words))

    assert text_vocab(dls) == words


def test_backwards_texts_are_turned_round_and_shown_as_they_were():
    forwards, backwards = (
        classifier(TextBlock.from_df("text", min_freq=1, backwards=b)).valid for b in (False, True)
    )
    (x, *_), (z, *_) = forwards.one_batch(), backwards.one_batch()

    assert torch.equal(x[0][x[0] != 1].flip(0), z[0][z[0] != 1])
    assert forwards.decode_batch((x,))[0][0] == backwards.decode_batch((z,))[0][0]


def test_files_are_read(tmp_path):
    for i in range(10):
        (tmp_path / f"{i}.txt").write_text(f"Text {i}", encoding="utf-8")
    block = DataBlock(
        TextBlock.from_folder(tmp_path, is_lm=True, min_freq=1),
        get_items=lambda path: sorted(path.glob("*.txt")),
    )
    dls = block.dataloaders(tmp_path, bs=2, seq_len=3, device="cpu")

    assert "xxmaj" in dls.vocab
    assert len(dls.train.documents) == 8


def test_neighbours_do_not_change_a_text():
    dl = classifier(TextBlock.from_df("text", min_freq=1)).valid
    alone = [x[0] for x, _ in dl.new(bs=1)]
    together = [row for x, _ in dl for row in x]

    for a, b in zip(alone, together, strict=True):
        assert torch.equal(a, b[b != 1])


@pytest.mark.parametrize("target", [RegressionBlock(), MultiCategoryBlock()])
def test_other_targets(target):
    is_number = target.type_tfms is not None and not isinstance(target.type_tfms, list)
    block = DataBlock(
        (TextBlock.from_df("text"), target),
        get_y=(lambda row: len(row.text)) if is_number else (lambda row: row.text.split()[:2]),
        splitter=SPLIT,
    )
    _, y = block.dataloaders(FRAME, bs=8, device="cpu").one_batch()

    assert y.dtype == torch.float32
    assert y.shape == ((8,) if is_number else (8, 2))


def test_summary_tells_every_step():
    block = DataBlock(TextBlock.from_df("text", is_lm=True, seq_len=5), splitter=SPLIT)

    report = str(block.summary(FRAME))
    assert "Tokenizer: Tokens" in report
    assert "collated: (Tensor of shape (4, 5), Tensor of shape (4, 5))" in report


def test_mistakes_are_named():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'min_freq'"):
        TextBlock(min_frq=2)
    with pytest.raises(UnknownArgumentError, match="Did you mean 'is_lm'"):
        TextBlock.from_df("text", islm=True)
    with pytest.raises(ContractError, match="two vocabularies"):
        TextBlock(["a"], ["b"])
    with pytest.raises(ContractError, match="5 cannot tokenize"):
        TextBlock(5)
    with pytest.raises(ContractError, match=r"must be 'xxpad', .* begins with \['a', 'b', 'xx"):
        TextBlock(["a", "b", "xxpad"])
    with pytest.raises(ContractError, match="must be 'xxpad'"):
        TextBlock.from_df("text", special_toks=["xxunk"])


def test_the_doctor_finds_empty_and_unknown_texts():
    frame = FRAME.assign(text=["" if i == 3 else t for i, t in enumerate(FRAME.text)])
    frame.loc[5, "text"] = "only words that nobody knows"
    recipe = DataBlock(
        (TextBlock.from_df("text"), CategoryBlock), get_y=ColReader("label"), splitter=SPLIT
    )
    report = str(recipe.dataloaders(frame, bs=8, device="cpu").check())

    assert "empty text" in report
    assert "unknown words" in report
