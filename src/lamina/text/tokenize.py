"""Tokenizing many texts: lists, folders, tables; in several processes, and kept for the next time.

The texts go through memory in runs, and what comes of them takes four bytes per token, or lies in a
file that is mapped (see `lamina.text.cache`). The same tokens serve a language model and a
classifier.
"""

import multiprocessing
import pickle
import warnings
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, Unpack

from lamina.data.get import get_files
from lamina.data.label import ColReader
from lamina.data.transform import ItemTransform, decodes, encodes
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, DataError, ItemError, UnknownNameError
from lamina.foundation.parallel import num_cpus
from lamina.foundation.progress import track
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.text.cache import cache_folder, cache_key, read_cache, write_cache
from lamina.text.rules import FLD, Rule, apply_rules
from lamina.text.tokenizers.base import Cut, TokenizeWithRules, join_tokens, rules_for
from lamina.text.tokenizers.corpus import Corpus, Run, TokenizedTexts
from lamina.text.tokenizers.words import SpacyTokenizer
from lamina.text.types import TitledStr, Tokens

__all__ = [
    "FrameArgs",
    "TokenizeArgs",
    "Tokenizer",
    "join_fields",
    "text_of",
    "tokenize_df",
    "tokenize_files",
    "tokenize_folder",
    "tokenize_texts",
]

_RUN = 1000  # texts that a process takes at a time
_IN_MEMORY = 20_000  # texts from which they are kept in a file unless said otherwise
_GAPS = ("None", "nan", "<NA>", "NaT")  # what a cell without a value is written as
_Counted: TypeAlias = tuple[array, array, list[str]]

Rules: TypeAlias = Sequence[Rule] | None
Columns: TypeAlias = int | str | Sequence[int | str]


class TokenizeArgs(TypedDict, total=False):
    """Keyword arguments that all functions take which tokenize many texts; see `tokenize_texts`."""

    n_workers: int | None
    rules: Rules
    tok: Cut | None
    cache: bool | str | Path | None
    progress: bool


class FrameArgs(TokenizeArgs, total=False):
    """Those and the further ones of `tokenize_df`."""

    mark_fields: bool | None
    tok_text_col: str


@strict
def tokenize_texts(
    texts: Iterable[str | Path],
    n_workers: int | None = None,
    rules: Rules = None,
    tok: Cut | None = None,
    *,
    cache: bool | str | Path | None = None,
    progress: bool = False,
) -> TokenizedTexts:
    """Tokenize texts.

    Args:
        texts: The texts, or paths of files with them.
        n_workers: How many processes to use; None takes as many as there are CPUs, if there is
            enough to do; 0 works in this one.
        rules: What texts go through before; None takes what suits the tokenizer.
        tok: The tokenizer; None takes `SpacyTokenizer()`. One that has to learn first, such as
            `SentencePieceTokenizer()`, learns from these texts.
        cache: Whether to keep the tokens in a file and take them from there the next time, or the
            folder for that; None does for 20,000 texts and more. The folder of True is
            `lamina.text.cache.cache_folder()`.
        progress: Whether to show a bar.

    Returns:
        The tokens: a sequence of lists, with `counter` and `lengths`.

    Example:
        >>> found = tokenize_texts(["A fine film", "A dull film"])
        >>> found[0], found.counter["film"]
        (['xxbos', 'a', 'fine', 'film'], 2)
    """
    if isinstance(texts, str):
        raise ContractError("tokenize_texts: got one text instead of several. Put it in a list.")
    listed: Sequence[Any] = texts if isinstance(texts, Sequence) else list(texts)
    cut = TokenizeWithRules(SpacyTokenizer() if tok is None else tok, rules)
    _train(cut, listed)
    keep = len(listed) >= _IN_MEMORY and _is_keepable(cut) if cache is None else cache
    corpus = Corpus()
    runs = _runs(cut, listed, corpus, n_workers, progress=progress)
    if keep is False:
        return TokenizedTexts(list(runs), corpus.words, corpus.counts)
    folder = cache_folder() if keep is True else Path(keep)
    file = folder / f"{cache_key(listed, cut)}.arrow"
    if (found := read_cache(file)) is None:
        write_cache(file, runs, corpus)
        found = read_cache(file)
    if found is None:
        raise DataError(f"tokenize_texts: {file} cannot be read although it was just written.")
    return found


