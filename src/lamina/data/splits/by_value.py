"""Splitters that look at a value of each item: its class, its group, its time."""

from bisect import bisect_left, bisect_right
from typing import Any

from lamina.data.splits.positions import (
    Split,
    check_fraction,
    grouped,
    permutation,
    rest,
    values_of,
)
from lamina.foundation.errors import DataError
from lamina.foundation.registry import record

__all__ = ["GroupSplitter", "StratifiedSplitter", "TimeSplitter"]


@record
class StratifiedSplitter:
    """A random part of each class for validation, so that rare classes are in both parts.

    A class with a single item trains; whatever the rounding, each class keeps an item for training.

    Args:
        label: the class of an item: a function of it, a column of the data frame, or a list with
            one class per item.
        valid_pct: the fraction for validation.
        seed: makes the split the same every time; None takes the process's seed.

    Example:
        >>> names = ["a"] * 10 + ["b"] * 5
        >>> train, valid = StratifiedSplitter(str, 0.2, seed=42)(names)
        >>> sorted(names[i] for i in valid)
        ['a', 'a', 'b']
    """

    label: Any
    valid_pct: float = 0.2
    seed: int | None = None

    def __post_init__(self) -> None:
        check_fraction("StratifiedSplitter: valid_pct", self.valid_pct)

    def __call__(self, items: Any) -> Split:
        """Return the positions for training and for validation."""
        order = permutation(len(items), self.seed)
        classes = grouped(values_of("StratifiedSplitter", "label", items, self.label), order)
        wanted = {name: self.valid_pct * len(members) for name, members in classes.items()}
        sizes = {name: min(int(wanted[name]), len(classes[name]) - 1) for name in classes}
        # What rounding down has lost goes to the classes that lost most.
        missing = round(self.valid_pct * len(items)) - sum(sizes.values())
        for name in sorted(classes, key=lambda name: sizes[name] - wanted[name])[: max(0, missing)]:
            sizes[name] = min(sizes[name] + 1, len(classes[name]) - 1)
        valid = [i for name, members in classes.items() for i in members[: sizes[name]]]
        return rest(order, valid), valid


@record
class GroupSplitter:
    """Random whole groups for validation: no patient, speaker or scene is in both parts.

    Args:
        group: the group of an item: a function of it, a column of the data frame, or a list with
            one group per item.
        valid_pct: the fraction for validation, met as nearly as whole groups allow.
        seed: makes the split the same every time; None takes the process's seed.

    Example:
        >>> names = ["a1", "b1", "a2", "b2"]
        >>> train, valid = GroupSplitter(lambda name: name[0], 0.5, seed=42)(names)
        >>> sorted([sorted(train), sorted(valid)])
        [[0, 2], [1, 3]]
    """

    group: Any
    valid_pct: float = 0.2
    seed: int | None = None

    def __post_init__(self) -> None:
        check_fraction("GroupSplitter: valid_pct", self.valid_pct)

    def __call__(self, items: Any) -> Split:
        """Return the positions for training and for validation.

        Raises:
            DataError: there is only one group.
        """
        order = permutation(len(items), self.seed)
        groups = grouped(values_of("GroupSplitter", "group", items, self.group), order)
        if len(groups) == 1:
            raise DataError(
                f"GroupSplitter: all {len(items)} items are in the group {next(iter(groups))!r}. "
                "Two groups are needed; check what group=... gives."
            )
        wanted, valid = self.valid_pct * len(items), list[int]()
        for members in groups.values():
            size = len(valid) + len(members)
            if len(valid) + size < 2 * wanted and size < len(items):  # nearer with it than without
                valid += members
        if wanted and not valid:
            valid = min(groups.values(), key=len)
        return rest(order, valid), valid


@record
class TimeSplitter:
    """The latest items for validation, in whatever order they come.

    Items of the same time stay together, so the fraction is met as nearly as that allows.

    Args:
        time: the time of an item, anything that can be sorted: a function of it, a column of the
            data frame, or a list with one time per item.
        valid_pct: the fraction for validation, if no cutoff is given.
        cutoff: the time from which on items are for validation.

    Example:
        >>> TimeSplitter([2021, 2019, 2020, 2022], 0.25)("abcd")
        ([1, 2, 0], [3])
        >>> TimeSplitter([2021, 2019, 2020, 2022], cutoff=2021)("abcd")
        ([1, 2], [0, 3])
    """

    time: Any
    valid_pct: float = 0.2
    cutoff: Any = None

    def __post_init__(self) -> None:
        check_fraction("TimeSplitter: valid_pct", self.valid_pct)

    def __call__(self, items: Any) -> Split:
        """Return the positions for training and for validation, each in the order of time.

        Raises:
            DataError: an item has no time, or the times have no order.
        """
        times = values_of("TimeSplitter", "time", items, self.time)
        odd = [i for i, time in enumerate(times) if time is None or time != time]  # noqa: PLR0124 - NaN is not equal to itself
        if odd:
            raise DataError(f"TimeSplitter: item {odd[0]} has no time. Leave such items out.")
        try:
            order = sorted(range(len(times)), key=times.__getitem__)
        except TypeError as error:
            raise DataError(f"TimeSplitter: the times have no order ({error}).") from error
        ordered, n = [times[i] for i in order], len(times)
        at = n - int(self.valid_pct * n)
        if self.cutoff is not None:
            at = bisect_left(ordered, self.cutoff)
        elif at < n:
            low, high = bisect_left(ordered, ordered[at]), bisect_right(ordered, ordered[at])
            at = low if low and (high == n or at - low <= high - at) else high
        return order[:at], order[at:]
