"""A report of what every step of a data block makes of a few items."""

from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lamina.data.kernels import describe
from lamina.data.loading.stages import Stages
from lamina.data.pipeline import Pipeline
from lamina.foundation.seeding import Randomness, base_seed, using
from lamina.tensor.collate import collate

if TYPE_CHECKING:
    from lamina.data.block import DataBlock

__all__ = ["Summary", "trace"]


@dataclass
class Summary:
    """What the steps of a data block made of some items.

    Args:
        lines: the report.
        batch: the batch at the end.
    """

    lines: list[str] = field(default_factory=list)
    batch: Any = None

    def add(self, *lines: str) -> None:
        """Add lines to the report."""
        self.lines.extend(lines)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    __repr__ = __str__


def trace(block: "DataBlock", source: Any, bs: int) -> Summary:
    """Carry the first training items of a source through every step.

    Args:
        block: the data block.
        source: what it makes items from.
        bs: how many items to put together.
    """
    report = Summary()
    try:
        with using(Randomness(base_seed()).child("summary")):
            _trace(block, source, bs, report)
    except Exception as error:
        error.add_note(f"DataBlock.summary, up to the failure:\n{report}")
        raise
    return report


def _trace(block: "DataBlock", source: Any, bs: int, report: Summary) -> None:
    report.add(f"Source: {describe(source)}")
    ds = block.datasets(source)
    sizes = ", ".join(str(len(split)) for split in ds.splits)
    report.add(f"Items: {len(ds)}, split into {sizes}", "", "One item, element by element")
    train = ds.train
    after_batch = Pipeline(map(copy, block.batch_tfms), 0)
    loader = _OneBatch(train, {"after_batch": after_batch})
    for tfm in after_batch:  # some tell those of the items what they will do
        with suppress(_TooEarly):
            tfm.setup(loader)
    for i, tl in enumerate(train.tls):
        report.add(f"  element {i} ({'input' if i < ds.n_inp else 'target'})")
        _steps(tl.items[0] if not hasattr(tl.items, "iloc") else tl.items.iloc[0], tl.tfms, report)
    after_item = Pipeline(map(copy, block.item_tfms), 0)
    after_item.setup(train)
    report.add("", "The item as a whole (item_tfms)")
    _steps(train[0], after_item, report)
    n = min(bs, len(train))
    report.add("", f"A batch of {n} items")
    items: list[Any] = [after_item(train[i]) for i in range(n)]
    for tfm in Pipeline().add(*((b.dls_kwargs or {}).get("before_batch") for b in block.blocks)):
        items = tfm(items, 0)
        report.add(f"    {tfm.name}: {len(items)} items, the first {_parts(items[0])}")
    kind: Any = block.dl_type or next((b.dl_type for b in block.blocks if b.dl_type), Stages)
    if kind.create_batches is Stages.create_batches:
        batch = collate(items)
    else:  # not of items one by one
        settings = {k: v for b in block.blocks for k, v in (b.dls_kwargs or {}).items()}
        batch = kind(train, bs=n, **settings).one_batch()
    report.add(f"    collated: {_parts(batch)}", "", "The batch (batch_tfms)")
    loader.batch = batch
    after_batch.setup(loader)
    report.batch = _steps(batch, after_batch, report)


class _TooEarly(Exception):  # noqa: N818 - control flow inside this module
    """A batch transform wants to see a batch, and there is none yet."""


@dataclass
class _OneBatch:
    """Stands for a loader in the setup of batch transforms."""

    dataset: Any
    pipelines: dict[str, Pipeline]
    batch: Any = None

    def one_batch(self) -> Any:
        if self.batch is None:
            raise _TooEarly
        return self.pipelines["after_batch"](self.batch)  # those that are set up so far


def _steps(x: Any, tfms: Iterable[Any], report: Summary) -> Any:
    report.add(f"    starts as {_parts(x)}")
    for tfm in tfms:
        report.add(f"    {tfm.name}: ...")
        x = tfm(x, 0)
        report.lines[-1] = f"    {tfm.name}: {_parts(x)}"
    return x


def _parts(x: Any) -> str:
    return f"({', '.join(map(describe, x))})" if isinstance(x, tuple) else describe(x)
