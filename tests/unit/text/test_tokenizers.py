import pickle

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lamina.data.external import URLs, untar_data
from lamina.foundation.errors import ContractError, DataError, UnknownNameError
from lamina.tensor.codec import decode, encode
from lamina.text.rules import BOS, default_rules
from lamina.text.tokenizers.base import BaseTokenizer, TokenizeWithRules
from lamina.text.tokenizers.fast import HFTokenizer
from lamina.text.tokenizers.subwords import SentencePieceTokenizer
from lamina.text.tokenizers.words import SpacyTokenizer

TEXTS = ["the fine film was fine", "a dull film, they said", "she said the film was long"] * 8


def first(tok, text):
    return next(iter(tok([text])))


@pytest.fixture(scope="module")
def spacy_english():
    spacy = pytest.importorskip("spacy")
    return spacy.blank("en").tokenizer, SpacyTokenizer()


SIGNS = " .,:;()'-!?aABx1D8\n\t"


def is_torn(text, specials):
    """Tell whether a space tears a special case, which makes spaCy overlook others beside it."""
    parts = text.split(" ")
    sides = [("".join(parts[:i]), "".join(parts[i:])) for i in range(1, len(parts))]
    cuts = [(s[:i], s[i:]) for s in specials for i in range(1, len(s))]
    return any(a.endswith(c) and b.startswith(d) for a, b in sides for c, d in cuts)


@given(text=st.text(SIGNS, max_size=30))
@example(": x.A")
@settings(max_examples=300, deadline=None)
def test_words_are_spacys_own(spacy_english, text):
    theirs, ours = spacy_english
    found, expected = first(ours, text), [token.text for token in theirs(text)]
    assert "".join(found) == "".join(expected)
    assert found == expected or is_torn(text, [s for s in theirs.rules if set(s) <= set(SIGNS)])


@pytest.mark.parametrize("odd", ["spacy", SpacyTokenizer, str.split, ["a", "b"]])
def test_what_is_no_tokenizer_is_refused(odd):
    with pytest.raises(ContractError, match=r"cannot cut several texts .*partial\(map, function"):
        TokenizeWithRules(odd)(["a b"])


def test_words_keep_special_tokens_whole():
    assert first(SpacyTokenizer(special_toks=["x-1"]), "an x-1, xxbos") == [
        "an",
        "x-1",
        ",",
        "xxbos",
    ]


@pytest.mark.parametrize(
    ("lang", "text", "expected"),
    [
        ("de", "Das ist z.B. gut.", ["Das", "ist", "z.B.", "gut", "."]),
        ("fr", "L'été, c'est bon.", ["L'", "été", ",", "c'", "est", "bon", "."]),
        ("zh", "xxbos 你好", ["xxbos", "你", "好"]),
        ("xx", "a b!", ["a", "b", "!"]),
    ],
)
def test_words_of_other_languages(lang, text, expected):
    assert first(SpacyTokenizer(lang), text) == expected


def test_unknown_languages_are_refused():
    with pytest.raises(ContractError, match="spaCy cannot make a tokenizer for 'qq'"):
        list(SpacyTokenizer("qq")(["a"]))


def test_rules_come_before_and_after():
    tok = TokenizeWithRules(BaseTokenizer(), [str.upper], [str.lower])

    assert first(tok, "one Two") == ["one", "two"]
    assert first(TokenizeWithRules(SpacyTokenizer()), "so   GOOD\n \n") == [
        BOS,
        "so",
        "xxup",
        "good",
    ]


def test_subwords_give_the_words_back():
    tok = SentencePieceTokenizer(vocab_sz=50).train(TEXTS)

    assert all(tok.join(first(tok, text)) == text for text in TEXTS[:3])
    assert first(tok, "xxbos the film")[0] == "xxbos"
    assert tok.join(first(tok, "xxbos the xxmaj film")) == "xxbos the xxmaj film"


def test_subwords_learn_as_many_as_a_quarter_of_the_words():
    words = [
        chr(97 + i) + chr(97 + j) + chr(97 + k)
        for i in range(9)
        for j in range(9)
        for k in range(9)
    ]
    tok = SentencePieceTokenizer(model_type="bpe").train([" ".join(words)] * 2)

    assert tok._loaded().get_piece_size() == -(-len(words) // 4 // 8) * 8


def test_subwords_from_a_file():
    folder = untar_data(URLs.TOKENIZERS)
    tok = SentencePieceTokenizer(sp_model=folder / "spm_botchan_test_model.model")

    assert tok.join(first(tok, "This is a test.")) == "This is a test."


def test_untrained_subwords_are_refused():
    with pytest.raises(ContractError, match="it has no model"):
        list(SentencePieceTokenizer()(["a"]))
    with pytest.raises(ContractError, match="Give vocab_sz a value that fits"):
        SentencePieceTokenizer(vocab_sz=5000, model_type="bpe").train(["a b"])


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "wordlevel"])
def test_trained_tokenizers_give_the_words_back(kind, tmp_path):
    tok = HFTokenizer.trained(TEXTS, kind, vocab_sz=400, min_freq=1)
    (tmp_path / "tokenizer.json").write_text(tok.json)
    loaded = HFTokenizer.from_file(tmp_path / "tokenizer.json")

    assert tok.join(first(tok, "the long film")) == "the long film"
    assert first(loaded, "a film") == first(tok, "a film")
    assert first(TokenizeWithRules(tok), "a film")[0] == BOS


def test_unknown_kinds_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'bpe'"):
        HFTokenizer.trained(TEXTS, "bpee")


@pytest.mark.parametrize(
    "tok",
    [
        SpacyTokenizer("de"),
        SentencePieceTokenizer(vocab_sz=50).train(TEXTS),
        HFTokenizer.trained(TEXTS, "wordlevel"),
        TokenizeWithRules(BaseTokenizer(), default_rules),
    ],
    ids=lambda tok: type(tok).__name__,
)
def test_tokenizers_are_saved_with_what_they_know(tok):
    tensors = {}
    again = decode(encode(tok, tensors), tensors)

    assert first(again, TEXTS[1]) == first(tok, TEXTS[1])
    assert first(pickle.loads(pickle.dumps(tok)), TEXTS[0]) == first(tok, TEXTS[0])


def test_what_is_no_model_of_subwords_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"is no model that can be read .*nope.*Give a \.model"):
        SentencePieceTokenizer(sp_model=tmp_path / "nope")
    with pytest.raises(DataError, match=r"is no model that can be read .*Give a \.model"):
        list(SentencePieceTokenizer(sp_model=b"123")(["a"]))


def test_what_is_no_file_of_a_tokenizer_is_refused(tmp_path):
    (tmp_path / "odd.json").write_text("{}")
    with pytest.raises(DataError, match=r"'\{\}' is no tokenizer .*\. Give the content"):
        HFTokenizer.from_file(tmp_path / "odd.json")
    with pytest.raises(DataError, match=r"nope cannot be read .*\. Give a tokenizer\.json"):
        HFTokenizer.from_file(tmp_path / "nope")
