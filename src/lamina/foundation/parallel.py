"""Calling a function on many items at once, in processes or threads."""

import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, overload

from lamina.foundation.collections import L
from lamina.foundation.progress import track
from lamina.foundation.sequences import listify

__all__ = ["num_cpus", "parallel"]

T = TypeVar("T")
R = TypeVar("R")


def num_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # missing on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@overload
def parallel(
    f: Callable[..., R],
    items: Iterable[Any],
    *args: Any,
    n_workers: int | None = None,
    progress: bool = False,
    method: str | None = None,
    threadpool: bool = False,
    timeout: float | None = None,
    chunksize: int = 1,
    return_exceptions: Literal[False] = False,
) -> L[R]: ...
@overload
def parallel(
    f: Callable[..., R],
    items: Iterable[Any],
    *args: Any,
    n_workers: int | None = None,
    progress: bool = False,
    method: str | None = None,
    threadpool: bool = False,
    timeout: float | None = None,
    chunksize: int = 1,
    return_exceptions: bool,
) -> L[R | Exception]: ...
def parallel(
    f: Callable[..., Any],
    items: Iterable[Any],
    *args: Any,
    n_workers: int | None = None,
    progress: bool = False,
    method: str | None = None,
    threadpool: bool = False,
    timeout: float | None = None,
    chunksize: int = 1,
    return_exceptions: bool = False,
) -> L[Any]:
    """Call `f` on every item in several workers, and return the results in the items' order.

    Args:
        f: the function. Processes need one that can be pickled: not a lambda.
        items: its first arguments.
        args: further positional arguments, the same for all items.
        n_workers: number of workers; 0 calls in this process, None takes all CPUs.
        progress: show a progress bar.
        method: how processes start: `"fork"`, `"spawn"`, `"forkserver"`; default the platform's.
        threadpool: use threads, which suits reading and downloading.
        timeout: seconds that all of it may take. A call that is running then is left to end.
        chunksize: items sent to a process at a time; raise it for many quick calls.
        return_exceptions: put the exceptions of failed calls among the results.

    Raises:
        Exception: what `f` raised, with a note that says for which item.
        TimeoutError: the time was over.
        BrokenExecutor: a process died, or could not import `f`.

    Example:
        >>> parallel(pow, [1, 2, 3], 2, n_workers=2, threadpool=True)
        (#3) [1,4,9]
    """
    todo = listify(items, use_list=True)
    call = _Call(f, args, len(todo), return_exceptions)
    n = min(num_cpus() if n_workers is None else n_workers, len(todo))

    def shown(results: Iterable[Any]) -> list[Any]:
        return list(track(results, len(todo), _name(f)) if progress else results)

    if n <= 0:
        return L(shown(map(call, enumerate(todo))))
    executor = _executor(n, method, threads=threadpool)
    try:
        results = executor.map(call, enumerate(todo), timeout=timeout, chunksize=chunksize)
        return L(shown(results))
    except BrokenExecutor as error:
        error.add_note(
            "parallel: a worker died. Was memory short? "
            f"Can {_name(f)} be imported in a new process? "
            "If not, use threadpool=True or n_workers=0."
        )
        raise
    finally:
        executor.shutdown(wait=timeout is None, cancel_futures=True)


def _executor(n_workers: int, method: str | None, *, threads: bool) -> Executor:
    if threads:
        return ThreadPoolExecutor(n_workers)
    return ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context(method))


def _name(f: object) -> str:
    return getattr(f, "__name__", type(f).__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call in a worker; its errors say which item they belong to."""

    f: Callable[..., Any]
    args: tuple[Any, ...]
    total: int
    return_exceptions: bool

    def __call__(self, numbered: tuple[int, Any]) -> Any:
        i, item = numbered
        try:
            return self.f(item, *self.args)
        except Exception as error:
            where = f"item {i} of {self.total}: {item!r:.200}"
            error.add_note(f"parallel: {_name(self.f)} failed on {where}")
            if self.return_exceptions:
                return error
            raise
