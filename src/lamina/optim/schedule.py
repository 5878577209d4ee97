"""Schedules: how a hyper-parameter changes as training goes on.

A schedule is a function from the part of training that is done (0 to 1) to a value. Values are
numbers, or tuples with one number per parameter group.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable

__all__ = [
    "CombinedSched",
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
    "Schedule",
    "Value",
    "combine_scheds",
    "combined_cos",
]

Value = float | tuple[float, ...]
Schedule = Callable[[float], Value]


@dataclass(frozen=True)
class _FromTo:
    """A schedule between two values; a collection of values counts as one per group."""

    start: Value
    end: Value

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _as_value(self.start))
        object.__setattr__(self, "end", _as_value(self.end))
        n_values = {len(v) for v in (self.start, self.end) if isinstance(v, tuple)}
        if len(n_values) > 1:
            raise ContractError(f"{self}: start and end have different numbers of values.")

    def __call__(self, pct: float) -> Value:
        """Return the value when `pct` (0 to 1) of the way is done."""
        start, end = self.start, self.end
        if isinstance(start, tuple):
            pairs = zip(start, _spread(end, len(start)), strict=True)
        elif isinstance(end, tuple):
            pairs = zip(_spread(start, len(end)), end, strict=True)
        else:
            return self._at(start, end, pct)
        return tuple(self._at(a, b, pct) for a, b in pairs)

    def _at(self, start: float, end: float, pct: float) -> float:
        raise NotImplementedError


@savable("SchedNo")
@dataclass(frozen=True)
class SchedNo(_FromTo):
    """Stay at `start`; `end` is there so that all schedules are made alike.

    Example:
        >>> SchedNo(1.0, 2.0)(0.5)
        1.0
    """

    def _at(self, start: float, end: float, pct: float) -> float:
        return start


@savable("SchedLin")
@dataclass(frozen=True)
class SchedLin(_FromTo):
    """Go in a straight line.

    Example:
        >>> SchedLin(0.0, 2.0)(0.25), SchedLin((0.0, 1.0), 2.0)(0.5)
        (0.5, (1.0, 1.5))
    """

    def _at(self, start: float, end: float, pct: float) -> float:
        return start + pct * (end - start)


@savable("SchedCos")
@dataclass(frozen=True)
class SchedCos(_FromTo):
    """Go along half a cosine: slowly at first and at last.

    Example:
        >>> [round(SchedCos(0.0, 1.0)(pct), 3) for pct in (0.0, 0.25, 0.5, 1.0)]
        [0.0, 0.146, 0.5, 1.0]

    Source: Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
    """

    def _at(self, start: float, end: float, pct: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * pct)) / 2


@savable("SchedExp")
@dataclass(frozen=True)
class SchedExp(_FromTo):
    """Change by equal factors; both values need the same sign and neither may be 0.

    Example:
        >>> round(SchedExp(0.01, 1.0)(0.5), 4)
        0.1
    """

    def _at(self, start: float, end: float, pct: float) -> float:
        return start * (end / start) ** pct


@savable("SchedPoly")
@dataclass(frozen=True)
class SchedPoly(_FromTo):
    """Go along a power of the way done.

    Args:
        start: the first value.
        end: the last value.
        power: above 1 slowly at first, below 1 slowly at last.

    Example:
        >>> SchedPoly(0.0, 1.0, power=2)(0.5)
        0.25
    """

    power: float = 1.0

    def _at(self, start: float, end: float, pct: float) -> float:
        return start + (end - start) * pct**self.power


@savable("CombinedSched")
@dataclass(frozen=True)
class CombinedSched:
    """Schedules one after another; see `combine_scheds`.

    Args:
        pcts: the part of the whole that each takes.
        scheds: the schedules; each runs from its own 0 to its own 1.
    """

    pcts: tuple[float, ...]
    scheds: tuple[Schedule, ...]

    def __call__(self, pct: float) -> Value:
        """Return the value when `pct` (0 to 1) of the whole is done."""
        begin = 0.0
        for part, sched in zip(self.pcts[:-1], self.scheds[:-1], strict=True):
            if pct < begin + part:
                return sched((pct - begin) / part)
            begin += part
        last = self.pcts[-1]
        return self.scheds[-1](min(1.0, (pct - begin) / last) if last > 0 else 1.0)


def combine_scheds(pcts: Iterable[float], scheds: Sequence[Schedule]) -> CombinedSched:
    """Run schedules one after another.

    Args:
        pcts: the part of the whole that each takes; together 1.
        scheds: as many schedules.

    Raises:
        ContractError: the parts are negative, do not add up to 1, or their number differs.

    Example:
        >>> warm_up = combine_scheds([0.3, 0.7], [SchedLin(0.0, 1.0), SchedCos(1.0, 0.0)])
        >>> [round(warm_up(pct), 3) for pct in (0.0, 0.15, 0.3, 0.65, 1.0)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    pcts = tuple(pcts)
    if len(pcts) != len(scheds) or not pcts:
        raise ContractError(f"combine_scheds: {len(pcts)} parts for {len(scheds)} schedules.")
    if min(pcts) < 0 or not math.isclose(sum(pcts), 1.0, abs_tol=1e-6):
        raise ContractError(
            f"combine_scheds: the parts {list(pcts)} add up to {sum(pcts)}. Give parts of at least "
            "0 that add up to 1."
        )
    return CombinedSched(pcts, tuple(scheds))


def combined_cos(pct: float, start: Value, middle: Value, end: Value) -> CombinedSched:
    """Go along a cosine from `start` to `middle`, then along another to `end`.

    Args:
        pct: the part of the whole that the way to `middle` takes.
        start: the first value.
        middle: the value at `pct`.
        end: the last value.

    Example:
        >>> one_cycle = combined_cos(0.25, 0.1, 1.0, 0.0)
        >>> [round(one_cycle(pct), 3) for pct in (0.0, 0.25, 1.0)]
        [0.1, 1.0, 0.0]
    """
    return combine_scheds([pct, 1 - pct], [SchedCos(start, middle), SchedCos(middle, end)])


def _as_value(value: Any) -> Value:
    """Bring a number, or any collection of numbers, into the form that is kept."""
    if getattr(value, "ndim", 0) == 0 and not isinstance(value, Sequence):
        return value
    return tuple(float(v) for v in value)


def _spread(value: Value, n: int) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,) * n