@strict
def tokenize_files(files: Iterable[str | Path], **settings: Unpack[TokenizeArgs]) -> TokenizedTexts:
    """Tokenize the texts in files, which are read in the worker processes.

    Args:
        files: Their paths.
        settings: Those of `tokenize_texts`.
    """
    return tokenize_texts([Path(file) for file in files], **settings)


@strict
def tokenize_folder(
    path: str | Path,
    extensions: Sequence[str] = (".txt",),
    folders: Sequence[str] | None = None,
    **settings: Unpack[TokenizeArgs],
) -> tuple[L[Path], TokenizedTexts]:
    """Tokenize all text files in a folder.

    Args:
        path: The folder.
        extensions: The endings of their names.
        folders: The folders in it to look into; None takes all.
        settings: Those of `tokenize_texts`.

    Returns:
        The files, and their tokens in the same order.
    """
    files = get_files(path, extensions=extensions, folders=folders).sorted()
    return files, tokenize_files(files, **settings)


@strict
def tokenize_df(
    df: Any,
    text_cols: Columns,
    n_workers: int | None = None,
    rules: Rules = None,
    *,
    mark_fields: bool | None = None,
    tok: Cut | None = None,
    tok_text_col: str = "text",
    cache: bool | str | Path | None = None,
    progress: bool = False,
) -> tuple[Any, Counter[str]]:
    """Tokenize columns of a data frame.

    Args:
        df: The frame.
        text_cols: The column of the texts, or several, which are joined.
        n_workers: See `tokenize_texts`.
        rules: See `tokenize_texts`.
        mark_fields: Whether `xxfld` and a number come before each column; None does if there are
            several.
        tok: See `tokenize_texts`.
        tok_text_col: The name of the column for the tokens.
        cache: See `tokenize_texts`.
        progress: See `tokenize_texts`.

    Returns:
        The other columns with the tokens and their number (`text_length`), and how often each token
        occurs.

    Raises:
        DataError: A cell has no text.
        UnknownNameError: There is no such column.
        ContractError: A column that is kept has the name of that for the tokens.

    Example:
        >>> import pandas as pd
        >>> frame, count = tokenize_df(pd.DataFrame({"text": ["so so so"], "label": [1]}), "text")
        >>> frame.text[0], count["so"]
        (['xxbos', 'xxwrep', '3', 'so'], 1)
    """
    names = _names(df, text_cols)
    marked = len(names) > 1 if mark_fields is None else mark_fields
    rows = df[names].itertuples(index=False, name=None)
    texts = list(_each(lambda row: join_fields(row, marked), rows))
    found = tokenize_texts(texts, n_workers, rules, tok, cache=cache, progress=progress)
    out = df[[name for name in df.columns if name not in names]].copy()
    if tok_text_col in out.columns:
        what = f"the tokens would replace the column {tok_text_col!r}, which is none of {names}"
        raise ContractError(f"tokenize_df: {what}. Give another name as tok_text_col.")
    out[tok_text_col] = list(found)
    out[f"{tok_text_col}_length"] = found.lengths
    return out, found.counter


def join_fields(fields: Iterable[Any], mark_fields: bool) -> str:  # noqa: FBT001 - there is no other
    """Join the values of several columns to one text.

    Args:
        fields: The values.
        mark_fields: Whether `xxfld` and a number come before each.

    Raises:
        DataError: A column has no value.

    Example:
        >>> join_fields(["Title", "Story"], True)
        'xxfld 1 Title xxfld 2 Story'
    """
    fields = [text_of(x) if str(x) in _GAPS and not isinstance(x, str) else x for x in fields]
    if not mark_fields:
        return " ".join(map(str, fields))
    return " ".join(f"{FLD} {i} {field}" for i, field in enumerate(fields, 1))


def text_of(x: Any) -> str:
    """Return a text, or the content of its file.

    Raises:
        DataError: It is neither, or not in UTF-8, or has signs that UTF-8 lacks.
    """
    try:
        if isinstance(x, str):
            x.encode()  # halves of signs, which no tokenizer takes
            return str(x)
        if isinstance(x, Path):
            return x.read_text(encoding="utf-8-sig")
    except UnicodeError as error:
        which = x if isinstance(x, Path) else "the text"
        raise DataError(
            f"tokenize: {which} is not in UTF-8 ({error}). Convert it, or read and mend the texts "
            "yourself and pass them."
        ) from error
    raise DataError(
        f"tokenize: got {type(x).__name__} {x!r:.60} where a text was expected. Fill gaps first, "
        "such as with df.fillna('')."
    )


