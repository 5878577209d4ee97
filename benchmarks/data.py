"""Loaders of data in memory against slicing tensors by hand, items, and worker processes.

By hand, a shuffled pass draws a permutation and indexes the tensors with its parts; a pass in order
slices them. The worker processes open and resize the bundled photographs.
"""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from _timing import Row, print_rows, ratio_row
from lamina.data.category import Categorize
from lamina.data.datasets import Datasets
from lamina.data.external.untar import untar_data
from lamina.data.external.urls import URLs
from lamina.data.get import get_image_files
from lamina.data.label import RegexLabeller
from lamina.data.tfmd_loader import TfmdDL
from lamina.vision.augmentation.resize import Resize
from lamina.vision.images import PILImage
from lamina.vision.opening import ToTensor

N, FEATURES = 1 << 16, 10
LABEL = RegexLabeller(r"(.+)_\d+.jpg$")


def main() -> bool:
    """Print all rows."""
    torch.set_num_threads(1)
    x, y = torch.randn(N, FEATURES), torch.randint(0, 5, (N,))
    photos = list(get_image_files(untar_data(URLs.OXFORD_PETS) / "images"))[:128]
    rows = [_memory_row(x, y, bs, shuffle) for bs in (64, 1024) for shuffle in (True, False)]
    return print_rows([*rows, _item_row(photos), *_worker_rows(photos)])


def _memory_row(x: Tensor, y: Tensor, bs: int, shuffle: bool) -> Row:  # noqa: FBT001 - in the name
    dl = TfmdDL(TensorDataset(x, y), bs=bs, shuffle=shuffle, device="cpu", seed=1)
    by_hand = _permuted if shuffle else _sliced
    name = f"pass over {N:,} rows, bs {bs}, {'shuffled' if shuffle else 'in order'}"
    return ratio_row(
        name,
        lambda: _exhaust(dl),
        lambda: _exhaust(by_hand(x, y, bs)),
        goal=1 / 0.9,
        n=1,
        repeats=15,
    )


def _permuted(x: Tensor, y: Tensor, bs: int) -> Iterable[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(x))
    for i in range(0, len(x), bs):
        idxs = order[i : i + bs]
        yield x[idxs], y[idxs]


def _sliced(x: Tensor, y: Tensor, bs: int) -> Iterable[tuple[Tensor, Tensor]]:
    for i in range(0, len(x), bs):
        yield x[i : i + bs], y[i : i + bs]


def _exhaust(batches: Iterable[object]) -> None:
    for _ in batches:
        pass


def _item_row(photos: list[Path]) -> Row:
    ds = Datasets(photos, [[PILImage.create], [LABEL, Categorize()]])
    number = ds.tls[1].tfms[1]
    bare: Callable[[], object] = lambda: (PILImage.create(photos[5]), number(LABEL(photos[5])))  # noqa: E731
    return ratio_row("one item of Datasets: photo and label", lambda: ds[5], bare, goal=2.0, n=300)


def _worker_rows(photos: list[Path]) -> list[Row]:
    """Compare two workers with one; the second cannot help on a machine with one core."""
    ds = Datasets(photos * 4, [[PILImage.create], [LABEL, Categorize()]])
    one, two = (
        {
            kind: TfmdDL(
                ds.train,
                bs=32,
                after_item=[Resize(224), ToTensor()],
                num_workers=n,
                worker_type=kind,
                persistent_workers=True,
            )
            for kind in ("process", "thread")
        }
        for n in (1, 2)
    )
    return [
        ratio_row(
            f"two {kind} workers against one process",
            partial(_exhaust, two[kind]),
            partial(_exhaust, one["process"]),
            goal=goal,
            n=1,
            repeats=5,
        )
        for kind, goal in (("process", 1 / 1.7), ("thread", 1.1))
    ]


if __name__ == "__main__":
    sys.exit(not main())
