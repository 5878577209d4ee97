"""Loaders of pictures for the usual ways in which people keep them."""

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self, Unpack, cast

from lamina.data.block import (
    CategoryBlock,
    DataBlock,
    MultiCategoryBlock,
    RegressionBlock,
    TransformBlock,
)
from lamina.data.get import ItemGetter, get_image_files
from lamina.data.label import ColReader, RegexLabeller, parent_label
from lamina.data.loaders import DataLoaders, LoadersArgs
from lamina.data.split import ColSplitter, GrandparentSplitter, RandomSplitter
from lamina.data.splits.positions import column
from lamina.foundation.errors import DataError, refuse_unknown
from lamina.foundation.sequences import listify
from lamina.foundation.signatures import allowed_keywords, strict
from lamina.vision.blocks import ImageBlock, MaskBlock
from lamina.vision.decoding import Decoder
from lamina.vision.images import PILBase, PILImage

__all__ = [
    "ImageDataLoaders",
    "ImageLoaderArgs",
    "SegmentationDataLoaders",
    "SegmentationDataloaders",
    "SegmentationLoaderArgs",
]

Paths = Sequence[str | Path]
LabelFunc = Callable[[Any], Any]


class ImageLoaderArgs(LoadersArgs, total=False):
    """Keyword arguments that all factories of `ImageDataLoaders` take."""

    valid_pct: float | None
    item_tfms: Any
    batch_tfms: Any
    img_cls: type[PILBase]
    decoder: str | Decoder
    y_block: Any


class SegmentationLoaderArgs(ImageLoaderArgs, total=False):
    """Keyword arguments of `SegmentationDataLoaders`; codes and values as in `MaskBlock`."""

    codes: Sequence[Any] | None
    values: Sequence[int] | None


_LOADING = tuple(LoadersArgs.__annotations__)
_KNOWN = tuple(ImageLoaderArgs.__annotations__)
_CSV = ("csv_fname", "header", "delimiter", "quoting")


