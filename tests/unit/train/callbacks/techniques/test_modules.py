"""Callbacks that change how the model's modules run: depth, checkpointing, compiling."""

import pytest
import torch
from torch import nn

from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.nn.models.xresnet import XResNet
from lamina.nn.shortcut import ResBlock
from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.checkpointing import GradientCheckpointing, blocks
from lamina.train.callbacks.techniques.compiling import Compile
from lamina.train.callbacks.techniques.stochastic_depth import StochasticDepth, residual_branches


def residual_model():
    torch.manual_seed(0)
    body = [ResBlock(1, 3, 8), nn.Sequential(ResBlock(1, 8, 8), nn.Dropout(0.2))]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))


@pytest.fixture
def picture_learner(make_learner):
    def make(*cbs, model=None, **kwargs):
        draw = torch.Generator().manual_seed(0)
        data = [(torch.randn(8, 3, 8, 8, generator=draw), torch.zeros(8, 1)) for _ in range(2)]
        learn = make_learner(model=model or residual_model(), cbs=list(cbs), seed=3, **kwargs)
        learn.dls = DataLoaders(data, data)
        return learn

    return make


def failing():
    def fail(learn):
        if learn.running:
            raise ZeroDivisionError

    return Callback(after_loss=fail)


def hooks_of(model):
    return [hook for module in model.modules() for hook in module._forward_hooks]


def test_residual_branches_of_known_networks():
    assert len(residual_branches(residual_model())) == 2
    layer = nn.TransformerEncoderLayer(4, 1, 8)
    assert residual_branches(layer) == [layer.dropout1, layer.dropout2]


def test_branches_are_dropped_item_by_item_with_the_same_mean(picture_learner):
    outs = []
    learn = picture_learner(StochasticDepth(0.5))
    hook = Callback(
        before_fit=lambda learn: learn.model[1][0].convpath.register_forward_hook(
            lambda module, inputs, out: outs.append((out.detach(), module.training))
        )
    )
    hook.order = 99
    torch.manual_seed(0)
    for layer in (m for m in learn.model.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.ones_(layer.weight)
    learn.fit(4, lr=0.0, cbs=hook)
    dropped = torch.cat([(out == 0).all(3).all(2).all(1) for out, training in outs if training])
    assert 0.25 < dropped.float().mean() < 0.75
    assert not any((out == 0).all() for out, training in outs if not training)


def test_depth_is_whole_again_after_an_error(picture_learner):
    learn = picture_learner(StochasticDepth(), failing())
    with pytest.raises(ZeroDivisionError):
        learn.fit(1)
    assert hooks_of(learn.model) == []


def test_depth_needs_branches_and_a_probability(make_learner):
    with pytest.raises(ContractError, match=r"no residual branch that is known. Give branches="):
        make_learner(cbs=StochasticDepth).fit(1)
    with pytest.raises(ContractError, match="p is 1"):
        StochasticDepth(1)


def test_checkpointing_changes_nothing_but_memory(picture_learner):
    plain, learn = picture_learner(), picture_learner(GradientCheckpointing)
    for one in (plain, learn):
        one.fit(2)
    for (name, a), (_, b) in zip(
        plain.model.state_dict().items(), learn.model.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name


def test_checkpointed_blocks_run_again_in_the_backward_pass(picture_learner):
    runs = []
    learn = picture_learner(GradientCheckpointing())
    learn.model[0].convpath.register_forward_hook(lambda *_: runs.append(1))
    learn.fit(1, cbs=Callback(before_backward=lambda learn: runs.append("backward")))
    assert runs[:3] == [1, "backward", 1]


def test_checkpointed_modules_are_put_back_after_an_error(picture_learner):
    learn = picture_learner(GradientCheckpointing(), failing())
    with pytest.raises(ZeroDivisionError):
        learn.fit(1)
    assert all("forward" not in vars(module) for module in learn.model.modules())


def test_checkpointing_needs_blocks(make_learner):
    assert len(blocks(residual_model())) == 2
    with pytest.raises(ContractError, match="no blocks that could be computed again"):
        make_learner(cbs=GradientCheckpointing).fit(1)


def test_a_compiled_model_trains_the_same_without_graph_breaks(picture_learner):
    compiled = Compile(backend="eager")
    plain, learn = picture_learner(), picture_learner(compiled)
    for one in (plain, learn):
        one.fit(2)
    torch.testing.assert_close(plain.model.state_dict(), learn.model.state_dict())
    assert compiled.breaks == {}
    assert compiled.graphs == 2  # training and evaluation
    assert compiled.report.startswith("2 graphs, 0 graph breaks")
    assert learn.forward is None


def test_the_models_of_the_library_compile_as_one_graph():
    model = XResNet(ResBlock, 1, [1, 1], n_out=2)
    report = torch._dynamo.explain(model)(torch.randn(2, 3, 32, 32))
    assert report.graph_break_count == 0


def test_compiling_mixed_precision_is_one_graph(picture_learner):
    compiled = Compile(backend="eager")
    learn = picture_learner(compiled).to_bf16()
    learn.fit(1)
    assert compiled.breaks == {}


def test_graph_breaks_are_reported(picture_learner):
    class Breaking(nn.Flatten):
        def forward(self, x):
            torch._dynamo.graph_break()
            return super().forward(x)

    compiled = Compile(backend="eager")
    picture_learner(compiled, model=nn.Sequential(Breaking(), nn.Linear(192, 1))).fit(1)
    assert sum(compiled.breaks.values()) >= 1


def refusing(graph, inputs):
    raise NotImplementedError("no compiler here")


def test_without_a_compiler_the_fit_goes_on_and_says_so(picture_learner):
    compiled = Compile(backend=refusing)
    learn = picture_learner(compiled)
    with pytest.warns(UserWarning, match="goes on without compiling"):
        learn.fit(1)
    assert compiled.report == "not compiled: BackendCompilerFailed"
    assert len(learn.recorder.values) == 1


def test_without_fallback_a_failure_is_an_error(picture_learner):
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed):
        picture_learner(Compile(fallback=False, backend=refusing)).fit(1)


def test_unknown_options_are_refused():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'backend'"):
        Compile(backand="eager")
