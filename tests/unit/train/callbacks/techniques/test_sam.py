import pytest
import torch
from torch import nn

from lamina.foundation.errors import ContractError
from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.accumulation import GradientAccumulation
from lamina.train.callbacks.techniques.sam import SAM


@pytest.mark.parametrize("adaptive", [True, False])
def test_the_step_is_taken_with_the_gradient_at_the_worst_point_nearby(make_learner, adaptive):
    torch.manual_seed(0)
    model = nn.Linear(3, 1, bias=False)
    weight = model.weight.detach().clone().requires_grad_()
    learn = make_learner(n_train=1, model=model, cbs=SAM(0.1, adaptive=adaptive))
    x, y = learn.dls.train.one_batch()

    (grad,) = torch.autograd.grad(nn.functional.mse_loss(x @ weight.T, y), weight)
    size = weight.detach().abs() if adaptive else torch.ones_like(weight)
    worst = (weight + 0.1 * size**2 * grad / (size * grad).norm()).detach().requires_grad_()
    (grad,) = torch.autograd.grad(nn.functional.mse_loss(x @ worst.T, y), worst)
    learn.fit(1, lr=0.05)
    torch.testing.assert_close(model.weight, weight - 0.05 * grad)


def test_statistics_and_loss_are_those_of_the_first_pass(make_learner):
    plain, learn = make_learner(n_train=1), make_learner(n_train=1, cbs=SAM(0.5))
    for one in (plain, learn):
        one.fit(1)
    assert torch.equal(plain.model[1].running_mean, learn.model[1].running_mean)
    assert learn.model[1].num_batches_tracked == 1
    assert plain.recorder.losses == learn.recorder.losses


def test_an_error_in_the_second_pass_leaves_the_weights(make_learner):
    def fail_at_second(learn):
        learn.count = getattr(learn, "count", 0) + 1
        if learn.count == 2:
            raise ZeroDivisionError

    learn = make_learner(cbs=[SAM(), Callback(after_pred=fail_at_second)])
    before = learn.model[0].weight.clone()
    with pytest.raises(ZeroDivisionError):
        learn.fit(1)
    assert torch.equal(learn.model[0].weight, before)
    assert learn.model[1].momentum == 0.1


def test_it_is_not_for_accumulated_gradients(make_learner):
    with pytest.raises(ContractError, match="Use one of the two"):
        make_learner(cbs=[SAM, GradientAccumulation]).fit(1)
