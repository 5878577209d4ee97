from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from lamina.foundation.collections import L
from lamina.foundation.errors import CollateError
from lamina.tensor.collate import collate
from lamina.tensor.types import PointsMeta, TensorImage, TensorPoint


class Pair(NamedTuple):
    x: int
    y: int


def test_tensors_are_stacked_and_keep_dtype():
    out = collate([torch.ones(2, dtype=torch.uint8)] * 3)
    assert out.shape == (3, 2)
    assert out.dtype is torch.uint8


def test_type_and_meta_of_the_first_item():
    items = [TensorPoint(torch.zeros(1, 2), meta=PointsMeta((n, n))) for n in (4, 5)]
    out = collate(items)
    assert type(out) is TensorPoint
    assert out.meta == PointsMeta((4, 4))


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([1, 2], torch.tensor([1, 2])),
        ([1, 2.5], torch.tensor([1.0, 2.5])),
        ([True, False], torch.tensor([True, False])),
        ([np.float64(1.5)], torch.tensor([1.5])),
        ([np.ones(2, np.uint8)] * 2, torch.ones(2, 2, dtype=torch.uint8)),
    ],
)
def test_numbers_and_arrays_become_tensors(items, expected):
    out = collate(items)
    assert out.equal(expected)
    assert out.dtype is expected.dtype


@pytest.mark.parametrize("items", [["a", "b"], [b"a"], [None, None], [None, "a"], [Path("a")]])
def test_what_is_no_number_becomes_a_list(items):
    assert collate(items) == items


@pytest.mark.parametrize(
    "item",
    [(1, 2), [1, 2], L(1, 2), Pair(1, 2), {"a": 1, "b": 2}, OrderedDict(a=1, b=2)],
    ids=lambda item: type(item).__name__,
)
def test_containers_keep_their_class(item):
    out = collate([item, item, item])
    assert type(out) is type(item)
    parts = out.values() if isinstance(out, dict) else out
    assert [part.tolist() for part in parts] == [[1, 1, 1], [2, 2, 2]]


def test_unequal_sizes_say_which_items_and_what_to_do():
    items = [(TensorImage(torch.zeros(3, 4, n)), n) for n in (5, 5, 6)]
    with pytest.raises(CollateError) as caught:
        collate(items)
    assert str(caught.value) == (
        "Cannot stack field 0 (TensorImage) of 3 items: item 0 is (3, 4, 5), item 2 is (3, 4, 6). "
        "Add a transform that makes all sizes equal, for example item_tfms=Resize(224)."
    )


def test_unequal_sizes_without_fields_and_of_sequences():
    with pytest.raises(CollateError, match=r"Cannot stack 2 Tensors: .* \(2,\)\. Pad them to one"):
        collate([torch.zeros(1), torch.zeros(2)])


def test_nested_field_is_named():
    with pytest.raises(CollateError, match=r"field 1\.mask \(Tensor\)"):
        collate([(0, {"mask": torch.zeros(n, 1)}) for n in (1, 2)])


def test_images_ask_for_to_tensor():
    with pytest.raises(CollateError, match=r"field 0: items of type Image have no batch. Add ToT"):
        collate([(Image.new("L", (2, 2)), 1)])


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "there are no items. Give at least one"),
        ([object()], "items of type object have no batch. Add a transform"),
        ([(1, 2), (1,)], "item 0 has 2 parts, item 1 has 1. Make every item"),
        ([{"a": 1}, {"b": 1}], "only one of item 0 and item 1 has 'a', 'b'. Give every"),
        ([torch.zeros(1), None], "item 0 is a Tensor, item 1 is a NoneType. Make every"),
        ([1, "a"], "item 0 is a int, item 1 is a str. Make every"),
    ],
)
def test_items_that_do_not_fit_together(items, message):
    with pytest.raises(CollateError, match=message):
        collate(items)


def test_batches_from_workers_equal_those_of_the_main_process():
    items = [(TensorImage(torch.full((3, 2), n)).t(), n, "a", torch.tensor(n)) for n in range(6)]
    for num_workers in (0, 2):
        x, y, names, z = next(
            iter(DataLoader(items, 4, num_workers=num_workers, collate_fn=collate))
        )
        assert x.equal(torch.stack([item[0] for item in items[:4]]))
        assert x.is_contiguous()
        assert (y.tolist(), names, z.tolist()) == ([0, 1, 2, 3], ["a"] * 4, [0, 1, 2, 3])
