"""What splitters share: positions in a random order, values per item, groups of positions."""

from collections.abc import Iterable
from numbers import Real
from typing import Any

import torch

from lamina.foundation.errors import DataError
from lamina.foundation.seeding import base_seed, derive

__all__ = [
    "Split",
    "by_flags",
    "check_fraction",
    "column",
    "flags_of",
    "grouped",
    "listed",
    "permutation",
    "rest",
    "values_of",
]

Split = tuple[list[int], list[int]]


def permutation(n: int, seed: int | None) -> list[int]:
    """Shuffle positions with a generator of its own.

    Args:
        n: how many positions.
        seed: decides; None takes the process's seed.

    Raises:
        DataError: the seed is no whole number.
    """
    if seed is not None and not hasattr(seed, "__index__"):
        raise DataError(f"A splitter's seed={seed!r}. Give a whole number, or None.")
    own = torch.Generator()
    own.manual_seed(derive(base_seed(), "split") if seed is None else int(seed))
    return torch.randperm(n, generator=own).tolist()


def by_flags(flags: Iterable[Any]) -> Split:
    """Split positions by a truth value each.

    Example:
        >>> by_flags([True, False, True])
        ([1], [0, 2])
    """
    is_valid = [bool(flag) for flag in flags]
    train = [i for i, flag in enumerate(is_valid) if not flag]
    return train, [i for i, flag in enumerate(is_valid) if flag]


def flags_of(where: str, values: Any) -> list[Any]:
    """Return truth values as a list; refuse texts such as "False", and gaps, which would be true.

    Args:
        where: the splitter, for the message.
        values: one truth value per item.

    Raises:
        DataError: one is something else.
    """
    flags = values.tolist() if hasattr(values, "tolist") else list(values)
    if odd := [flag for flag in flags if flag not in {True, False}]:
        raise DataError(
            f"{where}: {odd[0]!r} is neither true nor false. Give a truth value per item, or say "
            "which values are for validation: ColSplitter(col, on=...)."
        )
    return flags


def listed(names: Any) -> list[Any]:
    """Return one value or several as a list.

    Example:
        >>> listed("train"), listed(("a", "b"))
        (['train'], ['a', 'b'])
    """
    names = names.tolist() if hasattr(names, "tolist") else names
    is_many = isinstance(names, Iterable) and not isinstance(names, str | bytes)
    return list(names) if is_many else [names]


def check_fraction(where: str, value: float) -> None:
    """Refuse what is no fraction.

    Args:
        where: the argument, for the message.
        value: what was given.

    Raises:
        DataError: it is not from 0 to 1.
    """
    if not (isinstance(value, Real) and 0 <= value <= 1):
        raise DataError(f"{where} is {value!r}. Expected a fraction from 0 to 1, such as 0.2.")


def column(where: str, items: Any, col: Any, argument: str) -> Any:
    """Return a column of a data frame, by name or position.

    Args:
        where: the splitter, for the message.
        items: the data frame.
        col: the name or position.
        argument: the splitter's argument that names it.

    Raises:
        DataError: there is no such column.
    """
    if isinstance(col, int):
        return items.iloc[:, col]
    if col not in items.columns:
        raise DataError(
            f"{where}: there is no column {col!r}. The columns are "
            f"{', '.join(map(repr, items.columns))}; pass {argument}=..."
        )
    return items[col]


def values_of(where: str, argument: str, items: Any, by: Any) -> list[Any]:
    """Return a value per item: from a function of it, a column, or given one by one.

    Args:
        where: the splitter, for the message.
        argument: its argument.
        items: the items, or a data frame.
        by: the function, the column or the values.

    Raises:
        DataError: it is none of these.

    Example:
        >>> values_of("Splitter", "by", ["cat", "horse"], len)
        [3, 5]
    """
    is_frame = hasattr(items, "iloc")
    if callable(by):
        return [by(row) for row in ((r for _, r in items.iterrows()) if is_frame else items)]
    if is_frame and isinstance(by, str | int):
        return list(column(where, items, by, argument))
    if isinstance(by, str | int) or len(by) != len(items):
        got = repr(by) if isinstance(by, str | int) else f"{len(by)} values"
        raise DataError(
            f"{where}: got {argument}={got} for {len(items)} items. Give a function of an item, a "
            "column of a data frame, or one value per item."
        )
    return list(by)


def grouped(values: list[Any], order: list[int]) -> dict[Any, list[int]]:
    """Return the positions with each value, both in the given order.

    Raises:
        DataError: the values are lists, or others that are not hashable.

    Example:
        >>> grouped(["a", "b", "a"], [2, 1, 0])
        {'a': [2, 0], 'b': [1]}
    """
    groups: dict[Any, list[int]] = {}
    try:
        for i in order:
            groups.setdefault(values[i], []).append(i)
    except TypeError as error:
        raise DataError(f"Items cannot be split by such values ({error}). Give texts.") from error
    return groups


def rest(order: list[int], taken: list[int]) -> list[int]:
    """Return the positions that are not taken, in the given order.

    Example:
        >>> rest([2, 0, 1], [0])
        [2, 1]
    """
    gone = set(taken)
    return [i for i in order if i not in gone]
