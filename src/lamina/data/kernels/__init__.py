"""Kernels: the functions that do a transform's work, found by the type of what they are given.

A class collects its kernels when it is made, resolves their annotations at the first look-up, and
remembers what to run for every type that it has met. A kernel may be added later from outside;
everything remembered below that class is then forgotten.
"""

from lamina.data.kernels.describe import describe, explain
from lamina.data.kernels.marks import (
    KINDS,
    Kind,
    decodes,
    encodes,
    is_kernel_method,
    kind_of,
    refuse_misspelt,
    setups,
)
from lamina.data.kernels.table import Entry, Kernels, entries_of

__all__ = [
    "KINDS",
    "Entry",
    "Kernels",
    "Kind",
    "decodes",
    "describe",
    "encodes",
    "entries_of",
    "explain",
    "is_kernel_method",
    "kind_of",
    "refuse_misspelt",
    "setups",
]
