"""What vision reaches on real pictures, in figures, with the minutes that each takes.

    python benchmarks/vision_tasks.py [task ...] [--data PATH] [--seed 42] [--quick]

Without names it does every task that it has the data of. `mnist`, `pets`, `trimaps`, `pet_heads`
and `cells` take the bundled samples; `cifar10`, `resnet20` and `camvid` need `PATH/cifar10` (a file
`cifar10-jpg.tar.xz` with `train` and `test`, a folder for each label) and `PATH/camvid` (`images`,
`labels`, `codes.txt`, `train.txt`, `test.txt`). `--quick` does one short epoch of each, to see that
it works.
"""

import argparse
import gzip
import tarfile
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from lamina.data.block import DataBlock
from lamina.data.external.untar import sample_file, untar_data
from lamina.data.external.urls import URLs
from lamina.data.get import get_image_files
from lamina.data.loaders import DataLoaders
from lamina.data.normalize import IntToFloatTensor, Normalize
from lamina.data.split import FuncSplitter, RandomSplitter
from lamina.data.task import SingleLabel
from lamina.metrics.classify import accuracy
from lamina.metrics.dense import JaccardCoeffMulti, acc_segment
from lamina.nn.conv import ConvLayer
from lamina.nn.losses import CrossEntropyLossFlat
from lamina.nn.models.resnet import BasicBlock
from lamina.nn.shortcut import ResBlock
from lamina.tensor.random import set_seed
from lamina.tensor.types import TensorCategory, TensorImage, plain
from lamina.train.callbacks.techniques.short_epoch import ShortEpochCallback
from lamina.train.learner import Learner
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.resize import RandomResizedCrop, Resize
from lamina.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock, MaskBlock
from lamina.vision.detection.learner import detection_learner
from lamina.vision.detection.metric import MeanAveragePrecision
from lamina.vision.images import PILImage
from lamina.vision.learner import unet_learner, vision_learner
from lamina.vision.loaders import ImageDataLoaders
from lamina.vision.models.architectures import imagenet_stats
from lamina.vision.models.body import load_weights
from lamina.vision.targets.annotations import get_annotations, get_voc_annotations

# Data.


class InMemory(TensorDataset):
    """Pictures `(n, channels, height, width)` of 0 to 255, and their labels; part 0 is training."""

    def __init__(self, x: Tensor, y: Tensor, part: int, vocab: list[str]) -> None:
        super().__init__(TensorImage(x), TensorCategory(y))
        self.split_idx, self.task = part, SingleLabel(vocab)


def in_memory(parts: list[tuple[Tensor, Tensor]], vocab: list[str], tfms: list[Any]) -> DataLoaders:
    sets = [InMemory(x, y, i, vocab) for i, (x, y) in enumerate(parts)]
    made = [IntToFloatTensor(), *tfms]
    return DataLoaders.from_dsets(*sets, bs=128, val_bs=1000, after_batch=made, device="cpu")


def read_idx(file: Path) -> Tensor:
    data = bytearray(gzip.decompress(file.read_bytes()))
    n_dims = data[3]
    shape = torch.frombuffer(data, dtype=torch.uint8)[4 : 4 + 4 * n_dims].view(n_dims, 4).long()
    sizes = (shape * torch.tensor([1 << 24, 1 << 16, 1 << 8, 1])).sum(1).tolist()
    return torch.frombuffer(data, dtype=torch.uint8, offset=4 + 4 * n_dims).view(sizes)


def read_cifar(archive: Path) -> tuple[list[tuple[Tensor, Tensor]], list[str]]:
    """The pictures of both parts in memory, and the names of the labels."""
    found: dict[str, list[tuple[Tensor, str]]] = {"train": [], "test": []}
    with tarfile.open(archive) as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is not None:
                part, label, _ = Path(member.name).parts[-3:]
                found[part].append((plain(PILImage.create(file.read()).to_tensor()), label))
    vocab = sorted({label for _, label in found["train"]})
    parts = [
        (torch.stack([x for x, _ in rows]), torch.tensor([vocab.index(y) for _, y in rows]))
        for rows in found.values()
    ]
    return parts, vocab


# What every task does.

NAMES = {"acc_segment": "pixels right", "jaccard_coeff_multi": "mIoU"}


def clocks() -> tuple[float, float]:
    """Minutes that pass, and those that all processor cores together are busy for this process."""
    return time.perf_counter() / 60, time.process_time() / 60


