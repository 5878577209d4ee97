"""Networks of users and items: a dot product with biases, one of towers of columns, and layers."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.nn.embed import Embedding
from lamina.nn.linear import sigmoid_range
from lamina.tabular.models.embedding_mlp import TabularModel

__all__ = ["Catalogue", "EmbeddingDotBias", "EmbeddingNN", "TowerDot", "create_collab_model"]

Range = tuple[float, float] | None
Side = tuple[Tensor, Tensor]


class Catalogue(nn.Module):
    """What is known of every item: its columns, and how often it occurs in training.

    Args:
        n_items: Items, with the unknown one.
        n_cat: Columns of codes.
        n_cont: Columns of numbers.
        item_cats: Which columns of codes describe the item, beside column 1.
        item_conts: Which columns of numbers do.
    """

    cats: Tensor
    conts: Tensor
    counts: Tensor

    def __init__(
        self,
        n_items: int,
        n_cat: int,
        n_cont: int,
        item_cats: Sequence[int] = (),
        item_conts: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.item_cats, self.item_conts = [1, *item_cats], list(item_conts)
        self.register_buffer("cats", torch.zeros(n_items, n_cat, dtype=torch.int64))
        self.register_buffer("conts", torch.zeros(n_items, n_cont))
        self.register_buffer("counts", torch.zeros(n_items, dtype=torch.int64))
        self.cats[:, 1] = torch.arange(n_items)

    def fill(self, cats: Tensor, conts: Tensor) -> None:
        """Take in the training rows; of several rows of an item one speaks for it."""
        cats, conts = cats.cpu(), conts.cpu()
        mine, numbers = self.cats.cpu(), self.conts.cpu()
        mine[cats[:, 1]], numbers[cats[:, 1]] = cats, conts
        self.cats.copy_(mine)
        self.conts.copy_(numbers)
        self.counts.copy_(torch.bincount(cats[:, 1], minlength=len(self.counts)))

    def beside(self, cats: Tensor, conts: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows of the same users and occasions with other items: `items` are codes."""
        cats, conts = cats.clone(), conts.clone()
        cats[:, self.item_cats] = self.cats[items][:, self.item_cats]
        if self.item_conts:
            conts[:, self.item_conts] = self.conts[items][:, self.item_conts]
        return cats, conts


class _Dot(nn.Module):
    """A score that is a dot product of two sides and their biases."""

    y_range: Range
    start: float

    def user_side(self, x_cat: Tensor, x_cont: Tensor) -> Side:
        """Vectors and biases of users."""
        raise NotImplementedError

    def item_side(self, x_cat: Tensor, x_cont: Tensor) -> Side:
        """Vectors and biases of items."""
        raise NotImplementedError

    def bound(self, scores: Tensor) -> Tensor:
        """Bring scores, counted from `start`, into `y_range`."""
        scores = scores + self.start if self.start else scores
        return scores if self.y_range is None else sigmoid_range(scores, *self.y_range)

    def forward(self, x_cat: Tensor, x_cont: Tensor | None = None) -> Tensor:
        """Score every row: `(b,)`."""
        conts = x_cat.new_zeros(len(x_cat), 0) if x_cont is None else x_cont
        user, user_bias = self.user_side(x_cat, conts)
        item, item_bias = self.item_side(x_cat, conts)
        return self.bound((user * item).sum(1) + user_bias + item_bias)


