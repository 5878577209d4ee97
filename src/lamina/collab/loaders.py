"""`CollabDataLoaders`: from a table of who rated what to loaders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, Unpack

from lamina.data.block import RegressionBlock
from lamina.data.loaders import LoadersArgs, refuse_options
from lamina.data.split import RandomSplitter
from lamina.foundation.errors import DataError, UnknownNameError, refuse_unknown
from lamina.foundation.signatures import allowed_keywords
from lamina.tabular.core import Tabular
from lamina.tabular.dates import Datepart
from lamina.tabular.features import cont_cat_split
from lamina.tabular.loader import TabularDataLoader
from lamina.tabular.loaders import TabularDataLoaders
from lamina.tabular.procs import Categorify, FillMissing, Normalize
from lamina.tabular.recipe import names_of

__all__ = ["CollabDataLoaders"]

CHOSEN = "chosen"  # the target of implicit feedback: always 1


class CollabDataLoaders(TabularDataLoaders):
    """Loaders of ratings: `(cats, conts, y)`, of which column 0 of `cats` is the user, 1 the item.

    Attributes:
        item_columns: the columns that describe items.

    Example:
        >>> df = {"user": [*"aabb"], "film": ["x", "y"] * 2, "rating": [1, 2, 3, 4]}
        >>> dls = CollabDataLoaders.from_df(df, valid_pct=0.25, bs=2, seed=42, device="cpu")
        >>> dls.cat_names, dls.classes["user"]
        (['user', 'film'], ['#na#', 'a', 'b'])

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Collaborative
        filtering".
    """

    item_columns: list[Any]

    @classmethod
    def from_df(  # noqa: PLR0913 - visible  # pyright: ignore[reportIncompatibleMethodOverride] - other data
        cls,
        ratings: Any,
        valid_pct: float = 0.2,
        user_name: Any = None,
        item_name: Any = None,
        rating_name: Any = None,
        path: str | Path = ".",
        *,
        splitter: Callable[[Any], Any] | None = None,
        user_features: Any = None,
        item_features: Any = None,
        time_name: Any = None,
        implicit: bool = False,
        **options: Unpack[LoadersArgs],
    ) -> Self:
        """From a frame with a row per rating.

        Columns of dates become features as the parts of dates; see `Datepart`.

        Args:
            ratings: the frame.
            valid_pct: the fraction for validation.
            user_name: the column of users; the first if not given.
            item_name: the column of items; the second if not given.
            rating_name: the column of ratings; the third if not given.
            path: where a learner of these loaders keeps its files.
            splitter: in place of `valid_pct`; called with the frame.
            user_features: columns that describe users, or a frame with the column of users and
                such columns.
            item_features: likewise for items.
            time_name: the column of times, if they are to be a feature.
            implicit: whether rows only say what was chosen; then no ratings are read.
            options: see `LoadersArgs`; `seed` decides the split, too.

        Raises:
            UnknownNameError: a column is missing.
            UnknownArgumentError: an option is not known.
            DataError: rows lack their user or item, or columns cannot be joined.
        """
        refuse_options(f"{cls.__name__}.from_df", options, TabularDataLoader, _NAMED)
        df = _pandas(ratings)
        user, item, rating = _names(df, (user_name, item_name, rating_name), implicit=implicit)
        df, user_columns = _joined(df, user, user_features, "user_features")
        df, item_columns = _joined(df, item, item_features, "item_features")
        extra = [*user_columns, *item_columns, *names_of(time_name)]
        _require(df, extra)
        dates = [name for name in extra if df[name].dtype.kind == "M"]
        conts, cats = cont_cat_split(df[[name for name in extra if name not in dates]])
        procs = [Categorify, FillMissing, Normalize, *([Datepart(dates)] if dates else [])]
        df = df.assign(**{rating: 1.0}) if implicit else df
        splits = (splitter or RandomSplitter(valid_pct, seed=options.get("seed")))(df)
        names = [user, item, *cats]
        to = Tabular(df, procs, names, conts, rating, RegressionBlock(), splits)
        parts = (to.subset(i) for i in range(to.n_subsets))
        dls = cls.from_dsets(*parts, path=path, **options)
        starts = tuple(f"{name}_" for name in dates if name in item_columns)
        parts_of_dates = [n for n in (*to.cat_names, *to.cont_names) if str(n).startswith(starts)]
        dls.item_columns = [*item_columns, *parts_of_dates]
        return dls

    @classmethod
    def from_csv(cls, csv: str | Path, **options: Any) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride] - other data
        """From a CSV file, read with pandas.

        Args:
            csv: the file, also compressed.
            options: those of `from_df`.
        """
        import pandas as pd

        known = (allowed_keywords(cls.from_df) or frozenset()) - {"ratings"}
        refuse_unknown(f"{cls.__name__}.from_csv", options, known)
        return cls.from_df(pd.read_csv(csv), **options)


_NAMED = (
    "valid_pct", "user_name", "item_name", "rating_name", "path", "splitter", "user_features",
    "item_features", "time_name", "implicit",
)  # fmt: skip


def _pandas(frame: Any) -> Any:
    import pandas as pd

    frame = frame.collect() if hasattr(frame, "collect") else frame  # of polars
    return frame.to_pandas() if hasattr(frame, "to_pandas") else pd.DataFrame(frame)


def _names(df: Any, given: tuple[Any, Any, Any], *, implicit: bool) -> tuple[Any, Any, Any]:
    needed = 2 if implicit else 3
    if df.shape[1] < needed:
        raise DataError(
            f"CollabDataLoaders: {df.shape[1]} columns, expected at least {needed}: users, items"
            f"{'' if implicit else ' and ratings; for rows without ratings pass implicit=True'}."
        )
    pairs = zip(given[:needed], df.columns[:needed], strict=True)
    names = [first if name is None else name for name, first in pairs]
    _require(df, names)
    if len(set(names)) < needed:
        raise DataError(f"CollabDataLoaders: {names} are not {needed} different columns.")
    for name in names[:2]:
        gaps = df[name].isna().to_numpy()
        if gaps.any():
            raise DataError(
                f"CollabDataLoaders: column {name!r} is empty in {gaps.sum():,} rows, first in row "
                f"{gaps.argmax()}. Leave these rows out: they tell nothing of a user or item."
            )
    return names[0], names[1], CHOSEN if implicit else names[2]


def _require(df: Any, names: list[Any]) -> None:
    for name in names:
        if name not in df.columns:
            known = [str(column) for column in df.columns]
            raise UnknownNameError("column", str(name), known, where="CollabDataLoaders.from_df")


def _joined(df: Any, key: Any, features: Any, argument: str) -> tuple[Any, list[Any]]:
    """Return ratings with the columns of features, and their names."""
    if features is None or isinstance(features, str | list | tuple):
        return df, names_of(features)
    side = _pandas(features)
    if key not in side or side[key].duplicated().any():
        raise DataError(
            f"CollabDataLoaders: {argument} needs the column {key!r}, each value once. Its columns "
            f"are {', '.join(map(repr, side.columns))}."
        )
    names = [name for name in side.columns if name != key]
    if both := [name for name in names if name in df]:
        raise DataError(
            f"CollabDataLoaders: {argument} and the ratings both have a column {both[0]!r}. "
            "Rename one."
        )
    try:
        return df.merge(side, on=key, how="left", validate="many_to_one"), names
    except ValueError as error:  # of pandas: other types
        raise DataError(
            f"CollabDataLoaders: {key!r} is {side[key].dtype} in {argument}, but {df[key].dtype} "
            "in the ratings. Convert one of them with astype."
        ) from error
