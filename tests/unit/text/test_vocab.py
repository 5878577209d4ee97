from collections import Counter

import pytest
import torch

from lamina.data.task import NextToken
from lamina.foundation.errors import ContractError, ItemError
from lamina.tensor.codec import decode, encode
from lamina.text.rules import SPECIAL_TOKENS
from lamina.text.types import LMTensorText, TensorText
from lamina.text.vocab import Numericalize, make_vocab, text_vocab


def test_special_tokens_come_first_then_the_frequent():
    vocab = make_vocab(Counter({"b": 5, "a": 9, "rare": 2, "xxbos": 99}))

    assert tuple(vocab[:9]) == SPECIAL_TOKENS
    assert vocab[9:11] == ["a", "b"]
    assert "rare" not in vocab


@pytest.mark.parametrize(("n", "size"), [(0, 16), (6, 16), (7, 16), (8, 24)])
def test_size_is_a_multiple_of_eight(n, size):
    vocab = make_vocab(Counter({str(i): 3 for i in range(n)}))

    assert len(vocab) == size
    assert vocab.count("xxfake") == size - 9 - n


def test_counts_may_be_a_plain_dict():
    assert make_vocab({"b": 3, "a": 4})[9:11] == ["a", "b"]


def test_vocabulary_is_cut_at_its_size():
    vocab = make_vocab(Counter({str(i): 9 for i in range(50)}), max_vocab=16)

    assert len(vocab) == 16
    assert "xxfake" not in vocab


def test_tokens_become_numbers_and_back():
    tfm = Numericalize(min_freq=1)
    tfm.setup([["xxbos", "a", "b"], ["xxbos", "a"]])
    ids = tfm(["xxbos", "a", "never"])

    assert ids.tolist() == [2, 9, 0]
    assert type(ids) is TensorText
    assert list(tfm.decode(ids)) == ["xxbos", "a", "xxunk"]


def test_language_models_have_their_task():
    tfm = Numericalize(["xxunk", "a"], is_lm=True)

    assert tfm.task == NextToken(["xxunk", "a"])
    assert type(tfm(["a"])) is LMTensorText
    assert Numericalize(["a"]).task is None


def test_what_cannot_be_numbered_is_named():
    with pytest.raises(ItemError, match="'b' is not in the vocabulary of 1 tokens, which has no"):
        Numericalize(["a"])(["a", "b"])
    with pytest.raises(ContractError, match="no vocabulary yet"):
        Numericalize()(["a"])
    with pytest.raises(ContractError, match="no transform with a vocabulary"):
        text_vocab(type("Dls", (), {"gather": lambda self, name: None})())


def test_it_is_saved_and_stays_short_in_print():
    tfm = Numericalize([str(i) for i in range(1000)])
    tensors: dict[str, torch.Tensor] = {}
    again = decode(encode(tfm, tensors), tensors)

    assert again.vocab == tfm.vocab
    assert again(["7"]).tolist() == [7]
    assert len(repr(tfm)) < 100