class ImageDataLoaders(DataLoaders):
    """`DataLoaders` of pictures, with a factory for each usual way of keeping them.

    All factories take, as keywords: `valid_pct` (0.2), the fraction held out at random; `seed`
    (None), of the split and of all data randomness; `item_tfms` and `batch_tfms`; `img_cls`
    (`PILImage`); `decoder` ("pillow"), see `OpenImage`; `y_block`, the block of the target, where
    its labels should not decide; `bs` (64), `val_bs` (as `bs`), `shuffle` (True), `num_workers`
    (0), `device` (the default one), and what else `LoadersArgs` lists. Unknown keywords raise
    `UnknownArgumentError`.
    """

    @classmethod
    @strict
    def from_folder(
        cls,
        path: str | Path,
        train: str = "train",
        valid: str = "valid",
        *,
        vocab: Sequence[str] | None = None,
        **options: Unpack[ImageLoaderArgs],
    ) -> Self:
        """From `path/train/label/picture` and `path/valid/label/picture`.

        With `valid_pct` given, from `path/.../label/picture`, split at random.

        Args:
            path: The folder.
            train: Name of the folder of training pictures.
            valid: Name of the folder of validation pictures.
            vocab: The labels in order; found in the training pictures when not given.
            options: See the class.
        """
        named = options.get("valid_pct") is None
        split = GrandparentSplitter(train, valid) if named else _random_split(options)
        where = "ImageDataLoaders.from_folder"
        return cls._make(where, path, get_image_files(path), parent_label, split, vocab, **options)

    @classmethod
    @strict
    def from_path_func(
        cls,
        path: str | Path,
        fnames: Paths,
        label_func: LabelFunc,
        **options: Unpack[ImageLoaderArgs],
    ) -> Self:
        """From a list of files; `label_func` makes a label of a file's path.

        Args:
            path: Where a learner of these loaders keeps its files.
            fnames: The files.
            label_func: From a path to a label.
            options: See the class.
        """
        where = "ImageDataLoaders.from_path_func"
        return cls._make(where, path, fnames, label_func, _random_split(options), **options)

    @classmethod
    @strict
    def from_name_func(
        cls,
        path: str | Path,
        fnames: Paths,
        label_func: LabelFunc,
        **options: Unpack[ImageLoaderArgs],
    ) -> Self:
        """From a list of files; `label_func` makes a label of a file's name.

        Args:
            path: Where a learner of these loaders keeps its files.
            fnames: The files.
            label_func: From a name to a label.
            options: See the class.
        """

        def of_name(file: str | Path) -> Any:
            return label_func(Path(file).name)

        where = "ImageDataLoaders.from_name_func"
        return cls._make(where, path, fnames, of_name, _random_split(options), **options)

    @classmethod
    @strict
    def from_name_re(
        cls, path: str | Path, fnames: Paths, pat: str, **options: Unpack[ImageLoaderArgs]
    ) -> Self:
        r"""From a list of files; the first group of `pat` in a file's name is the label.

        A pattern that does not fit the name is tried on the whole path, with forward slashes.

        Args:
            path: Where a learner of these loaders keeps its files.
            fnames: The files.
            pat: A regular expression such as `r"^(.+)_\d+\.jpg$"`.
            options: See the class.
        """
        where = "ImageDataLoaders.from_name_re"
        label = RegexLabeller(pat)
        return cls._make(where, path, fnames, label, _random_split(options), **options)

    from_path_re = from_name_re

    @classmethod
    @strict
    def from_lists(
        cls,
        path: str | Path,
        fnames: Paths,
        labels: Sequence[Any],
        **options: Unpack[ImageLoaderArgs],
    ) -> Self:
        """From a list of files, relative to `path`, and the list of their labels.

        Args:
            path: The folder of the files.
            fnames: The files.
            labels: One label a file; lists of labels make a multi-label target, floats a number.
            options: See the class.

        Raises:
            DataError: The lists differ in length.
        """
        if len(fnames) != len(labels):
            raise DataError(
                f"ImageDataLoaders.from_lists: {len(fnames)} files and {len(labels)} labels. "
                "Give one label for each file."
            )
        pairs = [(Path(path) / f, label) for f, label in zip(fnames, labels, strict=True)]
        where, split = "ImageDataLoaders.from_lists", _random_split(options)
        x, y = ItemGetter(0), ItemGetter(1)
        return cls._make(where, path, pairs, y, split, x=x, y=_block_for(labels), **options)

    @classmethod
    @strict
    def from_df(
        cls,
        df: Any,
        path: str | Path = ".",
        *,
        fn_col: int | str = 0,
        label_col: int | str | Sequence[int | str] = 1,
        folder: str | Path | None = None,
        suff: str = "",
        label_delim: str | None = None,
        valid_col: str | None = None,
        **options: Unpack[ImageLoaderArgs],
    ) -> Self:
        """From the rows of a data frame.

        Args:
            df: A pandas data frame.
            path: The folder of the files.
            fn_col: Column of the file names.
            label_col: Column of the labels, of which floats make a number; or several columns: the
                target is multi-label then.
            folder: Folder under `path`.
            suff: Added to the file names.
            label_delim: Splits several labels in a cell; the target is multi-label too.
            valid_col: Column that is true for validation rows, in place of a random split.
            options: See the class.
        """
        pref = Path(path) / (folder or "")
        split = _random_split(options) if valid_col is None else ColSplitter(valid_col)
        x = ColReader(fn_col, pref=f"{pref.as_posix()}/", suff=suff)
        y = ColReader(label_col, label_delim=label_delim)
        where = "ImageDataLoaders.from_df"
        is_multi = label_delim or isinstance(label_col, list | tuple)
        labels = [[]] if is_multi else column(where, df, label_col, "label_col")
        block = _block_for(labels)
        return cls._make(where, path, df, y, split, x=x, y=block, **options)

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        csv_fname: str = "labels.csv",
        *,
        header: Any = "infer",
        delimiter: str | None = None,
        quoting: int = 0,
        **options: Any,
    ) -> Self:
        """From a table in `path`, read with pandas; see `from_df` for the keywords.

        Args:
            path: The folder of the table and the files.
            csv_fname: Name of the table.
            header: Row of the column names, None if there is none.
            delimiter: What stands between two cells; a comma unless given.
            quoting: How cells are quoted, one of `csv`'s constants.
            options: Those of `from_df`.
        """
        import pandas as pd

        known = allowed_keywords(cls.from_df) or ()
        refuse_unknown("ImageDataLoaders.from_csv", options, [*_CSV, *known])
        file = Path(path) / csv_fname
        table = pd.read_csv(file, header=header, sep=delimiter or ",", quoting=cast("Any", quoting))
        return cls.from_df(table, path, **options)

    @classmethod
    def _make(  # all parts of a data block, called from the factories only
        cls,
        where: str,
        path: str | Path,
        items: Any,
        label: LabelFunc,
        split: Any,
        vocab: Sequence[str] | None = None,
        *,
        x: LabelFunc | None = None,
        y: Any = None,
        **options: Unpack[ImageLoaderArgs],
    ) -> Self:
        refuse_unknown(where, options, _KNOWN)
        y = options.get("y_block") or y or CategoryBlock(vocab=vocab)
        block = DataBlock(
            blocks=(_pictures(options), y),
            splitter=split,
            get_x=x,
            get_y=label,
            item_tfms=options.get("item_tfms"),
            batch_tfms=options.get("batch_tfms"),
        )
        return cls.from_dblock(block, items, path, **_loading(options))


