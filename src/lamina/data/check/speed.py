"""The probes of the data doctor that make batches: what they are like, and how fast they come."""

import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from lamina.data.check.probes import PROBES, Finding
from lamina.data.check.report import Problem, flag
from lamina.data.check.subject import Subject
from lamina.foundation.parallel import num_cpus
from lamina.tensor.tree import find_bs, map_tree, to_device
from lamina.tensor.types import plain
from lamina.viz.tables import Table

__all__ = ["find_bad_batches", "measure_speed"]


@PROBES.register("batches")
def find_bad_batches(subject: Subject) -> Iterator[Finding]:
    """Describe the first training batch, and report batches that fail or hold NaN.

    Args:
        subject: what to look at.
    """
    bad: list[str] = []
    for split, batch in zip(subject.splits, subject.batches, strict=True):
        if not isinstance(batch, Exception):
            bad += [f"{split.name}: {name}" for name, t in _tensors(batch) if not _is_finite(t)]
        elif split.name == "train" or split.idxs:
            yield _no_batch(f"The first batch of {split.name}", batch)
    yield from flag(
        "error",
        "NaN in batch",
        bad,
        "The first batch has NaN or infinite values.",
        "Look for them in the items, and for divisions by zero in the transforms.",
    )
    if not isinstance(subject.batches[0], Exception):
        rows = [_describe(name, t) for name, t in _tensors(subject.batches[0])]
        header = ["tensor", "shape", "dtype", "device", "MiB", "values"]
        yield Table(header, rows, "First training batch")


def _no_batch(what: str, error: Exception) -> Problem:
    notes = "; ".join(getattr(error, "__notes__", []))
    return Problem("no batch", "error", f"{what} cannot be made: {error}", advice=notes)


def _tensors(batch: Any) -> list[tuple[str, Tensor]]:
    """List the tensors of a batch with the names of their types."""
    found: list[tuple[str, Tensor]] = []
    map_tree(lambda t: found.append((type(t).__name__, plain(t))), batch)
    return found


def _is_finite(t: Tensor) -> bool:
    return not t.is_floating_point() or bool(t.isfinite().all())


def _describe(name: str, t: Tensor) -> list[str]:
    shape, dtype = "x".join(map(str, t.shape)), str(t.dtype).removeprefix("torch.")
    values = f"{float(t.min()):.4g} to {float(t.max()):.4g}" if t.numel() else ""
    return [name, shape, dtype, str(t.device), f"{t.nbytes / 2**20:,.2f}", values]


@PROBES.register("speed")
def measure_speed(subject: Subject) -> Iterator[Finding]:
    """Measure how fast the loader gives items and, if there is a model, how fast that takes them.

    Args:
        subject: what to look at.
    """
    batch, loader = subject.batches[0], subject.dls.train
    if isinstance(batch, Exception) or not _tensors(batch):
        return
    rates: dict[str, float] = {}
    try:
        rates["loader"] = _loader_rate(loader, subject.seconds)
        if subject.model is not None:
            rates["model"] = _model_rate(subject, batch)
    except Exception as error:  # whatever the user's transforms or model raise is a finding
        if not rates:
            yield _no_batch("A training batch", error)
            return
        advice = "Compare the shapes of the batch with what model and loss expect."
        yield Problem("model fails", "error", f"It cannot take a batch: {error}", advice=advice)
    n = getattr(loader, "n", None) or len(subject.splits[0].idxs)
    rows = [[name, f"{rate:,.0f}", f"{n / rate:,.1f}"] for name, rate in rates.items()]
    yield Table(["what", "items per second", "seconds per epoch"], rows, "Speed of training")
    waiting = 1 - rates["loader"] / rates.get("model", rates["loader"])
    yield from flag(
        "note",
        "slow loader",
        [f"{waiting:.0%} of the time"] if waiting > 0 else [],
        "The loader is the bottleneck: the model would wait for it.",
        f"Use more workers ({num_cpus()} CPUs here, num_workers={getattr(loader, 'num_workers', 0)}"
        " now), make files smaller beforehand, or move transforms to batch_tfms.",
    )


def _loader_rate(loader: Any, seconds: float) -> float:
    """Return items per second; the first batch, which starts the workers, counts only if alone."""
    epoch, sizes, times = getattr(loader, "epoch", None), list[int](), [time.perf_counter()]
    for batch in loader:
        sizes.append(find_bs(batch))
        times.append(time.perf_counter())
        if times[-1] - times[1] > seconds:
            break
    if epoch is not None:
        loader.set_epoch(epoch)  # a check does not count as a pass
    first = int(len(sizes) > 1)
    return sum(sizes[first:]) / (times[-1] - times[first])


def _model_rate(subject: Subject, batch: Any) -> float:
    """Return the items per second of forward and backward passes of a copy of the model."""
    device = _tensors(batch)[0][1].device
    model = deepcopy(getattr(subject.model, "model", subject.model)).to(device).train()
    loss_func = getattr(subject.model, "loss_func", None)
    parts = plain(to_device(tuple(batch) if isinstance(batch, tuple | list) else (batch,), device))
    n_inp, times = subject.dls.n_inp or max(1, len(parts) - 1), list[float]()
    while len(times) < 2 or times[-1] - times[0] < subject.seconds:  # the first step warms up
        out = model(*parts[:n_inp])
        loss = _any_loss(out) if loss_func is None else loss_func(out, *parts[n_inp:])
        loss.backward()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        times.append(time.perf_counter())
    return find_bs(batch) * (len(times) - 1) / (times[-1] - times[0])


def _any_loss(out: Any) -> Tensor:
    """Make a number of whatever a model gives, so that there is something to differentiate."""
    return torch.stack([t.float().mean() for _, t in _tensors(out)]).sum()
