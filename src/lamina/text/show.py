"""Show texts with their targets, as tables: aligned in a terminal, HTML in a notebook."""

from collections.abc import Sequence
from typing import Any

from lamina.data.show import show_batch, show_results
from lamina.foundation.collections import L
from lamina.tensor.types import TensorBase
from lamina.text.types import LMTensorText, TensorText, TitledStr
from lamina.viz.tables import Table

__all__ = ["show_lm_batch", "show_lm_results", "show_text_batch", "show_text_results"]

_SHOWN = 150  # letters of a text

Samples = Sequence[tuple[Any, ...]]


@show_batch.register
def show_text_batch(
    _x: TensorText, _y: object, samples: Samples, *, max_n: int = 9, trunc_at: int | None = _SHOWN
) -> Table:
    """List texts with their targets.

    Args:
        samples: Decoded samples.
        max_n: How many at most.
        trunc_at: How many letters of each text; None for all.
    """
    rows = [[_cell(part, trunc_at) for part in _parts(sample)] for sample in samples[:max_n]]
    return Table(_header(samples), rows)


@show_batch.register
def show_lm_batch(
    _x: LMTensorText,
    _y: object,
    samples: Samples,
    *,
    max_n: int = 9,
    trunc_at: int | None = _SHOWN,
) -> Table:
    """List texts with the same texts one token later, which is what a model predicts.

    Args:
        samples: Decoded samples.
        max_n: How many at most.
        trunc_at: How many letters of each text; None for all.
    """
    rows = [[_cell(part, trunc_at) for part in _parts(sample)] for sample in samples[:max_n]]
    return Table(["text", "text_"][: len(rows[0]) if rows else 2], rows)


@show_results.register
def show_text_results(
    _x: TensorText,
    _y: object,
    samples: Samples,
    outs: Samples,
    *,
    max_n: int = 9,
    trunc_at: int | None = _SHOWN,
) -> Table:
    """List texts with target and prediction.

    Args:
        samples: Decoded samples.
        outs: Decoded predictions.
        max_n: How many at most.
        trunc_at: How many letters of each text; None for all.
    """
    pairs = list(zip(samples, outs, strict=False))[:max_n]
    rows = [
        [_cell(part, trunc_at) for part in (*_parts(sample), *_parts(out))] for sample, out in pairs
    ]
    n_outs = len(_parts(outs[0])) if len(outs) else 0
    names = [f"{_PREDICTED}{'' if i == 0 else f' {i}'}" for i in range(n_outs)]
    return Table([*_header(samples), *names], rows)


@show_results.register
def show_lm_results(
    _x: LMTensorText,
    _y: object,
    samples: Samples,
    outs: Samples,
    *,
    max_n: int = 9,
    trunc_at: int | None = _SHOWN,
) -> Table:
    """List texts with what follows each token, and what was predicted to follow.

    Args:
        samples: Decoded samples.
        outs: Decoded predictions.
        max_n: How many at most.
        trunc_at: How many letters of each text; None for all.
    """
    table = show_text_results(_x, _y, samples, outs, max_n=max_n, trunc_at=trunc_at)
    return Table(["text", "text_", _PREDICTED][-len(table.header) :], table.rows)


_PREDICTED = "predicted"


def _header(samples: Samples) -> list[str]:
    n = len(_parts(samples[0])) if len(samples) else 0
    targets = [f"category{'' if i == 0 else f' {i}'}" for i in range(n - 1)]
    return ["text", *targets][:n]


def _parts(sample: Any) -> tuple[Any, ...]:
    return sample if isinstance(sample, tuple) else (sample,)


def _cell(part: Any, trunc_at: int | None) -> Any:
    if isinstance(part, TitledStr):
        return part.shortened(trunc_at)
    if isinstance(part, TensorBase):
        values = part.tolist()
        return "; ".join(f"{v:.4g}" for v in values) if isinstance(values, list) else values
    if isinstance(part, list | tuple | L):
        return "; ".join(map(str, part))
    return part