@dataclass
class Trial:
    """How the tasks are done, and clocks that start anew with every line."""

    data: Path | None
    seed: int
    quick: bool
    started: tuple[float, float] = field(default_factory=clocks)

    def epochs(self, n: int) -> int:
        """Give one in a quick trial."""
        return 1 if self.quick else n

    @contextmanager
    def training(self, learn: Learner) -> Generator[None]:
        """Train quietly in this block, and only a little of each epoch in a quick trial."""
        with learn.no_bar(), learn.added_cbs(ShortEpochCallback(0.02) if self.quick else None):
            yield

    def say(self, task: str, what: str, figures: dict[str, float]) -> None:
        """Print a row of the table."""
        minutes = [now - before for now, before in zip(clocks(), self.started, strict=True)]
        shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        print(f"| {task} | {what} | {shown} | {minutes[0]:.1f} | {minutes[1]:.1f} |", flush=True)
        self.started = clocks()

    def say_learnt(self, task: str, what: str, learn: Learner) -> None:
        """Say what the metrics were after the last epoch."""
        names = [NAMES.get(metric.name, metric.name) for metric in learn.metrics]
        values = learn.recorder.values[-1][3:-1]
        self.say(task, what, dict(zip(names, map(float, values), strict=True)))

    def say_guess(self, task: str, dls: Any, n_out: int) -> None:
        """Say how good the commonest class of the training masks is on those held out."""
        train, valid = (
            torch.stack([plain(y).flatten().bincount(minlength=n_out)[:n_out] for _, y in dl]).sum(
                0
            )
            for dl in dls
        )
        hit = float(valid[train.argmax()] / valid.sum())
        miou = hit / int((valid > 0).sum())
        self.say(task, "commonest class", {"pixels right": hit, "mIoU": miou})


def segment_metrics(void: int | None) -> list[Any]:
    """The part of the pixels that are right, and the mean over the classes of their overlap."""
    if void is None:
        return [acc_segment, JaccardCoeffMulti()]
    return [partial(acc_segment, ignore_index=void), JaccardCoeffMulti(ignore_index=void)]


# The tasks.


def mnist(trial: Trial) -> None:
    """60,000 digits to learn from, 10,000 to test; first weights at random."""
    path = untar_data(URLs.MNIST_IDX)
    parts = [
        (read_idx(path / f"{part}-images-idx3-ubyte.gz")[:, None],
         read_idx(path / f"{part}-labels-idx1-ubyte.gz").long())
        for part in ("train", "t10k")
    ]  # fmt: skip
    move = aug_transforms(do_flip=False, max_warp=0.0, max_lighting=0.0)
    tfms = [Normalize.from_stats([0.131], [0.308]), *move]
    dls = in_memory(parts, [str(i) for i in range(10)], tfms)
    sizes = ((1, 16, 5), (16, 32, 3), (32, 64, 3), (64, 128, 3))
    convs = [ConvLayer(ni, nf, ks, stride=2) for ni, nf, ks in sizes]
    model = nn.Sequential(*convs, nn.Flatten(), nn.Linear(512, 10))
    learn = Learner(dls, model, metrics=accuracy, seed=trial.seed)
    with trial.training(learn):
        learn.fit_one_cycle(trial.epochs(5), 1e-2)
    trial.say_learnt("mnist", "four convolutions from scratch, 5 epochs", learn)


def cifar_loaders(trial: Trial) -> DataLoaders:
    assert trial.data is not None
    parts, vocab = read_cifar(trial.data / "cifar10" / "cifar10-jpg.tar.xz")
    move = aug_transforms(max_rotate=0.0, max_warp=0.0, max_zoom=1.2, p_affine=1.0)
    return in_memory(parts, vocab, [*move, Normalize.from_stats(*imagenet_stats)])


