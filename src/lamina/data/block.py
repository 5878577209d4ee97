"""The data block: what inputs and targets are, and how to get, split, label and transform them."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, Unpack

from lamina.data.category import (
    Categorize,
    EncodedMultiCategorize,
    MultiCategorize,
    OneHotEncode,
    RegressionSetup,
)
from lamina.data.datasets import Datasets
from lamina.data.get import ItemGetter
from lamina.data.items import as_items, get_item
from lamina.data.kernels import describe
from lamina.data.loaders import DataLoaders, LoadersArgs, refuse_options
from lamina.data.loading.resample import partial, weighted
from lamina.data.loading.trace import Summary, trace
from lamina.data.pipeline import Pipeline
from lamina.data.split import RandomSplitter
from lamina.data.task import Task
from lamina.data.transform import ItemTransform, Transform
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, DataError, refuse_unknown
from lamina.foundation.functional import noop
from lamina.foundation.registry import savable
from lamina.foundation.signatures import signature_names, strict

__all__ = [
    "CategoryBlock",
    "DataBlock",
    "DeclareTask",
    "MultiCategoryBlock",
    "RegressionBlock",
    "TransformBlock",
    "merge_tfms",
]

Tfms: TypeAlias = Any  # one transform, class or function, or several
Getter: TypeAlias = Callable[[Any], Any]


@savable
@dataclass
class DeclareTask(Transform):
    """Changes nothing; says what the target is, where no transform of the target does.

    Args:
        task: the task.
    """

    task: Task


@strict
@dataclass(frozen=True)
class TransformBlock:
    """What a kind of input or target needs.

    Args:
        type_tfms: transforms from an item to this kind, one element of the tuple at a time.
        item_tfms: transforms of the whole tuple, in the workers.
        batch_tfms: transforms of a batch, on its device.
        dl_type: the class of loader that it needs.
        dls_kwargs: options of the loaders that it needs.
        task: what the target is, if no transform says so; of an input it means nothing.
    """

    type_tfms: Tfms = None
    item_tfms: Tfms = None
    batch_tfms: Tfms = None
    dl_type: type | None = None
    dls_kwargs: dict[str, Any] | None = None
    task: Task | None = None


@strict
def CategoryBlock(  # noqa: N802 - reads like the classes that it stands beside
    vocab: Sequence[Any] | None = None,
    sort: bool = True,  # noqa: FBT001 - the known signature
    add_na: bool = False,  # noqa: FBT001 - the known signature
) -> TransformBlock:
    """One label per item.

    Args:
        vocab: the labels in order; None takes those of the training items.
        sort: whether labels found in the items are sorted.
        add_na: whether unknown and missing labels count as `"#na#"`.
    """
    return TransformBlock(type_tfms=Categorize(vocab=vocab, sort=sort, add_na=add_na))


@strict
def MultiCategoryBlock(  # noqa: N802 - reads like a class
    encoded: bool = False,  # noqa: FBT001 - the known signature
    vocab: Sequence[Any] | None = None,
    add_na: bool = False,  # noqa: FBT001 - the known signature
) -> TransformBlock:
    """Several labels per item.

    Args:
        encoded: whether targets come as 0 or 1 per label of `vocab`.
        vocab: the labels in order; None takes those of the training items.
        add_na: whether unknown labels count as `"#na#"`.

    Raises:
        ContractError: encoded targets need a vocab.
    """
    if not encoded:
        tfms = [MultiCategorize(vocab=vocab, add_na=add_na), OneHotEncode()]
        return TransformBlock(type_tfms=tfms)
    if vocab is None:
        raise ContractError(
            "MultiCategoryBlock: encoded=True needs the labels in order. Pass vocab=[...]."
        )
    return TransformBlock(type_tfms=EncodedMultiCategorize(vocab))


@strict
def RegressionBlock(n_out: int | None = None) -> TransformBlock:  # noqa: N802 - reads like a class
    """One or several numbers per item.

    Args:
        n_out: how many; None finds out from the first item.
    """
    return TransformBlock(type_tfms=RegressionSetup(n_out))


class Steps(TypedDict, total=False):
    """The steps of a data block from the source to labelled items."""

    get_items: Callable[[Any], Any] | None
    splitter: Callable[[Any], Any] | None
    get_x: Getter | Sequence[Getter] | None
    get_y: Getter | Sequence[Getter] | None


@dataclass(frozen=True)
class _Zip:
    """Turns columns into a list of rows.

    Args:
        columns: makes the columns from a source; None takes the source.
    """

    columns: Callable[[Any], Sequence[Any]] | None = None

    def __call__(self, source: Any) -> list[tuple[Any, ...]]:
        """Return one tuple per row."""
        columns = source if self.columns is None else self.columns(source)
        sizes = [len(column) for column in columns]
        if len(set(sizes)) > 1:
            raise DataError(
                f"DataBlock.from_columns: the columns have {', '.join(map(str, sizes))} values. "
                "Give columns of one length."
            )
        return list(zip(*columns, strict=True))


class DataBlock:
    """A recipe from a source to batches: get the items, split them, label them, transform them.

    Args:
        blocks: one per element of the tuple, inputs first; `TransformBlock`s or functions that
            make one. Default two that do nothing.
        dl_type: the class of the loaders; default what the blocks need.
        getters: one function per block from an item to what the block takes.
        n_inp: how many blocks are inputs; default all but the last, at least one.
        item_tfms: transforms of the whole tuple, after those of the blocks.
        batch_tfms: transforms of a batch, after those of the blocks.
        get_items: makes the items from the source; default the source itself.
        splitter: makes the splits from the items; default a fifth at random for validation.
        get_x: the getters of the inputs: one function, or a list of one per input.
        get_y: the getters of the targets, likewise.

    Raises:
        ContractError: the parts do not fit together.

    Example:
        >>> block = DataBlock(
        ...     blocks=(TransformBlock, CategoryBlock),
        ...     get_y=lambda n: "odd" if n % 2 else "even",
        ...     splitter=lambda items: (range(8), range(8, 10)),
        ... )
        >>> dls = block.dataloaders(range(10), bs=4, shuffle=False, device="cpu")
        >>> dls.vocab, dls.one_batch()[1]
        (['even', 'odd'], TensorCategory([0, 1, 0, 1]))

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Data block API".
    """

    def __init__(
        self,
        blocks: Any = None,
        *,
        dl_type: type | None = None,
        getters: Sequence[Getter] | None = None,
        n_inp: int | None = None,
        item_tfms: Tfms = None,
        batch_tfms: Tfms = None,
        **steps: Unpack[Steps],
    ) -> None:
        refuse_unknown("DataBlock", steps, (*signature_names(DataBlock), *Steps.__annotations__))
        self.blocks = _made(blocks)
        self.n_inp = max(1, len(self.blocks) - 1) if n_inp is None else n_inp
        self.get_items = steps.get("get_items")
        self.splitter = steps.get("splitter") or RandomSplitter()
        self.getters = self._all_getters(getters, steps.get("get_x"), steps.get("get_y"))
        self.dl_type = dl_type
        self._own = item_tfms, batch_tfms
        self.item_tfms = merge_tfms(*(b.item_tfms for b in self.blocks), item_tfms)
        self.batch_tfms = merge_tfms(*(b.batch_tfms for b in self.blocks), batch_tfms)

    @classmethod
    def from_columns(
        cls,
        blocks: Any = None,
        getters: Sequence[Getter] | None = None,
        get_items: Callable[[Any], Sequence[Any]] | None = None,
        **settings: Any,
    ) -> "DataBlock":
        """Make a block whose source is columns, one per block, instead of items.

        Args:
            blocks: see the class.
            getters: from an item, a tuple of one value per column, to what each block takes;
                default that block's column.
            get_items: makes the columns from the source; default the source itself.
            settings: the other arguments of the class.

        Example:
            >>> block = DataBlock.from_columns((TransformBlock, CategoryBlock))
            >>> ds = block.datasets([[1.0, 2.0, 3.0], ["a", "b", "a"]])
            >>> len(ds), ds[0]
            (3, (1.0, TensorCategory(0)))
        """
        getters = getters or [ItemGetter(i) for i in range(len(_made(blocks)))]
        return cls(blocks, getters=getters, get_items=_Zip(get_items), **settings)

    def datasets(self, source: Any) -> Datasets:
        """Make the data set of a source.

        Args:
            source: what `get_items` takes; without it, the items.

        Raises:
            DataError: the source gives no items.
        """
        items = as_items(source if self.get_items is None else self.get_items(source))
        if not len(items):
            how = "" if self.get_items is None else f" through {_name(self.get_items)}"
            raise DataError(
                f"DataBlock: the source {describe(source)} gave no items{how}. Check that the "
                "path is right and that get_items finds what is there."
            )
        whole = isinstance(get_item(items, 0), tuple)
        getters = map(_whole, self.getters) if whole else self.getters
        tfms = [
            [getter, *_fresh(_listed(block.type_tfms)), *_declared(block, i >= self.n_inp)]
            for i, (getter, block) in enumerate(zip(getters, self.blocks, strict=True))
        ]
        splits = self.splitter(items) if callable(self.splitter) else None
        if splits is None:
            raise DataError(
                f"DataBlock: splitter={self.splitter!r} gave no splits. Expected a function from "
                "the items to lists of positions, such as RandomSplitter(0.2)."
            )
        return Datasets(items, tfms, splits=splits, n_inp=self.n_inp)

    datasource = datasets

    def dataloaders(
        self,
        source: Any,
        path: str | Path = ".",
        *,
        item_tfms: Tfms = None,
        batch_tfms: Tfms = None,
        **options: Unpack[LoadersArgs],
    ) -> DataLoaders:
        """Make the loaders of a source.

        Args:
            source: what `get_items` takes; without it, the items.
            path: a folder for what belongs to these data.
            item_tfms: further transforms of the whole tuple; one of a class that is there already
                takes its place.
            batch_tfms: further transforms of a batch, likewise.
            options: see `LoadersArgs`.

        Raises:
            UnknownArgumentError: an option is not known.
        """
        wanted = [b.dl_type for b in self.blocks if b.dl_type is not None]
        kind = self.dl_type or (wanted[-1] if wanted else None)
        settings: Any = {"dl_type": kind} if kind is not None else {}
        for block in self.blocks:
            settings |= block.dls_kwargs or {}
        settings |= options
        refuse_options(
            "DataBlock.dataloaders", settings, settings.get("dl_type"), ("item_tfms", "batch_tfms")
        )
        stages = {
            "after_item": (self.item_tfms, item_tfms),
            "after_batch": (self.batch_tfms, batch_tfms),
        }
        for name, (own, given) in stages.items():
            settings[name] = merge_tfms(_fresh(own), settings.get(name), given)
        ds = self.datasets(source)
        return DataLoaders.from_dsets(
            *(ds.subset(i) for i in range(ds.n_subsets)), path=path, **settings
        )

    databunch = dataloaders

    def weighted_dataloaders(
        self, source: Any, wgts: Any, path: str | Path = ".", **options: Any
    ) -> DataLoaders:
        """Make loaders of which the first draws items with replacement, by their weights.

        Args:
            source: what `get_items` takes; without it, the items.
            wgts: a weight per training item, or per item of the source.
            path: a folder for what belongs to these data.
            options: those of `dataloaders`.

        Raises:
            DataError: the weights do not fit the items.
        """
        return weighted(self.dataloaders(source, path, **options), wgts)

    def partial_dataloaders(
        self, source: Any, partial_n: int, path: str | Path = ".", **options: Any
    ) -> DataLoaders:
        """Make loaders of which the first uses only some items per pass, other ones each time.

        Args:
            source: what `get_items` takes; without it, the items.
            partial_n: how many items a pass uses.
            path: a folder for what belongs to these data.
            options: those of `dataloaders`.
        """
        return partial(self.dataloaders(source, path, **options), partial_n)

    @strict
    def summary(self, source: Any, bs: int = 4, *, show_batch: bool = False) -> Summary:
        """Carry a few items through every step, and tell what each step made of them.

        Args:
            source: what `dataloaders` would be given.
            bs: how many items to put together.
            show_batch: whether to draw a batch too.

        Returns:
            The report; its `str` is the text. If a step fails, its error carries the report so far.
        """
        report = trace(self, source, bs)
        if show_batch:
            self.dataloaders(source, bs=bs).show_batch()
        return report

    def new(self, **changes: Any) -> "DataBlock":
        """Return a copy in which some arguments differ; this one stays as it is.

        Args:
            changes: arguments of the constructor; item and batch transforms are added to those
                that are there.

        Raises:
            UnknownArgumentError: an argument is not known.
        """
        names, n = (*signature_names(DataBlock), *Steps.__annotations__), len(self.blocks)
        refuse_unknown("DataBlock.new", changes, names)
        settings: dict[str, Any] = {
            "blocks": self.blocks,
            "dl_type": self.dl_type,
            "n_inp": self.n_inp if len(_made(changes.get("blocks", self.blocks))) == n else None,
            "get_items": self.get_items,
            "splitter": self.splitter,
            "item_tfms": merge_tfms(self._own[0], changes.pop("item_tfms", None)),
            "batch_tfms": merge_tfms(self._own[1], changes.pop("batch_tfms", None)),
        }
        if not {"getters", "get_x", "get_y"} & set(changes):
            settings["getters"] = self.getters
        elif "getters" not in changes:
            settings["get_x"] = self.getters[: self.n_inp]
            settings["get_y"] = self.getters[self.n_inp :]
        return DataBlock(**{**settings, **changes})

    def __repr__(self) -> str:
        blocks = ", ".join(map(repr, self.blocks))
        return f"DataBlock(({blocks}), n_inp={self.n_inp}, splitter={_name(self.splitter)})"

    def _all_getters(self, getters: Any, get_x: Any, get_y: Any) -> list[Getter]:
        n = len(self.blocks)
        if not 1 <= self.n_inp <= n:
            raise ContractError(f"DataBlock: n_inp={self.n_inp} does not fit {n} blocks.")
        if getters is not None and (get_x or get_y):
            raise ContractError("DataBlock: give either getters, or get_x and get_y.")
        if getters is not None:
            return _checked("getters", getters, n)
        n_inp = self.n_inp
        return _checked("get_x", get_x, n_inp) + _checked("get_y", get_y, n - n_inp)


def merge_tfms(*groups: Tfms) -> list[Any]:
    """Join groups of transforms; a later one takes the place of earlier ones of its class.

    Args:
        groups: each a transform, a class or function, several of these, or None.

    Example:
        >>> merge_tfms([int, abs], None, abs)
        [<class 'int'>, <built-in function abs>]
    """
    merged: list[Any] = []
    for group in groups:
        new = _listed(group)
        keys = [_key(tfm) for tfm in new]
        merged = [tfm for tfm in merged if _key(tfm) not in keys] + new
    return merged


def _fresh(tfms: list[Any]) -> list[Any]:
    """Copy transforms, so that what they learn from one source does not stay for the next."""
    return [copy(tfm) if isinstance(tfm, Transform) else tfm for tfm in tfms]


def _key(tfm: Any) -> Any:
    """Return what makes two transforms count as the same: the class, or the function itself."""
    if isinstance(tfm, type):
        return tfm
    return type(tfm) if isinstance(tfm, Transform) and not tfm._functions else id(tfm)


def _listed(tfms: Tfms) -> list[Any]:
    if tfms is None:
        return []
    is_many = isinstance(tfms, list | tuple | L | Pipeline)
    return list(tfms) if is_many else [tfms]


def _made(blocks: Any) -> list[TransformBlock]:
    if blocks is None:
        blocks = (TransformBlock, TransformBlock)
    made: list[Any] = [b() if callable(b) else b for b in _listed(blocks)]
    for block in made:
        if not isinstance(block, TransformBlock):
            raise ContractError(
                f"DataBlock: {block!r} is no block. Give TransformBlocks, or functions such as "
                "CategoryBlock that make one."
            )
    return made


def _declared(block: TransformBlock, is_target: bool) -> list[Transform]:  # noqa: FBT001 - a switch
    return [DeclareTask(block.task)] if is_target and block.task is not None else []


def _whole(getter: Any) -> Any:
    """Let a plain function see an item that is a tuple as a whole."""
    is_step = getter is noop or isinstance(getter, type | Transform | Pipeline | L | list | tuple)
    return getter if is_step else ItemTransform(getter)


def _checked(name: str, getters: Any, n: int) -> list[Getter]:
    is_one = isinstance(getters, Pipeline)
    made: list[Any] = [noop] * n if getters is None else [getters] if is_one else _listed(getters)
    if len(made) != n:
        what = {"get_x": "inputs", "get_y": "targets"}.get(name, "blocks")
        raise ContractError(
            f"DataBlock: {name} has {len(made)} functions for {n} {what}. Give a list of one per "
            "block; to apply several functions one after the other, use Pipeline([...])."
        )
    return made


def _name(fn: Any) -> str:
    return getattr(fn, "__name__", None) or repr(fn)
