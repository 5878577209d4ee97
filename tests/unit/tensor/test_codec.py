import json
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lamina.foundation.collections import L
from lamina.foundation.errors import BundleError, ContractError, UntrustedError
from lamina.foundation.registry import savable
from lamina.tensor.codec import MAX_DEPTH, decode, encode
from lamina.tensor.types import MaskMeta, TensorBase, TensorImage, TensorMask


@savable
@dataclass
class Scale:
    by: float
    seen: list[int] = field(default_factory=list, init=False)


@savable
@dataclass(frozen=True)
class Frozen:
    codes: tuple[str, ...] = ("a",)
    n: int = field(default=0, init=False)


@savable
class Counter:
    def __init__(self):
        self.counts = {}

    def to_state(self):
        return {"counts": self.counts}

    @classmethod
    def from_state(cls, state):
        out = cls()
        out.counts = state["counts"]
        return out


@savable
class Mode(Enum):
    FAST = 1
    EXACT = 2


@savable
def double(x, times=2):
    return x * times


def not_savable(x):
    return x


class NotSavable:
    pass


class Pair(NamedTuple):
    x: int


class TensorDepth(TensorBase):
    pass


def round_trip(x, allow=()):
    tensors = {}
    node = json.loads(json.dumps(encode(x, tensors), allow_nan=False))
    return decode(node, tensors, allow)


def same(a, b):
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, Scale):
        return type(b) is Scale and same(a.by, b.by)
    if isinstance(a, (Tensor, np.ndarray)):
        return type(a) is type(b) and a.dtype == b.dtype and a.tolist() == b.tolist()
    return type(a) is type(b) and a == b


keys = st.none() | st.booleans() | st.integers() | st.text()
scalars = (
    keys | st.floats() | st.binary() | st.complex_numbers(allow_nan=False)
    | st.sampled_from([Mode.FAST, double, Scale, torch.float16, Path("a/b.txt"), range(1, 9, 2)])
    | st.builds(slice, st.none() | st.integers(), st.integers())
    | st.builds(np.float32, st.floats(width=32, allow_nan=False))
    | st.sets(st.integers()) | st.frozensets(st.text())
    | st.lists(st.integers(0, 255)).map(lambda xs: torch.tensor(xs, dtype=torch.uint8))
    | st.lists(st.integers(0, 9)).map(lambda xs: TensorImage(torch.tensor(xs)))
    | st.lists(st.floats(allow_nan=False)).map(np.array)
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(keys, inner)
        | st.builds(Scale, inner)
    ),
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_every_value_comes_back(value):
    assert same(round_trip(value), value)


@pytest.mark.parametrize("value", [Scale(2.0), Frozen(("b",)), Mode.EXACT, double, Scale, 1 << 90])
def test_savable_things_come_back(value):
    assert round_trip(value) == value


def test_fields_that_init_does_not_take_come_back():
    scale, frozen = Scale(1.0), Frozen()
    scale.seen = [1, 2]
    object.__setattr__(frozen, "n", 5)
    assert round_trip(scale).seen == [1, 2]
    assert round_trip(frozen).n == 5


def test_own_state_methods_are_used():
    counter = Counter()
    counter.counts = {"$odd": 1, 2: torch.ones(1)}
    assert same(round_trip(counter).counts, counter.counts)


def test_list_like_and_partial_and_ordered():
    assert round_trip(L(1, "a")) == L(1, "a")
    back = round_trip(partial(double, times=3))
    assert back(2) == 6
    assert round_trip(OrderedDict(b=1, a=2)) == {"b": 1, "a": 2}


def test_numpy_keeps_shape_and_kind():
    arrays = np.array(5), np.ones((2, 0)), np.arange(6).reshape(2, 3).T[::-1], np.ones(2, "c8")
    for array in arrays:
        assert same(round_trip(array), array)
    assert type(round_trip(np.float64(2))) is np.float64


def test_semantic_tensors_keep_type_and_meta():
    mask = TensorMask([[0, 1]], meta=MaskMeta(("road", "sky")))
    back = round_trip([mask])[0]
    assert type(back) is TensorMask
    assert back.meta == mask.meta
    assert back.equal(mask)


def test_parameters_become_plain_tensors():
    assert type(round_trip(torch.nn.Parameter(torch.ones(2)))) is Tensor


def test_tensors_are_named_after_their_place_and_stored_once():
    tensors = {}
    weight = torch.ones(2)
    encode({"model": {"a.weight": weight}, "tied": [weight, weight[:1]]}, tensors)
    assert {name: t.tolist() for name, t in tensors.items()} == {
        "model.a.weight": [1, 1],
        "tied.1": [1],
    }


