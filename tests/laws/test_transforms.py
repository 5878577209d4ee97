"""Laws that every transform of the data rung keeps."""

import copy
import importlib
import pickle
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

import lamina.data
from lamina.data.category import (
    Categorize,
    EncodedMultiCategorize,
    MultiCategorize,
    OneHotEncode,
    RegressionSetup,
)
from lamina.data.get import AttrGetter, ItemGetter
from lamina.data.label import ColReader
from lamina.data.normalize import IntToFloatTensor, Normalize
from lamina.data.transform import InplaceTransform, ItemTransform, RandTransform, Transform
from lamina.foundation.collections import L
from lamina.tensor.codec import decode, encode
from lamina.tensor.types import TensorImage, TensorMask, TensorMultiCategory

BASES = {Transform, ItemTransform, InplaceTransform, RandTransform}


@dataclass(frozen=True)
class Case:
    """A transform, a value that it changes, and what is promised about the two."""

    tfm: Transform
    x: Any
    undone: bool = True  # decode gives the value back
    takes_all: bool = False  # it is for one target and has no strangers


def pixels(*shape: int) -> Tensor:
    drawn = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0))
    return drawn.to(torch.uint8)


CASES = [
    Case(IntToFloatTensor(), TensorImage(pixels(3, 4, 5))),
    Case(IntToFloatTensor(), TensorMask(pixels(4, 5))),
    Case(Normalize.from_stats([0.1, 0.2, 0.3], [0.5] * 3), TensorImage(pixels(2, 3, 4, 5) / 255)),
    Case(Normalize.from_stats([0.1, 0.2, 0.3], [0.5] * 3), TensorImage(pixels(3, 4, 5) / 255)),
    Case(OneHotEncode(4), TensorMultiCategory([1, 3])),
    Case(Categorize(["a", "b"]), "b", takes_all=True),
    Case(Categorize([5, 7]), 7, takes_all=True),
    Case(MultiCategorize(["a", "b", "c"]), L("c", "a"), takes_all=True),
    Case(EncodedMultiCategorize(["a", "b"]), [1, 0], undone=False, takes_all=True),
    Case(RegressionSetup(2), torch.tensor([1.5, 2.0]), takes_all=True),
    Case(ItemGetter(1), (1, 2), undone=False, takes_all=True),
    Case(AttrGetter("real"), 1 + 2j, undone=False, takes_all=True),
    Case(ColReader("a", suff=".png"), {"a": "1"}, undone=False, takes_all=True),
]


def subclasses(cls: type) -> Iterator[type]:
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


def assert_same(a: Any, b: Any) -> None:
    if isinstance(b, Tensor):
        torch.testing.assert_close(a, b, check_dtype=False)
    else:
        assert a == b


def name(case: Case) -> str:
    return f"{case.tfm.name}-{type(case.x).__name__}"


every = pytest.mark.parametrize("case", CASES, ids=name)
by_type = pytest.mark.parametrize("case", [c for c in CASES if not c.takes_all], ids=name)


def test_every_transform_of_the_rung_is_here():
    for module in pkgutil.iter_modules(lamina.data.__path__, "lamina.data."):
        importlib.import_module(module.name)
    ours = {cls for cls in subclasses(Transform) if cls.__module__.startswith("lamina.data")}
    public = {cls for cls in ours - BASES if cls._kernels.has("encodes")}
    assert public == {type(case.tfm) for case in CASES}


@every
def test_it_changes_its_value(case: Case):
    out = case.tfm(case.x)
    assert out is not case.x


@pytest.mark.parametrize("case", [c for c in CASES if c.undone], ids=name)
def test_decode_undoes_encode(case: Case):
    back = case.tfm.decode(case.tfm(case.x))
    assert_same(back, case.x)
    if not case.takes_all:
        assert type(back) is type(case.x)


@every
def test_the_value_itself_is_not_touched(case: Case):
    before = copy.deepcopy(case.x)
    case.tfm.decode(case.tfm(case.x)) if case.undone else case.tfm(case.x)
    assert_same(case.x, before)


@by_type
@pytest.mark.parametrize(
    "stranger", [object(), "text", 3, None, torch.ones(2)], ids=lambda x: type(x).__name__
)
def test_strangers_pass_untouched(case: Case, stranger: object):
    assert case.tfm(stranger) is stranger
    assert case.tfm((case.x, stranger))[1] is stranger
    assert case.tfm.decode((case.tfm(case.x), stranger))[1] is stranger


@by_type
def test_all_leaves_of_a_tuple_are_reached(case: Case):
    expected = case.tfm(case.x)
    a, (b, c) = case.tfm((case.x, (case.x, case.x)))
    for leaf in (a, b, c):
        assert_same(leaf, expected)


@every
def test_copies_and_pickles_do_the_same(case: Case):
    expected = case.tfm(case.x)
    for other in (copy.deepcopy(case.tfm), pickle.loads(pickle.dumps(case.tfm))):
        assert_same(other(case.x), expected)


@every
def test_nothing_happens_on_the_wrong_split(case: Case):
    tfm = copy.deepcopy(case.tfm)
    tfm.split_idx = 0
    for split_idx in (1, None):
        assert tfm(case.x, split_idx=split_idx) is case.x
        assert tfm.decode(case.x, split_idx=split_idx) is case.x
    assert_same(tfm(case.x, split_idx=0), case.tfm(case.x))


@every
def test_a_saved_file_brings_it_back(case: Case):
    tensors: dict[str, Tensor] = {}
    again = decode(encode(case.tfm, tensors), tensors)
    assert type(again) is type(case.tfm)
    assert_same(again(case.x), case.tfm(case.x))


@every
def test_its_repr_names_it(case: Case):
    assert repr(case.tfm).startswith(type(case.tfm).__name__)
