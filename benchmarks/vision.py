"""Batch augmentation against what one would write by hand for exactly this, and by its parts.

By hand: draw, one matrix per item, one grid, one interpolation, one pass in place for light and
normalisation. Both draw from generators of their own and do the same arithmetic.
"""

import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from _timing import Row, print_rows, ratio_row
from lamina.data.normalize import Normalize
from lamina.data.pipeline import Pipeline
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import TensorCategory, TensorImage
from lamina.vision.augment import aug_transforms
from lamina.vision.models.architectures import imagenet_stats

N, SIZE = 64, 224


def main() -> bool:
    """Print all rows."""
    torch.set_num_threads(1)
    x, y = torch.rand(N, 3, 256, 256), torch.arange(N)
    batch = (TensorImage(x), TensorCategory(y))
    light_only = aug_transforms(do_flip=False, max_rotate=0.0, max_warp=0.0, max_zoom=1.0)
    rows: list[Row] = [
        _row("default augmentation", _pipeline(*aug_transforms(size=SIZE)), batch, _by_hand(x)),
        _row("geometry", _pipeline(*aug_transforms(size=SIZE, max_lighting=0.0), normal=False),
             batch, lambda: _moved(x)),
        _row("light, normalisation", _pipeline(*light_only), batch, lambda: _lit(x.clone())),
    ]  # fmt: skip
    return print_rows(rows)


def _row(
    name: str, ours: Pipeline, batch: tuple[Tensor, ...], by_hand: Callable[[], Tensor]
) -> Row:
    def run() -> None:
        with using(Randomness(1)):
            ours(batch)

    return ratio_row(name, run, by_hand, goal=1.1, n=1, repeats=9)


def _pipeline(*tfms: object, normal: bool = True) -> Pipeline:
    return Pipeline([*tfms, *([Normalize.from_stats(*imagenet_stats)] if normal else [])], 0)


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
