"""Tensors inside nested tuples, lists and dicts: apply, move, join, reorder.

The containers keep their class, and everything that is not a tensor is passed on untouched.
"""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError
from lamina.tensor.device import default_device, parse_device

__all__ = [
    "batch_to_samples",
    "find_bs",
    "find_device",
    "leaves",
    "map_tree",
    "nested_reorder",
    "rebuild",
    "to_concat",
    "to_cpu",
    "to_detach",
    "to_device",
    "to_float",
    "to_half",
    "to_np",
]

_SEQUENCES = (tuple, list, L)


def map_tree(fn: Callable[[Any], Any], x: Any, *, leaf: type | tuple[type, ...] = Tensor) -> Any:
    """Apply a function to every leaf of a type in nested tuples, lists and dicts.

    Args:
        fn: what to apply.
        x: one leaf, or containers of them.
        leaf: the types that count as leaves; anything else is returned as it is.

    Example:
        >>> map_tree(lambda t: t + 1, {"x": (torch.tensor(1), "text")})
        {'x': (tensor(2), 'text')}
    """
    if isinstance(x, leaf):
        return fn(x)
    if isinstance(x, _SEQUENCES):
        return rebuild(x, [map_tree(fn, item, leaf=leaf) for item in x])
    if isinstance(x, MutableMapping):
        return rebuild(x, [map_tree(fn, item, leaf=leaf) for item in x.values()])
    return x


def rebuild(like: Any, parts: Sequence[Any]) -> Any:
    """Put parts into a container of the class of `like` (with its keys, if it has keys).

    Example:
        >>> rebuild({"a": 1, "b": 2}, [3, 4])
        {'a': 3, 'b': 4}
    """
    if isinstance(like, MutableMapping):
        keyed = dict(zip(like, parts, strict=True))
        if type(like) is dict:
            return keyed
        out = copy(like)  # keeps what a special dict knows beside its items
        out.update(keyed)
        return out
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)


def leaves(x: Any, *, leaf: type | tuple[type, ...] = Tensor) -> Iterator[Any]:
    """Go through the leaves of a type in order.

    Example:
        >>> list(leaves({"a": [torch.tensor(1), "x"], "b": torch.tensor(2)}))
        [tensor(1), tensor(2)]
    """
    if isinstance(x, leaf):
        yield x
    elif isinstance(x, (*_SEQUENCES, MutableMapping)):
        for item in x.values() if isinstance(x, MutableMapping) else x:
            yield from leaves(item, leaf=leaf)


def to_device(
    x: Any, device: torch.device | str | None = None, *, non_blocking: bool = False
) -> Any:
    """Move every tensor to a device.

    Args:
        x: a tensor, or nested containers of tensors.
        device: where to; None takes the accelerator of the machine, or the CPU.
        non_blocking: do not wait for the copy, when the source is pinned memory.
    """
    target = default_device() if device is None else parse_device(device)
    return map_tree(lambda t: t.to(target, non_blocking=non_blocking), x)


def to_cpu(x: Any) -> Any:
    """Move every tensor to the CPU."""
    return map_tree(Tensor.cpu, x)


def to_np(x: Any) -> Any:
    """Turn every tensor into a NumPy array; bfloat16, which NumPy lacks, becomes float32.

    Example:
        >>> to_np((torch.tensor([1, 2]), "text"))
        (array([1, 2]), 'text')
    """
    return map_tree(_to_np, x)


def to_detach(x: Any, *, cpu: bool = True) -> Any:
    """Cut every tensor from its graph, and bring it to the CPU unless told not to.

    Args:
        x: a tensor, or nested containers of tensors.
        cpu: whether to move to the CPU as well.
    """
    return map_tree(lambda t: t.detach().cpu() if cpu else t.detach(), x)


def to_float(x: Any) -> Any:
    """Turn every floating-point tensor into float32; integers stay as they are."""
    return map_tree(lambda t: t.float() if t.is_floating_point() else t, x)


def to_half(x: Any) -> Any:
    """Turn every floating-point tensor into float16; integers stay as they are."""
    return map_tree(lambda t: t.half() if t.is_floating_point() else t, x)


def find_device(x: Any) -> torch.device:
    """Return the device of the first tensor.

    Raises:
        ContractError: there is no tensor.
    """
    return _first_tensor(x, "find_device").device