def test_views_are_stored_without_the_rest():
    tensors = {}
    encode(torch.zeros(1000, 2)[:2, 1], tensors)
    assert tensors["value"].untyped_storage().nbytes() == 8


def test_users_tensor_type_must_be_allowed():
    depth = TensorDepth([1.0])
    assert type(round_trip(depth, allow=[TensorDepth])) is TensorDepth
    with pytest.raises(UntrustedError, match=r"TensorDepth"):
        round_trip(depth)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda x: x, r"'a\.1' is <function.*Lambdas and local functions .* @savable above it"),
        (not_savable, r"not_savable.* write a function at the top of a module"),
        (NotSavable(), r"'a\.1' is .*NotSavable, which cannot be saved. Put @savable above its"),
        (Pair(1), "Pair, which cannot be saved"),
        (Path("/etc/passwd"), "cannot be saved. Only a path relative"),
        (Path("../up"), "cannot be saved. Only a path relative"),
        (np.array(["a"]), r"cannot be saved. Save numbers, or a list made with \.tolist"),
        (torch.zeros(2, device="meta"), "cannot be saved. Save a dense tensor"),
        (torch.zeros(2).to_sparse(), "cannot be saved. Save a dense tensor"),
        (torch.zeros(2, dtype=torch.complex128), "cannot be saved. Convert it to another"),
    ],
)
def test_what_cannot_be_saved_is_named_with_its_place(value, message):
    with pytest.raises(ContractError, match=message):
        encode({"a": [0, value]}, {})


def test_cycles_are_refused():
    cycle = []
    cycle.append(cycle)
    with pytest.raises(ContractError, match=r"more than 100 levels deep, or contains itself. Save"):
        encode(cycle, {})


def test_deepest_value_comes_back():
    value = complex(1)
    for _ in range(MAX_DEPTH - 1):
        value = (value,)
    assert round_trip(value) == value


def test_unknown_names_are_untrusted():
    for node in (
        {"$ref": "os:system"},
        {"$object": "subprocess:Popen", "state": {"args": "true"}},
        {"$enum": ["evil:Enum", "A"]},
        {"$partial": [{"$ref": "os:system"}, [], {}]},
    ):
        with pytest.raises(UntrustedError, match=r"If you trust it, import .* and pass allow=\["):
            decode(node, {})


def test_allowed_classes_are_made():
    @dataclass
    class Mine:
        x: int

    node = {"$object": f"{__name__}:{Mine.__qualname__}", "state": {"x": 3}}
    assert decode(node, {}, allow=[Mine]) == Mine(3)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"$object": "tests:double", "state": {}}, "not among the classes"),
        ({"$object": f"{__name__}:double", "state": {"x": 1}}, "is no class with a state"),
        ({"$object": f"{__name__}:Mode", "state": {}}, "is no class with a state"),
        ({"$object": f"{__name__}:Scale", "state": {"by": 1, "evil": 2}}, "has no fields evil"),
        ({"$object": f"{__name__}:Scale", "state": {}}, "cannot be restored. The cause is Type"),
        ({"$object": f"{__name__}:Counter", "state": {}}, "The cause is KeyError: 'counts'"),
        ({"$object": f"{__name__}:Scale"}, "cannot be restored"),
        ({"$enum": [f"{__name__}:Scale", "A"]}, "is no enumeration"),
        ({"$enum": [f"{__name__}:Mode", "SLOW"]}, "cannot be restored"),
        ({"$tensor": "gone"}, "names the tensor 'gone', but does not hold it. Copy or export"),
        ({"$tensor": "w", "type": f"{__name__}:Scale"}, "is no type of tensor"),
        ({"$dtype": "Tensor"}, "cannot be restored"),
        ({"$path": "/etc/passwd"}, "a path outside its folder. Do not trust it"),
        ({"$path": "a/../../b"}, "a path outside its folder. Do not trust it"),
        ({"$set": [[1]]}, "cannot be restored"),
        ({"$dict": 3}, "cannot be restored"),
        ({"$bytes": "?"}, "cannot be restored"),
        ({"$unheard": 1}, r"unknown kind '\$unheard'. It is damaged, or was written by a newer"),
    ],
)
def test_damaged_nodes(node, message):
    with pytest.raises(BundleError, match=message):
        decode(node, {"w": torch.ones(1)})


def test_deep_nodes_are_refused():
    node = 1
    for _ in range(500):
        node = [node]
    with pytest.raises(BundleError, match=r"nested too deep"):
        decode(node, {})
