"""Loaders of photographs: the same bits with any workers, and nothing that stays behind."""

import gc
import os
from pathlib import Path

import psutil
import pytest
import torch

from lamina.data.loaders import DataLoaders
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.resize import RandomResizedCrop, Resize
from lamina.vision.loaders import ImageDataLoaders

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker")
CREWS = [(n, kind) for n in (1, 2, 4) for kind in ("process", "thread")]


def loaders(photos: Path, n: int, kind: str, **options) -> DataLoaders:
    """All photographs twice, with a label that is not about what they show."""
    files = sorted(photos.glob("*.jpg"))
    return ImageDataLoaders.from_path_func(
        photos,
        files * 2,
        lambda file: "short" if len(file.stem) < 5 else "long",
        valid_pct=0.5,
        seed=3,
        bs=2,
        num_workers=n,
        worker_type=kind,
        device="cpu",
        **options,
    )


def two_passes(photos: Path, n: int = 0, kind: str = "process") -> list[torch.Tensor]:
    augmented = {"item_tfms": RandomResizedCrop(48), "batch_tfms": aug_transforms(size=32)}
    train = loaders(photos, n, kind, **augmented).train
    train.seed = 11
    return [x.as_subclass(torch.Tensor) for x, _ in (*train, *train)]


@pytest.fixture(scope="module")
def expected(photos: Path) -> list[torch.Tensor]:
    return two_passes(photos)


@pytest.mark.parametrize(("n", "kind"), CREWS)
def test_augmented_batches_are_the_same_with_any_workers(photos, expected, n, kind):
    batches = two_passes(photos, n, kind)
    assert len(batches) == len(expected) == 10
    assert all(a.equal(b) for a, b in zip(batches, expected, strict=True))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")  # noqa: PTH112
@pytest.mark.parametrize(("n", "kind"), [(0, "process"), (2, "process"), (2, "thread")])
def test_fifty_passes_over_files_leave_nothing_open_and_no_memory(photos, n, kind):
    dl, process = loaders(photos, n, kind, item_tfms=Resize(64)).train, psutil.Process()

    def used() -> tuple[int, float]:
        gc.collect()
        return process.num_fds(), process.memory_info().rss / 1e6

    for _ in range(5):
        list(dl)
    handles, megabytes = used()
    for _ in range(50):
        list(dl)
    assert used()[0] <= handles
    assert used()[1] < megabytes + 20  # the decoded photographs of a pass are some 10
