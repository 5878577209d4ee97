import random

import numpy as np
import pytest
import torch

from lamina.foundation.seeding import Randomness, base_seed, current, set_base_seed, using
from lamina.tensor.random import (
    bernoulli,
    generator,
    get_random_states,
    no_random,
    set_random_states,
    set_seed,
    uniform,
)


@pytest.fixture(autouse=True)
def restore():
    states = get_random_states()
    yield
    set_random_states(states)
    set_base_seed(None)


def draws():
    return (
        random.random(),
        np.random.rand(),  # noqa: NPY002 - the global generator is under test
        torch.rand(1).item(),
        uniform(1).item(),
        current().python.random(),
    )


def test_generator_is_one_per_randomness_and_device():
    with using(Randomness(1)):
        assert generator() is generator("cpu")


def test_same_randomness_draws_the_same():
    with using(Randomness(1)):
        first = uniform(4).tolist()
    with using(Randomness(1)):
        assert uniform(4).tolist() == first
    with using(Randomness(2)):
        assert uniform(4).tolist() != first


def test_drawing_leaves_global_generators_alone():
    before = torch.get_rng_state()
    with using(Randomness(1)):
        uniform(10)
        bernoulli(10)
    assert torch.get_rng_state().equal(before)


def test_uniform_covers_its_range():
    with using(Randomness(0)):
        x = uniform((10, 1000), -1, 3)
    assert x.shape == (10, 1000)
    assert -1 <= x.min() < -0.9
    assert 2.9 < x.max() < 3


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_bernoulli_has_the_probability(p):
    with using(Randomness(0)):
        assert bernoulli(10_000, p).float().mean().item() == pytest.approx(p, abs=0.02)


def test_set_seed_repeats_every_generator():
    set_seed(7)
    first = draws()
    assert base_seed() == 7
    set_seed(7)
    assert draws() == first


def test_set_seed_takes_any_integer():
    set_seed(-(2**40))
    first = draws()
    set_seed(-(2**40))
    assert draws() == first


def test_reproducible_makes_cudnn_deterministic():
    set_seed(7, reproducible=True)
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark


def test_states_continue_where_they_were():
    set_seed(3)
    draws()
    states = get_random_states()
    expected = draws()
    draws()
    set_random_states(states)
    assert draws() == expected


def test_no_random_is_seeded_inside_and_leaves_no_trace():
    set_seed(3)
    expected = [draws(), draws()]
    set_seed(3)
    first = draws()
    with no_random():
        inside = draws()
    assert [first, draws()] == expected
    with no_random():
        assert draws() == inside
