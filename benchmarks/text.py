"""Tokenizing and the loaders of texts, one core, against fastai and slicing by hand.

    .venv-interop/bin/python benchmarks/text.py [--data reviews.csv.xz]

Without fastai, only what needs no peer is measured. The texts are paragraphs of the bundled
WikiText-2; `--data` takes a table with a column `text` instead, whose first 5,000 rows count.
Every round begins with new tokenizers, which remember nothing; goals are in times of the peer's.
The first line tells how much memory 200,000 documents of 100 words take while they are tokenized
and kept in a file. The steps are those of the paper's sizes (3 layers of 1152, all five dropouts)
over 72 words of 16 texts, forward and backward, beside bare layers of `nn.LSTM` of the same sizes.
"""

import argparse
import gzip
import importlib
import importlib.util
import os
import random
import resource
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

os.environ.setdefault("RAYON_NUM_THREADS", "1")  # of the library tokenizers

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from _timing import Row, print_rows, ratio_row
from lamina.data.external import URLs, untar_data
from lamina.text.lm_loader import LMDataLoader
from lamina.text.models.build import get_language_model
from lamina.text.tokenize import tokenize_texts
from lamina.text.tokenizers.base import TokenizeWithRules
from lamina.text.tokenizers.fast import HFTokenizer
from lamina.text.tokenizers.words import SpacyTokenizer

N_TEXTS, N_DOCUMENTS, N_WORDS = 5_000, 200_000, 100
MOST_MB = 400  # that tokenizing all documents may add


