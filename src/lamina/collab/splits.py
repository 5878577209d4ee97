"""`LeaveLastOut`: the latest rows of each user for validation."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.data.splits.positions import Split, values_of
from lamina.foundation.errors import DataError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict

__all__ = ["LeaveLastOut"]


@savable
@strict
@dataclass(frozen=True)
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
        """Return the positions for training and for validation, in the order of the rows."""
        users = np.asarray(values_of("LeaveLastOut", "user", items, self.user))
        times = np.asarray(values_of("LeaveLastOut", "time", items, self.time))
        codes = np.unique(users, return_inverse=True)[1]
        order = np.lexsort((times, codes))
        counts = np.bincount(codes) if len(codes) else np.zeros(0, int)
        from_end = np.cumsum(counts)[codes[order]] - np.arange(len(order))
        is_last = np.empty(len(order), bool)
        is_last[order] = (from_end <= self.n) & (counts[codes[order]] > self.n)
        return np.flatnonzero(~is_last).tolist(), np.flatnonzero(is_last).tolist()
