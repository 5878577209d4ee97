"""A probe of the data doctor for tables: columns that give the target away."""

from collections.abc import Iterator

import torch
from torch import Tensor

from lamina.data.check.probes import PROBES, Finding
from lamina.data.check.report import flag
from lamina.data.check.subject import Subject
from lamina.tabular.core import Tabular

__all__ = ["find_target_leaks"]


@PROBES.register("target leak")
def find_target_leaks(subject: Subject) -> Iterator[Finding]:
    """Report columns from which alone the target can be told without a mistake.

    Args:
        subject: what to look at; data that are no tables have no such columns.
    """
    ds = subject.splits[0].dataset
    if not isinstance(ds, Tabular) or len(ds.tensors) != 3 or ds.targets.ndim > 1 or len(ds) < 2:
        return
    cats, conts, y = (t.cpu() for t in ds.tensors)
    names = [name for j, name in enumerate(ds.cat_names) if _tells(cats[:, j], y)]
    names += [name for j, name in enumerate(ds.cont_names) if _follows(conts[:, j], y)]
    yield from flag(
        "warning",
        "target leak",
        map(str, names),
        "Each of these columns tells the target by itself, in all training rows.",
        "Leave out what is not known when predicting.",
    )


def _tells(codes: Tensor, y: Tensor) -> bool:
    """Tell whether rows of one level, of which there are several, all have one target."""
    n_levels = int(codes.max()) + 1
    if not 1 < len(codes.unique()) <= len(codes) // 4 or len(y.unique()) < 2:
        return False
    low, high = (
        torch.zeros(n_levels, dtype=y.dtype).scatter_reduce(0, codes, y, how, include_self=False)
        for how in ("amin", "amax")
    )
    return bool((low == high).all())


def _follows(x: Tensor, y: Tensor) -> bool:
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    scale = x.norm() * y.norm()
    return bool(scale > 0) and abs(float(x @ y / scale)) > 0.99999
