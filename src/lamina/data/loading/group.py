"""Loaders that belong together, training first, and go to devices together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import torch

from lamina.data.loader import DataLoader
from lamina.data.loading.plain import PlainLoader
from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.tensor.device import default_device, parse_device

__all__ = ["LoaderGroup"]


@strict
class LoaderGroup:
    """A training loader and those for validation; see `DataLoaders`, which adds the verbs."""

    def __init__(
        self, *loaders: Any, path: str | Path = ".", device: torch.device | str | None = None
    ) -> None:
        if not loaders:
            raise ContractError("DataLoaders: no loader given. Give at least the training loader.")
        self.loaders: list[Any] = [_as_loader(loader) for loader in loaders]
        self.path = Path(path)
        given = self.loaders[0].device if device is None else parse_device(device)
        self.to(given or default_device())

    @property
    def train(self) -> Any:
        """The training loader."""
        return self.loaders[0]

    @property
    def valid(self) -> Any:
        """The first validation loader.

        Raises:
            ContractError: there is none.
        """
        if len(self.loaders) < 2:
            raise ContractError("DataLoaders: there is no validation loader. Give a second one.")
        return self.loaders[1]

    @property
    def train_ds(self) -> Any:
        """The data set of the training loader."""
        return self.train.dataset

    @property
    def valid_ds(self) -> Any:
        """The data set of the first validation loader."""
        return self.valid.dataset

    def gather(self, name: str, default: Any = None) -> Any:
        """Look an attribute up in the transforms of the training loader.

        Args:
            name: the attribute.
            default: returned if no transform has it.
        """
        look_up = getattr(self.train, "gather", None)
        return default if look_up is None else look_up(name, default)

    def to(self, device: torch.device | str) -> Self:
        """Send the batches of all loaders to a device.

        Args:
            device: a device or its name.
        """
        self.device = parse_device(device)
        for loader in self.loaders:
            loader.to(self.device)
        return self

    def cuda(self) -> Self:
        """Send the batches of all loaders to the first CUDA device."""
        return self.to("cuda")

    def cpu(self) -> Self:
        """Send the batches of all loaders to the CPU."""
        return self.to("cpu")

    def one_batch(self) -> Any:
        """Return a batch of the training loader."""
        return self.train.one_batch()

    def __getitem__(self, i: int) -> Any:
        return self.loaders[i]

    def __len__(self) -> int:
        return len(self.loaders)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.loaders)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.loaders))}, {self.device})"


def _as_loader(loader: Any) -> Any:
    return loader if isinstance(loader, DataLoader | PlainLoader) else PlainLoader(loader)
