"""Worker processes and threads, streams in parts, and going on from a state."""

import gc
import os
import threading
import time
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from lamina.data.datasets import Datasets
from lamina.data.loader import DataLoader
from lamina.data.tfmd_loader import TfmdDL
from lamina.data.transform import RandTransform
from lamina.foundation.errors import ContractError, DataError, SkipItem
from lamina.foundation.seeding import current
from lamina.tensor.random import uniform

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker")
KINDS = ["process", "thread"]
CREWS = [(0, "process"), *((n, kind) for n in (1, 2, 4) for kind in KINDS)]


class Stream:
    """An iterable without length or index."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self):
        return iter(range(self.n))


class Noise(RandTransform):
    """Keeps what it drew on itself, as random transforms do, and gives others time to interfere."""

    def before_call(self, x, split_idx):
        self.drawn = current().python.random()

    def encodes(self, x: float):
        time.sleep(0.0005)
        return x + self.drawn


def jitter(x: float) -> torch.Tensor:
    return x + uniform(2)


def crew(n: int, kind: str) -> dict[str, Any]:
    return {"num_workers": n, "worker_type": kind}


def flat(dl: DataLoader) -> list[Any]:
    return [x for batch in dl for x in batch.tolist()]


# Same bits


@pytest.mark.parametrize(("n", "kind"), CREWS[1:])
def test_batches_are_the_same_with_any_workers(n, kind):
    def two_passes(**workers: Any) -> torch.Tensor:
        dl = DataLoader(
            range(19),
            bs=3,
            shuffle=True,
            seed=5,
            after_item=jitter,
            before_batch=lambda items: [x + uniform(1) for x in items],
            after_batch=lambda batch: batch + uniform(1),
            **workers,
        )
        return torch.cat([*dl, *dl])

    assert two_passes(**crew(n, kind)).equal(two_passes())


@pytest.mark.parametrize("where", ["pipeline", "loader"])
def test_threads_do_not_share_what_a_transform_draws(where):
    def values(n: int) -> torch.Tensor:
        tfms = [Noise()]
        ds = Datasets([0.0] * 24, [tfms if where == "pipeline" else [], [str]])
        after_item = tfms if where == "loader" else None
        dl = TfmdDL(ds.train, bs=4, seed=1, after_item=after_item, **crew(n, "thread"))
        return torch.cat([x for x, _ in dl])

    assert values(4).equal(values(0))
    assert len(set(values(0).tolist())) == 24


@given(
    n=st.integers(1, 40),
    bs=st.integers(1, 12),
    drop_last=st.booleans(),
    workers=st.integers(0, 4),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore:DataLoader. bs=")
def test_each_index_comes_once_whatever_the_workers(n, bs, drop_last, workers):
    dl = DataLoader(
        range(n), bs=bs, drop_last=drop_last, shuffle=True, seed=1, **crew(workers, "thread")
    )
    seen = flat(dl)
    assert len(seen) == len(set(seen))
    assert len(seen) == (n // bs * bs if drop_last and n >= bs else n)


# Threads


def test_a_thread_makes_only_so_many_batches_ahead():
    made: list[int] = []
    dl = DataLoader(
        range(100),
        bs=1,
        after_item=lambda x: made.append(x) or x,
        prefetch_factor=3,
        **crew(2, "thread"),
    )
    batches = iter(dl)
    next(batches)
    time.sleep(0.1)
    assert len(made) <= 1 + 2 * 3
    batches.close()


@pytest.mark.parametrize("n_taken", [0, 1, 20])
def test_threads_end_with_the_pass(n_taken):
    before = threading.active_count()
    batches = iter(DataLoader(range(40), bs=2, **crew(3, "thread")))
    for _ in range(n_taken):
        next(batches)
    batches.close()
    assert threading.active_count() == before


def test_an_error_in_a_thread_arrives_with_item_and_stage():
    def fail(x: int) -> int:
        if x == 7:
            raise KeyError("seven")
        return x

    with pytest.raises(KeyError, match="seven") as error:
        list(DataLoader(range(10), bs=2, after_item=fail, **crew(2, "thread")))
    assert "stage 'after_item' failed on item 7" in "\n".join(error.value.__notes__)


def test_threads_skip_and_count():
    def skip(x: int) -> int:
        if x in (0, 1, 5):
            raise SkipItem("no")
        return x

    dl = DataLoader(range(8), bs=2, after_item=skip, **crew(2, "thread"))
    assert [b.tolist() for b in dl] == [[2, 3], [4], [6, 7]]
    assert [s.index for s in dl.skipped] == [0, 1, 5]


def test_each_thread_is_prepared_once():
    seen: list[str] = []
    dl = DataLoader(
        range(8),
        bs=2,
        wif=lambda: seen.append(threading.current_thread().name),
        **crew(2, "thread"),
    )
    list(dl)
    assert sorted(seen) == ["loader-0", "loader-1"]


def test_a_thread_that_hangs_is_named():
    dl = DataLoader(
        range(2), after_item=lambda x: time.sleep(0.3), timeout=0.05, **crew(1, "thread")
    )
    with pytest.raises(DataError, match=r"worker thread 0 made no batch in 0\.05 seconds\. Give"):
        list(dl)


# Processes


def test_a_process_that_dies_is_named_with_what_to_do():
    dl = DataLoader(range(2), after_item=lambda x: os._exit(3), num_workers=1)
    message = r"exited unexpectedly\. num_workers=0 shows .* memory .* fewer workers"
    with pytest.raises(DataError, match=f"DataLoader: DataLoader worker .* {message}"):
        list(dl)


def test_a_process_that_hangs_is_named_with_what_to_do():
    dl = DataLoader(range(2), after_item=lambda x: time.sleep(3), num_workers=1, timeout=0.2)
    with pytest.raises(DataError, match=r"timed out .*num_workers=0 .*give a longer timeout"):
        list(dl)


@pytest.mark.parametrize(("persistent", "n_born"), [(True, 2), (False, 4)])
def test_persistent_processes_live_through_the_passes(persistent, n_born):
    dl = DataLoader(
        range(8),
        bs=2,
        after_item=lambda x: os.getpid(),
        persistent_workers=persistent,
        **crew(2, "process"),
    )
    assert len({*flat(dl), *flat(dl)}) == n_born


def test_persistent_processes_serve_one_pass_at_a_time():
    dl = DataLoader(range(8), bs=2, persistent_workers=True, **crew(2, "process"))
    first, second = iter(dl), iter(dl)
    next(first)
    assert next(second).tolist() == [0, 1]
    with pytest.raises(ContractError, match=r"another pass has begun.*Leave out persistent"):
        next(first)


@pytest.mark.skipif(not torch.accelerator.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("n", "kind"), CREWS[:5])
@pytest.mark.parametrize("data", [range(6), TensorDataset(torch.arange(6))])
def test_batches_are_pinned(n, kind, data):
    for batch in DataLoader(data, bs=2, pin_memory=True, **crew(n, kind)):
        assert (batch if isinstance(batch, torch.Tensor) else batch[0]).is_pinned()


# Streams


@pytest.mark.parametrize(("n", "kind"), CREWS)
@pytest.mark.parametrize("world", [1, 3])
def test_a_stream_is_read_once_over_workers_and_ranks(n, kind, world):
    parts = [
        DataLoader(Stream(50), bs=4, rank=rank, world_size=world, **crew(n, kind))
        for rank in range(world)
    ]
    assert sorted(x for dl in parts for x in flat(dl)) == list(range(50))


def test_rank_and_number_of_processes_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    dl = DataLoader(Stream(7), bs=2, n=7)
    assert flat(dl) == [1, 3, 5]
    assert len(dl) == 2
    assert flat(DataLoader(range(4))) == [0, 1, 2, 3]


def test_ranks_draw_differently():
    one, two = (
        torch.cat(
            list(
                DataLoader(
                    [0.0] * 4, after_item=jitter, indexed=False, seed=1, rank=r, world_size=2
                )
            )
        )
        for r in range(2)
    )
    assert not one.equal(two)


def test_a_rank_beyond_the_number_of_processes_is_refused():
    with pytest.raises(ContractError, match=r"rank=2 of world_size=2\. Ranks count from 0"):
        list(DataLoader(Stream(3), rank=2, world_size=2))


@pytest.mark.parametrize(("n", "kind"), CREWS)
def test_a_shuffled_stream_gives_all_in_an_order_of_its_own_per_pass(n, kind):
    def passes(**workers: Any) -> list[list[int]]:
        dl = DataLoader(Stream(40), bs=4, shuffle=True, buffer=8, seed=3, **workers)
        return [flat(dl), flat(dl)]

    first, second = passes(**crew(n, kind))
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second
    assert [first, second] == passes()


@given(n=st.integers(0, 60), size=st.integers(1, 70))
def test_no_element_comes_before_the_buffer_could_hold_it(n, size):
    dl = DataLoader(
        Stream(n), bs=None, shuffle=True, buffer=size, seed=n, create_batch=lambda b: b[0]
    )
    order = list(dl) if n else []
    assert sorted(order) == list(range(n))
    assert all(x < position + size for position, x in enumerate(order))


# States


MAKERS = {
    "items": lambda **o: DataLoader(
        range(23), bs=3, shuffle=True, after_item=jitter, after_batch=lambda b: b + uniform(1), **o
    ),
    "stream": lambda **o: DataLoader(
        Stream(23), bs=3, shuffle=True, buffer=5, after_item=jitter, **o
    ),
    "rows": lambda **o: DataLoader(
        TensorDataset(torch.arange(23)), bs=3, shuffle=True, after_batch=lambda b: b[0], **o
    ),
}


def same(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> bool:
    return len(ours) == len(theirs) and all(map(torch.equal, ours, theirs))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(("n", "kind"), [CREWS[0], CREWS[3], CREWS[4]])
@pytest.mark.parametrize("taken", [0, 1, 4, 8])
def test_a_state_continues_exactly(make, n, kind, taken):
    whole = make(seed=7)
    wanted = [*whole, *whole][taken:]
    dl = make(seed=7, **crew(n, kind))
    batches = iter(dl)
    for _ in range(taken):
        next(batches)
    resumed = make(**crew(n, kind))
    resumed.load_state_dict(dl.state_dict())
    assert same([*resumed, *resumed], wanted)


def test_a_state_may_be_continued_with_other_workers():
    dl = MAKERS["items"](seed=7, **crew(2, "process"))
    batches = iter(dl)
    next(batches)
    resumed = MAKERS["items"](seed=7)
    resumed.load_state_dict(dl.state_dict())
    assert same(list(resumed), list(batches))


def test_a_state_says_where_the_loader_is():
    dl = DataLoader(range(6), bs=2, seed=4)
    assert dl.state_dict() == {"seed": 4, "epoch": 0, "batch": 0}
    next(iter(dl))
    assert dl.state_dict() == {"seed": 4, "epoch": 0, "batch": 1}
    list(dl)
    assert dl.state_dict() == {"seed": 4, "epoch": 2, "batch": 0}


def test_a_half_done_pass_goes_on_only_under_its_number():
    dl = DataLoader(range(6), bs=2, seed=4)
    dl.load_state_dict({"seed": 4, "epoch": 1, "batch": 2})
    dl.set_epoch(1)
    assert flat(dl) == [4, 5]
    dl.load_state_dict({"seed": 4, "epoch": 1, "batch": 2})
    dl.set_epoch(0)
    assert flat(dl) == [0, 1, 2, 3, 4, 5]


def test_looking_at_a_batch_does_not_change_the_state():
    dl = DataLoader(range(6), bs=2, seed=4)
    next(iter(dl))
    dl.one_batch()
    assert dl.state_dict()["batch"] == 1


def test_another_kind_of_state_is_refused():
    with pytest.raises(DataError, match=r"got \['step'\]\. Expected what state_dict returned"):
        DataLoader(range(3)).load_state_dict({"step": 3})


# Rows of tensors


def test_a_shuffled_batch_is_a_copy():
    data = TensorDataset(torch.zeros(8, 2))
    for (batch,) in DataLoader(data, bs=4, shuffle=True):
        batch.add_(1)
    assert data.tensors[0].sum() == 0


def test_what_transforms_do_to_a_batch_does_not_reach_the_data_set():
    data = TensorDataset(torch.zeros(8, 2))
    assert sum(b.sum() for b in DataLoader(data, bs=4, after_batch=lambda b: b[0].add_(1))) == 16
    assert data.tensors[0].sum() == 0


def test_a_tensor_data_set_with_items_of_its_own_is_asked_for_them():
    class Doubled(TensorDataset):
        def __getitem__(self, i: int) -> Any:
            return super().__getitem__(i)[0] * 2

    assert flat(DataLoader(Doubled(torch.arange(3)), bs=2)) == [0, 2, 4]


# Leaks


def handles() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not named


def memory_mb() -> float:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - not a real file
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")  # noqa: PTH112
@pytest.mark.parametrize(("n", "kind"), [CREWS[0], CREWS[3], CREWS[4]])
def test_fifty_passes_leak_neither_memory_nor_handles(n, kind):
    dl = DataLoader([torch.zeros(50_000) for _ in range(16)], bs=4, shuffle=True, **crew(n, kind))
    for _ in range(5):
        list(dl)
    before, threads, start = handles(), threading.active_count(), memory_mb()
    for _ in range(50):
        list(dl)
    assert handles() <= before
    assert threading.active_count() <= threads
    assert memory_mb() < start + 40  # one pass is 3 MB, all together 160
