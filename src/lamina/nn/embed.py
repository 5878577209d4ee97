"""Embeddings that start as small numbers without outliers."""

import torch
from torch import Tensor, nn

__all__ = ["Embedding", "trunc_normal_"]


def trunc_normal_(x: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill `x` with normal numbers, none further than two deviations from the mean; return it.

    What falls outside is folded back, which is faster than drawing again.

    Example:
        >>> bool(trunc_normal_(torch.empty(1000)).abs().max() < 2)
        True
    """
    with torch.no_grad():
        return x.normal_().fmod_(2).mul_(std).add_(mean)


class Embedding(nn.Embedding):
    """An embedding that starts truncated normal: indices `(*)` to `(*, nf)`.

    Args:
        ni: How many things are embedded.
        nf: Numbers for each.
        std: Standard deviation before the truncation.

    Example:
        >>> Embedding(10, 4)(torch.tensor([1, 2])).shape
        torch.Size([2, 4])
    """

    def __init__(self, ni: int, nf: int, std: float = 0.01) -> None:
        super().__init__(ni, nf)
        trunc_normal_(self.weight.data, std=std)
