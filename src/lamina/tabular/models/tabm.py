"""TabM: many networks in one, which share their weight matrices and differ by a few vectors."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamina.foundation.signatures import strict
from lamina.nn.embed import Embedding
from lamina.nn.linear import sigmoid_range
from lamina.tabular.models.numeric import NumberEncoding
from lamina.train.callback import Callback
from lamina.train.learner import Learner

__all__ = ["EachMember", "EnsembleLinear", "MemberHeads", "TabM"]

Combine = Literal["softmax", "sigmoid", "mean"]
_ONE_HOT_MAX = 50  # values of a column; one with more gets an embedding


class EnsembleLinear(nn.Module):
    """One matrix for all members, with scales and biases of their own: `(b, k, n_in)` to `n_out`.

    Args:
        n_in: Features in.
        n_out: Features out.
        k: Members.
        scale_in: Makes the scales of the inputs at the start, `(k, n_in)`; None takes ones.

    Example:
        >>> EnsembleLinear(4, 5, k=3)(torch.zeros(2, 3, 4)).shape
        torch.Size([2, 3, 5])

    Source: Wen et al. 2020, "BatchEnsemble"; Gorishniy et al. 2024, "TabM", sec. 3.3.
    """

    def __init__(
        self, n_in: int, n_out: int, k: int, scale_in: Callable[[], Tensor] | None = None
    ) -> None:
        super().__init__()
        limit = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_out, n_in).uniform_(-limit, limit))
        self.scale_in = nn.Parameter(scale_in() if scale_in else torch.ones(k, n_in))
        self.scale_out = nn.Parameter(torch.ones(k, n_out))
        self.bias = nn.Parameter(torch.empty(n_out).uniform_(-limit, limit).repeat(k, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map the features of every member."""
        return F.linear(x * self.scale_in, self.weight) * self.scale_out + self.bias


class MemberHeads(nn.Module):
    """A linear layer of its own for every member: `(b, k, n_in)` to `(b, k, n_out)`.

    Args:
        n_in: Features.
        n_out: Outputs.
        k: Members.
    """

    def __init__(self, n_in: int, n_out: int, k: int) -> None:
        super().__init__()
        limit = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(k, n_in, n_out).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.empty(k, n_out).uniform_(-limit, limit))

    def forward(self, x: Tensor) -> Tensor:
        """Answer for every member."""
        return torch.einsum("bki,kio->bko", x, self.weight) + self.bias


