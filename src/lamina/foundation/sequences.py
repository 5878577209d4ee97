"""Small functions over sequences: what counts as many, how to index with many, how to compare.

Arrays, tensors and data frames are recognized by what they offer, so none of their libraries is
imported here.
"""

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, SupportsIndex, TypeVar, cast

from lamina.foundation.errors import ContractError

__all__ = [
    "chunked",
    "coll_repr",
    "concat",
    "cycle",
    "detuplify",
    "equal",
    "even_mults",
    "first",
    "flatten",
    "groupby",
    "is_array",
    "is_bool",
    "is_collection",
    "is_indexer",
    "last",
    "listify",
    "mask2idxs",
    "merge",
    "only",
    "partition",
    "range_of",
    "renumerate",
    "tuplify",
    "uniqueify",
    "val2idx",
    "zip_cycle",
]

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
_SCALARS = {bool, int, float, str}  # compared without looking for what else they could be


def is_array(x: object) -> bool:
    """Tell whether `x` is an array, a tensor or a data frame: one value with many numbers.

    Example:
        >>> is_array([1, 2])
        False
    """
    return hasattr(x, "__array__") or hasattr(x, "iloc")


def is_collection(x: Any) -> bool:
    """Tell whether `x` is many items; text and arrays are one.

    Example:
        >>> is_collection((1, 2)), is_collection("ab"), is_collection(None)
        (True, False, False)
    """
    one = isinstance(x, (str, bytes)) or is_array(x)
    return not one and isinstance(x, Iterable)


def is_bool(x: object) -> bool:
    """Tell whether `x` is a truth value: Python's, NumPy's, or a tensor's with one element.

    Example:
        >>> is_bool(True), is_bool(1)
        (True, False)
    """
    dtype = getattr(x, "dtype", None)
    return isinstance(x, bool) or (dtype is not None and str(dtype) in {"bool", "torch.bool"})


def is_indexer(idx: object) -> bool:
    """Tell whether `idx` picks one item, and not a slice, list, mask or array of them.

    Example:
        >>> is_indexer(2), is_indexer([2]), is_indexer(slice(2))
        (True, False, False)
    """
    if isinstance(idx, int):
        return True
    return hasattr(idx, "__index__") and not getattr(idx, "ndim", 0)


def mask2idxs(mask: Iterable[Any]) -> list[int]:
    """Turn a boolean mask into the positions where it is true; positions pass unchanged.

    Args:
        mask: booleans or integers: a list, an array, a tensor or a series.

    Example:
        >>> mask2idxs([True, False, True])
        [0, 2]
        >>> mask2idxs([4, 2])
        [4, 2]
    """
    picks = as_picks(mask)
    if picks and isinstance(picks[0], bool):
        return [i for i, keep in enumerate(picks) if keep]
    return [int(i) for i in picks]


def as_picks(idxs: Iterable[Any]) -> list[Any]:
    """Return an index collection as a list of plain `bool` or plain indices."""
    if hasattr(idxs, "tolist"):
        return cast("list[Any]", cast("Any", idxs).tolist())
    picks = list(idxs)
    if picks and is_bool(picks[0]):
        return [bool(p) for p in picks]
    return [operator.index(cast("SupportsIndex", p)) for p in picks]


def listify(x: Any = None, *rest: Any, use_list: bool = False, match: Any = None) -> list[Any]:
    """Make a list of anything: None is empty; a string, array or scalar is one item.

    Args:
        x: the item or the collection of items. A list is returned as it is, not copied.
        rest: further items; then `x` is an item too.
        use_list: also spread what counts as one item (a string, an array).
        match: repeat a single item to as many as `match` has (or is).

    Raises:
        ValueError: several items, and `match` has another number of them.

    Example:
        >>> listify(None), listify("abc"), listify(range(3)), listify(1, match=["a", "b"])
        ([], ['abc'], [0, 1, 2], [1, 1])
    """
    items = [x, *rest] if rest else _spread(x, use_list=use_list)
    if match is None:
        return items
    n = match if isinstance(match, int) else len(match)
    if len(items) == 1:
        return items * n
    if len(items) != n:
        raise ValueError(f"listify: {len(items)} items given to match {n}. Give 1 or {n}.")
    return items


def _spread(x: Any, *, use_list: bool) -> list[Any]:
    if x is None:
        return []
    if isinstance(x, list):
        return cast("list[Any]", x)
    if use_list:
        return list(x)
    return list(x) if is_collection(x) else [x]


def tuplify(x: Any, *, use_list: bool = False, match: Any = None) -> tuple[Any, ...]:
    """Make a tuple of anything, by the rules of `listify`.

    Example:
        >>> tuplify("a"), tuplify([1, 2])
        (('a',), (1, 2))
    """
    return tuple(listify(x, use_list=use_list, match=match))


def detuplify(x: Any) -> Any:
    """Return the item of a tuple that has one, None for an empty tuple, anything else unchanged.

    Example:
        >>> detuplify((1,)), detuplify(()), detuplify((1, 2))
        (1, None, (1, 2))
    """
    if not isinstance(x, tuple):
        return x
    items = cast("tuple[Any, ...]", x)
    if len(items) > 1:
        return items
    return items[0] if items else None


