"""Batch augmentation and opening photographs against what one would write by hand for just this.

By hand, a batch is augmented with one matrix per item, one grid, one interpolation, and light and
normalisation in place; a photograph is opened and resized with Pillow. Where fastai and torchvision
are installed, the same augmentation is made with them, too; torchvision draws once for a batch.
"""

import importlib
import importlib.util
import sys
import tarfile
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from _timing import Row, print_rows, ratio_row
from lamina.data.normalize import Normalize
from lamina.data.pipeline import Pipeline
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import TensorCategory, TensorImage
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.resize import Resize
from lamina.vision.models.architectures import imagenet_stats
from lamina.vision.opening import OpenImage, ToTensor

N, SIZE = 64, 224


def main() -> bool:
    """Print all rows."""
    torch.set_num_threads(1)
    x, y = torch.rand(N, 3, 256, 256), torch.arange(N)
    batch: tuple[Tensor, Tensor] = (TensorImage(x), TensorCategory(y))
    augment, move = aug_transforms(size=SIZE), aug_transforms(size=SIZE, max_lighting=0.0)
    normalize = Normalize.from_stats(*imagenet_stats)
    rows: list[Row] = [
        _row("default augmentation", Pipeline([*augment, normalize], 0), batch, _by_hand(x)),
        _row("its geometry", Pipeline(move, 0), batch, lambda: _moved(x)),
        *_peer_rows(batch),
        *_photo_rows(),
    ]
    return print_rows(rows)


def _peer_rows(batch: tuple[Tensor, Tensor]) -> list[Row]:
    """The default augmentation with light and normalisation against that of other libraries."""
    ours = Pipeline([*aug_transforms(size=SIZE), Normalize.from_stats(*imagenet_stats)], 0)
    peers = {"fastai": (_fastai, 1.4), "torchvision": (_torchvision, 1.3)}
    return [
        _row(f"default augmentation, {name}", ours, batch, make(*batch), goal=1 / times)
        for name, (make, times) in peers.items()
        if importlib.util.find_spec(name) is not None
    ]


def _fastai(x: Tensor, y: Tensor) -> Callable[[], object]:
    v = importlib.import_module("fastai.vision.all")
    tfms = [*v.aug_transforms(size=SIZE), v.Normalize.from_stats(*imagenet_stats, cuda=False)]
    pipeline = v.Pipeline(tfms, split_idx=0)
    return lambda: pipeline((v.TensorImage(x.as_subclass(Tensor)), v.TensorCategory(y)))


def _torchvision(x: Tensor, _y: Tensor) -> Callable[[], object]:
    v2 = importlib.import_module("torchvision.transforms.v2")
    kind = v2.InterpolationMode.BILINEAR
    chain = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomPerspective(0.2, p=0.75),
            v2.RandomApply([v2.RandomAffine(10, scale=(1, 1.1), interpolation=kind)], 0.75),
            v2.Resize((SIZE, SIZE)),
            v2.RandomApply([v2.ColorJitter(0.2, 0.2)], 0.75),
            v2.Normalize(*imagenet_stats),
        ]
    )
    return lambda: chain(x.as_subclass(Tensor))


def _photo_rows() -> list[Row]:
    """Measure ten photographs of about 450 x 320 pixels, from bytes to a tensor."""
    archive = Path(__file__).resolve().parent.parent / "samples" / "known_photos.tgz"
    with tarfile.open(archive) as tar:
        found = [tar.extractfile(m) for m in tar.getmembers() if m.name.endswith(".jpg")]
        photos = [file.read() for file in found if file is not None]
    return [
        ratio_row(
            f"10 photos to {size} pixels",
            partial(_open_ours, Pipeline([OpenImage(), Resize(size), ToTensor()], 1), photos),
            partial(_open_plainly, photos, size),
            goal=goal,
            n=2,
        )
        for size, goal in ((224, 1.1), (100, 0.9))  # the decoder can help with the second only
    ]


def _open_ours(pipeline: Pipeline, photos: list[bytes]) -> None:
    for data in photos:
        pipeline(data)


def _open_plainly(photos: list[bytes], size: int) -> None:
    for data in photos:
        im = Image.open(BytesIO(data)).convert("RGB")
        side = min(im.size)
        left, top = (im.width - side) / 2, (im.height - side) / 2
        box = (left, top, left + side, top + side)
        small = im.resize((size, size), Image.Resampling.BILINEAR, box=box)
        torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous()


def _row(
    name: str,
    ours: Pipeline,
    batch: tuple[Tensor, ...],
    reference: Callable[[], object],
    goal: float = 1.1,
) -> Row:
    def run() -> None:
        with using(Randomness(1)):
            ours(batch)

    return ratio_row(name, run, reference, goal=goal, n=1, repeats=9)


def _by_hand(x: Tensor) -> Callable[[], Tensor]:
    return lambda: _lit(_moved(x))


def _moved(x: Tensor) -> Tensor:
    """Flip, tilt, turn and zoom: one matrix, one grid, one interpolation."""
    matrix = _flip() @ _tilt() @ _turn() @ _zoom()
    ys = (torch.arange(SIZE) * 2 + 1) / SIZE - 1
    y, x_ = torch.meshgrid(ys, ys, indexing="ij")
    at = torch.stack([x_, y, torch.ones_like(y)], -1).view(-1, 3) @ matrix.mT
    grid = (at[..., :2] / at[..., 2:]).view(N, SIZE, SIZE, 2)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _lit(x: Tensor) -> Tensor:
    """Change brightness and contrast and normalise, everything in place."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in imagenet_stats)
    level = torch.where(torch.rand(N) < 0.75, torch.rand(N) * 0.2 + 0.4, 0.5).view(-1, 1, 1, 1)
    factor = torch.where(torch.rand(N) < 0.75, torch.rand(N) * 0.45 + 0.8, 1.0).view(-1, 1, 1, 1)
    x.logit_(1e-7).mul_(factor).add_(level.logit()).sigmoid_()
    return x.sub_(mean).div_(std)


def _sometimes(matrix: Tensor) -> Tensor:
    return torch.where((torch.rand(N) < 0.75).view(-1, 1, 1), matrix, torch.eye(3))


def _eye() -> Tensor:
    return torch.eye(3).repeat(N, 1, 1)


def _flip() -> Tensor:
    m = _eye()
    m[:, 0, 0] = 1 - 2 * (torch.rand(N) < 0.5).float()
    return m


def _tilt() -> Tensor:
    m = _eye()
    m[:, 2, :2] = torch.rand(N, 2) * 0.4 - 0.2
    return _sometimes(m)


def _turn() -> Tensor:
    m, angle = _eye(), (torch.rand(N) * 20 - 10).deg2rad()
    m[:, 0, 0] = m[:, 1, 1] = angle.cos()
    m[:, 1, 0] = angle.sin()
    m[:, 0, 1] = -m[:, 1, 0]
    return _sometimes(m)


def _zoom() -> Tensor:
    m, scale = _eye(), 1 / (1 + torch.rand(N) * 0.1)
    m[:, 0, 0] = m[:, 1, 1] = scale
    m[:, :2, 2] = (1 - scale)[:, None] * (torch.rand(N, 2) * 2 - 1)
    return _sometimes(m)


if __name__ == "__main__":
    sys.exit(not main())