def main() -> bool:
    """Print all rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="a table with a column `text`")
    texts = _texts(parser.parse_args().data)
    torch.set_num_threads(1)
    is_bounded = _memory()  # first: the peak is that of the whole process
    rows = [*_loader_rows(), *_step_rows()]
    if importlib.util.find_spec("fastai") is not None:
        rows += [*_tokenizer_rows(texts)]
    return print_rows(rows) and is_bounded


def _texts(data: str | None) -> list[str]:
    if data is not None:
        import pandas as pd

        return pd.read_csv(data, nrows=N_TEXTS).text.tolist()
    files = [untar_data(URLs.WIKITEXT2) / f"{name}.txt.gz" for name in ("valid", "test")]
    lines = "".join(gzip.decompress(file.read_bytes()).decode() for file in files).splitlines()
    return [line.strip() for line in lines if len(line) > 100][:N_TEXTS]


def _tokenizer_rows(texts: list[str]) -> Iterator[Row]:
    core: Any = importlib.import_module("fastai.text.core")

    def peer() -> None:
        _exhaust(core.TokenizeWithRules(core.WordTokenizer())(texts))

    trained = HFTokenizer.trained(texts, "wordlevel")
    n = len(texts)
    for name, goal, make in (
        ("words, all rules", 1.3, lambda: TokenizeWithRules(SpacyTokenizer())),
        ("tokenizers library", 8, lambda: TokenizeWithRules(HFTokenizer(trained.json))),
    ):
        yield ratio_row(
            f"tokenizing {n:,} texts, {name} / fastai",
            lambda make=make: _exhaust(make()(texts)),
            peer,
            goal=1 / goal,
            n=1,
            repeats=3,
        )


def _loader_rows() -> Iterator[Row]:
    sizes = torch.randint(50, 500, (4_000,), generator=torch.Generator().manual_seed(1)).tolist()
    documents = [torch.randint(2, 30_000, (size,)) for size in sizes]
    tokens = torch.cat(documents)
    settings: Any = {"n": 1, "repeats": 9}
    dl = LMDataLoader(documents, bs=64, seq_len=72)
    mixed = LMDataLoader(documents, bs=64, seq_len=72, shuffle=True)

    def by_hand() -> None:
        _exhaust(_windows(tokens))

    def mixed_by_hand() -> None:
        order = torch.randperm(len(documents)).tolist()
        _exhaust(_windows(torch.cat([documents[i] for i in order])))

    name = f"pass over {len(dl)} batches of text"
    yield ratio_row(f"{name} / slicing", lambda: _exhaust(dl), by_hand, goal=2, **settings)
    yield ratio_row(
        f"{name}, shuffled / by hand", lambda: _exhaust(mixed), mixed_by_hand, goal=2, **settings
    )
    if importlib.util.find_spec("fastai") is not None:
        data: Any = importlib.import_module("fastai.text.data")

        peer = data.LMDataLoader(documents, bs=64, seq_len=72, shuffle=True, num_workers=0)
        yield ratio_row(
            f"{name}, shuffled / fastai",
            lambda: _exhaust(mixed),
            lambda: _exhaust(peer),
            goal=1 / 10,
            n=1,
            repeats=3,
        )


class _Bare(nn.Module):
    """The sizes of AWD-LSTM and nothing else: no dropout, no state kept."""

    def __init__(self, n_words: int) -> None:
        super().__init__()
        self.words = nn.Embedding(n_words, 400, padding_idx=1)
        sizes = ((400, 1152), (1152, 1152), (1152, 400))
        self.layers = nn.ModuleList(nn.LSTM(*size, batch_first=True) for size in sizes)
        self.scores = nn.Linear(400, n_words)
        self.scores.weight = self.words.weight

    def forward(self, words: Tensor) -> Tensor:
        x = self.words(words)
        for layer in self.layers:
            x, _ = layer(x)
        return self.scores(x)


def _step_rows(n_words: int = 8_000) -> Iterator[Row]:
    words = torch.randint(2, n_words, (16, 73), generator=torch.Generator().manual_seed(1))

    def step(model: nn.Module) -> None:
        scores = model(words[:, :-1])
        F.cross_entropy(scores.flatten(0, 1), words[:, 1:].flatten()).backward()

    ours, bare = get_language_model("AWD_LSTM", n_words), _Bare(n_words)
    name = "step of AWD-LSTM / bare nn.LSTM layers"
    yield ratio_row(name, lambda: step(ours), lambda: step(bare), goal=1.15, n=1, repeats=5)


def _windows(tokens: Tensor, bs: int = 64, seq_len: int = 72) -> Iterator[tuple[Tensor, Tensor]]:
    length = (len(tokens) - 1) // bs
    x, y = (tokens[i : i + bs * length].view(bs, length) for i in (0, 1))
    for i in range(0, length, seq_len):
        yield x[:, i : i + seq_len], y[:, i : i + seq_len]


def _memory() -> bool:
    rng = random.Random(1)
    words = [f"{rng.choice('abcdefgh')}{i}" for i in range(20_000)]

    class Documents(list[str]):
        """Makes each document when it is asked for: what they weigh themselves does not count."""

        def __len__(self) -> int:
            return N_DOCUMENTS

        def __getitem__(self, i: Any) -> Any:
            if isinstance(i, slice):
                return [self[j] for j in range(*i.indices(N_DOCUMENTS))]
            return " ".join(random.Random(i).choices(words, k=N_WORDS))

        def __iter__(self) -> Iterator[str]:
            return (self[i] for i in range(N_DOCUMENTS))

    with tempfile.TemporaryDirectory() as folder:
        tokenize_texts(Documents()[:1000], 0)
        before = _peak_mb()
        found = tokenize_texts(Documents(), 0, cache=folder)
        size = found.path.stat().st_size / 2**20 if found.path else 0
        grown = _peak_mb() - before
    ok = grown <= MOST_MB
    print(
        f"{len(found):,} documents of {N_WORDS} words: {grown:.0f} MB more memory at the peak "
        f"(goal {MOST_MB}), {size:.0f} MB in the file  {'yes' if ok else 'NO'}"
    )
    return ok


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _exhaust(batches: Iterable[Any]) -> None:
    for _ in batches:
        pass


if __name__ == "__main__":
    sys.exit(not main())
