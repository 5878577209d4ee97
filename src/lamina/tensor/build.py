"""Make tensors from whatever holds numbers: scalars, lists, arrays, images, columns of a frame."""

from typing import Any

import numpy as np
import torch

__all__ = ["tensor"]


def tensor(
    x: Any, *rest: Any, dtype: torch.dtype | None = None, device: torch.device | str | None = None
) -> torch.Tensor:
    """Make a tensor from a number, a list, an array, a data frame or series, or another tensor.

    A tensor comes back as it is. An array shares its memory where PyTorch can read it in place.
    Double precision becomes single and uint16 becomes float, unless `dtype` says otherwise.

    Args:
        x: what to convert; an object with `.values` or `.__array__` counts as an array.
        rest: further numbers, so that `tensor(1, 2, 3)` is `tensor([1, 2, 3])`.
        dtype: the type of the elements; None keeps that of `x`.
        device: where to put the result; None leaves a tensor where it is.

    Example:
        >>> tensor(1, 2, 3)
        tensor([1, 2, 3])
        >>> tensor(np.array([0.5, 1.5])).dtype
        torch.float32
    """
    if rest:
        x = (x, *rest)
    out = _convert(x)
    if dtype is None and out.dtype is torch.float64 and not isinstance(x, torch.Tensor):
        dtype = torch.float32
    return out if dtype is None and device is None else out.to(device=device, dtype=dtype)


def _convert(x: Any) -> torch.Tensor:
    """Convert without a change of precision, except where PyTorch lacks the type."""
    if isinstance(x, torch.Tensor):
        return x
    if isinstance(x, (list, tuple)):
        return _from_sequence(x)
    if isinstance(x, (bool, int, float, complex)):
        return torch.tensor(x)
    if hasattr(x, "__array__") or hasattr(x, "__array_interface__"):
        return _from_array(np.asarray(x))
    return torch.tensor(x)


def _from_sequence(x: list[Any] | tuple[Any, ...]) -> torch.Tensor:
    """Stack tensors or arrays, or read numbers."""
    if x and all(isinstance(item, torch.Tensor) for item in x):
        return torch.stack(list(x))
    if x and all(isinstance(item, np.ndarray) for item in x):
        return _from_array(np.stack(x))
    return torch.tensor(x)


def _from_array(array: np.ndarray) -> torch.Tensor:
    """Share an array's memory, or copy it when it is read-only or runs backwards."""
    if array.dtype == np.uint16:
        array = array.astype(np.float32)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or any(step < 0 for step in array.strides):
        array = array.copy()
    return torch.from_numpy(array)