@strict
class EmbeddingDotBias(_Dot):
    """The dot product of what is learnt about user and item, with a bias for each.

    Args:
        n_factors: Size of the embeddings.
        n_users: Users, with the unknown one.
        n_items: Items, with the unknown one.
        y_range: Bounds of the output.
        start: What biases are counted from, before bounds; `collab_learner` gives the mean of the
            training rows, so that it answers for users and items that are unknown.

    Shapes: codes `(b, 2)`, user first, to `(b,)`.

    Example:
        >>> EmbeddingDotBias(5, 10, 20, y_range=(0, 5.5))(torch.ones(3, 2).long()).shape
        torch.Size([3])

    Source: Koren, Bell & Volinsky, "Matrix Factorization Techniques for Recommender Systems", 2009.
    """

    classes: Mapping[Any, Sequence[Any]] | None = None

    def __init__(
        self,
        n_factors: int,
        n_users: int,
        n_items: int,
        y_range: Range = None,
        start: float = 0.0,
    ) -> None:
        super().__init__()
        self.y_range, self.start = y_range, start
        self.u_weight, self.u_bias = Embedding(n_users, n_factors), Embedding(n_users, 1)
        self.i_weight, self.i_bias = Embedding(n_items, n_factors), Embedding(n_items, 1)
        with torch.no_grad():
            for table in (self.u_weight, self.u_bias, self.i_weight, self.i_bias):
                table.weight[0] = 0

    @classmethod
    def from_classes(
        cls,
        n_factors: int,
        classes: Mapping[Any, Sequence[Any]],
        user: Any = None,
        item: Any = None,
        y_range: Range = None,
    ) -> Self:
        """Make the network for the levels of users and items.

        Args:
            n_factors: Size of the embeddings.
            classes: The levels by column, `#na#` first, as `dls.classes` has them.
            user: The column of users; the first if not given.
            item: The column of items; the second if not given.
            y_range: Bounds of the output.
        """
        names = list(classes)
        user, item = user or names[0], item or names[1]
        made = cls(n_factors, len(classes[user]), len(classes[item]), y_range)
        made.classes = {user: classes[user], item: classes[item]}
        return made

    def user_side(self, x_cat: Tensor, x_cont: Tensor) -> Side:
        """Vectors `(n, n_factors)` and biases `(n,)` of users."""
        codes = x_cat[:, 0]
        return F.embedding(codes, self.u_weight.weight), F.embedding(
            codes, self.u_bias.weight
        ).squeeze(1)

    def item_side(self, x_cat: Tensor, x_cont: Tensor) -> Side:
        """Vectors `(n, n_factors)` and biases `(n,)` of items."""
        codes = x_cat[:, 1]
        return F.embedding(codes, self.i_weight.weight), F.embedding(
            codes, self.i_bias.weight
        ).squeeze(1)

    def tables(self) -> list[Tensor | None]:
        """The vector of every user, and that of every item, without their biases."""
        return [self.u_weight.weight, self.i_weight.weight]

    def bias(self, arr: Any, is_item: bool = True) -> Tensor:  # noqa: FBT001 - the known signature
        """Return the biases of items or users, given by their names.

        Args:
            arr: One name or several.
            is_item: Whether they name items; users otherwise.

        Raises:
            UnknownNameError: A name was not in the training rows.
        """
        table = self.i_bias if is_item else self.u_bias
        return table.weight[self._codes(arr, is_item=is_item)].squeeze(1).detach().cpu()

    def weight(self, arr: Any, is_item: bool = True) -> Tensor:  # noqa: FBT001 - the known signature
        """Return the vectors of items or users, given by their names; see `bias`."""
        table = self.i_weight if is_item else self.u_weight
        return table.weight[self._codes(arr, is_item=is_item)].detach().cpu()

    def _codes(self, arr: Any, *, is_item: bool) -> list[int]:
        if self.classes is None:
            raise ContractError(
                "EmbeddingDotBias: the names of users and items are not known. Make the network "
                "by from_classes or collab_learner."
            )
        levels = list(self.classes.values())[int(is_item)]
        codes = {level: i for i, level in enumerate(levels)}
        names = [arr] if isinstance(arr, str) or not hasattr(arr, "__iter__") else list(arr)
        for name in names:
            if name not in codes:
                what = "item" if is_item else "user"
                known = [str(level) for level in levels]
                raise UnknownNameError(what, str(name), known, where="EmbeddingDotBias")
        return [codes[name] for name in names]


