"""A compiled model is one graph under the Learner, whatever types the data have."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._dynamo.utils import counters

from lamina.data.loaders import DataLoaders
from lamina.metrics.classify import accuracy
from lamina.tensor.types import TensorCategory, TensorImage
from lamina.text.models.awd_lstm import AWD_LSTM
from lamina.train.callback import Callback
from lamina.train.learner import Learner


def make_batches(n):
    draw = torch.Generator().manual_seed(0)
    pictures = [torch.rand(4, 3, 8, 8, generator=draw) for _ in range(n)]
    return [(TensorImage(x), TensorCategory(torch.arange(4) % 2)) for x in pictures]


@pytest.fixture
def learn():
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 2),
    )  # fmt: skip
    dls = DataLoaders(make_batches(3), make_batches(2))
    return Learner(dls, model, F.cross_entropy, metrics=accuracy)


def test_what_calls_the_model_adds_no_graph_break(learn):
    learn.xb, learn.yb = learn.split_batch(learn.dls.one_batch())
    alone = torch._dynamo.explain(learn.model)(*learn.xb)
    torch._dynamo.reset()
    called = torch._dynamo.explain(learn.predict_batch)()
    assert (called.graph_count, called.graph_break_count) == (alone.graph_count, 0)


def test_a_fit_compiles_one_graph_per_mode_without_breaks(learn):
    learn.model = torch.compile(learn.model, backend="eager", fullgraph=True)
    counters.clear()
    learn.fit_one_cycle(2, cbs=Callback(after_pred=lambda learn: None))
    learn.validate()
    learn.get_preds()
    assert counters["stats"]["unique_graphs"] == 2  # training and evaluation
    assert not counters["graph_break"]


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # Dynamo's look
def test_a_compiled_reader_of_texts_keeps_its_state_and_drops_weights():
    torch.manual_seed(0)
    reader = AWD_LSTM(30, emb_sz=6, n_hid=5, n_layers=2, weight_p=0.5)
    words = torch.randint(2, 30, (4, 7))
    compiled = torch.compile(reader, backend="aot_eager")
    reader.eval()
    first, second = reader(words), reader(words)  # the second call goes on with the state
    reader.reset()
    assert torch.equal(compiled(words), first)
    assert torch.equal(compiled(words), second)
    reader.train()
    reader.reset()
    compiled(words).sum().backward()
    assert all(p.grad is not None for p in reader.parameters())
