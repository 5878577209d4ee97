"""Numbers as vectors: periodic and piecewise-linear embeddings, one per column."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.foundation.registry import record

__all__ = [
    "NumberEncoding",
    "PerColumnLinear",
    "Periodic",
    "PeriodicEmbedding",
    "PiecewiseLinear",
    "PiecewiseLinearEmbedding",
    "number_encoding",
]


class NumberEncoding(Protocol):
    """How the numbers of a row become vectors; the state is plain data, so that it can be saved."""

    def fit(self, conts: Tensor) -> Self:
        """Learn what is needed from the training rows `(n, n_cont)`."""
        ...

    def layer(self, n_cont: int) -> nn.Module:
        """Make the layer: `(b, n_cont)` to `(b, n_cont, width)`."""
        ...

    @property
    def width(self) -> int:
        """Numbers per column."""
        ...


class PerColumnLinear(nn.Module):
    """An own linear layer for each column: `(b, n_cols, n_in)` to `(b, n_cols, n_out)`.

    Args:
        n_cols: Columns.
        n_in: Features of each column.
        n_out: Outputs of each column.
        bias: Whether each has a bias.

    Example:
        >>> PerColumnLinear(3, 4, 5)(torch.zeros(2, 3, 4)).shape
        torch.Size([2, 3, 5])
    """

    def __init__(self, n_cols: int, n_in: int, n_out: int, *, bias: bool = True) -> None:
        super().__init__()
        limit = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_cols, n_in, n_out).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.empty(n_cols, n_out).uniform_(-limit, limit)) if bias else 0

    def forward(self, x: Tensor) -> Tensor:
        """Map the features of every column."""
        return (x.transpose(0, 1) @ self.weight).transpose(0, 1) + self.bias


@record
class Periodic:
    """Each number through sines and cosines of learned frequencies, a linear layer and a ReLU.

    Args:
        n_frequencies: Frequencies per column.
        sigma: Deviation of the frequencies at the start; the most important setting.
        width: Numbers per column.
        lite: Whether all columns share one linear layer.

    Example:
        >>> Periodic(width=8).layer(3)(torch.zeros(2, 3)).shape
        torch.Size([2, 3, 8])

    Source: Gorishniy et al. 2022, "On embeddings for numerical features in tabular deep learning",
        sec. 3.3.
    """

    n_frequencies: int = 48
    sigma: float = 0.1
    width: int = 24
    lite: bool = False

    def fit(self, conts: Tensor) -> Self:
        """Nothing is learned from the rows."""
        return self

    def layer(self, n_cont: int) -> nn.Module:
        """Make the layer: `(b, n_cont)` to `(b, n_cont, width)`."""
        return PeriodicEmbedding(n_cont, self)


class PeriodicEmbedding(nn.Module):
    """The layer of `Periodic`: `(b, n_cont)` to `(b, n_cont, width)`.

    Args:
        n_cont: Columns.
        options: See `Periodic`.

    Source: Gorishniy et al. 2022, sec. 3.3.
    """

    def __init__(self, n_cont: int, options: Periodic) -> None:
        super().__init__()
        n, sigma = options.n_frequencies, options.sigma
        start = nn.init.trunc_normal_(torch.empty(n_cont, n), 0, sigma, -3 * sigma, 3 * sigma)
        self.frequencies = nn.Parameter(start)
        self.linear = (
            nn.Linear(2 * n, options.width)
            if options.lite
            else PerColumnLinear(n_cont, 2 * n, options.width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Embed every number."""
        angle = 2 * math.pi * self.frequencies * x[..., None]
        return self.linear(torch.cat([angle.cos(), angle.sin()], -1)).relu()