def first(items: Iterable[T], f: Callable[[T], object] | None = None) -> T | None:
    """Return the first item (for which `f` is true), or None if there is none.

    Example:
        >>> first([3, 5, 8], lambda x: x % 2 == 0)
        8
    """
    return next(iter(items if f is None else filter(f, items)), None)


def last(items: Iterable[T], f: Callable[[T], object] | None = None) -> T | None:
    """Return the last item (for which `f` is true), or None if there is none.

    Example:
        >>> last([3, 5, 8], lambda x: x % 2 == 1)
        5
    """
    found = None
    for item in items if f is None else filter(f, items):
        found = item
    return found


def only(items: Iterable[T]) -> T:
    """Return the item of a collection that has exactly one.

    Raises:
        ContractError: it has none or several.

    Example:
        >>> only(["a"])
        'a'
    """
    found = list(items)
    if len(found) != 1:
        raise ContractError(f"only: expected one item, got {len(found)}: {coll_repr(found, 3)}.")
    return found[0]


def renumerate(items: Iterable[T], start: int = 0) -> Iterator[tuple[T, int]]:
    """Give each item with its number, the other way round than `enumerate`.

    Example:
        >>> dict(renumerate("ab"))
        {'a': 0, 'b': 1}
    """
    return ((x, i) for i, x in enumerate(items, start))


