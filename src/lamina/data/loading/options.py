"""The rarer settings of a loader, and the names of its stages."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict

from lamina.foundation.errors import ContractError, UnknownNameError

__all__ = ["OPTIONS", "STAGES", "LoaderOptions", "Stage", "check_options"]

Stage = Callable[..., Any] | None
Tfms = Any  # a function; for a `TfmdDL` anything that makes a pipeline

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
        worker_type: "process" (the default), or "thread": no copies of the data set and no start-up
            time; threads work at the same time only where the code lets go of Python's lock, as
            waiting for files and PyTorch's operations do, and Pillow's decoding does not.
        pin_memory: copy batches into pinned memory, from which they move to a GPU faster.
        timeout: seconds to wait for a worker's batch; 0 is for ever.
        prefetch_factor: batches that each worker makes ahead (2).
        persistent_workers: keep the worker processes from one pass to the next.
        indexed: whether the data set is read by index; None finds out.
        n: how many items to use at most.
        buffer: of how many elements of a stream the next one is chosen when it is shuffled.
        rank: which of the processes that share a stream this is; default `$RANK`, else 0.
        world_size: how many processes share it; default `$WORLD_SIZE`, else 1.
    """

    worker_type: Literal["process", "thread"]
    pin_memory: bool
    timeout: float
    prefetch_factor: int | None
    persistent_workers: bool
    indexed: bool | None
    n: int | None
    buffer: int | None
    rank: int | None
    world_size: int | None
    before_iter: Stage
    get_idxs: Stage
    shuffle_fn: Stage
    wif: Stage
    sample: Stage
    create_batches: Stage
    do_item: Stage
    create_item: Stage
    after_item: Tfms
    do_batch: Stage
    before_batch: Tfms
    create_batch: Stage
    retain: Stage
    after_batch: Tfms
    after_iter: Stage


OPTIONS: tuple[str, ...] = tuple(LoaderOptions.__annotations__)


def check_options(where: str, num_workers: int, options: Mapping[str, Any]) -> None:
    """Refuse settings of the workers that make no sense.

    Args:
        where: the class of the loader, for messages.
        num_workers: how many there are to be.
        options: the other settings.

    Raises:
        ContractError: a number is too small.
        UnknownNameError: there is no such kind of worker.
    """
    kind = options.get("worker_type", "process")
    if kind not in (kinds := ("process", "thread")):
        raise UnknownNameError("worker_type", kind, kinds, where=where)
    if not hasattr(num_workers, "__index__") or num_workers < 0:
        raise ContractError(f"{where}: num_workers={num_workers!r}. Give 0 or more.")
    for name in ("prefetch_factor", "buffer"):
        if options.get(name, 1) < 1:
            raise ContractError(f"{where}: {name}={options[name]}. Give 1 or more.")
