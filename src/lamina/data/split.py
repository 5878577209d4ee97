"""Splitters: from items to lists of positions, the first for training.

A splitter is any callable that takes the items and returns two or more lists of positions. Those
that draw have a generator of their own; without a seed it follows from the process's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import index
from pathlib import Path
from typing import Any

from lamina.data.splits.by_value import GroupSplitter, StratifiedSplitter, TimeSplitter
from lamina.data.splits.positions import (
    Split,
    by_flags,
    check_fraction,
    column,
    flags_of,
    listed,
    permutation,
)
from lamina.foundation.errors import DataError, needs
from lamina.foundation.registry import record
from lamina.foundation.seeding import base_seed, derive
from lamina.foundation.sequences import is_bool

__all__ = [
    "ColSplitter",
    "EndSplitter",
    "FileSplitter",
    "FuncSplitter",
    "GrandparentSplitter",
    "GroupSplitter",
    "IndexSplitter",
    "MaskSplitter",
    "RandomSplitter",
    "RandomSubsetSplitter",
    "StratifiedSplitter",
    "TimeSplitter",
    "TrainTestSplitter",
]


@record
class RandomSplitter:
    """A random part of the items for validation.

    Args:
        valid_pct: the fraction for validation.
        seed: makes the split the same every time; None takes the process's seed.

    Example:
        >>> train, valid = RandomSplitter(0.2, seed=42)(range(10))
        >>> len(train), len(valid), sorted(train + valid) == list(range(10))
        (8, 2, True)
    """

    valid_pct: float = 0.2
    seed: int | None = None

    def __post_init__(self) -> None:
        check_fraction("RandomSplitter: valid_pct", self.valid_pct)

    def __call__(self, items: Sequence[Any]) -> Split:
        """Return the positions for training and for validation."""
        shuffled = permutation(len(items), self.seed)
        cut = int(self.valid_pct * len(items))
        return shuffled[cut:], shuffled[:cut]


@record
class TrainTestSplitter:
    """scikit-learn's `train_test_split`, which can keep the shares of groups alike.

    Args:
        test_size: the fraction or number of items for validation.
        random_state: makes the split the same every time; None takes the process's seed.
        stratify: a label per item; each part gets the same shares of them.
        train_size: the fraction or number of items for training; None is the rest.
        shuffle: whether to shuffle first.

    Example:
        >>> train, valid = TrainTestSplitter(0.5, stratify=["a", "a", "b", "b"])("wxyz")
        >>> sorted(i // 2 for i in valid)
        [0, 1]
    """

    test_size: float = 0.2
    random_state: int | None = None
    stratify: Any = None
    train_size: float | None = None
    shuffle: bool = True

    def __call__(self, items: Sequence[Any]) -> Split:
        """Return the positions for training and for validation.

        Raises:
            DataError: the items cannot be split so.
        """
        with needs("scikit-learn", "all"):
            from sklearn.model_selection import train_test_split
        seed = derive(base_seed(), "split") if self.random_state is None else self.random_state
        try:
            train, valid = train_test_split(
                range(len(items)),
                test_size=self.test_size,
                train_size=self.train_size,
                random_state=seed % 2**32 if self.shuffle else None,
                stratify=self.stratify,
                shuffle=self.shuffle,
            )
        except (TypeError, ValueError) as error:
            what = f"check its arguments; scikit-learn says: {error}"
            raise DataError(f"TrainTestSplitter: {what}") from error
        return [int(i) for i in train], [int(i) for i in valid]


@record
class IndexSplitter:
    """Given positions for validation, the rest for training.

    Args:
        valid_idx: the positions, or a mask.

    Example:
        >>> IndexSplitter([1, 3])("abcd")
        ([0, 2], [1, 3])
    """

    valid_idx: Any

    def __call__(self, items: Sequence[Any]) -> Split:
        """Return the positions for training and for validation.

        Raises:
            DataError: there is no such position, or a mask is of another length than the items.
        """
        n, picks = len(items), listed(self.valid_idx)
        if picks and is_bool(picks[0]):
            return MaskSplitter(picks)(items)
        if wrong := [i for i in picks if not (hasattr(i, "__index__") and -n <= i < n)]:
            raise DataError(
                f"IndexSplitter: {wrong[0]!r} is no position in {n} items. Give positions, not "
                "labels of rows; for a fraction use RandomSplitter or EndSplitter."
            )
        taken = dict.fromkeys(index(i) % n for i in picks)
        return [i for i in range(n) if i not in taken], list(taken)


@record
class EndSplitter:
    """The last (or first) part of the items for validation, as time series need it.

    Args:
        valid_pct: the fraction for validation.
        valid_last: whether it is the last part.

    Example:
        >>> EndSplitter(0.25)("abcd"), EndSplitter(0.25, valid_last=False)("abcd")
        (([0, 1, 2], [3]), ([1, 2, 3], [0]))
    """

    valid_pct: float = 0.2
    valid_last: bool = True

    def __post_init__(self) -> None:
        check_fraction("EndSplitter: valid_pct", self.valid_pct)

    def __call__(self, items: Sequence[Any]) -> Split:
        """Return the positions for training and for validation."""
        every = list(range(len(items)))
        n_valid = int(self.valid_pct * len(every))
        cut = len(every) - n_valid if self.valid_last else n_valid
        first, last = every[:cut], every[cut:]
        return (first, last) if self.valid_last else (last, first)


@record
class GrandparentSplitter:
    """Files by the name of the folder above their folder, as in `train/cat/1.png`.

    Args:
        train_name: the folder for training, or several.
        valid_name: the folder for validation, or several, or None if there is none; files in
            neither are left out.

    Example:
        >>> GrandparentSplitter()(["train/a/1.png", "valid/a/2.png", "train/b/3.png"])
        ([0, 2], [1])
    """

    train_name: Any = "train"
    valid_name: Any = "valid"

    def __call__(self, items: Sequence[Any]) -> Split:
        """Return the positions for training and for validation.

        Raises:
            DataError: no file is for training, or none for validation.
        """
        found = [path.parent.parent.name for path in _paths("GrandparentSplitter", items)]
        train, valid = (
            [i for i, name in enumerate(found) if name in listed(wanted)]
            for wanted in (self.train_name, self.valid_name)
        )
        if found and not (train and (valid or self.valid_name is None)):
            seen = ", ".join(repr(name) for name, _ in Counter(found).most_common(6))
            name = self.valid_name if train else self.train_name
            raise DataError(
                f"GrandparentSplitter: no file lies below a folder {name!r}. The "
                f"folders two levels up are {seen}; pass train_name=... and valid_name=..."
            )
        return train, valid


@record
class FuncSplitter:
    """The items for which a function is true for validation.

    Args:
        func: called with each item.

    Example:
        >>> FuncSplitter(str.isupper)("aBc")
        ([0, 2], [1])
    """

    func: Callable[[Any], object]

    def __call__(self, items: Iterable[Any]) -> Split:
        """Return the positions for training and for validation."""
        return by_flags([self.func(item) for item in items])


@record
class MaskSplitter:
    """The items at which a mask is true for validation.

    Args:
        mask: one truth value per item.

    Example:
        >>> MaskSplitter([False, True, False])("abc")
        ([0, 2], [1])
    """

    mask: Any

    def __call__(self, items: Sequence[Any]) -> Split:
        """Return the positions for training and for validation."""
        flags = flags_of("MaskSplitter", self.mask)
        if len(flags) != len(items):
            what = f"the mask has {len(flags)} values for {len(items)} items"
            raise DataError(f"MaskSplitter: {what}. Give one per item.")
        return by_flags(flags)


@record
class FileSplitter:
    """The files that a text file names, one per line, for validation.

    Args:
        fname: the text file; a name in it is that of a file without its folder.
    """

    fname: Any

    def __call__(self, items: Iterable[Any]) -> Split:
        """Return the positions for training and for validation.

        Raises:
            DataError: the text file names none of the files.
        """
        lines = Path(self.fname).read_text(encoding="utf-8").splitlines()
        names = {line.strip() for line in lines if line.strip()}
        files = [path.name for path in _paths("FileSplitter", items)]
        if files and not names.intersection(files):
            what = f"{self.fname} names none of the {len(files)} files, such as {files[0]!r}"
            raise DataError(f"FileSplitter: {what}. Give the names without folders, one per line.")
        return by_flags(file in names for file in files)


@record
class ColSplitter:
    """Rows of a data frame by the value of a column.

    Args:
        col: the name or position of the column.
        on: the value for validation, or several; None takes the column as true or false.

    Example:
        >>> import pandas as pd
        >>> ColSplitter("part", on="b")(pd.DataFrame({"part": ["a", "b", "a"]}))
        ([0, 2], [1])
    """

    col: Any = "is_valid"
    on: Any = None

    def __call__(self, items: Any) -> Split:
        """Return the positions for training and for validation.

        Raises:
            DataError: the items are no data frame, or lack the column or the value.
        """
        if not hasattr(items, "iloc"):
            what = f"ColSplitter: got {type(items).__name__} where a data frame was expected"
            raise DataError(f"{what}. For other items use FuncSplitter or MaskSplitter.")
        values = column("ColSplitter", items, self.col, "col")
        if self.on is None:
            return by_flags(flags_of("ColSplitter", values))
        found = values.isin(listed(self.on))
        if len(found) and not found.any():
            raise DataError(
                f"ColSplitter: column {self.col!r} has no value on={self.on!r}. It has "
                f"{', '.join(map(repr, values.unique()[:6]))}."
            )
        return by_flags(found)


@record
class RandomSubsetSplitter:
    """Random parts of the items for training and for validation; the rest is left out.

    Args:
        train_sz: the fraction for training.
        valid_sz: the fraction for validation.
        seed: makes the split the same every time; None takes the process's seed.

    Example:
        >>> [len(part) for part in RandomSubsetSplitter(0.3, 0.1, seed=42)(range(20))]
        [6, 2]
    """

    train_sz: float
    valid_sz: float
    seed: int | None = None

    def __post_init__(self) -> None:
        check_fraction("RandomSubsetSplitter: train_sz", self.train_sz)
        check_fraction("RandomSubsetSplitter: valid_sz", self.valid_sz)
        check_fraction("RandomSubsetSplitter: train_sz + valid_sz", self.train_sz + self.valid_sz)

    def __call__(self, items: Sequence[Any]) -> Split:
        """Return the positions for training and for validation."""
        shuffled = permutation(len(items), self.seed)
        n_train, n_valid = (int(size * len(items)) for size in (self.train_sz, self.valid_sz))
        return shuffled[:n_train], shuffled[n_train : n_train + n_valid]


def _paths(where: str, items: Iterable[Any]) -> list[Path]:
    try:
        return [Path(item) for item in items]
    except TypeError as error:
        what = f"{where}: an item is no path ({error})"
        raise DataError(f"{what}. For other items use FuncSplitter or MaskSplitter.") from error