def chunked(
    items: Iterable[T],
    chunk_sz: int | None = None,
    *,
    drop_last: bool = False,
    n_chunks: int | None = None,
) -> Iterator[list[T]]:
    """Cut `items` into lists of `chunk_sz`, or into `n_chunks` lists of about equal size.

    Args:
        items: what to cut. It is read lazily unless `n_chunks` is given.
        chunk_sz: items per chunk.
        drop_last: leave out a last chunk that is not full.
        n_chunks: number of chunks instead of their size.

    Raises:
        ValueError: not exactly one of `chunk_sz` and `n_chunks` is given, or it is below 1.

    Example:
        >>> list(chunked(range(5), 2))
        [[0, 1], [2, 3], [4]]
    """
    if (chunk_sz is None) == (n_chunks is None):
        raise ValueError("chunked: give either chunk_sz or n_chunks.")
    if n_chunks is not None:
        items = list(items)
        chunk_sz = max(1, -(-len(items) // max(n_chunks, 1)))
    size = cast("int", chunk_sz)
    if size < 1 or (n_chunks is not None and n_chunks < 1):
        raise ValueError(f"chunked: got {n_chunks or chunk_sz} chunks or items. Give at least 1.")
    return _chunks(iter(items), size, drop_last=drop_last)


def _chunks(items: Iterator[T], size: int, *, drop_last: bool) -> Iterator[list[T]]:
    while chunk := list(itertools.islice(items, size)):
        if len(chunk) < size and drop_last:
            return
        yield chunk


def groupby(
    items: Iterable[T],
    key: Callable[[T], K] | str | int,
    val: Callable[[T], Any] | str | int | None = None,
) -> dict[K, list[Any]]:
    """Collect items in lists by key, in order of appearance; no sorting needed before.

    Args:
        items: what to group.
        key: function of an item, or the name of its attribute, or the index of its part.
        val: what to keep of each item, given like `key`; default the item itself.

    Example:
        >>> groupby(["aa", "b", "cc"], len)
        {2: ['aa', 'cc'], 1: ['b']}
        >>> groupby([(1, "a"), (2, "b"), (1, "c")], 0, 1)
        {1: ['a', 'c'], 2: ['b']}
    """
    get_key = as_getter(key)
    get_val = as_getter(val)
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(get_key(item), []).append(get_val(item))
    return groups


def as_getter(what: Any) -> Callable[[Any], Any]:
    """Return a function of an item: None keeps it, a name gets an attribute, an index a part."""
    if what is None:
        return _itself
    if isinstance(what, str):
        return operator.attrgetter(what)
    return operator.itemgetter(what) if isinstance(what, int) else what


def _itself(x: T) -> T:
    return x


def merge(*dicts: Mapping[K, V] | None) -> dict[K, V]:
    """Join mappings into one new dict; later ones win, and None counts as empty.

    Example:
        >>> merge({"a": 1}, None, {"a": 2, "b": 3})
        {'a': 2, 'b': 3}
    """
    return {k: v for d in dicts if d is not None for k, v in d.items()}


def partition(items: Iterable[T], f: Callable[[T], object]) -> tuple[list[T], list[T]]:
    """Split into the items for which `f` is true and those for which it is not.

    Example:
        >>> partition([1, 2, 3], lambda x: x > 1)
        ([2, 3], [1])
    """
    yes: list[T] = []
    no: list[T] = []
    for item in items:
        (yes if f(item) else no).append(item)
    return yes, no


def flatten(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the leaves of nested collections, in order; strings and arrays are leaves.

    Example:
        >>> list(flatten([1, (2, [3, "ab"]), range(2)]))
        [1, 2, 3, 'ab', 0, 1]
    """
    for item in items:
        if is_collection(item):
            yield from flatten(item)
        else:
            yield item


def concat(*colls: Iterable[Any]) -> list[Any]:
    """Join collections into one list; what is not a collection counts as one item.

    Example:
        >>> concat([1, 2], (3,), range(2), "ab")
        [1, 2, 3, 0, 1, 'ab']
    """
    return [item for coll in colls for item in listify(coll)]


def uniqueify(
    items: Iterable[T], *, sort: bool = False, start: Iterable[T] | T | None = None
) -> list[T]:
    """Return the distinct items in order of first appearance.

    Args:
        items: hashable items.
        sort: sort them instead.
        start: items that come first in any case, such as special tokens.

    Example:
        >>> uniqueify("banana", start="n"), uniqueify("banana", sort=True)
        (['n', 'b', 'a'], ['a', 'b', 'n'])
    """
    distinct: Iterable[Any] = dict.fromkeys(items)
    return list(dict.fromkeys([*listify(start), *(sorted(distinct) if sort else distinct)]))


def val2idx(items: Iterable[T]) -> dict[T, int]:
    """Map each item to its position; of equal items the last counts.

    Example:
        >>> val2idx("abc")
        {'a': 0, 'b': 1, 'c': 2}
    """
    return {item: i for i, item in enumerate(items)}


def range_of(a: Any, b: int | None = None, step: int | None = None) -> list[int]:
    """Make a list of the range, or of the positions of a collection.

    Example:
        >>> range_of(3), range_of("ab"), range_of(4, 0, -2)
        ([0, 1, 2], [0, 1], [4, 2])
    """
    start = len(a) if hasattr(a, "__len__") else a
    return list(range(start) if b is None else range(start, b, step or 1))


def cycle(items: Iterable[T]) -> Iterator[T | None]:
    """Repeat the items for ever; an empty collection gives None for ever.

    Example:
        >>> list(itertools.islice(cycle("ab"), 3))
        ['a', 'b', 'a']
    """
    return itertools.cycle(listify(items, use_list=True) or [None])


def zip_cycle(x: Iterable[T], *rest: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Zip `x` with collections that start again when they end before it.

    Example:
        >>> list(zip_cycle([1, 2, 3], "ab"))
        [(1, 'a'), (2, 'b'), (3, 'a')]
    """
    return zip(x, *map(cycle, rest), strict=False)


def even_mults(start: float, stop: float, n: int) -> list[float]:
    """Return `n` numbers from `start` to `stop`, each the same multiple of the one before.

    This is how one learning rate per parameter group is spread. One number is `stop`.

    Example:
        >>> even_mults(1, 8, 4)
        [1.0, 2.0, 4.0, 8.0]
    """
    if n == 1:
        return [float(stop)]
    mult = (stop / start) ** (1 / (n - 1))
    return [float(start) * mult**i for i in range(n - 1)] + [float(stop)]


def equal(a: Any, b: Any) -> bool:
    """Compare deeply, whatever the kind of sequence, and with arrays by their content.

    Example:
        >>> equal([1, (2, 3)], (1, [2, 3])), equal({"a": [1]}, {"a": [2]})
        (True, False)
    """
    if type(a) is type(b) and type(a) in _SCALARS:
        return a == b
    if is_array(a) or is_array(b):
        return _equal_arrays(a, b)
    if is_mapping(a) and is_mapping(b):
        return a.keys() == b.keys() and all(equal(v, b[k]) for k, v in a.items())
    if is_sequence(a) and is_sequence(b):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


def is_mapping(x: Any) -> bool:
    """Tell whether `x` is a mapping, such as a dict."""
    return isinstance(x, Mapping)


def is_sequence(x: Any) -> bool:
    """Tell whether `x` is a sequence of items other than text."""
    return isinstance(x, Sequence) and not isinstance(x, (str, bytes))


def _equal_arrays(a: Any, b: Any) -> bool:
    if hasattr(a, "equals"):  # data frames and series
        return type(a) is type(b) and bool(a.equals(b))
    if type(a) is not type(b):
        return equal(plain(a), plain(b))
    return tuple(a.shape) == tuple(b.shape) and bool((a == b).all())


def plain(x: Any) -> Any:
    """Return an array or tensor as nested lists; anything else unchanged."""
    return x.tolist() if hasattr(x, "tolist") else x


def coll_repr(items: Iterable[Any], max_n: int = 250) -> str:
    """Write a collection with its size before it, and at most `max_n` of its items.

    Example:
        >>> coll_repr(range(1000), 3)
        '(#1000) [0,1,2...]'
    """
    sized = items if hasattr(items, "__len__") else list(items)
    n = len(cast("Sequence[Any]", sized))
    shown = ",".join(map(repr, itertools.islice(sized, max_n)))
    return f"(#{n}) [{shown}{'...' if n > max_n else ''}]"
