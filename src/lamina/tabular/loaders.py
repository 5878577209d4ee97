"""`TabularDataLoaders`: from a frame or a CSV file to loaders, in one call."""

from pathlib import Path
from typing import Any, Self, Unpack

from lamina.data.loaders import DataLoaders, LoadersArgs, refuse_options
from lamina.data.split import IndexSplitter, RandomSplitter, StratifiedSplitter
from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.foundation.signatures import allowed_keywords
from lamina.tabular.core import Tabular
from lamina.tabular.encoding import check  # noqa: F401  # its probe enters itself
from lamina.tabular.encoding.frames import as_frame
from lamina.tabular.loader import TabularDataLoader
from lamina.tabular.procs import Categorify, FillMissing, Normalize
from lamina.tabular.recipe import names_of

__all__ = ["TabularDataLoaders", "TabularLoaderArgs"]


class TabularLoaderArgs(LoadersArgs, total=False):
    """Further keywords of `TabularDataLoaders.from_df`, beside those of all loaders.

    Attributes:
        valid_idx: positions of the rows for validation, or a mask.
        valid_pct: the fraction for validation, when these are not given (0.2).
        splits: ready splits, or a splitter, in place of both.
        stratify: whether the random split keeps the shares of the labels.
        date_names: columns of dates; `Datepart` makes features of them.
        text_names: columns of free text; `HashText` makes features of them.
    """

    valid_idx: Any
    valid_pct: float
    splits: Any
    stratify: bool
    date_names: Any
    text_names: Any


class TabularDataLoaders(DataLoaders):
    """Loaders of the rows of a table.

    Example:
        >>> df = {"job": ["cook", "poet"] * 8, "age": [*range(16)], "rich": ["no", "yes"] * 8}
        >>> dls = TabularDataLoaders.from_df(df, y_names="rich", bs=4, seed=42, device="cpu")
        >>> dls.cat_names, dls.cont_names, dls.vocab, [len(part) for part in dls.one_batch()]
        (['job', 'age'], [], ['no', 'yes'], [4, 4, 4])

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Tabular".
    """

    @classmethod
    def from_dsets(
        cls, *dsets: Any, path: str | Path = ".", **options: Unpack[LoadersArgs]
    ) -> Self:
        """Make a loader for each `Tabular`; see `DataLoaders.from_dsets`."""
        options.setdefault("dl_type", TabularDataLoader)
        return super().from_dsets(*dsets, path=path, **options)

    @classmethod
    def from_df(
        cls,
        df: Any,
        path: str | Path = ".",
        procs: Any = None,
        cat_names: Any = None,
        cont_names: Any = None,
        y_names: Any = None,
        y_block: Any = None,
        **options: Unpack[TabularLoaderArgs],
    ) -> Self:
        """From a frame of pandas, polars, Arrow or cuDF.

        Args:
            df: the frame.
            path: where a learner of these loaders keeps its files.
            procs: see `Tabular`; None takes `Categorify`, `FillMissing` and `Normalize`.
            cat_names: the columns of categories.
            cont_names: the columns of numbers; None takes those that are left.
            y_names: the column to predict, or several.
            y_block: what the target is; None follows the rule of `encoding.infer_target`.
            options: see `TabularLoaderArgs` and `LoadersArgs`. A `seed` also decides the split.

        Raises:
            UnknownArgumentError: an option is not known.
            DataError: a column is missing, or holds what it should not.
        """
        own = TabularLoaderArgs.__annotations__.keys() - LoadersArgs.__annotations__.keys()
        refuse_options(f"{cls.__name__}.from_df", options, TabularDataLoader, [*own, *_NAMED])
        given: Any = {key: options.pop(key) for key in own if key in options}
        splits = _splits(df, given, options.get("seed"), y_names)
        procs, left_out = _procs(procs, given)
        if left_out and cat_names is None and cont_names is None:
            df = _without(df, left_out)
        to = Tabular(df, procs, cat_names, cont_names, y_names, y_block, splits)
        return cls.from_dsets(*(to.subset(i) for i in range(to.n_subsets)), path=path, **options)

    @classmethod
    def from_csv(cls, csv: str | Path, skipinitialspace: bool = True, **options: Any) -> Self:  # noqa: FBT001 - the known signature
        """From a CSV file, read with pandas.

        Args:
            csv: the file, also compressed.
            skipinitialspace: whether to leave out spaces after a comma.
            options: those of `from_df`.
        """
        import pandas as pd

        known = (allowed_keywords(cls.from_df) or frozenset()) - {"df"}
        refuse_unknown(f"{cls.__name__}.from_csv", options, known)
        return cls.from_df(pd.read_csv(csv, skipinitialspace=skipinitialspace), **options)

    recipe = property(lambda self: self.train.dataset.recipe, doc="What turns rows into tensors.")
    cat_names = property(lambda self: self.recipe.cats, doc="The columns of codes.")
    cont_names = property(lambda self: self.recipe.conts, doc="The columns of numbers.")
    y_names = property(lambda self: self.recipe.y_names, doc="The columns to predict.")
    classes = property(lambda self: self.recipe.classes, doc="The levels, `#na#` first, by column.")


_NAMED = ("procs", "cat_names", "cont_names", "y_names", "y_block")


def _splits(df: Any, given: dict[str, Any], seed: int | None, y_names: Any) -> Any:
    if given.get("splits") is not None:
        return given["splits"]
    frame = as_frame(df)
    if given.get("valid_idx") is not None:
        return IndexSplitter(given["valid_idx"])(range(len(frame)))
    valid_pct = given.get("valid_pct", 0.2)
    if given.get("stratify"):
        if not names_of(y_names):
            what = "from_df: stratify=True keeps the shares of labels, but y_names names none"
            raise ContractError(f"{what}. Give y_names, or leave stratify out.")
        labels = frame.objects(names_of(y_names)[0]).tolist()
        return StratifiedSplitter(labels, valid_pct, seed)(range(len(frame)))
    return RandomSplitter(valid_pct, seed=seed)(range(len(frame)))


def _procs(procs: Any, given: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Add the procs of dates and texts; return all, and the columns that they take."""
    from lamina.tabular.dates import Datepart, HashText

    procs = [Categorify, FillMissing, Normalize] if procs is None else list(procs)
    dates, texts = names_of(given.get("date_names")), names_of(given.get("text_names"))
    procs += [Datepart(dates)] if dates else []
    procs += [HashText(texts)] if texts else []
    return procs, [*dates, *texts]


def _without(df: Any, names: list[Any]) -> Any:
    frame = as_frame(df)
    frame.names = [name for name in frame.names if name not in names]
    return frame
