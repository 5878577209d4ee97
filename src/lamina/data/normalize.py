"""Pixels to floats, and floats to zero mean and unit deviation per channel; and back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from lamina.data.transform import Transform, decodes, encodes, setups
from lamina.foundation.errors import ContractError, DataError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.tensor.types import TensorImage, TensorMask

__all__ = ["IntToFloatTensor", "Normalize", "broadcast_vec"]

_EPS = 1e-7  # added to a deviation taken from data, so that a constant channel does not divide by 0


@savable
@dataclass
class IntToFloatTensor(Transform):
    """Images of pixel values to floats between 0 and 1, and masks to class indices.

    Args:
        div: the value that becomes 1.
        div_mask: what mask values are divided by, such as 255 for a mask of 0 and 255.

    Example:
        >>> x = TensorImage(torch.tensor([0, 255], dtype=torch.uint8))
        >>> IntToFloatTensor()(x)
        TensorImage([0., 1.])
    """

    div: float = 255.0
    div_mask: int = 1
    order: ClassVar[int] = 10

    @encodes
    def _image(self, x: TensorImage) -> TensorImage:
        return type(x).wrap(x.as_subclass(Tensor) / self.div, like=x)

    @encodes
    def _mask(self, x: TensorMask) -> TensorMask:
        ids = x.as_subclass(Tensor).long()
        return type(x).wrap(ids if self.div_mask == 1 else ids // self.div_mask, like=x)

    @decodes
    def _pixels(self, x: TensorImage) -> TensorImage:
        if not x.is_floating_point():
            return x
        return type(x).wrap((x.clamp(0, 1) * self.div).round().to(torch.uint8), like=x)


@savable
@dataclass
class Normalize(Transform):
    """Give each channel of images zero mean and unit deviation; all else passes untouched.

    Without statistics it takes those of one batch when it is set up with a loader.

    Shapes: `(..., channels, height, width)` to the same, for one image or a batch.

    Args:
        mean: the mean of each channel, shaped to broadcast against a batch; see `from_stats`.
        std: the standard deviation, likewise.
        axes: the dimensions of a batch over which statistics are taken.

    Example:
        >>> tfm = Normalize.from_stats([0.5], [0.25])
        >>> tfm(TensorImage([[[[0.5, 1.0]]]]))
        TensorImage([[[[0., 2.]]]])
        >>> tfm.decode(tfm(TensorImage([[[[0.5, 1.0]]]])))
        TensorImage([[[[0.5000, 1.0000]]]])
    """

    mean: Tensor | None = None
    std: Tensor | None = None
    axes: Sequence[int] = (0, 2, 3)
    order: ClassVar[int] = 99

    @classmethod
    def from_stats(
        cls,
        mean: Sequence[float] | Tensor,
        std: Sequence[float] | Tensor,
        dim: int = 1,
        ndim: int = 4,
        *,
        device: torch.device | str | None = None,
    ) -> Self:
        """Make it from statistics per channel.

        Args:
            mean: the mean of each channel, in the range of the images.
            std: the standard deviation of each channel.
            dim: the dimension of the channels in a batch.
            ndim: the number of dimensions of a batch.
            device: where to keep them; they follow the images in any case.
        """
        means, stds = broadcast_vec(dim, ndim, mean, std, device=device)
        return cls(means, stds)

    @setups
    def _from_batch(self, items: Any) -> None:
        if self.mean is not None and self.std is not None:
            return
        if not hasattr(items, "one_batch"):
            raise ContractError(
                f"Normalize: it has no statistics and cannot take them from "
                f"{type(items).__name__}. Set it up with a loader, or use Normalize.from_stats."
            )
        x = _first_image(items.one_batch()).as_subclass(Tensor).float()
        axes = tuple(self.axes)
        self.mean = x.mean(axes, keepdim=True)
        self.std = x.std(axes, keepdim=True) + _EPS

    @encodes
    def _image(self, x: TensorImage) -> TensorImage:
        mean, std = self._stats(x)
        return type(x).wrap((x.as_subclass(Tensor) - mean).div_(std), like=x)

    @decodes
    def _undo(self, x: TensorImage) -> TensorImage:
        mean, std = self._stats(x)
        return type(x).wrap((x.as_subclass(Tensor) * std).add_(mean), like=x)

    def to(self, device: torch.device | str) -> Self:
        """Move the statistics to a device."""
        if self.mean is not None and self.std is not None:
            self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    def _stats(self, x: TensorImage) -> tuple[Tensor, Tensor]:
        """Return the statistics where, and as what, the image is."""
        if self.mean is None or self.std is None:
            raise ContractError(
                "Normalize: it has no statistics. Set it up with a loader, or use "
                "Normalize.from_stats(mean, std)."
            )
        if self.mean.device != x.device:
            self.to(x.device)
        mean, std = self.mean, self.std
        if x.is_floating_point() and x.dtype != mean.dtype:
            mean, std = mean.to(x.dtype), std.to(x.dtype)
        if (extra := mean.ndim - x.ndim) > 0:  # a single image: without the dimension of the batch
            mean, std = mean.reshape(mean.shape[extra:]), std.reshape(std.shape[extra:])
        _check_shape(x, mean)
        return mean, std


@strict
def broadcast_vec(
    dim: int,
    ndim: int,
    *vectors: Sequence[float] | Tensor,
    device: torch.device | str | None = None,
) -> list[Tensor]:
    """Shape vectors so that they lie along one dimension of larger tensors.

    Args:
        dim: the dimension along which they lie.
        ndim: the number of dimensions.
        vectors: what to shape.
        device: where to put the results.

    Example:
        >>> [tuple(t.shape) for t in broadcast_vec(1, 4, [0.5, 0.5, 0.5])]
        [(1, 3, 1, 1)]
    """
    shape = [1] * ndim
    shape[dim] = -1
    made = (torch.as_tensor(v, dtype=torch.float32, device=device) for v in vectors)
    return [vector.reshape(shape) for vector in made]


def _check_shape(x: Tensor, mean: Tensor) -> None:
    """Refuse statistics that would silently make a gray image coloured."""
    pairs = zip(mean.shape, x.shape[x.ndim - mean.ndim :], strict=True)
    if any(of_mean not in (1, of_x) for of_mean, of_x in pairs):
        raise DataError(
            f"Normalize: statistics of shape {tuple(mean.shape)} do not fit images of shape "
            f"{tuple(x.shape)}. Give one mean and std per channel, or none, which takes them "
            "from a batch."
        )


def _first_image(batch: Any) -> TensorImage:
    """Find the first image in a batch, which may be nested."""
    for part in _leaves(batch):
        if isinstance(part, TensorImage):
            return part
    kinds = ", ".join(type(part).__name__ for part in _leaves(batch))
    raise DataError(
        f"Normalize: no TensorImage in the batch, only {kinds or 'nothing'}. It needs images to "
        "take statistics from; leave it out for other data."
    )


def _leaves(batch: Any) -> Iterable[Any]:
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, list | tuple):
        return [leaf for part in batch for leaf in _leaves(part)]
    return [batch]