@savable
@dataclass(repr=False)
class Tokenizer(ItemTransform, overrides_verbs=True):
    """Texts, files of texts or rows with texts to tokens.

    When it is set up it tokenizes all items, also those of validation, in several processes, and
    remembers the tokens; what it is given later and does not know it tokenizes there and then.
    What is tokenized already passes.

    Args:
        tok: The tokenizer; None takes `SpacyTokenizer()`.
        rules: See `tokenize_texts`.
        text_cols: The columns of a row that are the text, joined if there are several.
        mark_fields: See `tokenize_df`.
        sep: What comes between tokens when they are shown, if the tokenizer does not say.
        n_workers: See `tokenize_texts`.
        cache: See `tokenize_texts`.

    Example:
        >>> tfm = Tokenizer()
        >>> tfm("A FINE film!!!")
        (#8) ['xxbos','a','xxup','fine','film','xxrep','3','!']
        >>> tfm.decode(tfm("Fine"))
        'xxbos xxmaj fine'
    """

    tok: Any = None
    rules: Rules = None
    text_cols: Columns | None = None
    mark_fields: bool | None = None
    sep: str = " "
    n_workers: int | None = None
    cache: bool | str | None = None

    def __post_init__(self) -> None:
        self.tok = SpacyTokenizer() if self.tok is None else self.tok
        self._cut = TokenizeWithRules(self.tok, self.rules)
        self._known: tuple[dict[int, int], TokenizedTexts] | None = None

    @classmethod
    def from_df(cls, text_cols: Columns, **settings: Any) -> "Tokenizer":
        """Make one for the rows of a data frame.

        Args:
            text_cols: The column of the texts, or several.
            settings: The other arguments of the class.
        """
        return cls(text_cols=text_cols, **settings)

    @classmethod
    def from_folder(cls, path: str | Path, **settings: Any) -> "Tokenizer":
        """Make one for the files in a folder.

        Args:
            path: The folder; nothing is read before the transform is set up.
            settings: The arguments of the class.

        Raises:
            DataError: There is no such folder.
        """
        if not Path(path).is_dir():
            raise DataError(f"Tokenizer.from_folder: there is no folder {path}.")
        return cls(**settings)

    def of_columns(self, text_cols: Columns | None) -> "Tokenizer":
        """Return one with the same settings for other columns.

        Args:
            text_cols: The columns; None for texts by themselves.
        """
        return replace(self, text_cols=text_cols)

    def setup(self, items: Any = None, train_setup: bool | None = None) -> None:  # noqa: FBT001 - as its base
        """Tokenize all items at once; a tokenizer that has to learn does so from those of training.

        Args:
            items: A collection of texts, paths or rows.
            train_setup: Whether to leave out those of validation.
        """
        train = getattr(items, "train", items)
        texts = self._all_of(train)
        _train(self._cut, texts)
        if not train_setup and items is not train:
            texts = self._all_of(items)
        if not texts:
            return
        found = tokenize_texts(texts, self.n_workers, self.rules, self.tok, cache=self.cache)
        self._known = {hash(text): i for i, text in enumerate(texts)}, found

    @encodes
    def _text(self, x: str | Path) -> Tokens:
        return Tokens(self._tokens_of(x))

    @encodes
    def _other(self, x: Any) -> Tokens:
        text = self._raw(x)
        return Tokens(text if isinstance(text, list | L) else self._tokens_of(text))

    @decodes
    def _joined(self, x: Tokens | list) -> TitledStr:
        return TitledStr(join_tokens(self.tok, x, self.sep))

    def __repr__(self) -> str:
        return f"Tokenizer({self.tok!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_known": None}  # a copy is for other texts

    def _tokens_of(self, text: str | Path) -> list[str]:
        if self._known is not None:
            places, found = self._known
            if (i := places.get(hash(text))) is not None:
                return found[i]
        return next(iter(self._cut([text_of(text)])))

    def _all_of(self, items: Any) -> list[str | Path]:
        raw = _each(self._raw, [] if items is None else items)
        return [text for text in raw if isinstance(text, str | Path)]

    def _raw(self, x: Any) -> str | Path | list[str] | L[str]:
        """Return the text, path or ready tokens of an item."""
        if isinstance(x, str | Path):
            return x
        cols = [self.text_cols] if isinstance(self.text_cols, int | str) else self.text_cols
        marked = self.mark_fields if self.mark_fields is not None else bool(cols and len(cols) > 1)
        if isinstance(x, L) and not isinstance(x, Tokens) and cols and len(x) == len(cols):
            return join_fields(x, marked)
        if isinstance(x, list | L):
            return x
        if cols is None:
            return text_of(x)
        fields = ColReader(list(cols))(x)
        if len(fields) == 1 and not marked:
            return fields[0] if isinstance(fields[0], list | Path) else text_of(fields[0])
        return join_fields(fields, marked)


