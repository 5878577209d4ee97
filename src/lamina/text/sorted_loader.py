"""A loader that puts texts of like length together, so that batches need little padding."""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import torch

from lamina.data.datasets import Datasets
from lamina.data.loading.options import LoaderOptions
from lamina.data.tfmd_loader import TfmdDL
from lamina.foundation.errors import DataError
from lamina.tensor.random import generator

__all__ = ["SortedDL"]

_BUCKET = 50  # batches whose texts are sorted together

SizeOf = Callable[[Any], int]


class SortedDL(TfmdDL):
    """A loader whose batches hold items of like length.

    Without `shuffle`, items come from the longest to the shortest. With it, items are shuffled and
    sorted within runs of 50 batches, the batches are shuffled again, and that with the longest item
    comes first, so that memory that does not suffice is found out at once. `get_preds` of a
    learner gives predictions in the order of the items all the same.

    Args:
        dataset: The items.
        bs: Items per batch.
        sort_func: The length of an item; None takes that of its first element.
        res: The length of every item, if they are known; they are then not made to find out.
        shuffle: See above.
        drop_last: Leave out an incomplete last batch, unless it is the only one.
        num_workers: Worker processes.
        seed: Where randomness starts; None follows `set_seed`.
        device: Where batches go before `after_batch`.
        do_setup: Whether to set the pipelines up.
        options: See `LoaderOptions`.

    Attributes:
        res: The length of every item.

    Raises:
        DataError: The lengths do not fit the items.

    Example:
        >>> texts = [torch.zeros(n, dtype=torch.long) for n in (2, 5, 3, 3)]
        >>> [len(x[0]) for x in SortedDL(texts, bs=1)]
        [5, 3, 3, 2]

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Text".
    """

    def __init__(  # noqa: PLR0913 - a loader's settings and the lengths
        self,
        dataset: Any,
        bs: int = 64,
        *,
        sort_func: SizeOf | None = None,
        res: Sequence[int] | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        num_workers: int = 0,
        seed: int | None = None,
        device: torch.device | str | None = None,
        do_setup: bool = True,
        **options: Unpack[LoaderOptions],
    ) -> None:
        self.sort_func = sort_func
        self.res: list[int] = _sizes(dataset, sort_func) if res is None else list(res)
        if len(self.res) != len(dataset):
            raise DataError(
                f"SortedDL: {len(self.res)} lengths for {len(dataset)} items. Give one per item, "
                "or none, which looks for itself."
            )
        super().__init__(
            dataset,
            bs,
            shuffle=shuffle,
            drop_last=drop_last,
            num_workers=num_workers,
            seed=seed,
            device=device,
            do_setup=do_setup,
            **options,
        )

    @property
    def item_order(self) -> list[int] | None:
        """Which item comes when in a pass that is not shuffled; None if its order is another."""
        is_own = "get_idxs" not in vars(self) and not (self.shuffle or self.drop_last)
        return list(self.get_idxs() or ()) if is_own else None

    def get_idxs(self) -> Sequence[Any] | None:
        """Return the items from the longest to the shortest, or in buckets of like length."""
        idxs = list(range(self.n or 0))
        return self.shuffle_fn(idxs) if self.shuffle else self._longest_first(idxs)

    def shuffle_fn(self, idxs: Sequence[Any]) -> Sequence[Any]:
        """Shuffle items so that those of a batch are of like length, the longest batch first."""
        if not idxs:
            return idxs
        bs = self.bs or 1
        order = [idxs[i] for i in torch.randperm(len(idxs), generator=generator()).tolist()]
        buckets = [order[i : i + _BUCKET * bs] for i in range(0, len(order), _BUCKET * bs)]
        batches = [
            bucket[i : i + bs]
            for bucket in map(self._longest_first, buckets)
            for i in range(0, len(bucket), bs)
        ]
        rest = batches.pop() if len(batches[-1]) < bs and len(batches) > 1 else []
        longest = max(range(len(batches)), key=lambda i: self.res[batches[i][0]])
        first = batches.pop(longest)
        others = torch.randperm(len(batches), generator=generator()).tolist()
        return [i for batch in (first, *(batches[j] for j in others), rest) for i in batch]

    def new(self, dataset: Any = None, cls: type | None = None, **overrides: Any) -> Any:
        """Make a loader with the same settings, except for what is given; see `DataLoader.new`.

        Args:
            dataset: Other items.
            cls: Another class of loader.
            overrides: Settings that differ.
        """
        if dataset is not None and dataset is not self.dataset:
            overrides.setdefault("res", None)
        return super().new(dataset, cls, **overrides)

    def _longest_first(self, idxs: Sequence[int]) -> list[int]:
        return sorted(idxs, key=lambda i: -self.res[i])


def _sizes(dataset: Any, sort_func: SizeOf | None) -> list[int]:
    """Find out the length of every item."""
    if sort_func is not None:
        return [sort_func(dataset[i]) for i in range(len(dataset))]
    if isinstance(dataset, Datasets):  # targets need not be made for that
        dataset = dataset.tls[0]
    items = (dataset[i] for i in range(len(dataset)))
    return [len(item[0] if isinstance(item, tuple) else item) for item in items]
