"""The part of a picture that matters: found by blurring, cut out, brought to a size."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.vision.augmentation.geometry import crop_matrix, warp
from lamina.vision.medical.windows import Window, windowed

__all__ = ["crop_resize", "gauss_blur2d", "mask2bbox", "mask_from_blur", "uniform_blur2d", "zoom"]


def gauss_blur2d(x: Tensor, s: float) -> Tensor:
    """Blur pictures with a bell of deviation `s` pixels, cut off at half of that on both sides.

    Shapes: `(..., h, w)` to the same.

    Example:
        >>> gauss_blur2d(torch.ones(6, 6), 4).allclose(torch.ones(6, 6))
        True
    """
    places = torch.arange(-(int(s / 4)), int(s / 4) + 1, dtype=torch.float32)
    bell = torch.exp(-0.5 * (places / max(s, 1e-6)) ** 2)
    return _blurred(x, bell / bell.sum())


def uniform_blur2d(x: Tensor, s: int) -> Tensor:
    """Replace each pixel by the mean of the `s` by `s` pixels around it.

    Shapes: `(..., h, w)` to the same.

    Example:
        >>> uniform_blur2d(torch.tensor([[0.0, 0.0, 9.0]]).repeat(3, 1), 3)[1]
        tensor([0., 3., 6.])
    """
    return _blurred(x, torch.full((s,), 1 / s))


def _blurred(x: Tensor, weights: Tensor) -> Tensor:
    n = len(weights)
    flat = x.float().reshape(-1, 1, *x.shape[-2:])
    padded = F.pad(flat, ((n - 1) // 2, n // 2) * 2, mode="replicate")
    row = weights.to(x.device).view(1, 1, 1, n)
    out = F.conv2d(F.conv2d(padded, row), row.transpose(2, 3))
    return out.view(x.shape)


def mask_from_blur(
    x: Tensor,
    window: Window,
    sigma: float = 0.3,
    thresh: float = 0.05,
    remove_max: bool = True,  # noqa: FBT001  # the known signature
) -> Tensor:
    """Where something is: the picture seen through a window, blurred, above a threshold.

    Args:
        x: Values `(..., h, w)`.
        window: The window.
        sigma: Deviation of the blur, as a fraction of the width.
        thresh: From which brightness on.
        remove_max: Whether what is at the upper edge of the window, such as bone, counts as dark.
    """
    seen = windowed(x, window)
    if remove_max:
        seen[seen == 1] = 0
    return gauss_blur2d(seen, s=sigma * x.shape[-1]) > thresh


def mask2bbox(mask: Tensor) -> Tensor:
    """The box of what is True: left, top, right, bottom in pixels, `(..., h, w)` to `(..., 4)`.

    The box of a mask without anything is the whole picture.

    Example:
        >>> mask = torch.zeros(4, 6, dtype=torch.bool)
        >>> mask[1:3, 2:6] = True
        >>> mask2bbox(mask).tolist()
        [2, 1, 6, 3]
    """
    mask = mask | ~mask.flatten(-2).any(-1)[..., None, None]
    edges = []
    for axis in (-2, -1):
        line = mask.any(axis).int()
        n = line.shape[-1]
        edges.append((line.argmax(-1), n - line.flip(-1).argmax(-1)))
    (left, right), (top, bottom) = edges
    return torch.stack([left, top, right, bottom], -1)


def crop_resize(x: Tensor, crops: Tensor, new_sz: int | tuple[int, int]) -> Tensor:
    """Cut a box out of each picture and bring it to a size.

    Args:
        x: `(b, c, h, w)`, float.
        crops: A box for each, `(b, 4)` as of `mask2bbox`.
        new_sz: Pixels of the result, one number or (height, width).

    Example:
        >>> crop_resize(torch.rand(2, 1, 40, 60), torch.tensor([[10, 0, 50, 40]] * 2), 20).shape
        torch.Size([2, 1, 20, 20])
    """
    size = (new_sz, new_sz) if isinstance(new_sz, int) else new_sz
    scale = torch.tensor([x.shape[-1], x.shape[-2]] * 2, device=x.device)
    left, top, right, bottom = (crops.to(x.device) / scale * 2 - 1).unbind(-1)
    return warp(x, crop_matrix(left, top, right, bottom), size, pad_mode="border")


def zoom(x: Tensor, to: float | tuple[int, int]) -> Tensor:
    """Bring pictures to another size: `(..., h, w)` to `(..., h', w')`.

    Args:
        x: The pictures.
        to: A factor, or (height, width).

    Example:
        >>> zoom(torch.zeros(3, 10, 20), 0.5).shape, zoom(torch.zeros(10, 20), (8, 8)).shape
        (torch.Size([3, 5, 10]), torch.Size([8, 8]))
    """
    height, width = x.shape[-2:]
    size = to if isinstance(to, tuple) else (round(height * to), round(width * to))
    flat = x.float().reshape(1, -1, height, width)
    return F.interpolate(flat, size=size, mode="bilinear", antialias=True).view(
        *x.shape[:-2], *size
    )