@record
class PiecewiseLinear:
    """Each number as how far it fills the bins of its column, then through a linear layer.

    Args:
        n_bins: Bins per column; edges are quantiles of the training rows. Other than in the paper,
            bins that one frequent value (such as 0) would fill alone go to the other values.
        width: Numbers per column.
        act: Whether a ReLU follows.
        edges: The edges for each column, which `fit` finds.

    Example:
        >>> fitted = PiecewiseLinear(n_bins=2, width=8).fit(torch.tensor([[0.0], [1.0], [4.0]]))
        >>> fitted.edges
        ((0.0, 1.0, 4.0),)
        >>> fitted.layer(1)(torch.zeros(5, 1)).shape
        torch.Size([5, 1, 8])

    Source: Gorishniy et al. 2022, sec. 3.2.
    """

    n_bins: int = 48
    width: int = 24
    act: bool = True
    edges: tuple[tuple[float, ...], ...] = ()

    def fit(self, conts: Tensor) -> Self:
        """Return one with the edges for these training rows, `(n, n_cont)`."""
        if self.edges:
            return self
        columns = conts.detach().cpu().numpy().T
        return replace(self, edges=tuple(_edges(column, self.n_bins) for column in columns))

    def layer(self, n_cont: int) -> nn.Module:
        """Make the layer: `(b, n_cont)` to `(b, n_cont, width)`.

        Raises:
            ContractError: The edges do not belong to `n_cont` columns.
        """
        if len(self.edges) != n_cont:
            raise ContractError(
                f"PiecewiseLinear: edges for {len(self.edges)} columns, but there are {n_cont}. "
                "Call fit(conts) with the numbers of the training rows first."
            )
        return PiecewiseLinearEmbedding(self)


class PiecewiseLinearEmbedding(nn.Module):
    """The layer of `PiecewiseLinear`: `(b, n_cont)` to `(b, n_cont, width)`.

    Args:
        options: See `PiecewiseLinear`, with edges.

    Source: Gorishniy et al. 2022, sec. 3.2.
    """

    scale: Tensor
    shift: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, options: PiecewiseLinear) -> None:
        super().__init__()
        n_cont, n_bins = len(options.edges), max(len(edges) for edges in options.edges) - 1
        # A column with fewer bins has empty ones, which are 0 for any number.
        parts = torch.zeros(4, n_cont, n_bins)
        for column, edges in enumerate(options.edges):
            left, right = torch.tensor(edges[:-1]), torch.tensor(edges[1:])
            n = len(left)
            parts[0, column, :n] = 1 / (right - left)
            parts[1, column, :n] = -left / (right - left)
            parts[2, column, 0] = -math.inf  # below the first edge it goes on falling,
            parts[3, column, :n] = 1
            parts[3, column, n - 1] = math.inf  # above the last one rising
        for name, part in zip(("scale", "shift", "lowest", "highest"), parts, strict=True):
            self.register_buffer(name, part.clone())
        self.linear = PerColumnLinear(n_cont, n_bins, options.width)
        self.act = options.act

    def encode(self, x: Tensor) -> Tensor:
        """How far each number fills the bins of its column: `(b, n_cont, n_bins)`."""
        filled = x[..., None] * self.scale + self.shift
        return torch.minimum(torch.maximum(filled, self.lowest), self.highest)

    def forward(self, x: Tensor) -> Tensor:
        """Embed every number."""
        out = self.linear(self.encode(x))
        return out.relu() if self.act else out


_ENCODINGS: dict[str, Callable[[], NumberEncoding]] = {
    "periodic": Periodic,
    "piecewise": PiecewiseLinear,
}


def number_encoding(given: str | NumberEncoding, conts: Tensor) -> NumberEncoding:
    """Return the encoding of a name, or the one given, fitted to the training rows.

    Args:
        given: "periodic", "piecewise", or an encoding.
        conts: The numbers of the training rows, `(n, n_cont)`.

    Raises:
        UnknownNameError: There is no encoding of that name.

    Example:
        >>> number_encoding("periodic", torch.zeros(3, 2)).width
        24
    """
    if isinstance(given, str):
        if given not in _ENCODINGS:
            raise UnknownNameError("number encoding", given, _ENCODINGS, where="numbers")
        return _ENCODINGS[given]().fit(conts)
    return given.fit(conts)


def _edges(column: np.ndarray, n_bins: int) -> tuple[float, ...]:
    """Quantiles of a column, at least two; what a frequent value takes twice, the others get."""
    quantiles, times = np.unique(
        np.quantile(column, np.linspace(0, 1, n_bins + 1)), return_counts=True
    )
    frequent = quantiles[times > 1]
    rest = column[~np.isin(column, frequent)]
    if len(frequent) and len(rest):
        others = np.quantile(rest, np.linspace(0, 1, max(2, n_bins + 1 - len(frequent))))
        quantiles = np.union1d(frequent, others)
    found = np.unique(quantiles.astype(np.float32)).tolist()
    return tuple(found) if len(found) > 1 else (found[0], found[0] + 1)
