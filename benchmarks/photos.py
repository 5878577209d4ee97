"""From a folder of JPEG photographs to batches of bytes, one process, against the peers.

Needs torchvision (and fastai, where it is installed): run it with the second environment,
`.venv-interop/bin/python benchmarks/photos.py`. The photographs are the bundled ones, brought to
500 x 375 and 1000 x 750 pixels. With torchvision, the data set is what one writes by hand, in both
ways that are common: Pillow's decoder with transforms of pictures, and torchvision's decoder with
transforms of tensors. Ours decodes by Pillow, and by simplejpeg where that is installed. Like
against like are Pillow with Pillow, and simplejpeg with torchvision's decoder: both write a file
straight into an array. Times are per photograph.
"""

import importlib
import importlib.util
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from _timing import Row, interleaved_us, print_rows
from lamina.data.datasets import Datasets
from lamina.data.get import get_image_files
from lamina.data.label import parent_label
from lamina.data.tfmd_loader import TfmdDL
from lamina.vision.augmentation.resize import RandomResizedCrop, Resize
from lamina.vision.opening import OpenImage, ToTensor

N, BS, SIZE = 64, 32, 224
SIZES = {(500, 375): 1.5, (1000, 750): 2.5}  # and how many times as fast as fastai we want to be
# The least area of a random crop; None takes all. A decoder can scale down all crops of 0.6 of a
# large photograph, and six of ten of those of 0.08, which is the default everywhere.
LEAST: dict[tuple[int, int], tuple[float | None, ...]] = {
    (500, 375): (None, 0.08),
    (1000, 750): (None, 0.08, 0.6),
}


def main() -> bool:
    """Print all rows; without torchvision there is nothing to compare with."""
    if not _has("torchvision"):
        print("skipped: torchvision is not installed here; see the head of this file")
        return True
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row
            for size, goal in SIZES.items()
            for least in LEAST[size]
            for row in _rows(_photos(Path(folder), size), size, goal, least)
        ]
    return print_rows(rows)


def _rows(files: list[Path], size: tuple[int, int], goal: float, least: float | None) -> list[Row]:
    what = f"{size[0]}x{size[1]} {'Resize' if least is None else f'crop from {least}'}"
    decoders = ["pillow", *(["simplejpeg"] if _has("simplejpeg") else [])]
    peers = [_pillow, _tensors, *([_fastai] if _has("fastai") else [])]
    passes = [_pass(_ours(files, least, decoder)) for decoder in decoders]
    passes += [_pass(make(files, least)) for make in peers]
    each = [us / len(files) for us in interleaved_us(passes, n=1, repeats=7)]
    ours, (pillow, tensors, *fastai) = each[: len(decoders)], each[len(decoders) :]
    rows = []
    for decoder, us in zip(decoders, ours, strict=True):
        name = f"{what} by {decoder}"
        if decoder == "pillow":
            rows.append(Row(f"{name}, torchvision with Pillow", us, pillow, "ratio", 1.0))
        rows.append(Row(f"{name}, torchvision's decoder", us, tensors, "ratio", 1.0))
        rows += [Row(f"{name}, fastai", us, theirs, "ratio", 1 / goal) for theirs in fastai]
    return rows


def _photos(folder: Path, size: tuple[int, int]) -> list[Path]:
    place = folder / f"{size[0]}"
    if not place.is_dir():
        archive = Path(__file__).resolve().parent.parent / "samples" / "known_photos.tgz"
        with tarfile.open(archive) as tar:
            members = [tar.extractfile(m) for m in tar.getmembers() if m.name.endswith(".jpg")]
            known = [file.read() for file in members if file is not None]
        for i, data in enumerate(islice(cycle(known), N)):
            path = place / f"{i % 4}" / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.open(BytesIO(data)).convert("RGB")
            picture.resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
    return list(get_image_files(place))


def _pass(batches: Iterable[Any]) -> Callable[[], None]:
    def run() -> None:
        for x, _ in batches:
            assert x.shape == (BS, 3, SIZE, SIZE)
            assert x.dtype == torch.uint8

    return run


def _ours(files: list[Path], least: float | None, decoder: str) -> Iterable[Any]:
    everything = range(len(files))
    opening = [OpenImage(decoder=decoder)]
    ds = Datasets(files, [opening, [_label]], splits=[everything, everything])
    resize = Resize(SIZE) if least is None else RandomResizedCrop(SIZE, min_scale=least)
    return TfmdDL(ds.subset(int(least is None)), bs=BS, after_item=[resize, ToTensor()])


class _Photos(Dataset[Any]):
    """What one writes by hand."""

    def __init__(self, files: list[Path], load: Any, transform: Any) -> None:
        self.files, self.load, self.transform = files, load, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        return self.transform(self.load(self.files[i])), _label(self.files[i])


def _pillow(files: list[Path], least: float | None) -> Iterable[Any]:
    v2 = importlib.import_module("torchvision.transforms.v2")
    transform = v2.Compose([*_tfms(v2, least), v2.PILToTensor()])
    photos = _Photos(files, lambda path: Image.open(path).convert("RGB"), transform)
    return DataLoader(photos, batch_size=BS)


def _tensors(files: list[Path], least: float | None) -> Iterable[Any]:
    v2, io = map(importlib.import_module, ("torchvision.transforms.v2", "torchvision.io"))
    transform = v2.Compose(_tfms(v2, least))
    photos = _Photos(files, lambda path: io.decode_image(str(path)), transform)
    return DataLoader(photos, batch_size=BS)


def _tfms(v2: Any, least: float | None) -> list[Any]:
    if least is None:
        return [v2.Resize(SIZE), v2.CenterCrop(SIZE)]
    return [v2.RandomResizedCrop(SIZE, scale=(least, 1.0))]


def _fastai(files: list[Path], least: float | None) -> Iterable[Any]:
    v = importlib.import_module("fastai.vision.all")
    everything = list(range(len(files)))
    ds = v.Datasets(files, [[v.PILImage.create], [_label]], splits=[everything, everything])
    resize = v.Resize(SIZE) if least is None else v.RandomResizedCrop(SIZE, min_scale=least)
    return v.TfmdDL(
        ds.subset(int(least is None)), bs=BS, after_item=[resize, v.ToTensor], num_workers=0
    )


def _label(path: Path) -> int:
    return int(parent_label(path))


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


if __name__ == "__main__":
    sys.exit(not main())
