"""Laws that hold for every semantic tensor type."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate

from lamina.tensor.collate import collate
from lamina.tensor.types import (
    MaskMeta,
    PointsMeta,
    TensorBase,
    TensorBBox,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorMultiCategory,
    TensorPoint,
    TitledTensorScalar,
    plain,
)


def sample(kind: type[TensorBase]) -> TensorBase:
    meta = MaskMeta(codes=("road", "sky")) if kind is TensorMask else PointsMeta(size=(8, 6))
    return kind(torch.arange(12.0).reshape(3, 4) - 5, meta=meta)


@pytest.fixture(
    params=[
        TensorImage, TensorMask, TensorCategory, TensorMultiCategory, TensorPoint, TensorBBox,
        TitledTensorScalar,
    ],
    ids=lambda kind: kind.__name__,
)  # fmt: skip
def x(request):
    return sample(request.param)


def assert_same_kind(result, x):
    assert type(result) is type(x)
    assert result.meta == x.meta


KEEPING = {
    "add": lambda x: x + 1,
    "reflected": lambda x: 1 - x,
    "add to itself": lambda x: x + x,
    "with a plain tensor": lambda x: torch.ones(4) * x,
    "function": lambda x: torch.clamp(x, 0, 1),
    "by keyword": lambda x: torch.clamp(input=x, min=0),
    "index": lambda x: x[0],
    "slice": lambda x: x[1:, ::2],
    "mask index": lambda x: x[x > 0],
    "iterate": lambda x: next(iter(x)),
    "unbind": lambda x: x.unbind()[1],
    "reshape": lambda x: x.reshape(-1),
    "transpose": lambda x: x.T,
    "flip": lambda x: x.flip(0),
    "stack": lambda x: torch.stack([x, x]),
    "stack after plain": lambda x: torch.stack([torch.zeros(3, 4), x]),
    "cat": lambda x: torch.cat((x, x)),
    "where": lambda x: torch.where(x > 0, x, 0),
    "clone": lambda x: x.clone(),
    "detach": lambda x: x.detach(),
    "to type": lambda x: x.to(torch.float64),
    "to device": lambda x: x.to("meta"),
    "half": lambda x: x.half(),
    "contiguous": lambda x: x.t().contiguous(),
    "pad": lambda x: nn.functional.pad(x, (1, 1)),
    "interpolate": lambda x: nn.functional.interpolate(x[None, None], scale_factor=2.0),
    "grid sample": lambda x: nn.functional.grid_sample(
        x[None, None], torch.zeros(1, 2, 2, 2), align_corners=False
    ),
    "in place": lambda x: x.add_(1),
    "new_empty": lambda x: x.new_empty(2),
    "zeros_like": torch.zeros_like,
    "requires_grad_": lambda x: x.requires_grad_(),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "shared memory": lambda x: x.share_memory_(),
    "collate": lambda x: collate([x, x]),
    "torch's collate": lambda x: default_collate([x, x]),
    "as parameter": lambda x: nn.Parameter(x).data,
}

ENDING = {
    "greater": lambda x: x > 0,
    "equal": lambda x: x == x,  # noqa: PLR0124 - an operation under test
    "equal to plain": lambda x: torch.zeros(3, 4) == x,
    "isnan": lambda x: x.isnan(),
    "mean": lambda x: x.mean(),
    "sum over a dimension": lambda x: x.sum(0, keepdim=True),
    "torch.sum": torch.sum,
    "max": lambda x: x.max(),
    "max over a dimension": lambda x: x.max(dim=1).values,
    "argmax": lambda x: x.argmax(dim=1),
    "norm": lambda x: x.norm(),
    "sort": lambda x: x.sort().values,
    "loss": lambda x: nn.functional.mse_loss(x, x),
    "cross entropy": lambda x: nn.functional.cross_entropy(x, torch.zeros(3, dtype=torch.long)),
    "plain": plain,
    "out": lambda x: torch.add(x, 1, out=torch.empty(3, 4)),
    "in place on a plain tensor": lambda x: torch.zeros(3, 4).add_(x),
}


@pytest.mark.parametrize("operation", KEEPING.values(), ids=KEEPING.keys())
def test_type_and_meta_are_kept(x, operation):
    assert_same_kind(operation(x), x)


@pytest.mark.parametrize("operation", ENDING.values(), ids=ENDING.keys())
def test_type_ends_where_meaning_ends(x, operation):
    assert type(operation(x)) is Tensor


@pytest.mark.parametrize("copying", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_hold_the_same_values_in_other_memory(x, copying):
    copied = copying(x)
    assert copied.equal(x)
    assert copied.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("other", [TensorImage, TensorMask, TensorCategory])
def test_first_of_mixed_types_wins(x, other):
    assert_same_kind(x + sample(other), x)
    assert_same_kind(torch.stack([x, sample(other)]), x)


def test_gradient_flows_through(x):
    leaf = torch.ones(3, 4, requires_grad=True)
    (type(x).wrap(leaf * 2, like=x) * x).sum().backward()
    assert type(leaf.grad) is Tensor
    assert leaf.grad.equal(2 * plain(x))


def test_gradient_of_a_semantic_leaf(x):
    x.requires_grad_()
    (x * 3).sum().backward()
    assert plain(x.grad).eq(3).all()


@pytest.mark.parametrize("layer", [nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU()])
def test_layer_compiles_to_one_graph(x, layer):
    torch.compiler.reset()
    compiled = torch.compile(lambda t: layer(t) + 1, fullgraph=True, backend="eager")
    assert_same_kind(compiled(x), x)
    assert plain(compiled(x)).allclose(layer(plain(x)) + 1)


def test_comparison_and_mean_compile_to_plain(x):
    torch.compiler.reset()
    compiled = torch.compile(lambda t: (t > 0, t.mean()), fullgraph=True, backend="eager")
    assert [type(result) for result in compiled(x)] == [Tensor, Tensor]


@pytest.mark.parametrize("collate_fn", [collate, default_collate])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_from_loader_workers_keep_type_and_meta(x, num_workers, collate_fn):
    loader = DataLoader([x, x + 1, x], 2, num_workers=num_workers, collate_fn=collate_fn)
    batches = list(loader)
    assert [type(batch) for batch in batches] == [type(x)] * 2
    assert [batch.meta for batch in batches] == [x.meta] * 2
    assert batches[0].equal(torch.stack([x, x + 1]))


def test_facts_are_those_of_the_plain_tensor(x):
    bare = plain(x)
    assert (x.shape, x.ndim, x.dtype, x.device) == (bare.shape, 2, torch.float32, bare.device)
    assert repr(x).startswith(type(x).__name__)
    assert x.tolist() == bare.tolist()
    assert (x.numpy() == bare.numpy()).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pinned memory needs CUDA")
def test_pinned_and_moved_to_the_accelerator(x):
    pinned = x.pin_memory()
    assert pinned.is_pinned()
    assert_same_kind(pinned, x)
    assert_same_kind(pinned.cuda(non_blocking=True), x)
