import random

import numpy as np
import pytest
import torch
from torch import nn

from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import current
from lamina.optim.recipes import Adam
from lamina.train.callback import Callback
from lamina.train.lr_finder import LRCurve, minimum, slide, steep, valley

SUGGESTERS = [valley, minimum, steep, slide]


def find(learn, **kwargs):
    return learn.lr_find(show_plot=False, **kwargs)


@pytest.mark.parametrize("trained", [False, True])
def test_the_learner_is_unchanged(make_learner, trained):
    learn, other = make_learner(opt_func=Adam), make_learner(opt_func=Adam)
    for one in (learn, other):
        if trained:
            one.fit(1)
    find(learn)
    for one in (learn, other):
        one.fit_one_cycle(2)
    state, expected = learn.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert learn.epochs_done == other.epochs_done


def test_every_random_stream_is_put_back(make_learner):
    def draw(learn=None):
        torch.rand(1), random.random(), np.random.rand(), current().python.random()  # noqa: NPY002

    def states():
        return torch.rand(1).item(), random.random(), np.random.rand(), current().python.random()  # noqa: NPY002

    learn = make_learner(model=nn.Sequential(nn.Linear(3, 1), nn.Dropout(0.5)))
    torch.manual_seed(0), random.seed(0), np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state(), random.getstate(), current().python.getstate()
    with learn.added_cbs(Callback(after_batch=draw)):
        find(learn)
    after = torch.get_rng_state(), random.getstate(), current().python.getstate()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert len(states()) == 4


def test_the_learner_is_put_back_also_after_an_error(make_learner):
    def broken(learn):
        if learn.train_iter == 3:
            raise KeyError

    learn = make_learner()
    before = learn.model[0].weight.clone()
    with learn.added_cbs(Callback(after_step=broken)), pytest.raises(KeyError):
        find(learn)
    assert torch.equal(learn.model[0].weight, before)
    assert learn.opt is None


def test_rates_grow_by_equal_factors_to_the_end(make_learner):
    curve = find(make_learner(), start_lr=1e-6, end_lr=1e-2, num_it=9, stop_div=False)
    assert curve.lrs == pytest.approx(list(np.geomspace(1e-6, 1e-2, 9)))
    assert len(curve.losses) == 9


def test_it_stops_when_the_loss_diverges(make_learner):
    curve = find(make_learner(n_train=1, model=nn.Linear(3, 1)), end_lr=1e6, num_it=200)
    assert len(curve.lrs) < 200


def test_suggestions_are_near_the_best_rate_of_a_toy(make_learner):
    torch.manual_seed(0)
    curve = find(make_learner(n_train=20, model=nn.Linear(3, 1)))
    for rate in (curve.valley, curve.minimum, curve.steep):
        assert 0.01 < rate < 1
    assert 1e-5 < curve.slide < 1


def test_suggestions_unpack_and_have_names(make_learner):
    curve = find(make_learner(), suggest_funcs=(minimum, steep))
    lr_min, lr_steep = curve
    assert (lr_min, lr_steep) == (curve.minimum, curve.steep)
    assert list(curve.asked) == ["minimum", "steep"]


@pytest.mark.parametrize("func", SUGGESTERS)
@pytest.mark.parametrize("n", [2, 3, 6, 12, 20])
def test_few_points_are_enough_for_a_suggestion(func, n):
    lrs = [10.0 ** (i - n) for i in range(n)]
    curve = LRCurve(lrs, [1.0 / (i + 1) for i in range(n)]).suggest(func)
    assert lrs[0] / 10 <= next(iter(curve)) <= lrs[-1]


def test_too_few_points_are_explained():
    with pytest.raises(ContractError, match="only 1 points were measured, too few"):
        LRCurve([0.1], [1.0]).suggest(valley)


def test_too_few_batches_are_refused(make_learner):
    with pytest.raises(ContractError, match="num_it is 5; at least 6"):
        find(make_learner(), num_it=5)


def test_valley_is_the_middle_of_the_longest_fall():
    losses = [5.0, 5.1, 5.0, 4.0, 3.0, 2.0, 1.0, 9.0]
    assert valley(list(range(8)), losses) == 3


def test_steep_is_where_the_loss_falls_fastest():
    assert steep([1, 2, 3, 4, 5], [5.0, 4.9, 3.0, 1.0, 0.9]) == 3


def test_a_curve_prints_what_it_suggests_and_not_its_points(make_learner):
    curve = make_learner().lr_find(show_plot=False, suggest_funcs=minimum)
    assert repr(curve) == f"LRCurve(asked={{'minimum': {curve.minimum}}})"
