"""The loader: fifteen stages, counted randomness, any number of workers."""

import pickle
import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from lamina.data.loader import DataLoader
from lamina.foundation.errors import (
    CollateError,
    ContractError,
    DataError,
    SkipItem,
    UnknownArgumentError,
    UnknownNameError,
)
from lamina.foundation.seeding import current, using
from lamina.tensor.random import uniform
from lamina.tensor.types import TensorImage

WORKERS = [0, 1, 2]


class Stream:
    """An iterable without length or index."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self):
        return iter(range(self.n))


def jitter(x: float) -> torch.Tensor:
    return x + uniform(2)


def jitter_batch(batch: torch.Tensor) -> torch.Tensor:
    return batch + uniform(1)


def numpy_state() -> list[int]:
    return np.random.get_state()[1].tolist()  # noqa: NPY002 - the global state is the point


def flat(dl: DataLoader) -> list[Any]:
    return [x for batch in dl for x in batch.tolist()]


# Batches


def test_batches_hold_the_items_in_order():
    assert [b.tolist() for b in DataLoader(range(5), bs=2)] == [[0, 1], [2, 3], [4]]


def test_an_incomplete_batch_can_be_dropped():
    dl = DataLoader(range(5), bs=2, drop_last=True)
    assert [b.tolist() for b in dl] == [[0, 1], [2, 3]]
    assert len(dl) == 2


@given(
    n=st.integers(1, 40),
    bs=st.integers(1, 12),
    drop_last=st.booleans(),
    shuffle=st.booleans(),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore:DataLoader. bs=")
def test_each_item_comes_once(n, bs, drop_last, shuffle):
    dl = DataLoader(range(n), bs=bs, drop_last=drop_last, shuffle=shuffle, seed=1)
    batches = list(dl)
    seen = [x for b in batches for x in b.tolist()]
    assert len(batches) == len(dl)
    assert len(seen) == len(set(seen))
    assert len(seen) == (n // bs * bs if drop_last and n >= bs else n)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("n", [3, 10, 11])
def test_each_item_comes_once_through_workers(n, drop_last, workers):
    dl = DataLoader(range(n), bs=3, drop_last=drop_last, num_workers=workers)
    assert flat(dl) == list(range(n // 3 * 3 if drop_last else n))


def test_n_limits_the_items():
    assert flat(DataLoader(range(10), bs=4, n=5)) == [0, 1, 2, 3, 4]
    assert len(DataLoader(range(10), bs=4, n=5)) == 2


def test_without_a_batch_size_every_item_is_a_batch():
    batches = [torch.ones(2), torch.ones(3)]
    assert list(map(len, DataLoader(batches, bs=None))) == [2, 3]


def test_a_batch_size_beyond_the_data_keeps_the_only_batch_and_warns():
    with pytest.warns(UserWarning, match=r"bs=64 is larger than the data set \(3 items\)"):
        dl = DataLoader(range(3), bs=64, drop_last=True, shuffle=True)
    assert len(dl) == 1
    assert sorted(flat(dl)) == [0, 1, 2]


@pytest.mark.parametrize("workers", WORKERS)
def test_a_stream_is_read_in_order(workers):
    dl = DataLoader(Stream(10), bs=3, num_workers=workers, after_item=jitter, seed=3)
    ours = torch.cat(list(dl))
    assert ours.equal(torch.cat(list(DataLoader(Stream(10), bs=3, after_item=jitter, seed=3))))
    assert ours[:, 0].int().tolist() == list(range(10))


def test_a_stream_may_lose_its_incomplete_batch_but_not_its_only_one():
    assert flat(DataLoader(Stream(5), bs=2, drop_last=True)) == [0, 1, 2, 3]
    assert flat(DataLoader(Stream(1), bs=2, drop_last=True)) == [0]


def test_a_stream_has_no_length_unless_given():
    with pytest.raises(TypeError, match=r"has no length. Give n="):
        len(DataLoader(Stream(5)))
    dl = DataLoader(Stream(5), bs=2, n=3)
    assert len(dl) == len(list(dl)) == 2


# Randomness


@pytest.mark.parametrize("persistent", [False, True])
def test_the_bits_do_not_depend_on_the_workers(persistent):
    def two_epochs(n_workers: int) -> torch.Tensor:
        dl = DataLoader(
            range(11),
            bs=3,
            shuffle=True,
            seed=5,
            num_workers=n_workers,
            after_item=jitter,
            before_batch=lambda items: [x + uniform(1) for x in items],
            after_batch=jitter_batch,
            persistent_workers=persistent and n_workers > 0,
        )
        return torch.cat([*dl, *dl])

    alone, one, two = map(two_epochs, WORKERS)
    assert alone.equal(one)
    assert alone.equal(two)


def test_every_epoch_is_shuffled_and_augmented_anew():
    dl = DataLoader([0.0] * 8, bs=8, shuffle=True, seed=5, after_item=jitter)
    first, second = next(iter(dl)), next(iter(dl))
    assert not first.equal(second)
    dl.set_epoch(0)
    assert next(iter(dl)).equal(first)
    assert dl.epoch == 1


def test_an_item_looks_the_same_in_any_batch():
    small = torch.cat(list(DataLoader(range(8), bs=2, seed=5, after_item=jitter)))
    large = torch.cat(list(DataLoader(range(8), bs=8, seed=5, after_item=jitter)))
    assert small.equal(large)


def test_an_item_that_comes_twice_is_augmented_twice():
    dl = DataLoader([0.0], bs=2, seed=5, get_idxs=lambda: [0, 0], after_item=jitter)
    (batch,) = dl
    assert not batch[0].equal(batch[1])


def test_the_seed_of_the_process_counts_when_none_is_given():
    from lamina.foundation.seeding import set_base_seed

    dl = DataLoader(range(20), bs=20, shuffle=True)
    orders = []
    for seed in (1, 1, 2):
        set_base_seed(seed)
        dl.set_epoch(0)
        orders.append(flat(dl))
    set_base_seed(None)
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("workers", [0, 2])
def test_global_random_states_stay_as_they_are(workers):
    states = random.getstate(), numpy_state(), torch.get_rng_state()
    list(DataLoader(range(9), bs=2, shuffle=True, num_workers=workers, after_item=jitter))
    assert random.getstate() == states[0]
    assert numpy_state() == states[1]
    assert torch.get_rng_state().equal(states[2])


def test_the_callers_stream_is_current_between_batches():
    from lamina.foundation.seeding import Randomness

    with using(Randomness(1)) as mine:
        for _ in DataLoader(range(4), bs=2, shuffle=True):
            assert current() is mine


def test_two_passes_may_run_side_by_side():
    dl = DataLoader(range(4), bs=2, after_item=jitter, seed=1)
    side_by_side = [torch.cat(x) for x in zip(*zip(dl, dl, strict=True), strict=True)]
    dl.set_epoch(0)
    assert [torch.cat(list(dl)) for _ in range(2)][1].equal(side_by_side[1])


# Whole batches


class Rows:
    """A data set that fetches many rows at once."""

    def __init__(self, n: int) -> None:
        self.x = torch.arange(n)
        self.calls: list[Any] = []

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> Any:
        return (self.x[i],)

    def __getitems__(self, idxs: Any) -> Any:
        self.calls.append(list(idxs))
        return (self.x[list(idxs)],)


def test_a_batch_is_fetched_in_one_call():
    rows = Rows(5)
    assert [b[0].tolist() for b in DataLoader(rows, bs=2)] == [[0, 1], [2, 3], [4]]
    assert rows.calls == [[0, 1], [2, 3], [4]]


def test_items_fetched_as_a_list_are_collated():
    class Listed(Rows):
        def __getitems__(self, idxs):
            return [int(self.x[i]) for i in idxs]

    assert [b.tolist() for b in DataLoader(Listed(3), bs=2)] == [[0, 1], [2]]


def test_stages_on_items_are_honoured_although_a_batch_could_be_fetched():
    dl = DataLoader(Rows(3), bs=2, after_item=lambda x: (x[0] + 10,))
    assert [b[0].tolist() for b in dl] == [[10, 11], [12]]


@pytest.mark.parametrize("workers", [0, 2])
def test_tensor_data_sets_are_sliced(workers):
    data = TensorDataset(torch.arange(10), torch.arange(10) * 2)
    batches = list(DataLoader(data, bs=4, shuffle=True, seed=1, num_workers=workers))
    x, y = (torch.cat(column) for column in zip(*batches, strict=True))
    assert y.equal(x * 2)
    assert sorted(x.tolist()) == list(range(10))


# Errors and skipped items


def skip_odd(x: int) -> int:
    if x % 2:
        raise SkipItem(f"{x} is odd")
    return x


@pytest.mark.parametrize("workers", WORKERS)
def test_skipped_items_shrink_their_batch_and_are_counted(workers):
    dl = DataLoader(range(5), bs=2, num_workers=workers, after_item=skip_odd)
    assert [b.tolist() for b in dl] == [[0], [2], [4]]
    assert [(s.index, s.reason) for s in dl.skipped] == [(1, "1 is odd"), (3, "3 is odd")]


@pytest.mark.parametrize("workers", WORKERS)
def test_a_batch_of_skipped_items_vanishes_and_the_order_stays(workers):
    def skip(x: int) -> int:
        if x in (0, 1, 6, 7):
            raise SkipItem
        return x

    dl = DataLoader(range(10), bs=2, num_workers=workers, after_item=skip)
    assert [b.tolist() for b in dl] == [[2, 3], [4, 5], [8, 9]]


def test_training_on_nothing_but_skipped_items_is_an_error():
    dl = DataLoader([1, 3], shuffle=True, after_item=skip_odd)
    with pytest.raises(DataError, match=r"all 2 items were skipped \([13] is odd\)"):
        list(dl)


def fail_on_seven(x: int) -> int:
    if x == 7:
        raise KeyError("seven")
    return x


def notes(error: BaseException) -> str:
    return "\n".join(error.__notes__)


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_names_the_item_and_the_stage(workers):
    dl = DataLoader(range(10), bs=2, num_workers=workers, after_item=fail_on_seven)
    with pytest.raises(KeyError, match="seven") as error:
        list(dl)
    assert "stage 'after_item' failed on item 7" in notes(error.value)
    assert ("fail_on_seven" in notes(error.value)) == (workers > 0)


class Files:
    def __init__(self) -> None:
        self.items = ["a.jpg", "b.jpg"]

    def __len__(self) -> int:
        return 2

    def __getitem__(self, i: int) -> str:
        raise OSError(f"cannot read item {i}")


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_names_what_the_item_is_made_from(workers):
    with pytest.raises(OSError, match="cannot read item 0") as error:
        list(DataLoader(Files(), num_workers=workers))
    assert "stage 'create_item' failed on item 0 ('a.jpg')" in notes(error.value)


class TwoPartError(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


def test_an_error_that_cannot_travel_arrives_as_text():
    def fail(x: int) -> int:
        raise TwoPartError(1, 2)

    with pytest.raises(DataError, match="TwoPartError: 1 and 2") as error:
        list(DataLoader(range(3), num_workers=1, after_item=fail))
    assert "stage 'after_item' failed on item 0" in notes(error.value)


@pytest.mark.parametrize("workers", WORKERS)
def test_unequal_sizes_say_what_to_add(workers):
    images = [TensorImage(torch.zeros(3, 4, 4)), TensorImage(torch.zeros(3, 5, 4))]
    with pytest.raises(CollateError, match=r"item 1 is \(3, 5, 4\)\. Add a transform.*Resize"):
        list(DataLoader(images, num_workers=workers))


def test_an_error_after_the_batch_names_the_batch():
    def fail(batch: torch.Tensor) -> torch.Tensor:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as error:
        list(DataLoader(range(3), after_batch=fail))
    assert "stage 'after_batch' failed on batch 0" in notes(error.value)


def test_a_loader_can_be_used_again_after_an_error():
    dl = DataLoader(range(8), bs=2, num_workers=2, after_item=fail_on_seven)
    with pytest.raises(KeyError):
        list(dl)
    assert next(iter(dl)).tolist() == [0, 1]


def test_an_empty_data_set_is_an_error():
    with pytest.raises(DataError, match=r"the data set \(list\) is empty\. Check where"):
        DataLoader([]).one_batch()
    with pytest.raises(DataError, match="is empty"):
        list(DataLoader([], shuffle=True))
    assert list(DataLoader([])) == []


def test_unknown_options_are_refused_with_a_suggestion():
    with pytest.raises(UnknownArgumentError, match=r"'num_worker'\. Did you mean 'num_workers'"):
        DataLoader(range(3), num_worker=2)
    with pytest.raises(UnknownArgumentError, match="Did you mean 'shuffle'"):
        DataLoader(range(3)).new(shuffled=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bs": 0}, "bs=0. Give 1 or more"),
        ({"bs": 2.0}, r"bs=2\.0\. Give 1 or more"),
        ({"bs": "2"}, "bs='2'. Give 1 or more"),
        ({"num_workers": -1}, "num_workers=-1. Give 0 or more"),
        ({"num_workers": None}, "num_workers=None. Give 0 or more"),
        ({"prefetch_factor": 0}, "prefetch_factor=0. Give 1 or more"),
        ({"worker_type": "threads"}, "unknown worker_type 'threads'. Did you mean 'thread'?"),
        ({"after_item": 3}, "after_item=3 is not a function. Give one"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises((ContractError, UnknownNameError), match=message):
        DataLoader(range(3), **settings)


def test_a_stream_is_shuffled_within_a_buffer_only():
    with pytest.raises(ContractError, match=r"only within a buffer\. Give buffer=1000"):
        DataLoader(Stream(3), shuffle=True)


def test_what_is_no_data_set_is_refused():
    with pytest.raises(ContractError, match=r"a int is no data set\. Give something"):
        DataLoader(3)
    with pytest.raises(ContractError, match=r"a generator is no data set\. .* again for each pass"):
        DataLoader(i for i in range(3))


# Copies


def test_one_batch_is_the_first_of_the_next_pass():
    dl = DataLoader(range(9), bs=4, shuffle=True, seed=1, num_workers=2, after_item=jitter)
    first = dl.one_batch()
    assert dl.epoch == 0
    assert next(iter(dl)).equal(first)


def test_a_copy_keeps_settings_and_stages():
    dl = DataLoader(range(9), bs=4, seed=1, n=6, after_item=lambda x: -x)
    copy = dl.new(range(100, 110), bs=3)
    assert [b.tolist() for b in copy] == [[-100, -101, -102], [-103, -104, -105]]
    assert flat(dl.new(n=None)) == [-i for i in range(9)]


def test_persistent_workers_follow_the_epochs_after_an_early_stop():
    options: dict[str, Any] = {"bs": 2, "shuffle": True, "seed": 1, "after_item": jitter}
    plain = DataLoader(range(20), **options)
    kept = DataLoader(range(20), **options, num_workers=2, persistent_workers=True)
    next(iter(kept))
    plain.set_epoch(1)
    assert torch.cat(list(kept)).equal(torch.cat(list(plain)))


def test_a_loader_can_be_pickled_after_use():
    dl = DataLoader(range(4), bs=2, num_workers=1, after_item=fail_on_seven)
    list(dl)
    assert flat(pickle.loads(pickle.dumps(dl))) == [0, 1, 2, 3]


def test_what_was_skipped_is_counted_by_reason():
    def skip(x: int) -> int:
        if x > 2:
            raise SkipItem("too large" if x > 3 else "")
        return x

    dl = DataLoader(range(6), bs=2, after_item=skip)
    list(dl)
    assert repr(dl.skipped) == "3 items skipped: 2 x too large, 1 x no reason given"
    list(dl.new(range(2)))
    assert repr(dl.new(range(2)).skipped) == "0 items skipped"


def test_the_long_name_of_the_batch_size_leads_to_the_short_one():
    with pytest.raises(UnknownArgumentError, match=r"'batch_size'\. Did you mean 'bs'"):
        DataLoader(range(3), batch_size=2)
