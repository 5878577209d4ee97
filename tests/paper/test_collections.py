"""The paper's example of the collection class."""

from lamina.foundation.collections import L
from lamina.foundation.functional import gt


def test_chain_of_the_paper():
    d = {"a": 1, "b": -5, "e": 9}.items()
    assert L(d).itemgot(1).map(abs).filter(gt(4)).sum() == 14


def test_indexing_with_lists_and_masks():
    letters = L("a", "b", "c", "d")
    assert letters[[3, 0]] == ["d", "a"]
    assert letters[[True, False, False, True]] == ["a", "d"]
