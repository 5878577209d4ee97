"""Procs that make features of dates and of free text, in training and when predicting alike."""

from dataclasses import dataclass
from typing import Any, ClassVar
from zlib import crc32

import numpy as np
import torch

from lamina.data.transform import decodes, encodes
from lamina.foundation.registry import savable
from lamina.tabular.encoding.columns import Columns
from lamina.tabular.features import DATE_FLAGS, DATE_PARTS, TIME_PARTS, date_parts
from lamina.tabular.procs import TabularProc

__all__ = ["Datepart", "HashText"]

_CONTINUOUS = ("Year", "Dayofyear", "Elapsed")


@savable
@dataclass
class Datepart(TabularProc):
    """Dates to their parts: year, day of the year and seconds as numbers, the rest as categories.

    Args:
        names: the columns of dates, or of texts that read as dates.
        time: whether to add hour, minute and second.

    Example:
        >>> to = Columns({"day": ["2024-02-29", None]})
        >>> Datepart(["day"])(to)["day_Month"], to.cont_names
        (tensor([2., nan], dtype=torch.float64), ['day_Year', 'day_Dayofyear', 'day_Elapsed'])
    """

    names: list[Any]
    time: bool = False
    order: ClassVar[int] = -1

    @encodes
    def _columns(self, to: Columns) -> None:
        for name in self.names:
            for part, values in date_parts(to.dates(name), time=self.time).items():
                to[f"{name}_{part}"] = values
                target = to.cont_names if part in _CONTINUOUS else to.cat_names
                target.append(f"{name}_{part}")

    @decodes
    def _dates(self, to: Columns) -> None:
        """Put the dates back; they are as exact as float32 holds their seconds."""
        for name in self.names:
            seconds = to.numbers(f"{name}_Elapsed").numpy()
            days = np.round(seconds / 86_400) * 86_400 if not self.time else seconds
            for part in (*DATE_PARTS, *DATE_FLAGS, *(TIME_PARTS if self.time else ()), "Elapsed"):
                names = to.cont_names if part in _CONTINUOUS else to.cat_names
                names.remove(f"{name}_{part}")
            to[name] = (days * 1e6).astype("M8[us]").astype(object)  # NaN is None
            to.cat_names.append(name)


@savable
@dataclass
class HashText(TabularProc):
    """Free text to the counts of its words, each word in a column that its hash chooses.

    A text without words, and a missing one, gives zeros. Nothing is learnt, so new words are as
    good as old ones; the text itself cannot be put back.

    Args:
        names: the columns of texts.
        n: how many columns of numbers each of them becomes.

    Example:
        >>> to = Columns({"note": ["good good wine", None]})
        >>> HashText(["note"], n=4)(to).cont_names
        ['note_h0', 'note_h1', 'note_h2', 'note_h3']
        >>> sum(float(to[name][0].abs()) for name in to.cont_names)
        3.0

    Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009.
    """

    names: list[Any]
    n: int = 32
    order: ClassVar[int] = -1

    @encodes
    def _columns(self, to: Columns) -> None:
        for name in self.names:
            counts = np.zeros((len(to), self.n))
            for i, text in enumerate(to[name]):
                for word in str(text).lower().split() if isinstance(text, str) else ():
                    code = crc32(word.encode())
                    counts[i, (code >> 1) % self.n] += 1 if code & 1 else -1
            for j in range(self.n):
                to[f"{name}_h{j}"] = torch.from_numpy(counts[:, j].copy())
                to.cont_names.append(f"{name}_h{j}")

    @decodes
    def _nothing(self, to: Columns) -> None:
        for name in self.names:
            for j in range(self.n):
                to.cont_names.remove(f"{name}_h{j}")
