"""Tokenized texts kept in Arrow files, under a name that follows from the texts and the settings.

There are two files: the numbers of the tokens, written run by run while texts are being tokenized,
and, written last, the tokens with their counts and a check sum of the first. What is missing,
cut off or changed is found out and made again.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from lamina.data.external.urls import home
from lamina.foundation.paths import atomic_write
from lamina.tensor.codec import encode
from lamina.text.tokenizers.corpus import Corpus, Run, TokenizedTexts
from lamina.text.tokenizers.library import library

__all__ = ["cache_folder", "cache_key", "read_cache", "write_cache"]

_VERSION = b"1"
_BLOCK = 1 << 20


def cache_folder() -> Path:
    """Return the folder for tokenized texts: `tokens` under `$LAMINA_HOME`."""
    return home() / "tokens"


def cache_key(texts: Iterable[Any], settings: Any) -> str:
    """Return a name that changes with any text, and with anything that decides on the tokens.

    Args:
        texts: The texts, or the paths of their files.
        settings: What tokenizes them; it must be savable.

    Raises:
        ContractError: It is not; the message says what in it.
    """
    tensors: dict[str, torch.Tensor] = {}
    digest = hashlib.blake2b(_VERSION, digest_size=16)
    digest.update(json.dumps(encode(settings, tensors), sort_keys=True).encode())
    digest.update(_version(getattr(settings, "tok", settings)).encode())
    for text in texts:
        if isinstance(text, Path):
            content = text.read_bytes()
        else:
            content = str(text).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(content))
        digest.update(content)
    return digest.hexdigest()


def write_cache(file: Path, runs: Iterable[Run], corpus: Corpus) -> None:
    """Write runs of texts, one at a time, and then what the numbers stand for.

    Args:
        file: The file of the numbers; that of the tokens stands beside it.
        runs: The texts; taking one from it makes it.
        corpus: What numbers them.
    """
    pa = library("pyarrow")
    schema = pa.schema([("ids", pa.list_(pa.int32()))])
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as temporary:
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for run in runs:
                ids = pa.ListArray.from_arrays(pa.array(run.ends), pa.array(run.ids))
                writer.write_batch(pa.record_batch([ids], schema=schema))
        check = _check_sum(temporary)
    words = pa.table({"word": pa.array(corpus.words), "count": pa.array(corpus.counts)})
    words = words.replace_schema_metadata({"check": str(check)})
    with atomic_write(_words_of(file)) as temporary:
        library("pyarrow.feather").write_feather(words, str(temporary))


def read_cache(file: Path) -> TokenizedTexts | None:
    """Map tokenized texts into memory; None if they are not there or damaged.

    Args:
        file: The file of the numbers.
    """
    if not (file.exists() and _words_of(file).exists()):
        return None
    pa = library("pyarrow")
    with suppress(pa.ArrowInvalid, OSError, KeyError, TypeError):
        words = library("pyarrow.feather").read_table(str(_words_of(file)))
        if words.schema.metadata[b"check"] == str(_check_sum(file)).encode():
            reader = pa.ipc.open_file(pa.memory_map(str(file)))
            counts = words["count"].to_numpy()
            return TokenizedTexts(list(_runs(reader)), words["word"].to_pylist(), counts, path=file)
    return None


def _version(tok: Any) -> str:
    """Return the version of the library that a tokenizer says it needs, which changes tokens."""
    with suppress(AttributeError, PackageNotFoundError):
        return version(tok.needs)
    return ""


def _runs(reader: Any) -> Iterator[Run]:
    for i in range(reader.num_record_batches):
        ids = reader.get_batch(i).column(0)
        yield Run(ids.offsets.to_numpy(), ids.values.to_numpy())


def _check_sum(file: str | Path) -> int:
    check = 0
    with Path(file).open("rb") as content:
        while block := content.read(_BLOCK):
            check = zlib.crc32(block, check)
    return check


def _words_of(file: Path) -> Path:
    return file.with_suffix(".words.arrow")
