"""The tokenizer of a model gives the numbers that the model knows, and comes back from a file."""

import pickle

import pytest
import transformers

from lamina.foundation.errors import ContractError
from lamina.tensor.bundle import read_bundle, write_bundle
from lamina.text.blocks import TextBlock
from lamina.text.huggingface.tokenizer import PretrainedTokenizer, positions
from lamina.text.tokenize import tokenize_texts

KINDS = ("bert", "gpt2", "llama")
TEXT = "this is a lovely film"


def numbers(tok, text):
    return [tok.tokenizer.token_to_id(token) for token in next(iter(tok([text])))]


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_those_of_transformers(models, kind):
    tok = PretrainedTokenizer.from_pretrained(models(kind))
    reference = transformers.AutoTokenizer.from_pretrained(models(kind))

    assert numbers(tok, TEXT) == reference(TEXT)["input_ids"]
    assert tok.join(next(iter(tok([TEXT])))) == TEXT
    assert (
        tok.vocab[numbers(tok, TEXT)[1]] == reference.convert_ids_to_tokens(numbers(tok, TEXT))[1]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_through_a_file_and_to_a_process(models, kind, tmp_path):
    tok = PretrainedTokenizer.from_pretrained(models(kind))
    file = write_bundle(tmp_path / "tok.lamina", tok, kind="tokenizer")

    assert numbers(read_bundle(file).object, TEXT) == numbers(tok, TEXT)
    assert numbers(pickle.loads(pickle.dumps(tok)), TEXT) == numbers(tok, TEXT)


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_reads_what_it_writes(models, kind, tmp_path):
    tok = PretrainedTokenizer.from_pretrained(models(kind))
    tok.to_transformers().save_pretrained(tmp_path)
    again = transformers.AutoTokenizer.from_pretrained(tmp_path)

    assert again(TEXT)["input_ids"] == numbers(tok, TEXT)
    assert again.padding_side == ("left" if kind == "llama" else "right")
    assert again.model_max_length == 64


def test_tokens_are_kept_in_files(models, tmp_path):
    tok = PretrainedTokenizer.from_pretrained(models("bert"))
    found = tokenize_texts([TEXT, "so good"], tok=tok, cache=tmp_path)

    assert found[0][0] == "[CLS]"
    assert found.path is not None
    assert found.path.parent == tmp_path


def test_texts_are_cut_with_the_last_mark_kept(models):
    tok = PretrainedTokenizer.from_pretrained(models("bert"), max_len=6)
    found = next(iter(tok(["very " * 50])))

    assert len(found) == 6
    assert (found[0], found[-1]) == ("[CLS]", "[SEP]")
    assert repr(tok) == "PretrainedTokenizer(79 tokens, max_len=6)"


def test_padding_is_that_of_the_end_without_a_token_of_its_own(models):
    tok = PretrainedTokenizer.from_pretrained(models("gpt2"))

    assert tok.vocab[tok.pad_idx] == "<|endoftext|>"
    assert tok.index("mask") is None


def test_streams_are_not_cut_and_mark_the_end(models):
    tok = PretrainedTokenizer.from_pretrained(models("gpt2")).of_stream()
    long = next(iter(tok(["very " * 100])))

    assert len(long) > 100
    assert long[-1] == "<|endoftext|>"
    assert not PretrainedTokenizer.from_pretrained(models("bert")).of_stream().mark_end


def test_columns_are_parted_by_the_models_own_token(models):
    tok = PretrainedTokenizer.from_pretrained(models("bert"))
    (rule,) = tok.rules

    assert rule("xxfld 1 a film xxfld 2 a book") == "a film [SEP] a book"
    assert rule("a film") == "a film"


def test_numbers_without_a_token_have_a_name(models):
    tok = PretrainedTokenizer.from_pretrained(models("bert"))
    gap = tok.json.replace('"good":', '"unused":', 1)

    assert len(PretrainedTokenizer(gap).vocab) == len(tok.vocab)


def test_the_config_says_the_length_where_the_tokenizer_does_not():
    bert = transformers.BertConfig(max_position_embeddings=64)
    roberta = transformers.RobertaConfig(max_position_embeddings=66, pad_token_id=1)

    assert positions(bert) == 64
    assert positions(roberta) == 64  # it counts on from the padding
    assert positions(transformers.T5Config()) is None


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(ContractError, match="there is no tokenizer to be had"):
        PretrainedTokenizer.from_pretrained(tmp_path)


def test_a_vocabulary_beside_it_is_refused(models):
    tok = PretrainedTokenizer.from_pretrained(models("bert"))

    with pytest.raises(ContractError, match="a vocabulary is given for a tokenizer that brings"):
        TextBlock(tok, ["a", "b"])
    assert TextBlock(tok, tok.vocab) is not None