def cifar10(trial: Trial) -> None:
    """50,000 pictures of 32 x 32 to learn from, 10,000 to test; first weights at random."""
    dls = cifar_loaders(trial)
    model = nn.Sequential(
        ConvLayer(3, 16),
        ConvLayer(16, 32, stride=2),
        ResBlock(1, 32, 32),
        ConvLayer(32, 64, stride=2),
        ConvLayer(64, 128, stride=2),
        ResBlock(1, 128, 128),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    learn = Learner(dls, model, metrics=accuracy, seed=trial.seed).to_channelslast()
    with trial.training(learn):
        learn.fit_one_cycle(trial.epochs(10), 1e-2)
    trial.say_learnt("cifar10", "small residual network from scratch, 10 epochs", learn)


class Widened(nn.Module):
    """The shortcut without weights: every other pixel, and channels of 0 at both ends."""

    def forward(self, x: Tensor) -> Tensor:
        """Halve height and width, double the channels."""
        more = x.shape[1] // 2
        return F.pad(x[..., ::2, ::2], (0, 0, 0, 0, more, more))


def make_resnet20() -> nn.Sequential:
    """The network of He et al. 2016, sec. 4.2, with the names of the bundled weights."""
    parts = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(3, 16, 3, padding=1, bias=False), bn1=nn.BatchNorm2d(16), relu=nn.ReLU()
    )
    for i, (ni, nf) in enumerate([(16, 16), (16, 32), (32, 64)], 1):
        blocks = [BasicBlock(ni, nf, stride=1 if i == 1 else 2)]
        blocks += [BasicBlock(nf, nf), BasicBlock(nf, nf)]
        if ni != nf:
            blocks[0].downsample = Widened()  # pyright: ignore[reportAttributeAccessIssue]
        parts[f"layer{i}"] = nn.Sequential(*blocks)
    parts.update(pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), linear=nn.Linear(64, 10))
    return nn.Sequential(parts)


def resnet20(trial: Trial) -> None:
    """The bundled weights, learnt from the lossless CIFAR-10, on pictures kept as JPEG."""
    dls = cifar_loaders(trial)
    model = make_resnet20()
    load_weights(model, sample_file("resnet20-cifar10"))
    learn = Learner(dls, model, metrics=accuracy, seed=trial.seed).to_channelslast()
    with trial.training(learn):
        trial.say("resnet20", "bundled weights", {"accuracy": learn.validate()[1]})
        learn.fit_one_cycle(1, 1e-3)
    trial.say_learnt("resnet20", "the same after one epoch of fine-tuning", learn)


def pets(trial: Trial) -> None:
    """37 breeds on 607 photographs, of which a fifth is held out."""
    path = untar_data(URLs.PETS)
    dls = ImageDataLoaders.from_name_re(
        path,
        get_image_files(path / "images"),
        r"^(.+)_\d+\.jpg$",
        seed=trial.seed,
        bs=32,
        item_tfms=RandomResizedCrop(224, min_scale=0.75),
        batch_tfms=[*aug_transforms(size=192, max_warp=0.0)],
        device="cpu",
    )
    for arch in ("mobilenet_v2", "squeezenet1_1"):
        learn = vision_learner(dls, arch, metrics=accuracy, seed=trial.seed)
        with trial.training(learn):
            learn.fine_tune(trial.epochs(5), 4e-3)
        trial.say_learnt("pets", f"{arch} from ImageNet, 6 epochs", learn)
    learn = vision_learner(dls, "mobilenet_v2", pretrained=False, metrics=accuracy, seed=trial.seed)
    with trial.training(learn):
        learn.fit_one_cycle(trial.epochs(6), 1e-2)
    trial.say_learnt("pets", "mobilenet_v2 from scratch, 6 epochs", learn)


def trimaps(trial: Trial) -> None:
    """Pet, background or border, for every pixel of 271 photographs; a fifth is held out."""
    path = untar_data(URLs.PETS)
    masks = path / "annotations" / "trimaps"
    block = DataBlock(
        blocks=(ImageBlock, MaskBlock(["pet", "background", "border"], [1, 2, 3])),
        splitter=RandomSplitter(seed=trial.seed),
        get_y=lambda file: masks / f"{file.stem}.png",
        item_tfms=Resize(160),
        batch_tfms=aug_transforms(size=128),
    )
    photos = [f for f in get_image_files(path / "images") if (masks / f"{f.stem}.png").exists()]
    dls = block.dataloaders(photos, bs=8, seed=trial.seed, device="cpu")
    trial.say_guess("trimaps", dls, 3)
    learn = unet_learner(dls, "mobilenet_v2", metrics=segment_metrics(None), seed=trial.seed)
    with trial.training(learn):
        learn.fine_tune(trial.epochs(8), 3e-3)
    trial.say_learnt("trimaps", "U-Net on mobilenet_v2, 128 x 128, 9 epochs", learn)


