"""The counted runs of words that language models are compared with are a fair opponent."""

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "wikitext.py"
VOCAB = ["a", "b", "c", "d", "never"]
WORDS = list("abcabdabcbacabccdaabbdca")


@pytest.fixture(scope="module")
def wikitext() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wikitext", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("before", ["", "a", "a b", "c a b d", "never a b", "never"])
def test_probabilities_sum_to_one(wikitext: ModuleType, n: int, before: str):
    probability = wikitext.kneser_ney(WORDS, len(VOCAB), n)
    found = [probability(tuple(before.split()), word) for word in VOCAB]

    assert sum(found) == pytest.approx(1)
    assert min(found) > 0


def test_single_words_are_likely_as_they_are_frequent(wikitext: ModuleType):
    probability = wikitext.kneser_ney(WORDS, len(VOCAB), 1)
    assert Counter(WORDS).most_common(1)[0][0] == max(VOCAB, key=lambda w: probability((), w))


def test_a_word_that_follows_many_is_likelier_than_one_that_is_frequent_after_one(
    wikitext: ModuleType,
):
    words = ["san", "francisco"] * 6 + ["x", "dog", "y", "dog", "z", "dog", "san", "dog"]
    probability = wikitext.kneser_ney(words, len(set(words)), 2)
    assert probability(("unseen",), "dog") > probability(("unseen",), "francisco")
    assert probability(("san",), "francisco") > probability(("san",), "dog")


def test_perplexity_of_equally_likely_words_is_their_number(wikitext: ModuleType):
    assert wikitext.perplexity(lambda _before, _word: 1 / 8, WORDS, 5) == pytest.approx(8)
