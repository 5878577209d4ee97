"""The rarer settings of a loader, and the names of its stages."""

from collections.abc import Callable
from typing import Any, TypedDict

__all__ = ["OPTIONS", "STAGES", "LoaderOptions", "Stage"]

Stage = Callable[..., Any] | None

STAGES = (
    "before_iter",
    "get_idxs",
    "shuffle_fn",
    "wif",
    "sample",
    "create_batches",
    "do_item",
    "create_item",
    "after_item",
    "do_batch",
    "before_batch",
    "create_batch",
    "retain",
    "after_batch",
    "after_iter",
)


class LoaderOptions(TypedDict, total=False):
    """The rarer settings of a loader, and the stages that can be replaced by a function.

    Attributes:
        pin_memory: copy batches into pinned memory, from which they move to a GPU faster.
        timeout: seconds to wait for a worker's batch; 0 is for ever.
        prefetch_factor: batches that each worker makes ahead.
        persistent_workers: keep the worker processes from one pass to the next.
        indexed: whether the data set is read by index; None finds out.
        n: how many items to use at most.
    """

    pin_memory: bool
    timeout: float
    prefetch_factor: int | None
    persistent_workers: bool
    indexed: bool | None
    n: int | None
    before_iter: Stage
    get_idxs: Stage
    shuffle_fn: Stage
    wif: Stage
    sample: Stage
    create_batches: Stage
    do_item: Stage
    create_item: Stage
    after_item: Stage
    do_batch: Stage
    before_batch: Stage
    create_batch: Stage
    retain: Stage
    after_batch: Stage
    after_iter: Stage


OPTIONS: tuple[str, ...] = tuple(LoaderOptions.__annotations__)
