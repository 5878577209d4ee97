"""The FT-Transformer: every column becomes a token, and a transformer reads the tokens."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.nn.linear import SigmoidRange
from lamina.tabular.models.numeric import NumberEncoding, PerColumnLinear

__all__ = ["FTTransformer", "FeatureTokenizer"]


class FeatureTokenizer(nn.Module):
    """Each column as a token, behind one that stands for the answer.

    Args:
        n_values: Number of values of every categorical column.
        n_cont: Columns of numbers.
        width: Numbers per token.
        numbers: How numbers become vectors; None scales a learned vector by the number.

    Shapes: codes `(b, n_cat)` and numbers `(b, n_cont)` to `(b, 1 + n_cont + n_cat, width)`.

    Source: Gorishniy et al. 2021, sec. 3.3.
    """

    starts: Tensor

    def __init__(
        self,
        n_values: Sequence[int],
        n_cont: int,
        width: int,
        numbers: NumberEncoding | None = None,
    ) -> None:
        super().__init__()
        starts = torch.tensor([0, *n_values]).cumsum(0)
        self.register_buffer("starts", starts[:-1])  # one table for all columns
        self.answer = _uniform(1, width)
        self.table = _uniform(int(starts[-1]), width)
        self.cat_bias = _uniform(len(n_values), width)
        self.numbers: nn.Module | None = None
        if numbers is None or not n_cont:
            self.weight, self.bias = _uniform(n_cont, width), _uniform(n_cont, width)
        else:
            project = PerColumnLinear(n_cont, numbers.width, width)
            self.numbers = nn.Sequential(numbers.layer(n_cont), project)

    def forward(self, x_cat: Tensor, x_cont: Tensor) -> Tensor:
        """Make the tokens of every row."""
        tokens = [self.answer.expand(x_cat.shape[0], 1, -1)]
        if self.numbers is not None:
            tokens.append(self.numbers(x_cont))
        elif x_cont.shape[1]:
            tokens.append(x_cont[..., None] * self.weight + self.bias)
        if x_cat.shape[1]:
            tokens.append(F.embedding(x_cat + self.starts, self.table) + self.cat_bias)
        return torch.cat(tokens, 1)


class _Block(nn.Module):
    """Attention and a gated layer, each added to what comes in; norms stand before them."""

    def __init__(self, width: int, n_heads: int, *, drops: Sequence[float], first: bool) -> None:
        super().__init__()
        self.n_heads, self.attention_p = n_heads, drops[0]
        hidden = int(width * 4 / 3)
        self.norm1 = nn.Identity() if first else nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.gate_up, self.down = nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)
        self.hidden_drop, self.residual_drop = nn.Dropout(drops[1]), nn.Dropout(drops[2])

    def forward(self, x: Tensor, n_queries: int) -> Tensor:
        """Let the first `n_queries` tokens read from all."""
        normed = self.norm1(x)
        x = x[:, :n_queries] + self.residual_drop(self._attend(normed[:, :n_queries], normed))
        up, gate = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.residual_drop(self.down(self.hidden_drop(up * gate.relu())))

    def _attend(self, to: Tensor, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for part in (self.query(to), *self.key_value(x).chunk(2, -1))
        )
        p = self.attention_p if self.training else 0.0
        read = F.scaled_dot_product_attention(q, k, v, dropout_p=p)
        return self.out(read.transpose(1, 2).flatten(2))


@strict
class FTTransformer(nn.Module):
    """A transformer over the columns of a row: codes `(b, n_cat)`, numbers `(b, n_cont)`.

    Args:
        emb_szs: Number of values per categorical column, alone or in a pair with a size, which is
            not used: all tokens have `width` numbers.
        n_cont: Columns of numbers.
        out_sz: Outputs.
        width: Numbers per token; a multiple of `n_heads`.
        n_blocks: Blocks.
        n_heads: Heads of the attention.
        drops: Dropout of the attention, of the hidden layers, and of what blocks add.
        y_range: Bounds of the outputs.
        numbers: How numbers become vectors; None scales a learned vector by the number.

    Shapes: `(b, n_cat)` long and `(b, n_cont)` float to `(b, out_sz)`.

    Raises:
        ContractError: `width` is not a multiple of `n_heads`.

    Example:
        >>> model = FTTransformer([(3, 2)], 4, 2, width=16, n_blocks=2, n_heads=4).eval()
        >>> model(torch.zeros(8, 1, dtype=torch.long), torch.zeros(8, 4)).shape
        torch.Size([8, 2])

    Source: Gorishniy et al. 2021, "Revisiting deep learning models for tabular data".
    """

    def __init__(
        self,
        emb_szs: Sequence[tuple[int, int] | int],
        n_cont: int,
        out_sz: int,
        *,
        width: int = 192,
        n_blocks: int = 3,
        n_heads: int = 8,
        drops: tuple[float, float, float] = (0.2, 0.1, 0.0),
        y_range: tuple[float, float] | None = None,
        numbers: NumberEncoding | None = None,
    ) -> None:
        super().__init__()
        if width % n_heads:
            what = f"FTTransformer: width {width} is not a multiple of {n_heads} heads"
            raise ContractError(f"{what}. Change width= or n_heads=.")
        counts = [size if isinstance(size, int) else size[0] for size in emb_szs]
        self.tokenizer = FeatureTokenizer(counts, n_cont, width, numbers)
        self.blocks = nn.ModuleList(
            [_Block(width, n_heads, drops=drops, first=i == 0) for i in range(n_blocks)]
        )
        head: list[nn.Module] = [nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, out_sz)]
        self.head = nn.Sequential(*head, *([] if y_range is None else [SigmoidRange(*y_range)]))

    def forward(self, x_cat: Tensor, x_cont: Tensor) -> Tensor:
        """Answer for every row."""
        x = self.tokenizer(x_cat, x_cont)
        for i, block in enumerate(self.blocks):
            last = i == len(self.blocks) - 1
            x = block(x, 1 if last else x.shape[1])  # only the answer is read in the end
        return self.head(x[:, 0])

    def tables(self) -> list[Tensor | None]:
        """The embedding of every value, per categorical column."""
        ends = [*self.tokenizer.starts[1:].tolist(), len(self.tokenizer.table)]
        starts = self.tokenizer.starts.tolist()
        return [self.tokenizer.table[a:b] for a, b in zip(starts, ends, strict=True)]


def _uniform(n: int, width: int) -> nn.Parameter:
    limit = 1 / math.sqrt(width)
    return nn.Parameter(torch.empty(n, width).uniform_(-limit, limit))
