"""The fifteen stages of the loader: their order, and that each can be replaced."""

import os
from typing import Any

import pytest
import torch

from lamina.data.loader import STAGES, DataLoader
from lamina.data.tfmd_loader import TfmdDL
from lamina.tensor.types import TensorImage, TensorMask

WORKERS = [0, 1, 2]


PER_ITEM = ["do_item", "create_item", "after_item"]
PER_BATCH = ["do_batch", "before_batch", "create_batch", "retain"]


def by_argument(cls: type, write: Any) -> Any:
    made: list[Any] = []

    def stage(name: str) -> Any:
        return lambda *args: (write(name), getattr(cls, name)(made[0], *args))[1]

    made.append(cls(range(4), bs=2, shuffle=True, **{name: stage(name) for name in STAGES}))
    return made[0]


def by_subclass(cls: type, write: Any) -> Any:
    def stage(name: str) -> Any:
        return lambda self, *args: (write(name), getattr(cls, name)(self, *args))[1]

    mine = type("Mine", (cls,), {name: stage(name) for name in STAGES})
    return mine(range(4), bs=2, shuffle=True)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("replace", [by_argument, by_subclass])
@pytest.mark.parametrize("cls", [DataLoader, TfmdDL])
def test_the_fifteen_stages_run_in_the_documented_order(cls, replace, workers, tmp_path):
    def write(name: str) -> None:
        with (tmp_path / str(os.getpid())).open("a") as file:
            file.write(f"{name} ")

    dl = replace(cls, write)
    dl.num_workers = workers
    assert sorted(x for batch in dl for x in batch.tolist()) == [0, 1, 2, 3]
    logs = {int(file.name): file.read_text().split() for file in tmp_path.iterdir()}
    here = logs.pop(os.getpid())
    start, batch = ["before_iter", "get_idxs", "shuffle_fn"], [*PER_ITEM, *PER_ITEM, *PER_BATCH]
    made = ["sample", "create_batches", *batch, "after_batch", *batch, "after_batch"]
    if workers:
        assert here == [*start, "after_batch", "after_batch", "after_iter"]
        assert list(logs.values()) == [["wif", "sample", "create_batches", *batch]] * 2
    else:
        assert (here, logs) == ([*start, *made, "after_iter"], {})
    assert len(STAGES) == len({*start, "wif", *made, "after_iter"}) == 15


REPLACED = {
    "get_idxs": (lambda: [3, 1], [[3, 1]]),
    "shuffle_fn": (lambda idxs: list(idxs)[::-1], [[3, 2], [1, 0]]),
    "sample": (lambda: [1, 1, 2], [[1, 1], [2]]),
    "create_batches": (lambda samps: (torch.tensor([s]) for s in samps), [[0], [1], [2], [3]]),
    "do_item": (lambda s: s + 5, [[5, 6], [7, 8]]),
    "create_item": (lambda s: s * 2, [[0, 2], [4, 6]]),
    "after_item": (lambda x: -x, [[0, -1], [-2, -3]]),
    "do_batch": (lambda items: torch.tensor(items[:1]), [[0], [2]]),
    "before_batch": (lambda items: items[::-1], [[1, 0], [3, 2]]),
    "create_batch": (lambda items: torch.tensor([sum(items)]), [[1], [5]]),
    "retain": (lambda batch, items: batch + len(items), [[2, 3], [4, 5]]),
    "after_batch": (lambda batch: batch * 10, [[0, 10], [20, 30]]),
}


IN_TWO_WORKERS = {  # these two stages work on a worker's share
    "sample": [[1, 1], [1, 1], [2], [2]],
    "create_batches": [[0], [2], [1], [3]],
}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stage", REPLACED)
@pytest.mark.parametrize("by", ["argument", "subclass"])
def test_each_stage_can_be_replaced(stage, workers, by):
    fn, expected = REPLACED[stage]
    options: dict[str, Any] = {"shuffle": stage == "shuffle_fn", "num_workers": workers}
    if by == "argument":
        dl = DataLoader(range(4), bs=2, **options, **{stage: fn})
    else:
        mine = type("Mine", (DataLoader,), {stage: lambda self, *args: fn(*args)})
        dl = mine(range(4), bs=2, **options)
    expected = IN_TWO_WORKERS.get(stage, expected) if workers else expected
    assert [b.tolist() for b in dl] == expected


def test_the_stages_around_a_pass_can_be_replaced():
    calls: list[str] = []
    around = ("before_iter", "after_iter")
    hooks: dict[str, Any] = {name: lambda name=name: calls.append(name) for name in around}
    for _ in DataLoader(range(4), bs=2, **hooks):
        break
    assert calls == ["before_iter", "after_iter"]


class Marked(DataLoader):
    mark = 0

    def wif(self):
        self.mark = 7

    def after_item(self, item):
        return self.mark


@pytest.mark.parametrize(("workers", "expected"), [(0, {0}), (2, {7})])
def test_each_worker_is_prepared(workers, expected):
    dl = Marked(range(6), bs=2, num_workers=workers)
    assert {mark for batch in dl for mark in batch.tolist()} == expected


def test_the_types_of_the_items_come_back_if_a_stage_loses_them():
    dataset = [(TensorImage(torch.ones(1, 2, 2)), TensorMask(torch.zeros(2, 2)), 1)] * 2

    def plain_stack(items: list[Any]) -> tuple[torch.Tensor, ...]:
        return torch.ones(2, 1, 2, 2), torch.zeros(2, 2, 2), torch.tensor([z for *_, z in items])

    (batch,) = DataLoader(dataset, bs=2, create_batch=plain_stack)
    assert [type(part) for part in batch] == [TensorImage, TensorMask, torch.Tensor]


@pytest.mark.parametrize("workers", WORKERS)
def test_semantic_types_and_meta_travel_from_workers(workers):
    dataset = [(TensorImage(torch.full((1, 2, 2), float(i))), i) for i in range(4)]
    x, _ = list(DataLoader(dataset, bs=2, num_workers=workers))[1]
    assert type(x) is TensorImage
    assert x[:, 0, 0, 0].tolist() == [2.0, 3.0]


def test_a_batch_is_on_its_device_before_after_batch():
    seen: list[str] = []
    dl = DataLoader(range(2), device="meta", after_batch=lambda b: seen.append(b.device.type))
    list(dl)
    list(dl.new(device="cpu"))
    assert seen == ["meta", "cpu"]
