"""The fifteen stages of the loader: their order, and that each can be replaced."""

from typing import Any

import pytest
import torch

from lamina.data.loader import STAGES, DataLoader
from lamina.tensor.types import TensorImage, TensorMask

WORKERS = [0, 1, 2]


def recorded(calls: list[str], *, wrap: dict[str, Any]) -> dict[str, Any]:
    def stage(name: str, fn: Any) -> Any:
        def run(*args: Any) -> Any:
            calls.append(name)
            return fn(*args)

        return run

    return {name: stage(name, fn) for name, fn in wrap.items()}


def test_the_stages_run_in_the_documented_order():
    calls: list[str] = []
    dl = DataLoader(range(2), bs=2, shuffle=True)
    stages = recorded(calls, wrap={name: getattr(dl, name) for name in STAGES})
    for name, fn in stages.items():
        setattr(dl, name, fn)
    list(dl)
    item = ["do_item", "create_item", "after_item"]
    expected = ["before_iter", "get_idxs", "shuffle_fn", "sample", "create_batches", *item, *item]
    assert len(STAGES) == 15
    assert calls == [*expected, *STAGES[9:]]


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


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("stage", REPLACED)
def test_each_stage_can_be_replaced_by_a_function(stage, workers):
    fn, expected = REPLACED[stage]
    is_shuffled = stage == "shuffle_fn"
    dl = DataLoader(range(4), bs=2, shuffle=is_shuffled, num_workers=workers, **{stage: fn})
    assert [b.tolist() for b in dl] == expected


@pytest.mark.parametrize("stage", REPLACED)
def test_each_stage_can_be_replaced_by_a_subclass(stage):
    fn, expected = REPLACED[stage]
    cls = type("Mine", (DataLoader,), {stage: lambda self, *args: fn(*args)})
    assert [b.tolist() for b in cls(range(4), bs=2, shuffle=stage == "shuffle_fn")] == expected


def test_the_stages_around_a_pass_can_be_replaced():
    calls: list[str] = []
    hooks = recorded(calls, wrap=dict.fromkeys(["before_iter", "after_iter"], lambda: None))
    dl = DataLoader(range(4), bs=2, **hooks)
    for _ in dl:
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