@strict
class TabM(nn.Module):
    """`k` networks trained together: codes `(b, n_cat)`, numbers `(b, n_cont)`.

    In training every member answers, `(b, k, out_sz)`, and has a loss of its own (`EachMember`).
    In evaluation the answer is their mean, `(b, out_sz)`, of probabilities if there are such.

    Args:
        emb_szs: Number of values and embedding size per categorical column. Columns of at most 50
            values are one-hot instead, as in the paper.
        n_cont: Columns of numbers.
        out_sz: Outputs.
        layers: Sizes of the hidden layers.
        k: Members.
        p: Dropout after every hidden layer.
        combine: Of what the mean is taken: "softmax" for one label, "sigmoid" for several, "mean"
            of the outputs for numbers.
        y_range: Bounds of the outputs.
        numbers: How numbers become vectors; None takes them as they are.

    Example:
        >>> model = TabM([(3, 2)], 4, 2, layers=[16], k=5)
        >>> rows = torch.zeros(8, 1, dtype=torch.long), torch.zeros(8, 4)
        >>> model(*rows).shape, model.eval()(*rows).shape
        (torch.Size([8, 5, 2]), torch.Size([8, 2]))

    Source: Gorishniy, Kotelnikov & Babenko 2024, "TabM: advancing tabular deep learning with
        parameter-efficient ensembling".
    """

    def __init__(
        self,
        emb_szs: Sequence[tuple[int, int]],
        n_cont: int,
        out_sz: int,
        *,
        layers: Sequence[int] = (512, 512, 512),
        k: int = 32,
        p: float = 0.1,
        combine: Combine = "softmax",
        y_range: tuple[float, float] | None = None,
        numbers: NumberEncoding | None = None,
    ) -> None:
        super().__init__()
        self.k, self.combine, self.y_range = k, combine, y_range
        self.n_values = [n for n, _ in emb_szs]
        self.embeds = nn.ModuleDict(
            {str(i): Embedding(n, width) for i, (n, width) in enumerate(emb_szs) if _is_large(n)}
        )
        self.numbers = numbers.layer(n_cont) if numbers is not None and n_cont else None
        of_number = 1 if self.numbers is None or numbers is None else numbers.width
        widths = [of_number] * n_cont + [width if _is_large(n) else n for n, width in emb_szs]
        sizes = [sum(widths), *layers]
        normal = self.numbers is not None
        self.layers = nn.ModuleList(
            EnsembleLinear(a, b, k, None if i else lambda: _signs(widths, k, normal=normal))
            for i, (a, b) in enumerate(pairwise(sizes))
        )
        self.drop, self.heads = nn.Dropout(p), MemberHeads(sizes[-1], out_sz, k)

    def forward(self, x_cat: Tensor, x_cont: Tensor) -> Tensor:
        """Answer for every row: each member in training, all together in evaluation."""
        x = self.features(x_cat, x_cont)[:, None].expand(-1, self.k, -1)
        for layer in self.layers:
            x = self.drop(layer(x).relu())
        out = self.heads(x)
        if self.y_range is not None:
            out = sigmoid_range(out, *self.y_range)
        return out if self.training else self._combined(out)

    def features(self, x_cat: Tensor, x_cont: Tensor) -> Tensor:
        """Numbers and categories side by side: `(b, features)`."""
        parts = [x_cont if self.numbers is None else self.numbers(x_cont).flatten(1)]
        for i, (codes, n) in enumerate(zip(x_cat.unbind(1), self.n_values, strict=True)):
            parts.append(
                self.embeds[str(i)](codes)
                if _is_large(n)
                else (codes[:, None] == torch.arange(n, device=codes.device)).to(x_cont.dtype)
            )
        return torch.cat(parts, 1)

    def tables(self) -> list[Tensor | None]:
        """The embedding of every value, per categorical column; None where it is one-hot."""
        found = dict(self.embeds.named_parameters())
        return [found.get(f"{i}.weight") for i in range(len(self.n_values))]

    def _combined(self, out: Tensor) -> Tensor:
        """Return logits of the mean probabilities, so that losses and metrics read them."""
        if self.combine == "softmax":
            return out.log_softmax(-1).logsumexp(1) - math.log(self.k)
        if self.combine == "sigmoid":
            return out.sigmoid().mean(1).logit(eps=1e-7)
        return out.mean(1)


class EachMember(Callback):
    """Give every member of `TabM` a loss of its own: predictions `(b, k, c)` become `(b·k, c)`.

    Source: Gorishniy et al. 2024, "TabM", sec. 3.2.
    """

    run_valid = False

    def after_pred(self, learn: Learner) -> None:  # noqa: D102 - see lamina.train.events
        k = learn.pred.shape[1]
        learn.pred = learn.pred.flatten(0, 1)
        if len(learn.y) != len(learn.pred):  # a second look at a batch finds them repeated
            learn.yb = tuple(y.repeat_interleave(k, 0) for y in learn.yb)


def _is_large(n_values: int) -> bool:
    return n_values > _ONE_HOT_MAX


def _signs(widths: Sequence[int], k: int, *, normal: bool) -> Tensor:
    """The scales that tell the members apart at the start: one random sign per column and member.

    Beside embedded numbers they are normal, as in the paper.
    """
    per_column = torch.randn(k, len(widths))
    scales = per_column if normal else torch.where(per_column < 0, -1.0, 1.0)
    return scales.repeat_interleave(torch.tensor(widths), dim=1)
