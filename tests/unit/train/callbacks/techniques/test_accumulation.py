import pytest
import torch
from torch import nn

from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.optim.recipes import SGD
from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.accumulation import GradientAccumulation
from lamina.train.callbacks.techniques.short_epoch import ShortEpochCallback
from lamina.train.learner import Learner


def batches(sizes):
    draw = torch.Generator().manual_seed(0)
    xs = [torch.randn(n, 3, generator=draw) for n in sizes]
    return [(x, x.sum(1, keepdim=True)) for x in xs]


class Endless:
    """A loader without length."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def fitted(loader, cbs=()):
    torch.manual_seed(0)
    model, loss = nn.Linear(3, 1), nn.functional.mse_loss
    learn = Learner(DataLoaders(loader, []), model, loss, SGD, 0.1, cbs=cbs)
    learn.fit(1)
    return learn


def joined(batches):
    return tuple(torch.cat(parts) for parts in zip(*batches, strict=True))


@pytest.mark.parametrize(
    ("cb", "groups"),
    [
        (GradientAccumulation(8), [[4, 4], [4, 2, 4], [4, 2]]),
        (GradientAccumulation(3, "batches"), [[4, 4, 4], [2, 4, 4], [2]]),
        (GradientAccumulation(1, "batches"), [[4], [4], [2], [4]]),
    ],
)
@pytest.mark.parametrize("wrap", [list, Endless])
def test_a_group_steps_like_one_large_batch_also_the_last_one(cb, groups, wrap):
    small = batches([n for group in groups for n in group])
    it = iter(small)
    large = [joined([next(it) for _ in group]) for group in groups]
    learn, expected = fitted(wrap(small), cb), fitted(large)
    torch.testing.assert_close(learn.model.weight, expected.model.weight)
    assert cb.steps == len(groups)


def test_the_loss_that_is_shown_is_that_of_each_batch():
    data = batches([4])
    learn, plain = fitted(data, GradientAccumulation(64)), fitted(data)
    assert learn.recorder.losses == plain.recorder.losses


def test_a_short_epoch_steps_on_what_it_has():
    learn = fitted(batches([4] * 8), [ShortEpochCallback(0.25), GradientAccumulation(100)])
    expected = fitted([joined(batches([4] * 2))])
    torch.testing.assert_close(learn.model.weight, expected.model.weight)


def test_an_error_leaves_no_gradients_for_the_next_fit():
    def fail(learn):
        if learn.running and learn.iter == 1:
            raise ZeroDivisionError

    accumulation = GradientAccumulation(100)
    with pytest.raises(ZeroDivisionError):
        fitted(batches([4, 4, 4]), [accumulation, Callback(before_step=fail)])
    assert accumulation.steps == 0
    learn = fitted(batches([4]), accumulation)
    assert learn.model.weight.grad is None


def test_the_rate_finder_sees_every_batch(make_learner):
    curve = make_learner(cbs=GradientAccumulation(16)).lr_find(
        num_it=8, show_plot=False, stop_div=False
    )
    assert len(curve.lrs) == 8


def test_wrong_sizes_and_units_are_refused():
    with pytest.raises(ContractError, match="n_acc is 0"):
        GradientAccumulation(0)
    with pytest.raises(UnknownNameError, match=r"unknown unit 'item'. Did you mean 'items'"):
        GradientAccumulation(8, "item")
