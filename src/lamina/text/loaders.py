"""Loaders of texts for the usual ways in which people keep them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, Unpack

from lamina.data.block import CategoryBlock, DataBlock, MultiCategoryBlock
from lamina.data.get import get_text_files
from lamina.data.label import ColReader, parent_label
from lamina.data.loaders import DataLoaders, LoadersArgs
from lamina.data.split import ColSplitter, GrandparentSplitter, RandomSplitter
from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.foundation.signatures import allowed_keywords, signature_names, strict
from lamina.text.blocks import TextBlock
from lamina.text.tokenize import Columns, Tokenizer

__all__ = ["TextDataLoaders", "TextLoaderArgs"]


class TextLoaderArgs(LoadersArgs, total=False):
    """Keyword arguments that all factories of `TextDataLoaders` take, besides those of loaders.

    Attributes:
        valid_pct: The fraction held out at random (0.2).
        text_vocab: The tokens by number, such as those of a language model.
        vocab: The same, as the paper has it; in `from_folder`, the labels of a classifier.
        is_lm: Whether the next token is the target, and there are no labels.
        tok_tfm: What tokenizes; see `TextBlock`.
        seq_len: Tokens that a language model reads at a time, and the step of padding (72).
        backwards: Whether texts are turned round.
        y_block: The block of the target, where its labels should not decide.
        min_freq: How often a token must occur to be taken into a vocabulary (3).
        max_vocab: How many tokens it has at most (60,000).
        item_tfms: Transforms of an item.
        batch_tfms: Transforms of a batch.
    """

    valid_pct: float | None
    text_vocab: Sequence[str] | None
    vocab: Sequence[str] | None
    is_lm: bool
    tok_tfm: Any
    seq_len: int
    backwards: bool
    y_block: Any
    min_freq: int
    max_vocab: int
    item_tfms: Any
    batch_tfms: Any


_KNOWN = tuple(TextLoaderArgs.__annotations__)
_LOADING = (*LoadersArgs.__annotations__, "item_tfms", "batch_tfms")
_BLOCK = ("is_lm", "seq_len", "backwards", "min_freq", "max_vocab")
_CSV = ("csv_fname", "header", "delimiter", "quoting")


class TextDataLoaders(DataLoaders):
    """`DataLoaders` of texts, with a factory for each usual way of keeping them.

    `TextLoaderArgs` lists the keywords that all factories take; `seed` is that of the split and of
    all data randomness. Unknown keywords raise `UnknownArgumentError`.

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Text".
    """

    @classmethod
    @strict
    def from_folder(
        cls,
        path: str | Path,
        train: str = "train",
        valid: str = "valid",
        *,
        splitter: Any = None,
        **options: Unpack[TextLoaderArgs],
    ) -> Self:
        """From `path/train/label/text.txt` and `path/valid/label/text.txt`.

        With `valid_pct` given, from `path/.../label/text.txt`, split at random.

        Args:
            path: The folder.
            train: Name of the folder of training texts.
            valid: Name of the folder of validation texts.
            splitter: What splits the files instead.
            options: See the class; for a language model, labels do not matter.
        """
        where = "TextDataLoaders.from_folder"
        if splitter is None:
            named = options.get("valid_pct") is None
            splitter = GrandparentSplitter(train, valid) if named else _random_split(options)
        labels = None
        if not options.get("is_lm"):
            labels = options.pop("vocab", None)
        target = (parent_label, CategoryBlock(vocab=labels))
        return cls._make(where, path, get_text_files(path), None, target, splitter, **options)

    @classmethod
    @strict
    def from_df(
        cls,
        df: Any,
        path: str | Path = ".",
        *,
        text_col: Columns = 0,
        label_col: int | str | Sequence[int | str] = 1,
        label_delim: str | None = None,
        valid_col: str | None = None,
        **options: Unpack[TextLoaderArgs],
    ) -> Self:
        """From the rows of a data frame, such as `tokenize_df` returns.

        Args:
            df: A pandas data frame. A column of lists of tokens is taken as tokenized.
            path: Where a learner of these loaders keeps its files.
            text_col: The column of the texts, or several, which are joined with `xxfld` marks.
            label_col: The column of the labels, or several: the target is multi-label then.
            label_delim: Splits several labels in a cell; the target is multi-label too.
            valid_col: Column that is true for validation rows, in place of a random split.
            options: See the class.
        """
        split = _random_split(options) if valid_col is None else ColSplitter(valid_col)
        is_multi = label_delim is not None or isinstance(label_col, list | tuple)
        block = MultiCategoryBlock() if is_multi else CategoryBlock()
        target = (ColReader(label_col, label_delim=label_delim), block)
        return cls._make("TextDataLoaders.from_df", path, df, text_col, target, split, **options)

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
            path: The folder of the table.
            csv_fname: Name of the table.
            header: Row of the column names, None if there is none.
            delimiter: What stands between two cells; a comma unless given.
            quoting: How cells are quoted, one of `csv`'s constants.
            options: Those of `from_df`.
        """
        import pandas as pd

        known = allowed_keywords(cls.from_df) or ()
        refuse_unknown("TextDataLoaders.from_csv", options, [*_CSV, *known])
        read: Any = pd.read_csv
        table = read(Path(path) / csv_fname, header=header, sep=delimiter or ",", quoting=quoting)
        return cls.from_df(table, path, **options)

    @classmethod
    def _make(  # all parts of a data block, called from the factories only
        cls,
        where: str,
        path: str | Path,
        items: Any,
        text_cols: Columns | None,
        target: tuple[Any, Any],
        split: Any,
        **options: Unpack[TextLoaderArgs],
    ) -> Self:
        refuse_unknown(where, options, [*_KNOWN, *signature_names(cls.from_df)])
        settings = {name: value for name, value in options.items() if name in _BLOCK}
        tokens = _vocab(where, options)
        tok_tfm = options.get("tok_tfm")
        if not isinstance(tok_tfm, Tokenizer):
            tok_tfm = Tokenizer(tok_tfm, text_cols=text_cols)
        elif tok_tfm.text_cols is None:
            tok_tfm = tok_tfm.of_columns(text_cols)
        texts = TextBlock(tok_tfm, tokens, **settings)  # pyright: ignore[reportArgumentType] - checked above
        label, block = target
        is_lm = options.get("is_lm", False)
        recipe = DataBlock(
            blocks=(texts,) if is_lm else (texts, options.get("y_block") or block),
            splitter=split,
            get_y=None if is_lm else label,
        )
        loading = {name: value for name, value in options.items() if name in _LOADING}
        return cls.from_dblock(recipe, items, path, **loading)


def _random_split(options: TextLoaderArgs) -> RandomSplitter:
    valid_pct = options.get("valid_pct")
    return RandomSplitter(0.2 if valid_pct is None else valid_pct, seed=options.get("seed"))


def _vocab(where: str, options: TextLoaderArgs) -> Sequence[str] | None:
    """Return the vocabulary of the texts, under either of its names."""
    ours, papers = options.get("text_vocab"), options.get("vocab")
    if ours is not None and papers is not None:
        raise ContractError(f"{where}: both text_vocab and vocab are given. Give one.")
    return papers if ours is None else ours
