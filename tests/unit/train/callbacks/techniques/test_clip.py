import pytest
import torch

from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.clip import GradientClip


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_the_norm_of_all_gradients_is_bounded(make_learner, norm_type):
    norms = []

    def measure(learn):
        grads = torch.cat([p.grad.flatten() for p in learn.model.parameters()])
        norms.append(grads.norm(norm_type).item())

    make_learner(cbs=[GradientClip(0.01, norm_type), Callback(after_step=measure)]).fit(1)
    assert norms == pytest.approx([0.01] * 4, rel=1e-3)


def test_small_gradients_stay(make_learner):
    plain, clipped = make_learner(), make_learner(cbs=GradientClip(1e6))
    for learn in (plain, clipped):
        learn.fit(1)
    assert torch.equal(plain.model[0].weight, clipped.model[0].weight)
