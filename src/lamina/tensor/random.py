"""Random tensors from the counted stream, and control of the global generators.

What the library draws comes from `generator`, which belongs to the current `Randomness`; the global
generators of `random`, NumPy and PyTorch are touched only where a user asks for it here.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from lamina.foundation.seeding import Randomness, base_seed, current, derive, set_base_seed

__all__ = [
    "bernoulli",
    "generator",
    "get_random_states",
    "no_random",
    "set_random_states",
    "set_seed",
    "uniform",
]


def generator(device: torch.device | str = "cpu") -> torch.Generator:
    """Return the PyTorch generator of the current `Randomness`, made at first use.

    Args:
        device: the device that it draws on.

    Example:
        >>> from lamina.foundation.seeding import using
        >>> with using(Randomness(42)):
        ...     a = torch.rand(2, generator=generator())
        >>> with using(Randomness(42)):
        ...     b = torch.rand(2, generator=generator())
        >>> a.equal(b)
        True
    """
    return _generator_of(current(), str(device))


def uniform(
    n: int | tuple[int, ...],
    lo: float = 0.0,
    hi: float = 1.0,
    *,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Draw uniformly from `[lo, hi)`.

    Args:
        n: how many, or a shape.
        lo: the lower end.
        hi: the upper end.
        device: the device to draw on.

    Example:
        >>> x = uniform(100, 2, 3)
        >>> bool(((x >= 2) & (x < 3)).all())
        True
    """
    return torch.rand(n, generator=generator(device), device=device) * (hi - lo) + lo


def bernoulli(
    n: int | tuple[int, ...], p: float = 0.5, *, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Draw booleans that are True with probability `p`.

    Args:
        n: how many, or a shape.
        p: the probability of True.
        device: the device to draw on.

    Example:
        >>> bernoulli(3, p=1.0)
        tensor([True, True, True])
    """
    return torch.rand(n, generator=generator(device), device=device) < p


def set_seed(seed: int, reproducible: bool = False) -> None:  # noqa: FBT001 - short by custom
    """Seed everything: Lamina's own stream and the global generators.

    Args:
        seed: any integer.
        reproducible: also make cuDNN choose deterministic algorithms, which may be slower.
    """
    set_base_seed(seed)
    torch.manual_seed(seed % 2**64)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the global generator is what is asked for
    if reproducible:
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


def get_random_states() -> dict[str, Any]:
    """Return the state of Lamina's stream and of the global generators, for `set_random_states`."""
    node = current()
    return {
        "base_seed": base_seed(),
        "node": node.python.getstate(),
        "node_torch": {
            key: made.get_state()
            for key, made in node.cache.items()
            if isinstance(made, torch.Generator)
        },
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002 - as above
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "deterministic": torch.backends.cudnn.deterministic,
        "benchmark": torch.backends.cudnn.benchmark,
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Go back to what `get_random_states` returned.

    Args:
        states: the states, from this or another process.
    """
    set_base_seed(states["base_seed"])
    node = current()
    node.python.setstate(states["node"])
    for key in [key for key, made in node.cache.items() if isinstance(made, torch.Generator)]:
        del node.cache[key]
    for key, state in states["node_torch"].items():
        _generator_of(node, key).set_state(state)
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002 - as above
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])
    torch.backends.cudnn.deterministic = states["deterministic"]
    torch.backends.cudnn.benchmark = states["benchmark"]


@contextmanager
def no_random(seed: int = 42, *, reproducible: bool = True) -> Iterator[None]:
    """Seed everything inside a `with` block and go back to the states before it afterwards.

    Args:
        seed: the seed inside the block.
        reproducible: see `set_seed`.

    Example:
        >>> with no_random():
        ...     a = torch.rand(1)
        >>> with no_random():
        ...     b = torch.rand(1)
        >>> a.equal(b)
        True
    """
    states = get_random_states()
    set_seed(seed, reproducible)
    try:
        yield
    finally:
        set_random_states(states)


def _generator_of(node: Randomness, key: str) -> torch.Generator:
    """Return the generator of a node for a device, made at first use."""
    if key not in node.cache:
        made = torch.Generator(key)
        made.manual_seed(derive(node.seed, "torch", key))
        node.cache[key] = made
    return node.cache[key]
