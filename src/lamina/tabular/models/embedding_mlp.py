"""The network of the paper: an embedding for every categorical column, then linear blocks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamina.foundation.errors import ContractError, UnknownNameError, refuse_unknown
from lamina.foundation.signatures import strict
from lamina.nn.activations import ACTIVATIONS
from lamina.nn.embed import Embedding
from lamina.nn.linear import LinBnDrop, SigmoidRange
from lamina.tabular.models.numeric import NumberEncoding

__all__ = ["TabularConfig", "TabularModel", "emb_sz_rule", "get_emb_sz", "tabular_config"]

Act = str | nn.Module | Callable[[], nn.Module]


@strict
def emb_sz_rule(n_cat: int) -> int:
    """The size of an embedding for `n_cat` values.

    Example:
        >>> [emb_sz_rule(n) for n in (3, 10, 1_000, 1_000_000)]
        [3, 6, 77, 600]

    Source: found by trial by the authors of the fastai paper.
    """
    return min(600, round(1.6 * n_cat**0.56))


@strict
def get_emb_sz(to: Any, sz_dict: Mapping[str, int] | None = None) -> list[tuple[int, int]]:
    """The number of values and the embedding size of every categorical column.

    Args:
        to: Loaders or tabular data: anything with `cat_names` and `classes`.
        sz_dict: Sizes for columns by name, in place of those of `emb_sz_rule`.

    Raises:
        UnknownNameError: `sz_dict` names a column that is not categorical.

    Example:
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(cat_names=["sex"], classes={"sex": ["#na#", "f", "m"]})
        >>> get_emb_sz(data), get_emb_sz(data, {"sex": 7})
        ([(3, 3)], [(3, 7)])
    """
    sizes = sz_dict or {}
    for name in sizes:
        if name not in to.cat_names:
            raise UnknownNameError("categorical column", name, to.cat_names, where="get_emb_sz")
    counts = {name: len(to.classes[name]) for name in to.cat_names}
    return [(n, sizes.get(name) or emb_sz_rule(n)) for name, n in counts.items()]


class TabularConfig(TypedDict, total=False):
    """Options of `TabularModel`, explained there."""

    ps: float | Sequence[float] | None
    embed_p: float
    y_range: tuple[float, float] | None
    use_bn: bool
    bn_final: bool
    bn_cont: bool
    act_cls: Act
    lin_first: bool
    numbers: NumberEncoding | None


def tabular_config(**options: Unpack[TabularConfig]) -> TabularConfig:
    """Collect options of `TabularModel` for `tabular_learner(config=...)`.

    Raises:
        UnknownArgumentError: A name is unknown.

    Example:
        >>> tabular_config(ps=0.1, embed_p=0.04)
        {'ps': 0.1, 'embed_p': 0.04}
    """
    refuse_unknown("tabular_config", options, TabularConfig.__annotations__)
    return options


@strict
class TabularModel(nn.Module):
    """Embeddings beside numbers, through linear blocks: codes `(b, n_cat)`, numbers `(b, n_cont)`.

    Args:
        emb_szs: Number of values and embedding size per categorical column.
        n_cont: Columns of numbers.
        out_sz: Outputs.
        layers: Sizes of the hidden layers.
        ps: Dropout after each hidden layer, one or several; None for none.
        embed_p: Dropout of the embeddings.
        y_range: Bounds of the outputs.
        use_bn: Whether hidden layers are normalised.
        bn_final: Whether the last layer is normalised.
        bn_cont: Whether numbers are normalised first, if they are not embedded.
        act_cls: The activation: a class, a module, or its name.
        lin_first: Linear and activation before norm and dropout.
        numbers: How numbers become vectors; None takes them as they are.

    Shapes: `(b, n_cat)` long and `(b, n_cont)` float to `(b, out_sz)`.

    Example:
        >>> model = TabularModel([(3, 2), (5, 3)], 4, 2, [20, 10]).eval()
        >>> model(torch.zeros(8, 2, dtype=torch.long), torch.zeros(8, 4)).shape
        torch.Size([8, 2])

    Source: Howard & Gugger 2020, "fastai: a layered API for deep learning", "Tabular"; Guo &
        Berkhahn 2016, "Entity embeddings of categorical variables".
    """

    def __init__(  # noqa: PLR0913 - the signature of the paper
        self,
        emb_szs: Sequence[tuple[int, int]],
        n_cont: int,
        out_sz: int,
        layers: Sequence[int],
        ps: float | Sequence[float] | None = None,
        embed_p: float = 0.0,
        y_range: tuple[float, float] | None = None,
        *,
        use_bn: bool = True,
        bn_final: bool = False,
        bn_cont: bool = True,
        act_cls: Act = nn.ReLU,
        lin_first: bool = True,
        numbers: NumberEncoding | None = None,
    ) -> None:
        super().__init__()
        drops = _per_layer(ps, len(layers))
        self.embeds = nn.ModuleList([Embedding(n, width) for n, width in emb_szs])
        self.emb_drop = nn.Dropout(embed_p)
        self.numbers = numbers.layer(n_cont) if numbers is not None and n_cont else None
        normed = bn_cont and n_cont and self.numbers is None
        self.bn_cont = nn.BatchNorm1d(n_cont) if normed else None
        width = n_cont * (numbers.width if numbers is not None else 1)
        sizes = [sum(width for _, width in emb_szs) + width, *layers, out_sz]
        acts = [*(_activation(act_cls) for _ in layers), None]
        norms = [*([use_bn] * len(layers)), bn_final]
        blocks: list[nn.Module] = [
            LinBnDrop(n_in, n_out, bn=bn, p=p, act=act, lin_first=lin_first)
            for n_in, n_out, bn, p, act in zip(
                sizes[:-1], sizes[1:], norms, [*drops, 0.0], acts, strict=True
            )
        ]
        if y_range is not None:
            blocks.append(SigmoidRange(*y_range))
        self.layers = nn.Sequential(*blocks)

    def forward(self, x_cat: Tensor, x_cont: Tensor) -> Tensor:
        """Answer for every row."""
        if self.training and len(x_cat) == 1:
            self._refuse_one_row()
        return self.layers(self.features(x_cat, x_cont))

    def tables(self) -> list[Tensor | None]:
        """The embedding of every value, per categorical column."""
        return [emb.weight for emb in self.embeds]  # pyright: ignore[reportReturnType] - tables

    def _refuse_one_row(self) -> None:
        if any(isinstance(module, nn.BatchNorm1d) for module in self.modules()):
            what = "TabularModel: a training batch has one row, from which batch norm cannot learn"
            how = "Make loaders with bs (or batch_size) of 2 or more and drop_last=True"
            raise ContractError(f"{what}. {how}, or set use_bn=False and bn_cont=False in config=.")

    def features(self, x_cat: Tensor, x_cont: Tensor) -> Tensor:
        """Embeddings and numbers side by side: `(b, features)`."""
        parts: list[Tensor] = []
        if len(self.embeds):
            parts = [
                F.embedding(codes, emb.weight)  # pyright: ignore[reportArgumentType] - a table
                for emb, codes in zip(self.embeds, x_cat.unbind(1), strict=True)
            ]
            if self.emb_drop.p:
                parts = [self.emb_drop(torch.cat(parts, 1))]
        if x_cont.shape[1]:
            x = x_cont if self.bn_cont is None else self.bn_cont(x_cont)
            parts.append(x if self.numbers is None else self.numbers(x).flatten(1))
        return torch.cat(parts, 1)


def _activation(act: Act) -> nn.Module:
    if isinstance(act, nn.Module):
        return act
    return ACTIVATIONS[act]() if isinstance(act, str) else act()


def _per_layer(ps: float | Sequence[float] | None, n: int) -> list[float]:
    drops = [float(ps or 0)] * n if ps is None or isinstance(ps, int | float) else list(ps)
    if len(drops) != n:
        what = f"TabularModel: {len(drops)} dropout probabilities in ps for {n} hidden layers"
        raise ContractError(f"{what}. Give one for each, or a single number.")
    return drops
