"""The plan of one pass over a data set: which sample goes into which batch, with which randomness.

Everything follows from the seed, the epoch and the list of samples, so any worker can make any
batch, and makes the same one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Any, overload

from torch import Tensor

from lamina.foundation.seeding import Randomness, derive

__all__ = [
    "Late",
    "Order",
    "Plan",
    "SkipReport",
    "Skipped",
    "chunked",
    "count_repeats",
    "n_batches",
    "shuffled",
]


class Order(Sequence[int]):
    """Indices kept as a tensor, which fetches many rows of tensors at once.

    Args:
        tensor: the indices.

    Example:
        >>> import torch
        >>> order = Order(torch.tensor([2, 0, 1]))
        >>> order[0], list(order[1:])
        (2, [0, 1])
    """

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    @overload
    def __getitem__(self, i: int) -> int: ...

    @overload
    def __getitem__(self, i: slice) -> "Order": ...

    def __getitem__(self, i: int | slice) -> "int | Order":
        return Order(self.tensor[i]) if isinstance(i, slice) else int(self.tensor[i])

    def __iter__(self) -> Iterator[int]:
        return iter(self.tensor.tolist())

    def __len__(self) -> int:
        return len(self.tensor)

    def __repr__(self) -> str:
        return f"Order({self.tensor.tolist()})"


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that a transform dropped by raising `SkipItem`.

    Args:
        index: its index in the data set; in a stream, its position.
        item: what it is made from, where the data set tells.
        reason: the text of the `SkipItem`.
    """

    index: object
    item: str
    reason: str


class SkipReport(list[Skipped]):
    """What a pass skipped, in order; prints how often for which reason.

    Example:
        >>> SkipReport([Skipped(3, "a.jpg", "too dark"), Skipped(5, "b.jpg", "too dark")])
        2 items skipped: 2 x too dark
    """

    def __repr__(self) -> str:
        counts = Counter(skip.reason or "no reason given" for skip in self).most_common()
        listed = ", ".join(f"{n} x {reason}" for reason, n in counts)
        return f"{len(self)} items skipped{': ' if self else ''}{listed}"


class Late(Randomness):
    """A `Randomness` that derives its seed when somebody draws: most items never do.

    Args:
        keys: what `derive` takes.
    """

    __slots__ = ("_keys",)

    def __init__(self, *keys: Any) -> None:
        self._keys = keys
        self._python = None
        self._cache = None

    @property
    def seed(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride] - only read
        """The seed that the keys give."""
        return derive(*self._keys)


@dataclass(slots=True)
class Plan:
    """What one pass does.

    Args:
        seed: the loader's seed.
        epoch: the number of the pass.
        idxs: the samples in order; None for a stream.
        bs: samples per batch; None if every sample is a batch.
        repeats: for each position how often its sample came before; None if none comes twice.
        worker: which worker carries it out.
        n_workers: how many share the work.
        first: the number of the batch to begin with.
        rank: which of the processes that share a stream this is.
        world: how many processes share it.
        skipped: what this worker skipped since it was last asked.
    """

    seed: int
    epoch: int
    idxs: Sequence[Any] | None
    bs: int | None
    repeats: Sequence[int] | None = None
    worker: int = 0
    n_workers: int = 1
    first: int = 0
    rank: int = 0
    world: int = 1
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Samples per batch."""
        return 1 if self.bs is None else self.bs

    def number(self, k: int) -> int:
        """Return the number, in the whole pass, of this worker's batch `k`."""
        return self.first + self.worker + k * self.n_workers

    def is_turn(self, position: int) -> bool:
        """Tell whether the sample at a position belongs to this worker."""
        turn = position // self.size - self.first
        return turn >= 0 and turn % self.n_workers == self.worker

    def randomness(self, kind: str, *keys: int | str) -> Randomness:
        """Return the source of randomness for one thing of this pass."""
        return Late(self.seed, kind, self.epoch, *keys)

    def item_randomness(self, sample: object, position: int) -> Randomness:
        """Return that of an item: the same wherever it comes in the pass, new if it comes again."""
        key = sample if self.idxs is not None and isinstance(sample, int) else position
        again = self.repeats[position] if self.repeats is not None else 0
        return self.randomness("item", key, again) if again else self.randomness("item", key)


def n_batches(n: int, bs: int | None, *, drop_last: bool) -> int:
    """Return how many batches `n` items give.

    Args:
        n: the number of items.
        bs: items per batch; None if every item is a batch.
        drop_last: leave out an incomplete last batch, unless it is the only one.

    Example:
        >>> n_batches(10, 4, drop_last=False), n_batches(10, 4, drop_last=True)
        (3, 2)
        >>> n_batches(3, 4, drop_last=True)
        1
    """
    if bs is None:
        return n
    return n // bs if drop_last and n >= bs else -(-n // bs)


def chunked(samples: Iterable[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut samples into runs of `size`; the last may be shorter.

    Example:
        >>> list(chunked(range(5), 2))
        [range(0, 2), range(2, 4), range(4, 5)]
    """
    if isinstance(samples, Sequence):
        yield from (samples[i : i + size] for i in range(0, len(samples), size))
        return
    iterator = iter(samples)
    while chunk := list(islice(iterator, size)):
        yield chunk


def count_repeats(idxs: Sequence[Any]) -> list[int] | None:
    """Count for each position how often its sample came before; None if none comes twice.

    Example:
        >>> count_repeats([5, 7, 5, 5])
        [0, 0, 1, 2]
        >>> count_repeats([5, 7]) is None
        True
    """
    seen: dict[Any, int] = {}
    counts: list[int] = []
    for i in idxs:
        counts.append(seen.get(i, 0))
        seen[i] = counts[-1] + 1
    return counts if len(seen) < len(counts) else None


def shuffled(elements: Iterable[Any], size: int, rng: Random) -> Iterator[Any]:
    """Give the elements of a stream in a random order, with at most `size` of them in memory.

    Args:
        elements: the stream.
        size: how many to choose the next one from.
        rng: decides.

    Example:
        >>> sorted(shuffled(range(10), 4, Random(1))) == list(range(10))
        True
    """
    iterator = iter(elements)
    buffer = list(islice(iterator, size))
    for x in iterator:
        i = rng.randrange(size)
        yield buffer[i]
        buffer[i] = x
    rng.shuffle(buffer)
    yield from buffer
