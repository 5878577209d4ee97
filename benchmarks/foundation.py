"""What the foundation's tools cost beside plain Python, and typed tensors beside plain ones.

Run as `python benchmarks/foundation.py [group ...]`; exits with 1 if a goal is missed.
"""

import sys
from collections.abc import Callable

import torch

from _timing import Row, overhead_row, print_rows, ratio_row
from lamina.data.datasets import Datasets
from lamina.data.pipeline import Pipeline
from lamina.data.transform import Transform
from lamina.foundation.collections import L
from lamina.foundation.dispatch import Dispatch, TypeTable, typedispatch
from lamina.foundation.seeding import Randomness, current, using
from lamina.tensor.collate import collate
from lamina.tensor.types import PointsMeta, TensorImage, TensorPoint, plain


def dispatch_rows() -> list[Row]:
    """Dispatch on types that were seen before; the goal is 1 µs over a plain call."""

    def plain(x: int, y: float = 0.0) -> float:
        return x or y

    class Shower:
        def plain(self, x: int, y: float) -> float:
            return x or y

        @typedispatch
        def chosen(self, x: int, y: float) -> float:
            return x or y

    chosen = Dispatch("chosen")
    chosen.register(plain)
    chosen.register(str, str)(plain)
    shower = Shower()
    return [
        overhead_row("dispatch: two types", lambda: chosen(1, 2.0), lambda: plain(1, 2.0), goal=1),
        overhead_row("dispatch: one type", lambda: chosen(1), lambda: plain(1), goal=1),
        overhead_row(
            "dispatch: method",
            lambda: shower.chosen(1, 2.0),
            lambda: shower.plain(1, 2.0),
            goal=1,
        ),
    ]


def table_rows() -> list[Row]:
    """A cached look-up in a table of types, beside a plain dict."""
    table = TypeTable[int]()
    table.add(int, 1)
    found = {bool: 1}
    return [
        overhead_row("TypeTable.find", lambda: table.find(bool), lambda: found.get(bool), goal=0.1),
        overhead_row("TypeTable.cache", lambda: table.cache[bool], lambda: found[bool], goal=0.05),
    ]


def seeding_rows() -> list[Row]:
    """What one item of a loader pays for its own stream of random numbers."""
    root = Randomness(42)

    def item() -> Randomness:
        with using(root.child(3, 7)):
            return current()

    return [overhead_row("seeding: one item", item, lambda: root, goal=5)]


def collection_rows() -> list[Row]:
    """`L` beside a list: mapping 10,000 items, and what making and indexing one costs."""
    items = list(range(10_000))
    made = L(items)
    few = made[:10]

    def increase(x: int) -> int:
        return x + 1

    return [
        ratio_row(
            "L.map: 10,000 items",
            lambda: made.map(increase),
            lambda: [increase(x) for x in items],
            goal=1.5,
            n=20,
        ),
        overhead_row("L(list)", lambda: L(items), lambda: items, goal=1),
        overhead_row("L(a, b, c)", lambda: L(1, 2, 3), lambda: [1, 2, 3], goal=2),
        overhead_row("L[i]", lambda: made[5], lambda: items[5], goal=0.2),
        overhead_row("L[[i, j]]", lambda: few[[1, 2]], lambda: [items[1], items[2]], goal=4),
    ]


def tensor_rows() -> list[Row]:
    """Typed tensors beside plain ones, of 8 numbers, so that nothing but the overhead counts."""
    bare = torch.zeros(8)
    img = TensorImage(bare)
    points = TensorPoint(bare, meta=PointsMeta(size=(8, 8)))
    items = [(torch.zeros(3, 4), i) for i in range(64)]
    default_collate = torch.utils.data.default_collate

    def plain_step() -> object:
        return bare + 1

    return [
        ratio_row("typed: img + 1", lambda: img + 1, plain_step, goal=2.5),
        ratio_row("typed: points + 1, with meta", lambda: points + 1, plain_step, goal=2.5),
        ratio_row("typed: img * 2 + 1", lambda: img * 2 + 1, lambda: bare * 2 + 1, goal=2.5),
        ratio_row("typed: img.mean()", img.mean, bare.mean, goal=2.5),
        overhead_row("typed: img[0]", lambda: img[0], lambda: bare[0], goal=4),
        overhead_row("typed: img.shape", lambda: img.shape, lambda: bare.shape, goal=1),
        overhead_row("typed: make", lambda: TensorImage(bare), lambda: bare, goal=3),
        overhead_row("plain of a pair", lambda: plain((img, points)), lambda: bare, goal=6),
        ratio_row(
            "collate 64 pairs",
            lambda: collate(items),
            lambda: default_collate(items),
            goal=1.5,
            n=500,
        ),
    ]


def transform_rows() -> list[Row]:
    """Transforms and pipelines beside plain calls."""

    class Increase(Transform):
        def encodes(self, x: int) -> int:
            return x + 1

    def increase(x: int) -> int:
        return x + 1

    tfm, skipped, five = Increase(), Increase(split_idx=0), Pipeline([Increase()] * 5)
    ds = Datasets([1, 2], [[increase], [increase, Increase()]])

    def five_calls() -> int:
        return increase(increase(increase(increase(increase(1)))))

    return [
        overhead_row("Transform: call", lambda: tfm(1), lambda: increase(1), goal=0.5),
        overhead_row("Transform: skipped", lambda: skipped(1, 1), lambda: 1, goal=0.2),
        overhead_row("Transform: pair", lambda: tfm((1, 2)), lambda: (2, 3), goal=1.5),
        overhead_row("Pipeline of 5", lambda: five(1), five_calls, goal=3),
        overhead_row("Datasets: one item", lambda: ds.at(0), lambda: (2, 3), goal=12),
    ]


GROUPS: dict[str, Callable[[], list[Row]]] = {
    "dispatch": dispatch_rows,
    "table": table_rows,
    "seeding": seeding_rows,
    "collections": collection_rows,
    "tensor": tensor_rows,
    "transform": transform_rows,
}


def main() -> int:
    """Run the groups named on the command line, or all."""
    wanted = sys.argv[1:] or list(GROUPS)
    if unknown := [name for name in wanted if name not in GROUPS]:
        print(f"foundation: unknown groups {unknown}. Known: {', '.join(GROUPS)}")
        return 2
    return 0 if print_rows([row for name in wanted for row in GROUPS[name]()]) else 1


if __name__ == "__main__":
    sys.exit(main())
