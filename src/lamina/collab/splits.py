"""`LeaveLastOut`: the latest rows of each user for validation."""

from typing import Any

import numpy as np

from lamina.data.splits.positions import Split, values_of
from lamina.foundation.errors import DataError
from lamina.foundation.registry import record
from lamina.tabular.encoding.frames import factorize, is_gap

__all__ = ["LeaveLastOut"]


@record
class LeaveLastOut:
    """The latest `n` rows of each user for validation; who has no more than `n` rows trains only.

    Rows of the same time count in their order. `lamina.data.split.TimeSplitter` cuts all users at
    one time instead.

    Args:
        user: the user of a row: a column of the data frame, a function, or one value per row.
        time: the time of a row, likewise.
        n: how many rows of each user.

    Example:
        >>> LeaveLastOut(["a", "a", "b"], [2, 1, 3])("xyz")
        ([1, 2], [0])
    """

    user: Any
    time: Any
    n: int = 1

    def __post_init__(self) -> None:
        if self.n < 1:
            raise DataError(f"LeaveLastOut: n is {self.n}. Expected at least 1.")

    def __call__(self, items: Any) -> Split:
        """Return the positions for training and for validation, in the order of the rows.

        Raises:
            DataError: a row has no user or no time.
        """
        users, times = (
            _without_gaps(name, values_of("LeaveLastOut", name, items, given))
            for name, given in (("user", self.user), ("time", self.time))
        )
        codes, times = factorize(_objects(users))[0].numpy(), np.asarray(times)
        order = np.lexsort((times, codes))
        counts = np.bincount(codes) if len(codes) else np.zeros(0, int)
        from_end = np.cumsum(counts)[codes[order]] - np.arange(len(order))
        is_last = np.empty(len(order), bool)
        is_last[order] = (from_end <= self.n) & (counts[codes[order]] > self.n)
        return np.flatnonzero(~is_last).tolist(), np.flatnonzero(is_last).tolist()


def _without_gaps(name: str, values: list[Any]) -> list[Any]:
    odd = [i for i, value in enumerate(values) if is_gap(value)]
    if odd:
        raise DataError(f"LeaveLastOut: row {odd[0]} has no {name}. Leave such rows out.")
    return values


def _objects(values: list[Any]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
