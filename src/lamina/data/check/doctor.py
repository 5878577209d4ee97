"""The data doctor: runs the probes on loaders and reports what they found."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lamina.data.check.probes import PROBES
from lamina.data.check.report import SEVERITIES, Problem, Report
from lamina.data.check.subject import Subject
from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.tensor.random import no_random

if TYPE_CHECKING:
    from lamina.data.loaders import DataLoaders

__all__ = ["check"]

_FOLLOWS = {"no batch", "NaN in batch"}  # come after what may be their cause


@strict
def check(
    dls: "DataLoaders",
    n: int | None = None,
    *,
    model: Any = None,
    probes: Iterable[str] | None = None,
    skip: Iterable[str] = (),
    seconds: float = 2.0,
    progress: bool = True,
) -> Report:
    """Look for faults of the data before training.

    Finds unreadable and truncated files; missing, unknown and rare labels; the same content in
    training and validation, or under two labels; columns with gaps; batches that fail. With
    vision also near duplicates, turned photographs, masks with values outside their codes and
    boxes outside their picture. Measures how fast batches come, and whether the model will wait.
    Loaders, model and random states stay as they are.

    Args:
        dls: the loaders.
        n: how many items of each split to look at, drawn at random; None is all. Labels are
            counted over all items where they can be read without their inputs.
        model: a model or learner, to compare its speed with the loader's.
        probes: the names of the probes to run; None is all in `PROBES`.
        skip: the names of probes to leave out.
        seconds: how long a measurement of speed may take.
        progress: whether to show a progress bar.

    Raises:
        UnknownNameError: there is no such probe.
        ContractError: `n` is less than 1.

    Example:
        >>> import torch
        >>> from lamina.data.loaders import DataLoaders
        >>> batches = [(torch.rand(8, 2), torch.arange(8))]
        >>> dls = DataLoaders(batches, batches, device="cpu")
        >>> dls.check(probes=["batches"], progress=False).ok
        True
    """
    if n is not None and n < 1:
        raise ContractError(f"DataLoaders.check: n={n}. Give 1 or more, or None for all items.")
    names = PROBES.names() if probes is None else list(probes)
    skipped = {name for name in skip if PROBES[name]}
    subject = Subject(dls, n, model=model, seconds=seconds, progress=progress)
    chosen = [PROBES[name] for name in names if name not in skipped]
    with no_random(reproducible=False):  # afterwards random numbers go on as if nothing was
        found = [thing for probe in chosen for thing in probe(subject)]
    problems = [thing for thing in found if isinstance(thing, Problem)]
    problems.sort(key=lambda p: (SEVERITIES.index(p.severity), p.kind in _FOLLOWS))
    tables = [thing for thing in found if not isinstance(thing, Problem)]
    looked_at = {split.name: len(split.idxs) for split in subject.splits if split.idxs}
    return Report(problems, tables, looked_at)
