"""Targets: labels to indices of a vocabulary, several labels at once, numbers; and back."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, overload

import numpy as np
import torch

from lamina.data.kernels import describe
from lamina.data.task import MultiLabel, Regression, SingleLabel
from lamina.data.transform import ItemTransform, Transform
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, DataError, ItemError, closest
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.tensor.build import tensor
from lamina.tensor.types import TensorCategory, TensorMultiCategory, TitledTensorScalar
from lamina.viz.titles import show_title

__all__ = [
    "Categorize",
    "Category",
    "CategoryMap",
    "EncodedMultiCategorize",
    "MultiCategorize",
    "MultiCategory",
    "OneHotEncode",
    "RegressionSetup",
]

NA = "#na#"  # stands for missing and unknown labels, as index 0
_LISTED = 6  # labels shown in a message


@savable
@strict
class CategoryMap(Sequence[Any]):
    """A vocabulary: distinct labels in order, each with its index.

    Missing labels (None, NaN) are left out; a pandas categorical keeps its own order.

    Args:
        labels: the labels, repeated as they come.
        sort: whether to sort them; otherwise they stay in the order in which they first come.
        add_na: whether index 0 is `"#na#"`, for labels that are missing or unknown.
        strict: whether a label of a pandas categorical that no item has is left out.

    Attributes:
        o2i: the index of each label.

    Example:
        >>> vocab = CategoryMap(["dog", "cat", "dog"])
        >>> vocab, vocab.o2i["dog"]
        (['cat', 'dog'], 1)
    """

    def __init__(
        self,
        labels: Iterable[Any],
        *,
        sort: bool = True,
        add_na: bool = False,
        strict: bool = False,
    ) -> None:
        categories = getattr(getattr(labels, "dtype", None), "categories", None)
        found = _distinct(labels if categories is None or strict else categories)
        if categories is not None:
            found = [label for label in _distinct(categories) if label in set(found)]
        elif sort:
            found = _sorted(found)
        self.items: list[Any] = [NA, *(x for x in found if x != NA)] if add_na else found
        self.add_na = add_na
        self.o2i: dict[Any, int] = {label: i for i, label in enumerate(self.items)}

    def index_of(self, label: Any, where: str = "CategoryMap") -> int:
        """Return the index of a label; with `add_na` an unknown or missing one has 0.

        Args:
            label: the label.
            where: who asks, for the message.

        Raises:
            ItemError: the vocabulary lacks the label.
        """
        try:
            return self.o2i[label]
        except (KeyError, TypeError):
            pass
        label = _as_python(label)
        found = self.o2i.get(label) if isinstance(label, Hashable) else None
        if found is not None:
            return found
        if self.add_na and isinstance(label, Hashable):
            return 0
        raise ItemError(self._unknown(label, where), stage="encodes")

    def map_objs(self, labels: Iterable[Any]) -> L[int]:
        """Return the indices of labels."""
        return L([self.index_of(label) for label in labels])

    def map_ids(self, idxs: Iterable[Any]) -> L[Any]:
        """Return the labels of indices."""
        return L([self.items[int(i)] for i in idxs])

    def to_state(self) -> dict[str, Any]:
        """Return what a saved file holds."""
        return {"items": list(self.items), "add_na": self.add_na}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "CategoryMap":
        """Rebuild a vocabulary from what a file holds."""
        labels = state["items"][1:] if state["add_na"] else state["items"]
        return cls(labels, sort=False, add_na=state["add_na"])

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __contains__(self, label: object) -> bool:
        return isinstance(label, Hashable) and label in self.o2i

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CategoryMap | list | tuple | L):
            return self.items == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment] - compares by value and holds a list

    def __repr__(self) -> str:
        return repr(self.items)

    def _unknown(self, label: Any, where: str) -> str:
        if not isinstance(label, Hashable):
            return (
                f"{where}: {describe(label)} is several labels where one was expected. "
                "Use MultiCategoryBlock (MultiCategorize), or let get_y return one label."
            )
        listed = ", ".join(map(repr, self.items[:_LISTED])) + (
            ", ..." if len(self) > _LISTED else ""
        )
        near = closest(label, map(str, self.items)) if isinstance(label, str) else None
        hint = f", closest is {near!r}" if near else ""
        return (
            f"{where}: label {label!r} is not in the vocabulary of {len(self)} labels "
            f"({listed}){hint}. Perhaps only the validation set has it: "
            "split so that training has every label, pass vocab=[...] with all of them, or "
            "add_na=True to count unknown labels as '#na#'."
        )


class Category(str):
    """A decoded label, which shows itself as a title."""

    __slots__ = ()

    def show(self, ax: Any = None, **options: Any) -> Any:
        """Write the label above an axes; see `lamina.viz.titles.show_title` for the options."""
        return show_title(str(self), ax=ax, **options)


class MultiCategory(L[Any]):
    """Decoded labels, which show themselves joined by `;`."""

    def show(self, ax: Any = None, sep: str = ";", **options: Any) -> Any:
        """Write the labels above an axes; see `lamina.viz.titles.show_title` for the options.

        Args:
            ax: where to write; None opens a new figure.
            sep: what stands between labels.
            options: passed to `show_title`.
        """
        return show_title(sep.join(map(str, self)), ax=ax, **options)


class _HasVocab:
    """What transforms with a vocabulary share."""

    vocab: Any
    add_na: bool

    def __post_init__(self) -> None:
        if isinstance(self.vocab, str):
            raise ContractError(f"{type(self).__name__}: vocab={self.vocab!r}. Give a list.")
        if self.vocab is not None and not isinstance(self.vocab, CategoryMap):
            self.vocab = CategoryMap(self.vocab, sort=False, add_na=self.add_na)

    @property
    def c(self) -> int | None:
        """The number of labels, once known."""
        return None if self.vocab is None else len(self.vocab)


@savable
@dataclass
class Categorize(_HasVocab, Transform):
    """One label to its index in a vocabulary, which is that of the training items unless given.

    Args:
        vocab: the labels; their order is kept.
        sort: whether a vocabulary learnt from the items is sorted.
        add_na: whether unknown and missing labels count as `"#na#"`, index 0.

    Example:
        >>> tfm = Categorize()
        >>> tfm.setup(["dog", "cat"])
        >>> tfm("dog"), tfm.decode(tfm("dog"))
        (TensorCategory(1), 'dog')
    """

    vocab: Any = None
    sort: bool = True
    add_na: bool = False
    order: ClassVar[int] = 1

    @property
    def task(self) -> SingleLabel | None:
        """The task, once the vocabulary is known."""
        return None if self.vocab is None else SingleLabel(self.vocab)

    def setups(self, items: Iterable[Any]) -> None:
        """Take the vocabulary from items unless it was given."""
        if self.vocab is None:
            self.vocab = CategoryMap(items, sort=self.sort, add_na=self.add_na)

    def encodes(self, x: Any) -> TensorCategory:
        """Return the index of a label."""
        return TensorCategory(_known(self).index_of(x, type(self).__name__))

    def decodes(self, x: TensorCategory | int) -> Any:
        """Return the label of an index."""
        label = _known(self)[int(x)]
        return Category(label) if isinstance(label, str) else label


@savable
@dataclass
class MultiCategorize(_HasVocab, ItemTransform):
    """Several labels to their indices in a vocabulary.

    Args:
        vocab: the labels; their order is kept. None takes those of the training items, sorted.
        add_na: whether unknown labels count as `"#na#"`, index 0.

    Example:
        >>> tfm = MultiCategorize(["cat", "dog", "bird"])
        >>> tfm(["dog", "cat"])
        TensorMultiCategory([1, 0])
        >>> tfm.decode(TensorMultiCategory([1, 0]))
        (#2) ['dog','cat']
    """

    vocab: Any = None
    add_na: bool = False
    order: ClassVar[int] = 1

    @property
    def task(self) -> MultiLabel | None:
        """The task, once the vocabulary is known."""
        return None if self.vocab is None else MultiLabel(self.vocab)

    def setups(self, items: Iterable[Any]) -> None:
        """Take the vocabulary from the labels of all items unless it was given."""
        if self.vocab is None:
            labels = [label for item in items for label in self._labels(item)]
            self.vocab = CategoryMap(labels, add_na=self.add_na)

    def encodes(self, x: Any) -> TensorMultiCategory:
        """Return the indices of labels."""
        vocab = _known(self)
        ids = [vocab.index_of(label, type(self).__name__) for label in self._labels(x)]
        return TensorMultiCategory(torch.tensor(ids, dtype=torch.int64))

    def decodes(self, x: TensorMultiCategory | list | tuple | L) -> MultiCategory:
        """Return the labels of indices."""
        return MultiCategory(_known(self).map_ids(iter(x)))

    def _labels(self, x: Any) -> Iterable[Any]:
        """Refuse a text, which would be taken for as many labels as it has letters."""
        if isinstance(x, str | bytes) or not isinstance(x, Iterable):
            raise ItemError(
                f"{type(self).__name__}: got {describe(x)} where a list of labels was expected. "
                "Split it first, for example with ColReader('labels', label_delim=' ').",
                stage="encodes",
            )
        return x


@savable
@dataclass
class OneHotEncode(Transform):
    """Indices of labels to one 0 or 1 per label of the vocabulary.

    Args:
        c: how many labels there are; None takes the size of the vocabulary learnt before.

    Example:
        >>> tfm = OneHotEncode(3)
        >>> tfm(TensorMultiCategory([2, 0]))
        TensorMultiCategory([1., 0., 1.])
        >>> tfm.decode(tfm(TensorMultiCategory([2, 0])))
        TensorMultiCategory([0, 2])
    """

    c: int | None = None
    order: ClassVar[int] = 2

    def setups(self, items: Any) -> None:
        """Take the number of labels from the vocabulary of the transforms before."""
        gather = getattr(items, "gather", None)
        vocab = None if gather is None else gather("vocab")
        if self.c is None and vocab is not None:
            self.c = len(vocab)

    def encodes(self, x: TensorMultiCategory) -> TensorMultiCategory:
        """Return a float vector with a 1 at each index."""
        if self.c is None:
            raise ContractError(
                "OneHotEncode: the number of labels is not known. Put MultiCategorize before it "
                "and set both up with the items, or pass c=..."
            )
        out = torch.zeros(self.c)
        out[x.as_subclass(torch.Tensor)] = 1.0
        return TensorMultiCategory(out)

    def decodes(self, x: TensorMultiCategory) -> TensorMultiCategory:
        """Return the indices whose value is above one half."""
        return TensorMultiCategory((x.as_subclass(torch.Tensor) > 0.5).nonzero().flatten())


@savable
@dataclass
class EncodedMultiCategorize(MultiCategorize):
    """Labels that come as one 0 or 1 per label of a given vocabulary.

    Args:
        vocab: the labels, in the order of the numbers.

    Example:
        >>> tfm = EncodedMultiCategorize(["cat", "dog"])
        >>> tfm([0, 1]), tfm.decode(tfm([0, 1]))
        (TensorMultiCategory([0., 1.]), (#1) ['dog'])
    """

    def encodes(self, x: Any) -> TensorMultiCategory:
        """Return the numbers as a float vector."""
        out = tensor(np.array(list(self._labels(x)), dtype=np.float32))
        if out.shape != (len(_known(self)),) or not ((out >= 0) & (out <= 1)).all():
            raise ItemError(
                f"EncodedMultiCategorize: got {describe(x)} for {len(self.vocab)} labels. Give "
                "one 0 or 1 per label of the vocabulary.",
                stage="encodes",
            )
        return TensorMultiCategory(out)

    def decodes(self, x: TensorMultiCategory | list | tuple | L) -> MultiCategory:
        """Return the labels whose number is above one half."""
        labels = zip(_known(self), x, strict=True)
        return MultiCategory([label for label, number in labels if number > 0.5])


@savable
@dataclass
class RegressionSetup(ItemTransform):
    """One or several numbers to a float tensor.

    Args:
        c: how many numbers an item has; None looks at the first item.

    Example:
        >>> tfm = RegressionSetup()
        >>> tfm.setup([(1, 2), (3, 4)])
        >>> tfm((1, 2)), tfm.task
        (TitledTensorScalar([1., 2.]), Regression(n_out=2))
    """

    c: int | None = None

    @property
    def task(self) -> Regression | None:
        """The task, once the number of outputs is known."""
        return None if self.c is None else Regression(self.c)

    def setups(self, items: Any) -> None:
        """Count the numbers of the first item unless their number was given."""
        if self.c is None:
            self.c = max(1, tensor(_numbers(next(iter(items)))).numel())

    def encodes(self, x: Any) -> TitledTensorScalar:
        """Return the numbers as floats."""
        numbers = tensor(_numbers(x), dtype=torch.float32)
        n = max(1, numbers.numel()) if self.c is None else self.c
        if n != max(1, numbers.numel()) or not numbers.isfinite().all():
            raise ItemError(
                f"RegressionSetup: got {describe(x)} where {n} numbers were expected, all of them "
                "finite. Leave out items with gaps, or fill them.",
                stage="encodes",
            )
        return TitledTensorScalar(numbers)

    def decodes(self, x: torch.Tensor) -> TitledTensorScalar:
        """Return the numbers as something that shows itself."""
        return TitledTensorScalar(x)


def _numbers(x: Any) -> Any:
    """Refuse what is not numbers, saying so."""
    try:
        return np.asarray(x, dtype=np.float64) if not isinstance(x, torch.Tensor) else x
    except (TypeError, ValueError) as error:
        raise ItemError(
            f"RegressionSetup: got {describe(x)} where a number or a list of numbers was "
            "expected. For labels use CategoryBlock.",
            stage="encodes",
        ) from error


def _known(tfm: Categorize | MultiCategorize) -> CategoryMap:
    """Return the vocabulary of a transform, which must be there by now."""
    if tfm.vocab is None:
        name = type(tfm).__name__
        raise ContractError(
            f"{name}: it has no vocabulary yet. Call setup(items), or pass vocab=..."
        )
    return tfm.vocab


def _distinct(labels: Iterable[Any]) -> list[Any]:
    """Return the labels that occur, as plain Python values, in the order of their first time."""
    seen: dict[Any, None] = {}
    for label in labels:
        value = _as_python(label)
        if not isinstance(value, Hashable):
            raise DataError(
                f"CategoryMap: {describe(value)} cannot be a label, since it is not hashable. "
                "For several labels per item use MultiCategoryBlock (MultiCategorize)."
            )
        if not _is_missing(value):
            seen[value] = None
    return list(seen)


def _as_python(label: Any) -> Any:
    """Turn numbers of numpy and torch into Python's, so that equal labels are one."""
    is_scalar = isinstance(label, np.generic) or (
        isinstance(label, np.ndarray | torch.Tensor) and label.ndim == 0
    )
    return label.item() if is_scalar else label


def _is_missing(label: Any) -> bool:
    """Tell None, NaN and the missing values of pandas, which are not equal to themselves."""
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, float) and label != label  # noqa: PLR0124 - NaN is not equal to itself


def _sorted(labels: list[Any]) -> list[Any]:
    try:
        return sorted(labels)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in labels})
        raise DataError(
            f"CategoryMap: labels of the types {', '.join(kinds)} cannot be sorted together. "
            "Make them one type, or pass sort=False."
        ) from error