@strict
class TowerDot(_Dot):
    """The dot product of two towers, each a sum over the columns of its side.

    The code 0 of a user or item adds nothing, and in training some codes of users and items are
    replaced by it: so features alone speak for who is new.

    Args:
        n_factors: Size of the vectors.
        sizes: How many values each column of codes has; users first, items second.
        n_cont: Columns of numbers.
        item_cats: Which columns of codes describe the item, beside column 1.
        item_conts: Which columns of numbers do; the others belong to the user and the occasion.
        y_range: Bounds of the output.
        hidden: The share of users and items whose code is hidden in training.
        start: As of `EmbeddingDotBias`.

    Example:
        >>> model = TowerDot(4, [10, 20, 3], 1, item_cats=[2])
        >>> model(torch.ones(5, 3).long(), torch.ones(5, 1)).shape
        torch.Size([5])

    Source: Rendle, "Factorization Machines", 2010, restricted to pairs across the two sides.
    """

    def __init__(
        self,
        n_factors: int,
        sizes: Sequence[int],
        n_cont: int = 0,
        item_cats: Sequence[int] = (),
        item_conts: Sequence[int] = (),
        y_range: Range = None,
        hidden: float = 0.1,
        start: float = 0.0,
    ) -> None:
        super().__init__()
        self.y_range, self.hidden, self.start = y_range, hidden, start
        self.embeds = nn.ModuleList([Embedding(n, n_factors + 1) for n in sizes])
        self.numbers = nn.ModuleList([nn.Linear(1, n_factors + 1) for _ in range(n_cont)])
        self.item_cats, self.item_conts = [1, *item_cats], list(item_conts)
        self.user_cats = [i for i in range(len(sizes)) if i not in self.item_cats]
        self.user_conts = [i for i in range(n_cont) if i not in self.item_conts]

    def user_side(self, x_cat: Tensor, x_cont: Tensor) -> Side:
        """Vectors `(n, n_factors)` and biases `(n,)` of users, each on its occasion."""
        return self._side(x_cat, x_cont, self.user_cats, self.user_conts)

    def item_side(self, x_cat: Tensor, x_cont: Tensor) -> Side:
        """Vectors `(n, n_factors)` and biases `(n,)` of items."""
        return self._side(x_cat, x_cont, self.item_cats, self.item_conts)

    def tables(self) -> list[Tensor | None]:
        """The vector of every value, per column of codes, without the biases."""
        return [table.weight[:, :-1] for table in self.embeds]  # pyright: ignore[reportIndexIssue] - tables

    def _side(self, x_cat: Tensor, x_cont: Tensor, cats: list[int], conts: list[int]) -> Side:
        ids = x_cat[:, cats[0]]
        shown = ids != 0
        if self.training and self.hidden and len(cats) + len(conts) > 1:
            shown = shown & (torch.rand(len(ids), device=ids.device) >= self.hidden)
        total = self.embeds[cats[0]](ids) * shown[:, None]
        for i in cats[1:]:
            total = total + self.embeds[i](x_cat[:, i])
        for i in conts:
            total = total + self.numbers[i](x_cont[:, i : i + 1])
        return total[:, :-1], total[:, -1]


class EmbeddingNN(TabularModel):
    """Embeddings of users, items and further columns, through linear blocks, to one number.

    Args:
        emb_szs: Number of values and embedding size per column of codes.
        layers: Sizes of the hidden layers.
        n_cont: Columns of numbers.
        options: Those of `TabularModel`, such as `y_range` and `ps`.

    Example:
        >>> model = EmbeddingNN([(10, 4), (20, 4)], [8]).eval()
        >>> model(torch.ones(3, 2).long(), torch.ones(3, 0)).shape
        torch.Size([3, 1])
    """

    def __init__(
        self,
        emb_szs: Sequence[tuple[int, int]],
        layers: Sequence[int],
        n_cont: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(emb_szs, n_cont, 1, layers, **options)


@savable("lamina.collab:model")
def create_collab_model(
    kind: str,
    sizes: Sequence[int],
    n_cont: int,
    config: Mapping[str, Any],
    item_cats: Sequence[int] = (),
    item_conts: Sequence[int] = (),
) -> nn.Module:
    """Make a network by name, with a `catalogue` of the items.

    Args:
        kind: "dot", "towers" or "nn".
        sizes: How many values each column of codes has.
        n_cont: Columns of numbers.
        config: Options of the network.
        item_cats: Which columns of codes describe the item, beside column 1.
        item_conts: Which columns of numbers do.

    Example:
        >>> type(create_collab_model("dot", [3, 4], 0, {"n_factors": 5})).__name__
        'EmbeddingDotBias'
    """
    if kind == "dot":
        model: nn.Module = EmbeddingDotBias(n_users=sizes[0], n_items=sizes[1], **config)
    elif kind == "towers":
        sides: Any = {"item_cats": item_cats, "item_conts": item_conts}
        model = TowerDot(sizes=sizes, n_cont=n_cont, **sides, **config)
    else:
        model = EmbeddingNN(n_cont=n_cont, **config)
    model.catalogue = Catalogue(sizes[1], len(sizes), n_cont, item_cats, item_conts)
    return model