class SegmentationDataLoaders(DataLoaders):
    """`DataLoaders` of pictures with the class of every pixel."""

    @classmethod
    def from_label_func(
        cls,
        path: str | Path,
        fnames: Paths,
        label_func: LabelFunc,
        **options: Unpack[SegmentationLoaderArgs],
    ) -> Self:
        """From a list of files; `label_func` makes the path of a mask of a picture's path.

        Args:
            path: Where a learner of these loaders keeps its files.
            fnames: The files of the pictures.
            label_func: From the path of a picture to that of its mask.
            options: `codes` names the classes; `values` says which value each has in the masks
                when they are not 0, 1, 2 and so on; the others are those of `ImageDataLoaders`.

        Source: the fastai paper, "Vision".
        """
        where = "SegmentationDataLoaders.from_label_func"
        refuse_unknown(where, options, SegmentationLoaderArgs.__annotations__)
        mask = options.get("y_block") or MaskBlock(options.get("codes"), options.get("values"))
        block = DataBlock(
            blocks=(_pictures(options), mask),
            splitter=_random_split(options),
            get_y=label_func,
            item_tfms=options.get("item_tfms"),
            batch_tfms=options.get("batch_tfms"),
        )
        return cls.from_dblock(block, fnames, path, **_loading(options))


SegmentationDataloaders = SegmentationDataLoaders  # as the paper spells it


def _pictures(options: ImageLoaderArgs) -> TransformBlock:
    return ImageBlock(options.get("img_cls", PILImage), options.get("decoder", "pillow"))


def _loading(options: Any) -> dict[str, Any]:
    """Return those of a factory's keywords that are for the loaders."""
    return {key: value for key, value in options.items() if key in _LOADING}


def _random_split(options: ImageLoaderArgs) -> RandomSplitter:
    valid_pct = options.get("valid_pct")
    return RandomSplitter(0.2 if valid_pct is None else valid_pct, seed=options.get("seed"))


def _block_for(labels: Any) -> Any:
    """Return the block that all labels ask for; a gap makes whole numbers floats in pandas."""
    known = labels.dropna() if hasattr(labels, "dropna") else labels
    kinds = known.tolist() if getattr(known, "ndim", 0) == 1 else list(known)
    if any(isinstance(label, list | tuple | set) for label in kinds):
        are_floats = all(isinstance(x, float) for label in kinds for x in listify(label))
        return RegressionBlock() if are_floats and kinds[0] else MultiCategoryBlock()
    are_numbers = all(isinstance(label, Real) for label in kinds)
    are_whole = all(isinstance(label, Integral) for label in kinds)
    if are_numbers and len(kinds) < len(labels):
        are_whole = all(label % 1 == 0 for label in kinds)
    return RegressionBlock() if are_numbers and not are_whole else CategoryBlock()
