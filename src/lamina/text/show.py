"""Show texts with their targets, as tables: aligned in a terminal, HTML in a notebook."""

from collections.abc import Sequence
from typing import Any

from lamina.data.show import show_batch, show_results
from lamina.foundation.collections import L
from lamina.tensor.types import TensorBase
from lamina.text.types import LMTensorText, TensorText, TitledStr
from lamina.viz.tables import Table

__all__ = ["show_text_batch", "show_text_results"]

_SHOWN = 150  # letters of a text

Samples = Sequence[tuple[Any, ...]]


@show_batch.register
def show_text_batch(
    x: TensorText, _y: object, samples: Samples, *, max_n: int = 9, trunc_at: int | None = _SHOWN
) -> Table:
    """List texts with their targets; for a language model, the same text one token later.

    Args:
        x: The batch of texts.
        samples: Decoded samples.
        max_n: How many at most.
        trunc_at: How many letters of each text; None for all.
    """
    return _table(x, samples[:max_n], None, trunc_at)


@show_results.register
def show_text_results(
    x: TensorText,
    _y: object,
    samples: Samples,
    outs: Samples,
    *,
    max_n: int = 9,
    trunc_at: int | None = _SHOWN,
) -> Table:
    """List texts with target and prediction.

    Args:
        x: The batch of texts.
        samples: Decoded samples.
        outs: Decoded predictions.
        max_n: How many at most.
        trunc_at: How many letters of each text; None for all.
    """
    return _table(x, samples[:max_n], outs, trunc_at)


def _table(x: TensorText, samples: Samples, outs: Samples | None, trunc_at: int | None) -> Table:
    shown = [_parts(sample) for sample in samples]
    told = [() if outs is None else _parts(out) for out in (outs or shown)[: len(shown)]]
    target = "text_" if isinstance(x, LMTensorText) else "category"
    n_targets, n_told = (
        len(parts[0]) - skip if parts else 0 for parts, skip in ((shown, 1), (told, 0))
    )
    header = ["text", *_numbered(target, n_targets), *_numbered("predicted", n_told)]
    pairs = zip(shown, told, strict=True)
    return Table(header, [[_cell(part, trunc_at) for part in (*a, *b)] for a, b in pairs])


def _numbered(name: str, n: int) -> list[str]:
    return [name if i == 0 else f"{name} {i}" for i in range(n)]


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
