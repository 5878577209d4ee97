from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError
from lamina.tensor.tree import (
    batch_to_samples,
    find_bs,
    find_device,
    leaves,
    map_tree,
    nested_reorder,
    to_concat,
    to_cpu,
    to_detach,
    to_device,
    to_float,
    to_half,
    to_np,
)
from lamina.tensor.types import TensorImage

one = torch.tensor([1.0])


class Pair(NamedTuple):
    a: Any
    b: Any


@pytest.mark.parametrize(
    "tree",
    [
        (one,),
        [one],
        L([one]),
        Pair(one, "text"),
        {"a": one},
        OrderedDict(a=one),
        defaultdict(list, a=one),
    ],
    ids=lambda tree: type(tree).__name__,
)
def test_containers_keep_their_class(tree):
    out = map_tree(lambda t: t + 1, tree)
    assert type(out) is type(tree)
    assert [leaf.item() for leaf in leaves(out)] == [2.0]
    assert [leaf.item() for leaf in leaves(tree)] == [1.0]


def test_default_of_a_dict_is_kept():
    assert map_tree(lambda t: t, defaultdict(list, a=one))["new"] == []


def test_strangers_are_passed_on():
    stranger = object()
    assert map_tree(lambda t: t, [stranger, None, "text"]) == [stranger, None, "text"]


def test_leaf_type_can_be_chosen():
    assert map_tree(str.upper, ["a", (one, "b")], leaf=str) == ["A", (one, "B")]


def test_to_device_moves_tensors_only():
    module = torch.nn.Linear(1, 1)
    out = to_device((TensorImage([1.0]), module, "text"), "meta")
    assert out[0].is_meta
    assert type(out[0]) is TensorImage
    assert out[1] is module
    assert module.weight.device.type == "cpu"


def test_to_device_takes_the_default_device():
    assert to_device(one).device.type in {"cpu", "cuda", "mps", "xpu"}


def test_to_cpu_and_detach():
    x = torch.ones(1, requires_grad=True) * 2
    assert not to_detach([x])[0].requires_grad
    assert not to_detach([x], cpu=False)[0].requires_grad
    assert to_cpu({"x": x})["x"] is x


def test_to_np_gives_arrays():
    out = to_np((one.bfloat16(), TensorImage([1]), "text"))
    assert out[0].dtype == np.float32
    assert type(out[1]) is np.ndarray
    assert out[2] == "text"


def test_float_and_half_leave_integers():
    x = (torch.ones(1, dtype=torch.float64), torch.ones(1, dtype=torch.uint8))
    assert [t.dtype for t in to_float(x)] == [torch.float32, torch.uint8]
    assert [t.dtype for t in to_half(x)] == [torch.float16, torch.uint8]


def test_find_device_and_bs_take_the_first_tensor():
    b = ("text", {"x": torch.zeros(4, 2, device="meta")}, one)
    assert find_device(b).type == "meta"
    assert find_bs(b) == 4


def test_find_bs_without_tensor_or_dimension():
    with pytest.raises(ContractError, match=r"found no tensor in a list. Give a batch"):
        find_bs(["text"])
    with pytest.raises(ContractError, match=r"single number. A batch has"):
        find_bs(torch.tensor(1))


def test_concat_joins_trees():
    trees = [{"x": (torch.ones(2, 3), torch.tensor(1.0)), "name": ["a", "b"]}] * 2
    out = to_concat(trees)
    assert out["x"][0].shape == (4, 3)
    assert out["x"][1].tolist() == [1, 1]
    assert out["name"] == ["a", "b", "a", "b"]


def test_concat_keeps_type_and_other_dimension():
    out = to_concat([TensorImage(torch.zeros(2, n)) for n in (1, 2)], dim=-1)
    assert out.shape == (2, 3)
    assert type(out) is TensorImage


def test_concat_of_unequal_sizes_is_a_list_of_items():
    out = to_concat([torch.zeros(2, 3), torch.ones(1, 4)])
    assert [tuple(t.shape) for t in out] == [(3,), (3,), (4,)]


def test_concat_of_strangers_and_of_nothing():
    assert to_concat(["a", "b"]) == ["a", "b"]
    with pytest.raises(ContractError, match=r"nothing to join. Give at least one"):
        to_concat([])


def test_reorder_rows_everywhere():
    b = (torch.tensor([10, 11, 12]), {"n": ["a", "b", "c"]}, L("x", "y", "z"))
    out = nested_reorder(b, torch.tensor([2, 0]))
    assert out[0].tolist() == [12, 10]
    assert out[1:] == ({"n": ["c", "a"]}, L("z", "x"))


def test_batch_to_samples_is_limited():
    b = (TensorImage(torch.zeros(5, 3, 2)), torch.arange(5), list("abcde"))
    samples = batch_to_samples(b, max_n=2)
    assert [(type(x), y.item(), n) for x, y, n in samples] == [
        (TensorImage, 0, "a"),
        (TensorImage, 1, "b"),
    ]
