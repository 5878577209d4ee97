"""Put items together into one batch."""

from collections.abc import Callable, MutableMapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from lamina.foundation.collections import L
from lamina.foundation.errors import CollateError
from lamina.tensor.build import tensor
from lamina.tensor.tree import rebuild
from lamina.tensor.types import TensorBase

__all__ = ["collate"]

_SEQUENCES = (tuple, list, L)


def collate(items: Sequence[Any]) -> Any:
    """Put items of the same structure together: tensors are stacked, containers keep their form.

    A stacked tensor keeps the semantic type and `meta` of the first item. Numbers and arrays become
    tensors (uint8 stays uint8, double precision becomes single); strings, bytes, paths and None
    become lists.

    Args:
        items: the items of one batch.

    Raises:
        CollateError: the items differ in size or structure, or are of a type that has no batch.

    Example:
        >>> collate([(torch.zeros(3), 1, "a"), (torch.ones(3), 2, "b")])
        (tensor([[0., 0., 0.], [1., 1., 1.]]), tensor([1, 2]), ['a', 'b'])
    """
    if not items:
        raise CollateError("collate: there are no items. Give at least one.")
    return _collate(list(items), "")


def _collate(items: list[Any], field: str) -> Any:
    """Collate the items, or one field of them, named for messages as `0.mask`."""
    first = items[0]
    if isinstance(first, Tensor):
        return _stack(items, field)
    for kinds, collate_kind in _KINDS:
        if isinstance(first, kinds):
            _check_same_kind(items, kinds, field)
            return collate_kind(items, field)
    raise CollateError(_no_batch(items, field))


def _stack(items: list[Any], field: str) -> Tensor:
    """Stack tensors, inside a worker process straight into memory shared with the parent."""
    first = items[0]
    _check_same_kind(items, Tensor, field)
    try:
        stacked = torch.stack(items, out=_shared_memory(items))
    except RuntimeError:
        if any(item.shape != first.shape for item in items):
            raise CollateError(_unequal_sizes(items, field)) from None
        raise
    return type(first).wrap(stacked, like=first) if isinstance(first, TensorBase) else stacked


def _shared_memory(items: list[Tensor]) -> Tensor | None:
    """In a worker process, make room for the batch where the parent can read it uncopied."""
    first = items[0]
    if get_worker_info() is None or any(item.dtype is not first.dtype for item in items):
        return None
    n_bytes = len(items) * first.numel() * first.element_size()
    storage = first.untyped_storage()._new_shared(n_bytes, device=str(first.device))
    flat = torch.empty(0, dtype=first.dtype, device=first.device).set_(storage)
    return flat.view(len(items), *first.shape)


def _stack_arrays(items: list[Any], field: str) -> Tensor:
    return _stack([tensor(item) for item in items], field)


def _join_numbers(items: list[Any], _field: str) -> Tensor:
    return tensor(items)


def _list(items: list[Any], _field: str) -> list[Any]:
    return items


def _collate_sequences(items: list[Any], field: str) -> Any:
    """Collate tuples or lists position by position."""
    first = items[0]
    for i, item in enumerate(items):
        if len(item) != len(first):
            raise CollateError(
                f"Cannot collate {_place(field)}: item 0 has {len(first)} parts, item {i} has "
                f"{len(item)}. Make every item the same tuple, or pad in before_batch."
            )
    columns = zip(*items, strict=True)
    return rebuild(first, [_collate(list(c), _join(field, i)) for i, c in enumerate(columns)])


def _collate_mappings(items: list[Any], field: str) -> Any:
    """Collate dicts key by key."""
    first = items[0]
    for i, item in enumerate(items):
        if item.keys() != first.keys():
            odd = sorted(map(repr, item.keys() ^ first.keys()))
            raise CollateError(
                f"Cannot collate {_place(field)}: only one of item 0 and item {i} has "
                f"{', '.join(odd)}. Give every item the same keys."
            )
    return rebuild(first, [_collate([x[key] for x in items], _join(field, key)) for key in first])


_KINDS: tuple[tuple[Any, Callable[[list[Any], str], Any]], ...] = (
    ((str, bytes, PurePath, type(None)), _list),
    ((np.ndarray, np.generic), _stack_arrays),
    ((int, float, complex), _join_numbers),
    (_SEQUENCES, _collate_sequences),
    (MutableMapping, _collate_mappings),
)


def _check_same_kind(items: list[Any], kinds: Any, field: str) -> None:
    """Refuse items of another kind than the first."""
    for i, item in enumerate(items):
        if not isinstance(item, kinds):
            raise CollateError(
                f"Cannot collate {_place(field)}: item 0 is a {type(items[0]).__name__}, item {i} "
                f"is a {type(item).__name__}. Make every item give the same type."
            )


def _unequal_sizes(items: list[Any], field: str) -> str:
    """Word the error for tensors that do not have one size."""
    first = items[0]
    i = next(i for i, item in enumerate(items) if item.shape != first.shape)
    kind = type(first).__name__
    what = f"{_place(field)} ({kind}) of {len(items)} items" if field else f"{len(items)} {kind}s"
    cure = (
        "Add a transform that makes all sizes equal, for example item_tfms=Resize(224)."
        if first.ndim >= 2
        else "Pad them to one length in before_batch."
    )
    return (
        f"Cannot stack {what}: item 0 is {tuple(first.shape)}, "
        f"item {i} is {tuple(items[i].shape)}. {cure}"
    )


def _no_batch(items: list[Any], field: str) -> str:
    """Word the error for a type that has no batch."""
    first = items[0]
    is_image = any(base.__module__.partition(".")[0] == "PIL" for base in type(first).__mro__)
    cure = (
        "Add ToTensor to item_tfms, which turns images into tensors."
        if is_image
        else "Add a transform that turns it into a tensor, or give the loader a create_batch of "
        "your own."
    )
    kind = type(first).__name__
    return f"Cannot collate {_place(field)}: items of type {kind} have no batch. {cure}"


def _place(field: str) -> str:
    return f"field {field}" if field else "the items"


def _join(field: str, key: object) -> str:
    return f"{field}.{key}" if field else str(key)