def find_bs(x: Any) -> int:
    """Return the batch size: the length of the first tensor.

    Raises:
        ContractError: there is no tensor, or it has no dimensions.

    Example:
        >>> find_bs({"text": ["a"], "x": torch.zeros(8, 3)})
        8
    """
    first = _first_tensor(x, "find_bs")
    if first.ndim == 0:
        raise ContractError(
            "find_bs: the first tensor is a single number. A batch has its items along dimension 0."
        )
    return first.shape[0]


def to_concat(xs: Sequence[Any], dim: int = 0) -> Any:
    """Join trees of the same structure, tensor by tensor.

    Args:
        xs: the trees, such as the outputs of several batches.
        dim: the dimension to join along.

    Returns:
        A tree like the first one; where sizes differ, and for what is not a tensor, a list.

    Raises:
        ContractError: there is nothing to join.

    Example:
        >>> to_concat([(torch.tensor([1]), ["a"]), (torch.tensor([2]), ["b"])])
        (tensor([1, 2]), ['a', 'b'])
    """
    if not xs:
        raise ContractError("to_concat: nothing to join. Give at least one tree of tensors.")
    first = xs[0]
    if isinstance(first, Tensor):
        return _concat(xs, dim)
    if isinstance(first, MutableMapping):
        return rebuild(first, [to_concat([x[key] for x in xs], dim) for key in first])
    if isinstance(first, _SEQUENCES) and any(True for _ in leaves(first)):
        return rebuild(first, [to_concat(parts, dim) for parts in zip(*xs, strict=True)])
    return [item for x in xs for item in x] if isinstance(first, _SEQUENCES) else list(xs)


def nested_reorder(x: Any, idxs: Any) -> Any:
    """Take the rows `idxs` of every tensor, in that order; lists and `L`s of other things as well.

    Args:
        x: tensors, or containers of tensors.
        idxs: integer indices, as a tensor or a list.

    Example:
        >>> nested_reorder((torch.tensor([10, 11, 12]), ["a", "b", "c"]), [2, 0, 1])
        (tensor([12, 10, 11]), ['c', 'a', 'b'])
    """
    order = torch.as_tensor(idxs)
    if isinstance(x, Tensor):
        return x[order.to(x.device)]
    if isinstance(x, (list, L)) and not any(True for _ in leaves(x)):
        return rebuild(x, [x[i] for i in order.tolist()])
    if isinstance(x, _SEQUENCES):
        return rebuild(x, [nested_reorder(item, order) for item in x])
    if isinstance(x, MutableMapping):
        return rebuild(x, [nested_reorder(item, order) for item in x.values()])
    return x


def batch_to_samples(b: Any, max_n: int = 10) -> list[Any]:
    """Cut a batch into its items, at most `max_n` of them.

    Args:
        b: one tensor, or containers of tensors and lists that are as long as the batch.
        max_n: the largest number of items to return.

    Example:
        >>> batch_to_samples((torch.tensor([1, 2]), {"name": ["a", "b"]}))
        [(tensor(1), {'name': 'a'}), (tensor(2), {'name': 'b'})]
    """
    return [_pick(b, i) for i in range(min(find_bs(b), max_n))]


def _pick(x: Any, i: int) -> Any:
    """Take item `i` of a batch."""
    if isinstance(x, Tensor):
        return x[i] if x.ndim else x
    if isinstance(x, MutableMapping):
        return rebuild(x, [_pick(item, i) for item in x.values()])
    if isinstance(x, _SEQUENCES):
        is_column = isinstance(x, list) and not any(True for _ in leaves(x))
        return x[i] if is_column else rebuild(x, [_pick(item, i) for item in x])
    return x


def _concat(xs: Sequence[Tensor], dim: int) -> Any:
    """Join tensors, or list their rows when they do not fit together."""
    if xs[0].ndim == 0:
        return torch.stack(list(xs)) if all(x.ndim == 0 for x in xs) else list(xs)
    sizes = {(*x.shape[:dim], *x.shape[dim + 1 :]) if dim >= 0 else x.shape[:dim] for x in xs}
    ranks = {x.ndim for x in xs}
    if len(sizes) == 1 and len(ranks) == 1:
        return torch.cat(list(xs), dim=dim)
    return [row for x in xs for row in x]


def _to_np(x: Tensor) -> np.ndarray:
    x = x.detach().cpu()
    return (x.float() if x.dtype is torch.bfloat16 else x).numpy()


def _first_tensor(x: Any, where: str) -> Tensor:
    """Return the first tensor, or explain what was found instead."""
    for found in leaves(x):
        return found
    raise ContractError(
        f"{where}: found no tensor in a {type(x).__name__}. Give a batch of tensors."
    )
