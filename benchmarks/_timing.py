"""Timing for the benchmarks: interleaved medians, and rows that compare them with a goal."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["Row", "interleaved_us", "median_us", "overhead_row", "print_rows", "ratio_row"]


@dataclass(frozen=True)
class Row:
    """One comparison: our time, the reference's, and what must hold between them.

    `kind` is "ratio" (ours / reference) or "overhead" (ours - reference, in µs); `goal` is the most
    that either may be.
    """

    name: str
    ours_us: float
    reference_us: float
    kind: str
    goal: float

    @property
    def value(self) -> float:
        if self.kind == "ratio":
            return self.ours_us / self.reference_us
        return self.ours_us - self.reference_us

    @property
    def ok(self) -> bool:
        return self.value <= self.goal


def median_us(fn: Callable[[], object], n: int = 10_000, repeats: int = 7) -> float:
    """Return the median over `repeats` rounds of the microseconds per call in `n` calls."""
    return interleaved_us([fn], n, repeats)[0]


def interleaved_us(
    fns: Iterable[Callable[[], object]], n: int = 10_000, repeats: int = 7
) -> list[float]:
    """Return the medians of several functions whose rounds alternate, so that load hits all."""
    candidates = list(fns)
    times: list[list[float]] = [[] for _ in candidates]
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for round_ in range(repeats + 1):
            for fn, record in zip(candidates, times, strict=True):
                seconds = _round_s(fn, n)
                if round_:  # the first one warms up
                    record.append(seconds / n * 1e6)
    finally:
        if was_enabled:
            gc.enable()
    return [statistics.median(record) for record in times]


def ratio_row(
    name: str,
    ours: Callable[[], object],
    reference: Callable[[], object],
    *,
    goal: float,
    n: int = 10_000,
    repeats: int = 7,
) -> Row:
    """Measure both and compare their ratio with the goal."""
    return Row(name, *interleaved_us([ours, reference], n, repeats), kind="ratio", goal=goal)


def overhead_row(
    name: str,
    ours: Callable[[], object],
    reference: Callable[[], object],
    *,
    goal: float,
    n: int = 10_000,
    repeats: int = 7,
) -> Row:
    """Measure both and compare their difference in microseconds with the goal."""
    return Row(name, *interleaved_us([ours, reference], n, repeats), kind="overhead", goal=goal)


def print_rows(rows: Iterable[Row]) -> bool:
    """Print the table and return whether all goals are met."""
    listed = list(rows)
    width = max((len(row.name) for row in listed), default=4)
    print(f"{'name':<{width}}  {'ours':>10}  {'reference':>10}  {'result':>10}  {'goal':>10}  ok")
    for row in listed:
        print(
            f"{row.name:<{width}}  {row.ours_us:>7.3f} µs  {row.reference_us:>7.3f} µs  "
            f"{_with_unit(row.value, row.kind)}  {_with_unit(row.goal, row.kind)}  "
            f"{'yes' if row.ok else 'NO'}"
        )
    return all(row.ok for row in listed)


def _round_s(fn: Callable[[], object], n: int) -> float:
    start = time.perf_counter()
    for _ in range(n):
        fn()
    return time.perf_counter() - start


def _with_unit(value: float, kind: str) -> str:
    return f"{value:>8.2f} x" if kind == "ratio" else f"{value:>+7.3f} µs"
