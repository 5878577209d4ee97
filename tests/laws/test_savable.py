"""Splitters, labellers and getters come back from a saved file."""

from typing import Any

import pytest

from lamina.data.get import FileGetter, ImageGetter
from lamina.data.label import RegexLabeller, parent_label, using_attr
from lamina.data.split import (
    ColSplitter,
    EndSplitter,
    FileSplitter,
    GrandparentSplitter,
    GroupSplitter,
    IndexSplitter,
    MaskSplitter,
    RandomSplitter,
    RandomSubsetSplitter,
    StratifiedSplitter,
    TimeSplitter,
    TrainTestSplitter,
)
from lamina.data.task import Boxes, DenseLabels, MultiLabel, NextToken, Regression, SingleLabel
from lamina.tensor.codec import decode, encode

SAVABLE = [
    parent_label,
    RegexLabeller(r"(\w+)_"),
    using_attr(RegexLabeller(r"(\w+)_"), "name"),
    FileGetter("a", extensions=[".txt"]),
    ImageGetter("a"),
    RandomSplitter(0.1, seed=1),
    TrainTestSplitter(0.1),
    IndexSplitter([1]),
    EndSplitter(),
    GrandparentSplitter(),
    MaskSplitter([True]),
    FileSplitter("valid.txt"),
    ColSplitter(on="b"),
    RandomSubsetSplitter(0.1, 0.2),
    StratifiedSplitter("label", 0.3, seed=3),
    GroupSplitter("patient"),
    TimeSplitter([3, 1, 2], cutoff=2),
    SingleLabel(["a"]),
    MultiLabel(["a"], thresh=0.3),
    Regression(2),
    DenseLabels(["a"]),
    Boxes(["a"]),
    NextToken(["a"]),
]


@pytest.mark.parametrize("x", SAVABLE, ids=lambda x: getattr(x, "__name__", type(x).__name__))
def test_comes_back_equal(x: Any):
    tensors: dict[str, Any] = {}
    assert decode(encode(x, tensors), tensors) == x
