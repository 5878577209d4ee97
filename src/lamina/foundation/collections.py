"""`L`: a list that can be indexed like an array and transformed by chained methods."""

from __future__ import annotations

import functools
import itertools
import operator
import random
import sys
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from typing import Any, Literal, Protocol, Self, SupportsIndex, TypeVar, cast, overload

from lamina.foundation import sequences
from lamina.foundation.functional import as_function, as_predicate, nested_attr, noop, true
from lamina.foundation.seeding import current

__all__ = ["L"]

T = TypeVar("T")
U = TypeVar("U")
K_contra = TypeVar("K_contra", contravariant=True)
V_co = TypeVar("V_co", covariant=True)


class _Lookup(Protocol[K_contra, V_co]):
    def __getitem__(self, key: K_contra, /) -> V_co: ...


class L(MutableSequence[T]):
    """A list with fancy indexing, masks, operators and chained methods.

    Methods that select or reorder return the class of the object; methods that make other items
    return `L`. To wait for a list instead, build a function with `Self`: `Self.map(abs).sum()`.

    Args:
        items: a list (wrapped, not copied), an `L` (returned as it is), any other collection
            (listed), or one item. Strings, arrays, tensors and data frames are one item.
        rest: further items; then `items` is an item too.
        use_list: True spreads strings and arrays too; None keeps `items` itself as the store and
            indexes it in its own way, which suits arrays and data frames.
        match: repeat a single item to as many as `match` has (or is).

    Raises:
        ValueError: several items, and `match` has another number of them.

    Example:
        >>> L(range(4))
        (#4) [0,1,2,3]
        >>> L("abc"), L(1, 2), L("abcd", use_list=True)[[0, 3]]
        ((#1) ['abc'], (#2) [1,2], (#2) ['a','d'])
        >>> words = L("a", "b", "c")
        >>> words[[True, False, True]], words + "d"
        ((#2) ['a','c'], (#4) ['a','b','c','d'])
        >>> L([("a", 1), ("b", -5), ("c", 9)]).itemgot(1).map(abs).sum()
        15
    """

    __slots__ = ("items",)

    items: list[T]

    @overload
    def __new__(cls: type[L[str]], items: str, *rest: str) -> L[str]: ...
    @overload
    def __new__(cls: type[L[Any]], items: None = None) -> L[Any]: ...
    @overload
    def __new__(
        cls, items: Iterable[T], *, use_list: bool | None = False, match: object = None
    ) -> Self: ...
    @overload
    def __new__(
        cls, items: T, *rest: T, use_list: bool | None = False, match: object = None
    ) -> Self: ...
    def __new__(
        cls, items: Any = None, *rest: Any, use_list: bool | None = False, match: Any = None
    ) -> Any:
        """Make a list of anything, or return an `L` as it is."""
        if not rest and match is None:
            if use_list is None or type(items) is list:
                return cls._wrap(cast("list[Any]", items))
            if isinstance(items, L):
                same = cast("L[Any]", items)
                return same if isinstance(same, cls) else cls._wrap(same.items)
        spread = bool(use_list)
        return cls._wrap(sequences.listify(items, *rest, use_list=spread, match=match))

    @classmethod
    def _wrap(cls, items: list[T]) -> Self:
        """Make an instance around a list, without looking at it."""
        new = object.__new__(cls)
        new.items = items
        return new

    def _new(self, items: list[T]) -> Self:
        """Make an instance like this one with other items; subclasses carry their attributes."""
        return self._wrap(items)

    @staticmethod
    def _of(items: list[U]) -> L[U]:
        """Make an `L` around a list of other items."""
        return cast("type[L[U]]", L)._wrap(items)

    # Constructors

    @classmethod
    def range(cls, a: Any, b: int | None = None, step: int | None = None) -> L[int]:
        """Return `L` of a range, or of the positions of a collection."""
        return cls._of(sequences.range_of(a, b, step))

    @classmethod
    def split(cls, text: str, sep: str | None = None, maxsplit: int = -1) -> L[str]:
        """Return `L` of the parts of `text`, split as by `str.split`."""
        return cls._of(text.split(sep, maxsplit))

    @classmethod
    def splitlines(cls, text: str, *, keepends: bool = False) -> L[str]:
        """Return `L` of the lines of `text`."""
        return cls._of(text.splitlines(keepends))

    # Indexing

    @overload
    def __getitem__(self, idx: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, idx: slice | Iterable[Any]) -> Self: ...
    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, int) and type(self.items) is list:
            return self.items[idx]
        rows: Any = getattr(self.items, "iloc", self.items)
        if sequences.is_indexer(idx):
            return rows[idx]
        if isinstance(idx, slice):
            return self._new(rows[idx])
        picks = self._positions(cast("Any", idx))
        if sequences.is_array(self.items):
            return self._new(rows[picks])
        return self._new([rows[i] for i in picks])

    def __setitem__(self, idx: Any, value: Any) -> None:
        one_slice = isinstance(idx, slice)
        if sequences.is_indexer(idx) or (one_slice and sequences.is_collection(value)):
            self.items[idx] = value
            return
        picks = range(len(self))[idx] if one_slice else self._positions(idx)
        for i, v in zip(picks, _broadcast(value, len(picks)), strict=True):
            self.items[i] = v

    def __delitem__(self, idx: Any) -> None:
        if isinstance(idx, slice) or sequences.is_indexer(idx):
            del self.items[idx]
            return
        n = len(self)
        for i in sorted({range(n)[i] for i in self._positions(idx)}, reverse=True):
            del self.items[i]

    def _positions(self, idx: Iterable[Any]) -> list[int]:
        picks = sequences.as_picks(idx)
        if picks and isinstance(picks[0], bool) and len(picks) != len(self):
            raise IndexError(f"L: a mask of {len(picks)} was given for {len(self)} items.")
        return sequences.mask2idxs(picks)

    # What a list does

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        rows = getattr(self.items, "itertuples", None)
        return iter(self.items if rows is None else rows())

    def __contains__(self, value: object) -> bool:
        return value in cast("Iterator[object]", iter(self))

    def __repr__(self) -> str:
        return sequences.coll_repr(self)

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        printer.text(sequences.coll_repr(self, 10))

    def __eq__(self, other: object) -> bool:
        if sequences.is_sequence(other) or sequences.is_array(other):
            return sequences.equal(list(self), other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment] - like a list's: it can change

    def __add__(self, other: Any) -> Self:
        return self._new([*self, *sequences.listify(other)])

    def __radd__(self, other: Any) -> Self:
        return self._new([*sequences.listify(other), *self])

    def __mul__(self, n: int) -> Self:
        return self._new(list(self) * n)

    __rmul__ = __mul__

    def __invert__(self) -> L[bool]:
        return self._of([not x for x in self])

    def __or__(self, other: Iterable[T]) -> Self:
        return self._new(list(dict.fromkeys([*self, *other])))

    def __sub__(self, other: Iterable[T]) -> Self:
        left_out = L(other)
        return self._new([x for x in self if x not in left_out])

    def insert(self, index: int, value: T) -> None:
        """Insert one item before the position."""
        self.items.insert(index, value)

    def append(self, value: T) -> None:
        """Add one item at the end."""
        self.items.append(value)

    def extend(self, values: Iterable[T] | T) -> None:
        """Add items at the end; by the rules of `L`, a string is one item."""
        self.items.extend(sequences.listify(values))

    def index(self, value: T, start: int = 0, stop: int = sys.maxsize) -> int:
        """Return the position of the first item equal to `value`."""
        return list(self).index(value, start, stop)

    def sort(self, *, key: Callable[[T], Any] | None = None, reverse: bool = False) -> None:
        """Sort in place; `sorted` returns a sorted copy."""
        self.items[:] = self.sorted(key, reverse=reverse)

    def copy(self) -> Self:
        """Return a shallow copy."""
        return self._new(list(self))

    __copy__ = copy

    # Mapping

    @overload
    def map(self, f: str, *args: Any, **kwargs: Any) -> L[str]: ...
    @overload
    def map(self, f: Callable[..., U], *args: Any, **kwargs: Any) -> L[U]: ...
    @overload
    def map(self, f: _Lookup[T, U]) -> L[U]: ...
    def map(self, f: Any, *args: Any, **kwargs: Any) -> L[Any]:
        """Apply `f` to every item.

        Args:
            f: a function; or a format string; or a mapping or sequence to look items up in.
            args: arguments bound before the item, or around the placeholder `arg0` for it.
            kwargs: keyword arguments for `f`.

        Example:
            >>> L(1, 2).map("{}.jpg"), L(1, 2).map({1: "one", 2: "two"}), L(1, 2).map(pow, 2)
            ((#2) ['1.jpg','2.jpg'], (#2) ['one','two'], (#2) [2,4])
        """
        return self._of(list(map(as_function(f, *args, **kwargs), self)))

    def starmap(self, f: Callable[..., U], *args: Any, **kwargs: Any) -> L[U]:
        """Call `f` with the parts of every item as its arguments."""
        return self._of([f(*cast("Iterable[Any]", x), *args, **kwargs) for x in self])

    def map_dict(self, f: Callable[[T], U] = noop) -> dict[T, U]:
        """Return the dict from every item to what `f` makes of it."""
        return {x: f(x) for x in self}

    def map_first(self, f: Any = noop, g: Callable[..., object] = true) -> Any:
        """Return the first result of `f` for which `g` is true, or None; stops there."""
        return sequences.first(map(as_function(f), self), g)

    def map_zip(self, f: Callable[..., U], *args: Any, cycled: bool = False) -> L[U]:
        """Zip the items, which are collections, and call `f` with each tuple's parts."""
        return self.zip(cycled=cycled).starmap(f, *args)

    def map_zipwith(self, f: Callable[..., U], *rest: Iterable[Any], cycled: bool = False) -> L[U]:
        """Zip with the collections of `rest` and call `f` with each tuple's parts."""
        return self.zipwith(*rest, cycled=cycled).starmap(f)

    def flatmap(self, f: Callable[[T], Any]) -> L[Any]:
        """Map, then join the results, which are collections."""
        return self.map(f).concat()

    def itemgot(self, *idxs: Any) -> L[Any]:
        """Get a part of every item: `x[i]`, or `x[i][j]` ... if several indices are given."""
        parts: Iterator[Any] = iter(self)
        for idx in idxs:
            parts = map(operator.itemgetter(idx), parts)
        return self._of(list(parts))

    def attrgot(self, path: str, default: Any = None) -> L[Any]:
        """Get an attribute (or an attribute's attribute, `"a.b"`) or a dict's value of every item.

        Example:
            >>> L({"lr": 1}, {"wd": 2}).attrgot("lr", 0), L(3, 4j).attrgot("real")
            ((#2) [1,0], (#2) [3,0.0])
        """
        return self._of([nested_attr(x, path, default) for x in self])

    def setattrs(self, attr: str, val: Any) -> None:
        """Set an attribute of every item."""
        for x in self:
            setattr(x, attr, val)

    # Selecting

    def filter(self, f: Any = None, *, negate: bool = False, **kwargs: Any) -> Self:
        """Keep the items for which `f` is true.

        Args:
            f: a predicate, or a mapping or sequence to look items up in; default the item itself.
            negate: keep those for which it is not.
            kwargs: keyword arguments for `f`.

        Example:
            >>> L(range(6)).filter(lambda x: x % 2), L(0, 1, 2).filter([True, False, True])
            ((#3) [1,3,5], (#2) [0,2])
        """
        return self._new(list(filter(as_predicate(f, negate=negate, **kwargs), self)))

    def partition(self, f: Any = None, **kwargs: Any) -> tuple[Self, Self]:
        """Return the items for which `f` is true, and the others."""
        yes, no = sequences.partition(self, as_predicate(f, **kwargs))
        return self._new(yes), self._new(no)

    def argwhere(self, f: Any = None, *, negate: bool = False, **kwargs: Any) -> L[int]:
        """Return the positions of the items for which `f` is true."""
        test = as_predicate(f, negate=negate, **kwargs)
        return self._of([i for i, x in enumerate(self) if test(x)])

    def argfirst(self, f: Any = None, *, negate: bool = False) -> int | None:
        """Return the position of the first item for which `f` is true, or None."""
        test = as_predicate(f, negate=negate)
        return next((i for i, x in enumerate(self) if test(x)), None)

    def first(self, f: Any = None, *, negate: bool = False) -> T | None:
        """Return the first item (for which `f` is true), or None."""
        return sequences.first(self, None if f is None else as_predicate(f, negate=negate))

    def last(self, f: Any = None, *, negate: bool = False) -> T | None:
        """Return the last item (for which `f` is true), or None."""
        return sequences.first(
            reversed(self), None if f is None else as_predicate(f, negate=negate)
        )

    def takewhile(self, f: Any) -> Self:
        """Keep the items before the first for which `f` is false."""
        return self._new(list(itertools.takewhile(as_predicate(f), self)))

    def dropwhile(self, f: Any) -> Self:
        """Keep the first item for which `f` is false and all after it."""
        return self._new(list(itertools.dropwhile(as_predicate(f), self)))

    def compress(self, selectors: Iterable[Any]) -> Self:
        """Keep the items whose selector is true."""
        return self._new(list(itertools.compress(self, selectors)))

    @overload
    def unique(
        self, *, sort: bool = False, bidir: Literal[False] = False, start: Any = None
    ) -> Self: ...
    @overload
    def unique(
        self, *, sort: bool = False, bidir: Literal[True], start: Any = None
    ) -> tuple[Self, dict[T, int]]: ...
    def unique(self, *, sort: bool = False, bidir: bool = False, start: Any = None) -> Any:
        """Return the distinct items, in order of first appearance.

        Args:
            sort: sort them instead.
            bidir: also return the dict from item to position.
            start: items that come first in any case, such as special tokens.
        """
        items = self._new(sequences.uniqueify(self, sort=sort, start=start))
        return (items, items.val2idx()) if bidir else items

    # Reordering and grouping

    def sorted(
        self,
        key: Callable[..., Any] | str | int | None = None,
        *,
        reverse: bool = False,
        cmp: Callable[[T, T], int] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Return a sorted copy.

        Args:
            key: function of an item, or the name of its attribute, or the index of its part.
            reverse: sort downward.
            cmp: function of two items that says which is greater, instead of `key`.
            kwargs: keyword arguments for `key`.
        """
        get: Any = functools.cmp_to_key(cmp) if cmp else sequences.as_getter(key)
        order = functools.partial(get, **kwargs) if kwargs else get
        return self._new(sorted(self, key=order, reverse=reverse))

    def shuffle(self, rng: random.Random | None = None) -> Self:
        """Return a shuffled copy.

        Args:
            rng: where the order comes from; default the current counted randomness.
        """
        items = list(self)
        (rng or current().python).shuffle(items)
        return self._new(items)

    def groupby(self, key: Any, val: Any = None) -> dict[Any, L[Any]]:
        """Collect the items by key, in order of appearance.

        Args:
            key: function of an item, or the name of its attribute, or the index of its part.
            val: what to keep of each item, given like `key`; default the item itself.
        """
        groups = sequences.groupby(self, key, val)
        return {k: self._of(items) for k, items in groups.items()}

    def val2idx(self) -> dict[T, int]:
        """Return the dict from item to position."""
        return sequences.val2idx(self)

    def batched(self, n: int) -> L[Self]:
        """Cut into pieces of `n` items; the last may be shorter."""
        return self._of([self._new(chunk) for chunk in sequences.chunked(self, n)])

    def concat(self) -> L[Any]:
        """Join the items, which are collections, into one list."""
        return self._of(sequences.concat(*cast("L[Any]", self)))

    def flatten(self) -> L[Any]:
        """Return the leaves of nested collections."""
        return self._of(list(sequences.flatten(self)))

    # Pairing

    def enumerate(self) -> L[tuple[int, T]]:
        """Pair every item with its position before it."""
        return self._of(list(enumerate(self)))

    def renumerate(self) -> L[tuple[T, int]]:
        """Pair every item with its position after it."""
        return self._of([(x, i) for i, x in enumerate(self)])

    def zip(self, *, cycled: bool = False) -> L[tuple[Any, ...]]:
        """Zip the items, which are collections.

        Args:
            cycled: start shorter collections again until the first ends.
        """
        zipper = sequences.zip_cycle if cycled else zip
        return self._of(list(zipper(*cast("L[Any]", self))))

    def zipwith(self, *rest: Iterable[Any], cycled: bool = False) -> L[tuple[Any, ...]]:
        """Pair every item with those of other collections."""
        zipper = sequences.zip_cycle if cycled else zip
        return self._of(list(zipper(self, *rest)))

    def pairwise(self) -> L[tuple[T, T]]:
        """Pair every item with the next one."""
        return self._of(list(itertools.pairwise(self)))

    def permutations(self, r: int | None = None) -> L[tuple[T, ...]]:
        """Return all orders of `r` items (default all items)."""
        return self._of(list(itertools.permutations(self, r)))

    def combinations(self, r: int) -> L[tuple[T, ...]]:
        """Return all choices of `r` items."""
        return self._of(list(itertools.combinations(self, r)))

    def cycle(self) -> Iterator[T | None]:
        """Iterate for ever."""
        return sequences.cycle(self)

    # Folding

    def reduce(self, f: Callable[[Any, T], Any], initial: Any = None) -> Any:
        """Fold from the left, starting from `initial` if it is given."""
        if initial is None:
            return functools.reduce(f, self)
        return functools.reduce(f, self, initial)

    def accumulate(self, f: Callable[[Any, T], Any] = operator.add, initial: Any = None) -> L[Any]:
        """Return all steps of the fold from the left."""
        return self._of(list(itertools.accumulate(self, f, initial=initial)))

    def sum(self) -> Any:
        """Add all items, whatever they are; 0 if there are none."""
        return self.reduce(operator.add) if len(self) else 0

    def product(self) -> Any:
        """Multiply all items; 1 if there are none."""
        return self.reduce(operator.mul) if len(self) else 1


def _broadcast(value: Any, n: int) -> Sequence[Any]:
    if not sequences.is_collection(value):
        return [value] * n
    values = list(value)
    if len(values) != n:
        raise ValueError(f"L: {len(values)} values were assigned to {n} items. Give 1 or {n}.")
    return values
