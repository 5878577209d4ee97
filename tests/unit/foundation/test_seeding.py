"""Randomness is counted: streams follow from a seed and keys, not from what ran before."""

import random
import threading

import pytest

from lamina.foundation.seeding import (
    Randomness,
    base_seed,
    current,
    derive,
    is_active,
    set_base_seed,
    using,
)


@pytest.fixture(autouse=True)
def _fresh_process():
    yield
    set_base_seed(None)


def test_derived_seeds_never_change():
    assert derive(42) == 3751672130849772988
    assert derive(42, "epoch", 3) == 888341661281099590


def test_keys_are_told_apart():
    paths = [(), (1,), ("1",), (1, 2), (12,), ("a", "b"), ("ab",), ("a", "", "b"), (2, 1), (-1,)]
    assert len({derive(0, *path) for path in paths}) == len(paths)


def test_derive_fits_64_bits_whatever_the_seed():
    assert all(0 <= derive(seed, 1) < 2**64 for seed in (-1, 0, 2**80))


def test_derive_goes_step_by_step_or_at_once_only_from_the_same_path():
    r = Randomness(7)
    assert r.child("a", 1).seed == derive(7, "a", 1)
    assert r.child("a").child(1).seed == derive(derive(7, "a"), 1)


def test_generator_is_kept_and_follows_the_seed():
    r = Randomness(7)
    assert r.python is r.python
    assert r.python.random() == random.Random(7).random()


def test_children_do_not_depend_on_draws():
    r = Randomness(7)
    before = r.child("x").seed
    r.python.random()
    assert r.child("x").seed == before


def test_cache_is_a_slot_for_other_generators():
    r = Randomness(7)
    r.cache["torch"] = "generator"
    assert r.cache == {"torch": "generator"}
    assert r.child("x").cache == {}


def test_using_nests_and_restores():
    outer, inner = Randomness(1), Randomness(2)
    with using(outer):
        with using(inner):
            assert current() is inner
        assert current() is outer


def test_using_restores_after_an_error():
    before = current()
    with pytest.raises(KeyError), using(Randomness(1)):
        raise KeyError
    assert current() is before


def test_using_does_not_leak_into_other_threads():
    seen = []
    with using(Randomness(5)) as active:
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert seen[0] is not active


def test_base_seed_restarts_the_stream_of_the_process():
    set_base_seed(42)
    first = current().python.random()
    set_base_seed(42)
    assert current().python.random() == first
    assert base_seed() == current().seed == 42


def test_unset_base_seed_is_drawn_once():
    assert base_seed() == base_seed()


def test_global_generator_is_left_alone():
    state = random.getstate()
    current().child("x").python.random()
    assert random.getstate() == state


def test_outside_every_block_nobody_has_chosen():
    assert not is_active()
    with using(Randomness(1)):
        assert is_active()
