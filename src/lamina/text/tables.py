"""Tables of texts in files: tokenized some rows at a time, and kept in a file of their own."""

from collections import Counter
from pathlib import Path
from typing import Any, Unpack

from lamina.foundation.signatures import strict
from lamina.text.tokenize import Columns, FrameArgs, tokenize_df
from lamina.text.vocab import count_tokens

__all__ = ["load_tokenized_csv", "tokenize_csv"]


@strict
def tokenize_csv(
    fname: str | Path,
    text_cols: Columns,
    *,
    outname: str | Path | None = None,
    header: Any = "infer",
    chunksize: int = 50_000,
    encoding: str = "utf-8",
    **settings: Unpack[FrameArgs],
) -> tuple[Any, Counter[str]]:
    """Tokenize columns of a table in a file, some rows at a time.

    Args:
        fname: The file.
        text_cols: See `tokenize_df`.
        outname: A file for the result, which `load_tokenized_csv` reads; None writes none.
        header: Row of the column names, None if there is none.
        chunksize: How many rows to read at a time.
        encoding: That of the file; `outname` is written in UTF-8.
        settings: The other settings of `tokenize_df`.

    Returns:
        What `tokenize_df` returns.
    """
    import pandas as pd

    frames: list[Any] = []
    total: Counter[str] = Counter()
    with pd.read_csv(fname, header=header, chunksize=chunksize, encoding=encoding) as chunks:
        for chunk in chunks:
            frame, found = tokenize_df(chunk, text_cols, **settings)
            frames.append(frame)
            total.update(found)
    whole = pd.concat(frames)
    if outname is not None:
        column = settings.get("tok_text_col", "text")
        whole.assign(**{column: whole[column].map(" ".join)}).to_csv(outname, index=False)
    return whole, total


@strict
def load_tokenized_csv(fname: str | Path, tok_text_col: str = "text") -> tuple[Any, Counter[str]]:
    r"""Read what `tokenize_csv` has written, and count its tokens.

    Args:
        fname: The file.
        tok_text_col: The column of the tokens.

    Returns:
        What `tokenize_csv` returned.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "tokens.csv"
        ...     _ = file.write_text("label,text\n1,xxbos xxmaj fine\n")
        ...     frame, count = load_tokenized_csv(file)
        >>> frame.text[0], count["fine"]
        (['xxbos', 'xxmaj', 'fine'], 1)
    """
    import pandas as pd

    frame = pd.read_csv(fname, keep_default_na=False)
    frame[tok_text_col] = frame[tok_text_col].str.split(" ")  # some tokens are other white space
    return frame, count_tokens(frame[tok_text_col])
