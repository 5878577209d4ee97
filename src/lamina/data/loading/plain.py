"""Any iterable of batches as a loader."""

from collections.abc import Iterator
from typing import Any, Self

import torch

from lamina.data.items import Subsets
from lamina.foundation.errors import ContractError, DataError
from lamina.foundation.signatures import strict
from lamina.tensor.device import parse_device
from lamina.tensor.tree import to_device

__all__ = ["PlainLoader"]


@strict
class PlainLoader:
    """Gives the batches of a PyTorch loader, a list of batches, or the like, on a device.

    Args:
        source: gives tuples or dicts of tensors, each time it is gone through.
        device: where batches go; None leaves them.

    Raises:
        ContractError: it is not iterable, or only once.

    Example:
        >>> dl = PlainLoader([(torch.tensor([1]), torch.tensor([0]))])
        >>> len(dl), dl.one_batch()
        (1, (tensor([1]), tensor([0])))
    """

    def __init__(self, source: Any, device: torch.device | str | None = None) -> None:
        if isinstance(source, Iterator | Subsets) or not hasattr(source, "__iter__"):
            kind = type(source).__name__
            raise ContractError(
                f"DataLoaders: a {kind} cannot be gone through again and again, batch by batch. "
                "Give loaders or lists of batches; from_dsets makes loaders of data sets, list() a "
                "list of a generator."
            )
        self.source = source
        self.device = None if device is None else parse_device(device)

    @property
    def dataset(self) -> Any:
        """The data set behind the batches, if the source tells; else the source."""
        return getattr(self.source, "dataset", self.source)

    def to(self, device: torch.device | str) -> Self:
        """Send batches to another device from now on.

        Args:
            device: a device or its name.
        """
        self.device = parse_device(device)
        return self

    def set_epoch(self, epoch: int) -> None:
        """Tell the source's sampler the number of the pass, if it wants to know.

        Args:
            epoch: the number, from 0.
        """
        set_epoch = getattr(getattr(self.source, "sampler", None), "set_epoch", None)
        if set_epoch is not None:
            set_epoch(epoch)

    def one_batch(self) -> Any:
        """Return the first batch.

        Raises:
            DataError: there is none.
        """
        for batch in self:
            return batch
        raise DataError("DataLoaders: the loader gives no batch. Check the data set behind it.")

    def __iter__(self) -> Iterator[Any]:
        for batch in self.source:
            stays = self.device is None or _is_on(batch, self.device)
            yield batch if stays else to_device(batch, self.device)

    def __len__(self) -> int:
        return len(self.source)

    def __repr__(self) -> str:
        return f"PlainLoader({type(self.source).__name__})"


def _is_on(batch: Any, device: torch.device) -> bool:
    """Tell at little cost whether a tuple of tensors is on a device already."""
    if type(batch) is not tuple:
        return False
    return all(type(part) is torch.Tensor and part.device == device for part in batch)
