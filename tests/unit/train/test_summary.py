import torch
from torch import nn


def test_layers_are_listed_with_shapes_and_parameters(make_learner):
    learn = make_learner()
    learn.model[3].requires_grad_(False)
    table = learn.summary()
    assert [row[0] for row in table.rows] == ["0", "1", "2", "3"]
    assert table.rows[0] == ("0", "Linear", "8 x 4", "16", "yes")
    assert table.rows[2] == ("2", "ReLU", "8 x 4", "", "")
    assert table.rows[3] == ("3", "Linear", "8 x 1", "5", "no")
    assert table.title == "Sequential, input 8 x 3, 29 parameters (24 trainable)"


def test_nothing_is_left_behind(make_learner):
    learn = make_learner()
    learn.model.train()
    learn.model[1].eval()
    before = {name: value.clone() for name, value in learn.model.state_dict().items()}
    learn.summary()
    assert [layer.training for layer in learn.model] == [True, False, True, True]
    assert not any(layer._forward_hooks for layer in learn.model.modules())
    torch.testing.assert_close(learn.model.state_dict(), before)
    assert learn.xb == ()


def test_several_outputs_are_all_shown(make_learner):
    class Split(nn.Module):
        def forward(self, x):
            return x, x[:, :1]

    rows = make_learner(model=nn.Sequential(nn.Linear(3, 2), Split())).summary().rows
    assert rows[1][2] == "8 x 2, 8 x 1"
