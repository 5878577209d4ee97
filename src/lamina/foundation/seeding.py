"""Counted randomness: every random stream is derived from one seed and a path of keys.

Nothing here touches the global state of `random`, numpy or torch. A `Randomness` is a node of a
tree: `child(*keys)` derives an independent node, so what item 7 of epoch 3 sees depends on the seed
and on those two numbers alone, never on how many workers ran or in which order.
"""

from contextvars import ContextVar, Token
from hashlib import blake2b
from random import Random
from secrets import randbits
from types import TracebackType
from typing import Any

__all__ = ["Randomness", "base_seed", "current", "derive", "is_active", "set_base_seed", "using"]

_MASK = (1 << 64) - 1


def derive(seed: int, *keys: int | str) -> int:
    """Derive a 64-bit seed from a seed and keys, the same in every process and version.

    Args:
        seed: the parent's seed; its low 64 bits count.
        keys: the path below it; `1` and `"1"` are different keys.

    Example:
        >>> derive(42, "epoch", 3) == derive(42, "epoch", 3) != derive(42, "epoch", 4)
        True
        >>> derive(0, 1) != derive(0, "1")
        True
    """
    parts = [(seed & _MASK).to_bytes(8, "little")]
    for key in keys:
        # The kind and the length come first, so that no two paths have the same bytes.
        text = f"s{len(key)}:{key}" if isinstance(key, str) else f"i{int(key)};"
        parts.append(text.encode("utf-8", "surrogatepass"))
    return int.from_bytes(blake2b(b"".join(parts), digest_size=8).digest(), "little")


class Randomness:
    """A node in the tree of random streams.

    Args:
        seed: the seed of this node.

    Attributes:
        seed: the seed of this node.
        cache: a slot where higher rungs keep generators made from the seed (numpy's, torch's).

    Example:
        >>> r = Randomness(42)
        >>> r.child("flip", 0).python.random() == Randomness(42).child("flip", 0).python.random()
        True
    """

    __slots__ = ("_cache", "_python", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._python: Random | None = None
        self._cache: dict[str, Any] | None = None

    @property
    def python(self) -> Random:
        """The node's generator for plain Python, made at first use."""
        if self._python is None:
            # Statistical, not cryptographic, use.
            self._python = Random(self.seed)
        return self._python

    @property
    def cache(self) -> dict[str, Any]:
        """A dict for generators that higher rungs make from the seed."""
        if self._cache is None:
            self._cache = {}
        return self._cache

    def child(self, *keys: int | str) -> "Randomness":
        """Return the independent node that the keys name below this one."""
        return Randomness(derive(self.seed, *keys))

    def __repr__(self) -> str:
        return f"Randomness({self.seed})"


class using:  # noqa: N801 - used like a function
    """Make a `Randomness` the current one inside a `with` block.

    Example:
        >>> with using(Randomness(1)) as r:
        ...     current() is r
        True
    """

    __slots__ = ("_randomness", "_token")

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness
        self._token: Token[Randomness | None] | None = None

    def __enter__(self) -> Randomness:
        self._token = _current.set(self._randomness)
        return self._randomness

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None


class _Process:
    """The seed and the root node of this process, filled at first use."""

    seed: int | None = None
    root: Randomness | None = None


_current: ContextVar[Randomness | None] = ContextVar("lamina_randomness", default=None)
_process = _Process()


def current() -> Randomness:
    """Return the active `Randomness`; outside every `using` block, the one of the process.

    Example:
        >>> current() is current()
        True
    """
    if (active := _current.get()) is not None:
        return active
    if _process.root is None:
        _process.root = Randomness(base_seed())
    return _process.root


def is_active() -> bool:
    """Tell whether a `using` block is active, so that someone has chosen the randomness.

    Example:
        >>> with using(Randomness(1)):
        ...     is_active()
        True
        >>> is_active()
        False
    """
    return _current.get() is not None


def set_base_seed(seed: int | None) -> None:
    """Set the seed of the process and start its stream anew; None takes fresh entropy.

    Example:
        >>> set_base_seed(42)
        >>> base_seed()
        42
        >>> set_base_seed(None)
    """
    _process.seed = seed
    _process.root = None


def base_seed() -> int:
    """Return the seed of the process; if none was set, one is drawn once and kept."""
    if _process.seed is None:
        _process.seed = randbits(63)
    return _process.seed
