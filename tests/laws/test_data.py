"""Laws of the data rung: what is encoded comes back, and types survive the way into a batch."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lamina.data.category import Categorize, MultiCategorize, OneHotEncode
from lamina.data.datasets import Datasets
from lamina.data.items import TfmdLists
from lamina.data.loader import DataLoader
from lamina.data.loading.stages import retype
from lamina.data.normalize import IntToFloatTensor, Normalize
from lamina.data.pipeline import Pipeline
from lamina.data.tfmd_loader import TfmdDL
from lamina.data.transform import ItemTransform, Transform
from lamina.tensor.collate import collate
from lamina.tensor.types import (
    TensorBase,
    TensorBBox,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorPoint,
)

KINDS = [TensorImage, TensorMask, TensorCategory, TensorPoint, TensorBBox, torch.Tensor]


# Reversible steps


@dataclass
class Add(Transform):
    n: int
    order = 1

    def encodes(self, x: int | torch.Tensor):
        return x + self.n

    def decodes(self, x: int | torch.Tensor):
        return x - self.n


@dataclass
class Times(Transform):
    n: int

    def encodes(self, x: int | float | torch.Tensor):
        return x * self.n

    def decodes(self, x: int | float | torch.Tensor):
        return x / self.n if isinstance(x, float) else x // self.n


class Mirror(Transform):
    order = -1

    def encodes(self, x: str):
        return x[::-1]

    def decodes(self, x: str):
        return x[::-1]


class Turn(ItemTransform):
    """Moves the first element of a tuple to its end."""

    def encodes(self, x):
        return (*x[1:], x[0])

    def decodes(self, x):
        return (x[-1], *x[:-1])


whole = st.integers(-1000, 1000)
steps = st.one_of(
    whole.map(Add),
    st.sampled_from([-8, -2, 1, 4, 64]).map(Times),
    st.just(Mirror()),
    st.just(Turn()),
)
values = st.one_of(whole, st.text(max_size=5), st.sampled_from([0.5, -2.0, 8.25]), st.none())
tuples = st.lists(values, min_size=1, max_size=4).map(tuple)


@given(steps=st.lists(steps, max_size=6), x=tuples)
def test_a_pipeline_of_reversible_steps_gives_the_tuple_back(steps, x):
    pipeline = Pipeline(steps)
    assert pipeline.decode(pipeline(x)) == x


@given(
    steps=st.tuples(*[st.lists(steps.filter(lambda s: not isinstance(s, Turn)), max_size=4)] * 2),
    items=st.lists(whole, min_size=1, max_size=8),
)
def test_items_of_a_data_set_come_back(steps, items):
    ds = Datasets(items, [*steps])
    assert [ds.decode(item) for item in ds] == [(x, x) for x in items]


labels = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=9)


@given(labels=labels, sort=st.booleans())
def test_labels_come_back(labels, sort):
    pipeline = Pipeline([Categorize(sort=sort)])
    pipeline.setup(labels)
    assert [str(pipeline.decode(pipeline(x))) for x in labels] == labels


@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), min_size=1, max_size=6))
def test_sets_of_labels_come_back(many):
    tl = TfmdLists(many, [MultiCategorize(vocab=list("abcdef")), OneHotEncode()])
    assert [sorted(tl.decode(x)) for x in tl] == [sorted(some) for some in many]


@given(arrays("uint8", array_shapes(min_dims=4, max_dims=4, max_side=4)))
@settings(max_examples=50)
def test_normalised_pictures_come_back(pixels):
    x = TensorImage(torch.from_numpy(pixels))[:, :1]
    pipeline = Pipeline([IntToFloatTensor(), Normalize.from_stats([0.4], [0.2])])
    back = pipeline.decode(pipeline((x, TensorCategory(0))))[0]
    assert isinstance(back, TensorImage)
    assert back.equal(x)


@given(n=st.integers(1, 12), bs=st.integers(1, 5), factor=st.sampled_from([-2, 4]))
@settings(max_examples=50, deadline=None)
def test_batches_decode_to_the_items(n, bs, factor):
    ds = Datasets(list(range(n)), [[Add(3)], [str]])
    dl = TfmdDL(ds.train, bs=bs, after_item=[Times(factor)], do_setup=True)
    decoded = [item for batch in dl for item in dl.decode_batch(batch, max_n=bs)]
    assert [(int(x), y) for x, y in decoded] == [(i, str(i)) for i in range(n)]


# Types

kinds = st.sampled_from(KINDS)
nested = st.recursive(
    kinds,
    lambda inner: st.one_of(st.tuples(inner, inner), st.dictionaries(st.text(max_size=2), inner)),
)


def made(kind):
    """Make a value of the structure that is described, with tensors of the named types."""
    if isinstance(kind, tuple):
        return tuple(map(made, kind))
    if isinstance(kind, dict):
        return {key: made(value) for key, value in kind.items()}
    return torch.zeros(2, 2) if kind is torch.Tensor else kind(torch.zeros(2, 2))


def described(x):
    if isinstance(x, tuple):
        return tuple(map(described, x))
    return {k: described(v) for k, v in x.items()} if isinstance(x, dict) else type(x)


@given(kind=nested, n=st.integers(1, 4))
def test_collating_keeps_structure_and_types(kind, n):
    assert described(collate([made(kind) for _ in range(n)])) == kind


@given(kinds=st.lists(kinds, min_size=1, max_size=4).map(tuple))
def test_types_lost_on_the_way_are_given_back(kinds):
    item = made(kinds)
    plain = tuple(x.as_subclass(torch.Tensor) for x in item)
    assert described(retype(plain, item)) == kinds


@pytest.mark.parametrize("kind", ["process", "thread"])
@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_keep_types_and_bytes(workers, kind):
    item = tuple(k(torch.ones(2, 2, dtype=torch.uint8)) for k in KINDS if issubclass(k, TensorBase))
    for batch in DataLoader([item] * 5, bs=2, num_workers=workers, worker_type=kind):
        assert described(batch) == described(item)
        assert {x.dtype for x in batch} == {torch.uint8}
