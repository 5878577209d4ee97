"""Geometry of batches as 3x3 matrices, so that any chain of it costs one interpolation.

A matrix `(b, 3, 3)` maps homogeneous output coordinates to input coordinates; x and y run from -1
to 1 over the image, pixel centres inside. Composing is multiplying: `first @ second` looks up the
result of `second` in the image that `first` made.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "crop_matrix",
    "dihedral_matrix",
    "flip_matrix",
    "identity_matrix",
    "map_points",
    "rotate_matrix",
    "tilt_matrix",
    "warp",
    "zoom_matrix",
]

_ROWS = 3


def _matrix(rows: list[list[Tensor | float]], like: Tensor) -> Tensor:
    """A `(b, 3, 3)` matrix from entries that are numbers or `(b,)` tensors."""
    flat = [torch.as_tensor(v, dtype=like.dtype).expand_as(like) for row in rows for v in row]
    return torch.stack(flat, dim=-1).view(*like.shape, _ROWS, _ROWS)


def identity_matrix(n: int) -> Tensor:
    """`n` matrices that change nothing, `(n, 3, 3)`.

    Example:
        >>> identity_matrix(2).shape
        torch.Size([2, 3, 3])
    """
    return torch.eye(_ROWS).expand(n, _ROWS, _ROWS)


def flip_matrix(flipped: Tensor) -> Tensor:
    """Mirror left and right where `flipped` is true.

    Args:
        flipped: `(b,)`, bool.

    Example:
        >>> flip_matrix(torch.tensor([True]))[0].diagonal().tolist()
        [-1.0, 1.0, 1.0]
    """
    sign = 1.0 - 2.0 * flipped.float()
    return _matrix([[sign, 0, 0], [0, 1, 0], [0, 0, 1]], sign)


def dihedral_matrix(k: Tensor) -> Tensor:
    """One of the eight symmetries of the square: bit 0 mirrors x, bit 1 y, bit 2 swaps them.

    Args:
        k: `(b,)`, integers 0 to 7.

    Example:
        >>> dihedral_matrix(torch.tensor([4]))[0].int().tolist()
        [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    """
    sx, sy = 1.0 - 2.0 * (k % 2).float(), 1.0 - 2.0 * (k // 2 % 2).float()
    swap = (k // 4).float()
    keep = 1 - swap
    return _matrix([[sx * keep, sx * swap, 0], [sy * swap, sy * keep, 0], [0, 0, 1]], sx)


def rotate_matrix(degrees: Tensor, aspect: float = 1.0) -> Tensor:
    """Turn counter-clockwise about the centre, without shear whatever the aspect.

    Args:
        degrees: `(b,)`.
        aspect: Height of the image divided by its width.
    """
    angle = torch.deg2rad(degrees)
    cos, sin = angle.cos(), angle.sin()
    return _matrix([[cos, -sin * aspect, 0], [sin / aspect, cos, 0], [0, 0, 1]], cos)


def zoom_matrix(scale: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Magnify by `scale` around a place.

    Args:
        scale: `(b,)`; above 1 magnifies.
        x: `(b,)`, from 0 (the left edge stays) to 1 (the right edge stays).
        y: The same from top to bottom.

    Example:
        >>> zoom_matrix(*torch.tensor([[2.0], [0.0], [0.5]]))[0, :2].tolist()
        [[0.5, 0.0, -0.5], [0.0, 0.5, 0.0]]
    """
    rest = 1 - 1 / scale
    return _matrix(
        [[1 / scale, 0, rest * (2 * x - 1)], [0, 1 / scale, rest * (2 * y - 1)], [0, 0, 1]], scale
    )


def tilt_matrix(x: Tensor, y: Tensor) -> Tensor:
    """Turn the picture plane about its vertical (`x`) and horizontal (`y`) axis: a perspective.

    With `x = a` the left and right edges stay where they are; the right one shows `1 / (1 + a)` of
    its height and the left one `1 / (1 - a)`, up to their common geometric mean.

    Args:
        x: `(b,)`, between -1 and 1 exclusive; 0 changes nothing.
        y: The same for the top and bottom edges.
    """
    across = _matrix([[1, 0, x], [0, (1 - x * x).sqrt(), 0], [x, 0, 1]], x)
    down = _matrix([[(1 - y * y).sqrt(), 0, 0], [0, 1, y], [0, y, 1]], y)
    return across @ down


def crop_matrix(left: Tensor, top: Tensor, right: Tensor, bottom: Tensor) -> Tensor:
    """Show only a box; its edges are given in coordinates from -1 to 1, `(b,)` each."""
    half_w, half_h = (right - left) / 2, (bottom - top) / 2
    return _matrix([[half_w, 0, left + half_w], [0, half_h, top + half_h], [0, 0, 1]], half_w)


@lru_cache(maxsize=32)
def _pixel_centres(height: int, width: int, device: torch.device) -> Tensor:
    """Homogeneous coordinates of the pixel centres, `(3, height * width)`."""
    ys = (torch.arange(height, device=device) * 2 + 1 - height) / height  # exactly symmetric
    xs = (torch.arange(width, device=device) * 2 + 1 - width) / width
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)]).view(_ROWS, -1)


def _grid(matrix: Tensor, size: tuple[int, int]) -> Tensor:
    moved = matrix @ _pixel_centres(*size, matrix.device)
    xy = moved[:, :2].div_(moved[:, 2:])  # x and y stay planes: no more memory, and faster to read
    return xy.unflatten(2, size).permute(0, 2, 3, 1)


def warp(
    x: Tensor,
    matrix: Tensor,
    size: tuple[int, int] | None = None,
    *,
    mode: str = "bilinear",
    pad_mode: str = "reflection",
) -> Tensor:
    """Resample a batch once, through `matrix`, to `size`.

    Args:
        x: `(b, c, h, w)`, float.
        matrix: `(b, 3, 3)`, output to input coordinates.
        size: `(height, width)` of the result; that of `x` when not given.
        mode: "bilinear", "nearest" or "bicubic".
        pad_mode: What lies outside: "reflection", "border" or "zeros".

    A reduction to less than half is preceded by averaging to twice the size, against aliasing.

    Example:
        >>> warp(torch.rand(2, 3, 32, 32), identity_matrix(2), (16, 24)).shape
        torch.Size([2, 3, 16, 24])
    """
    size = size or (x.shape[-2], x.shape[-1])
    if mode != "nearest" and min(x.shape[-2] / size[0], x.shape[-1] / size[1]) > 2:
        x = F.interpolate(x, size=(size[0] * 2, size[1] * 2), mode="area")
    exact = x if x.dtype in (torch.float32, torch.float64) else x.float()  # as places have to be
    grid = _grid(matrix.to(x.device, torch.float32), size).to(exact.dtype)
    out = F.grid_sample(exact, grid, mode=mode, padding_mode=pad_mode, align_corners=False)
    return out.to(x.dtype)


def map_points(points: Tensor, matrix: Tensor) -> Tensor:
    """Where points of the input lie in the output.

    Args:
        points: `(b, n, 2)`, x and y from -1 to 1.
        matrix: `(b, 3, 3)`, output to input coordinates (its inverse is applied).

    Example:
        >>> map_points(torch.tensor([[[0.5, 0.2]]]), flip_matrix(torch.tensor([True])))
        tensor([[[-0.5000,  0.2000]]])
    """
    ones = torch.ones_like(points[..., :1])
    inverse = torch.linalg.inv(matrix.to(points.device, points.dtype))
    moved = torch.cat([points, ones], dim=-1) @ inverse.transpose(1, 2)
    return moved[..., :2] / moved[..., 2:]