def _train(cut: TokenizeWithRules, texts: Sequence[Any]) -> None:
    """Let a tokenizer learn from the texts, with the rules done, unless it has."""
    if not getattr(cut.tok, "is_trained", True):
        tok: Any = cut.tok
        rules = rules_for(tok) if cut.rules is None else cut.rules
        tok.train(apply_rules(text_of(text), rules) for text in texts)


def _runs(
    cut: TokenizeWithRules,
    texts: Sequence[Any],
    corpus: Corpus,
    n_workers: int | None,
    *,
    progress: bool,
) -> Iterator[Run]:
    """Tokenize texts run by run; what has been made waits for at most a few runs."""
    starts = range(0, len(texts), _RUN)
    todo = ((i, texts[i : i + _RUN]) for i in starts)
    n = min(num_cpus() if n_workers is None else n_workers, len(starts))
    alone = n < 2 or not _can_go(cut)
    done = (_tokens(cut, *run) for run in todo) if alone else _in_processes(cut, todo, n)
    shown = track(done, len(starts), "tokenize") if progress else done
    yield from (corpus.add(*found) for found in shown)


def _can_go(cut: TokenizeWithRules) -> bool:
    """Tell whether new processes can be given the tokenizer, and warn if they cannot."""
    try:
        if multiprocessing.get_start_method() != "fork":  # forked ones have it from this one
            pickle.dumps(cut)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        told = f"tokenize: one process works, which takes longer: {error}. Define rules and "
        warnings.warn(f"{told}tokenizer at the top of a module, or pass n_workers=0.", stacklevel=2)
        return False
    return True


def _in_processes(cut: TokenizeWithRules, todo: Iterator[Any], n: int) -> Iterator[_Counted]:
    try:
        with ProcessPoolExecutor(n, initializer=_begin, initargs=(cut,)) as pool:
            waiting = deque(pool.submit(_tokens_here, *run) for run in islice(todo, 2 * n))
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(pool.submit(_tokens_here, *run) for run in islice(todo, 1))
                yield found
    except BrokenExecutor as error:
        error.add_note(
            "tokenize: a process died. Was memory short? Can rules and tokenizer be imported in a "
            "new process? If not, pass n_workers=0."
        )
        raise


_here: list[TokenizeWithRules] = []  # of a worker process, which keeps what the tokenizer remembers


def _begin(cut: TokenizeWithRules) -> None:
    _here[:] = [cut]


def _tokens_here(start: int, texts: Sequence[Any]) -> _Counted:
    return _tokens(_here[0], start, texts)


def _tokens(cut: TokenizeWithRules, start: int, texts: Sequence[Any]) -> _Counted:
    """Tokenize some texts; the tokens come as places in the list of the different ones."""
    index: defaultdict[str, int] = defaultdict(count().__next__)
    sizes, ids = array("i"), array("i")
    for tokens in cut(_each(text_of, texts, start)):
        sizes.append(len(tokens))
        ids.extend(map(index.__getitem__, tokens))
    return sizes, ids, list(index)


def _each(read: Callable[[Any], Any], items: Iterable[Any], start: int = 0) -> Iterator[Any]:
    """Read items; an error says which one it was."""
    for i, item in enumerate(items, start):
        try:
            yield read(item)
        except DataError as error:
            raise ItemError(f"{error} It is item {getattr(item, 'name', i)}.", item) from error


def _is_keepable(cut: TokenizeWithRules) -> bool:
    """Tell whether the settings can be written down, so that tokens can be found again by them."""
    try:
        cache_key((), cut)
    except ContractError:
        return False
    return True


def _names(df: Any, columns: Columns) -> list[Any]:
    listed = [columns] if isinstance(columns, int | str) else list(columns)
    names = [
        df.columns[col] if isinstance(col, int) and col not in df.columns else col for col in listed
    ]
    for name in names:
        if name not in df.columns:
            raise UnknownNameError("column", name, map(str, df.columns), where="tokenize_df")
    return names