def camvid(trial: Trial) -> None:
    """Eleven classes of what is on a street; lists of the data set, measured without Void."""
    assert trial.data is not None
    path, void = trial.data / "camvid", 11
    train, test = (set((path / f"{part}.txt").read_text().split()) for part in ("train", "test"))
    block = DataBlock(
        blocks=(ImageBlock, MaskBlock(np.loadtxt(path / "codes.txt", dtype=str).tolist())),
        splitter=FuncSplitter(lambda file: file.name in test),
        get_y=lambda file: path / "labels" / f"{file.stem}.png",
        item_tfms=Resize((144, 192), method="squish"),
        batch_tfms=aug_transforms(max_rotate=5.0),
    )
    photos = [f for f in get_image_files(path / "images") if f.name in train | test]
    dls = block.dataloaders(photos, bs=8, seed=trial.seed, device="cpu")
    trial.say_guess("camvid", dls, void)
    loss = CrossEntropyLossFlat(axis=1, ignore_index=void)
    learn = unet_learner(
        dls, "mobilenet_v2", n_out=void, loss_func=loss, metrics=segment_metrics(void),
        seed=trial.seed,
    )  # fmt: skip
    with trial.training(learn):
        learn.fine_tune(trial.epochs(11), 3e-3)
    trial.say_learnt("camvid", "U-Net on mobilenet_v2, 144 x 192, 12 epochs", learn)


def detect(trial: Trial, task: str, dls: DataLoaders, *, n_epoch: int, **options: Any) -> None:
    learn = detection_learner(
        dls, "squeezenet1_1", metrics=MeanAveragePrecision(0.5), seed=trial.seed, **options
    )
    learn.unfreeze()
    with trial.training(learn):
        learn.fit_one_cycle(trial.epochs(n_epoch), slice(1e-4, 2e-3))
    trial.say_learnt(task, f"detector on squeezenet1_1, {n_epoch} epochs", learn)


def pet_heads(trial: Trial) -> None:
    """The heads of 439 cats and dogs and which of both it is; a fifth is held out."""
    path = untar_data(URLs.PETS)
    names, found = get_annotations(path / "annotations" / "coco_head_boxes.json")
    heads = dict(zip(names, found, strict=True))
    block = DataBlock(
        blocks=(ImageBlock, BBoxBlock, BBoxLblBlock),
        getters=[
            lambda file: file,
            lambda file: heads[file.name][0],
            lambda file: ["cat" if kind[0].isupper() else "dog" for kind in heads[file.name][1]],
        ],
        splitter=RandomSplitter(seed=trial.seed),
        n_inp=1,
        item_tfms=Resize(160, method="squish"),
        batch_tfms=aug_transforms(max_warp=0.0),
    )
    photos = [path / "images" / name for name in names]
    dls = block.dataloaders(photos, bs=16, seed=trial.seed, device="cpu")
    detect(trial, "pet_heads", dls, n_epoch=12)


def cells(trial: Trial) -> None:
    """Three kinds of blood cells; the lists and the recipe of `examples/cells.py`."""
    path = untar_data(URLs.BCCD)
    names, found = get_voc_annotations(sorted((path / "annotations").glob("*.xml")))
    boxes = dict(zip(names, found, strict=True))
    train, test = (set((path / f"{part}.txt").read_text().split()) for part in ("train", "test"))
    block = DataBlock(
        blocks=(ImageBlock, BBoxBlock, BBoxLblBlock),
        getters=[
            lambda file: file,
            lambda file: boxes[file.name][0],
            lambda file: boxes[file.name][1],
        ],
        splitter=FuncSplitter(lambda file: file.stem in test),
        n_inp=1,
        item_tfms=Resize((144, 192), method="squish"),
        batch_tfms=aug_transforms(flip_vert=True, max_rotate=0.0, max_warp=0.0),
    )
    photos = [f for f in get_image_files(path / "images") if f.stem in train | test]
    dls = block.dataloaders(photos, bs=8, seed=trial.seed, device="cpu")
    detect(trial, "cells", dls, n_epoch=12, min_stride=4)


SHIPPED: list[Callable[[Trial], None]] = [mnist, pets, trimaps, pet_heads, cells]
ELSEWHERE: list[Callable[[Trial], None]] = [cifar10, resnet20, camvid]


def main() -> None:
    """Print a row for each result."""
    tasks = {task.__name__: task for task in [*SHIPPED, *ELSEWHERE]}
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tasks", nargs="*", default="all", choices=["all", *tasks])
    parser.add_argument("--data", type=Path, help="the folder of what is not bundled")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--quick", action="store_true", help="one short epoch of each")
    args = parser.parse_args()
    usable = SHIPPED if args.data is None else [*SHIPPED, *ELSEWHERE]
    chosen = usable if args.tasks == "all" else [tasks[name] for name in args.tasks]
    print("| task | model | on what was held out | minutes | of a core |\n|---|---|---|---|---|")
    for task in chosen:
        set_seed(args.seed)
        task(Trial(args.data, args.seed, args.quick))


if __name__ == "__main__":
    main()
