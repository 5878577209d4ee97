"""WikiText-2: the language models of Lamina against counted runs of words, by perplexity.

    python benchmarks/wikitext.py [--epochs 8] [--readers AWD_LSTM AWD_QRNN]

The bundled sample has the validation and test files only, so everything learns from the validation
file (217,000 words) and is judged on all of the test file: figures of the literature, whose models
learn from ten times as much, do not compare. All see the same words: those of the file as they
are, an end of line is one, and what occurs less than three times is unknown, in learning and in
judging. The opponents are single words, and Kneser-Ney's runs of one to five words with the
discounts of Chen & Goodman 1999. About ten minutes on one core.
"""

import argparse
import gzip
import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import pandas as pd
import torch

from lamina.data.external import URLs, untar_data
from lamina.metrics.text import Perplexity
from lamina.tensor.random import set_seed
from lamina.text.learner import language_model_learner
from lamina.text.loaders import TextDataLoaders
from lamina.text.rules import EOS, UNK
from lamina.text.vocab import make_vocab
from lamina.train.callback import Callback
from lamina.train.events import CancelValidException

SMALL = {"emb_sz": 128, "n_hid": 384, "n_layers": 2}
DROP, LR, BS, SEQ_LEN, SEED = 1.0, 1e-2, 16, 72, 42
Probability: TypeAlias = Callable[[tuple[str, ...], str], float]  # of a word after others
TITLE = re.compile(r"(?m)^ (?== [^=]+ = $)")  # where an article begins


def main() -> None:
    """Print a line per model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--readers", nargs="+", default=["AWD_LSTM", "AWD_QRNN"])
    parser.add_argument("--held-out", action="store_true", help="judge on a tenth of valid.txt")
    args = parser.parse_args()
    torch.set_num_threads(1)
    train, test = _articles("valid"), _articles("test")
    if args.held_out:
        n = len(train) * 9 // 10
        train, test = train[:n], train[n:]
    vocab = make_vocab(Counter(word for words in train for word in words))
    train, test = (_known(articles, set(vocab)) for articles in (train, test))
    known, asked = ([word for words in articles for word in words] for articles in (train, test))
    print(
        f"{len(known):,} words to learn from, {len(asked):,} to say, "
        f"{asked.count(UNK) / len(asked):.1%} of them unknown; vocabulary of {len(vocab):,}"
    )
    for n in (1, 3, 5):
        start = time.process_time()
        found = perplexity(kneser_ney(known, len(vocab), n), asked, n)
        _print(f"Kneser-Ney, up to {n} words", found, time.process_time() - start)
    for reader in args.readers:
        start = time.process_time()
        name, found = _network(reader, train, test, vocab, args.epochs)
        _print(name, found, time.process_time() - start)


def kneser_ney(words: Sequence[str], n_vocab: int, n: int) -> Probability:
    """Return the probability of a word after others, from counted runs of up to `n` words.

    A run that is not the longest counts by how many different words come before it. What is taken
    off the counts goes to the shorter run, in the end to all words alike.
    """
    counts = [Counter(zip(*(words[i:] for i in range(n)), strict=False))]
    for _ in range(n - 1):
        counts.insert(0, Counter(run[1:] for run in counts[0]))
    discounts = [_discounts(runs) for runs in counts]
    totals, left = [defaultdict(float) for _ in counts], [defaultdict(float) for _ in counts]
    for runs, off, total, over in zip(counts, discounts, totals, left, strict=True):
        for run, count in runs.items():
            total[run[:-1]] += count
            over[run[:-1]] += off[min(count, 3)]

    def probability(before: tuple[str, ...], word: str) -> float:
        p = 1 / n_vocab
        for order, runs in enumerate(counts):
            context = before[len(before) - order :]
            if len(context) < order or context not in totals[order]:
                break
            count = runs[(*context, word)]
            seen = count - discounts[order][min(count, 3)]
            p = (seen + left[order][context] * p) / totals[order][context]
        return p

    return probability


def _discounts(runs: Counter[tuple[str, ...]]) -> list[float]:
    """Return what is taken off a count of 0, 1, 2, and 3 or more."""
    times = Counter(runs.values())
    if not all(times[i] for i in (1, 2, 3, 4)):
        return [0.0, 0.5, 0.5, 0.5]
    y = times[1] / (times[1] + 2 * times[2])
    return [0.0, *(i - (i + 1) * y * times[i + 1] / times[i] for i in (1, 2, 3))]


def perplexity(probability: Probability, words: Sequence[str], n: int) -> float:
    """Return the perplexity of all words but the first, each after up to `n - 1` before it."""
    logs = (
        math.log(probability(tuple(words[max(0, i - n + 1) : i]), words[i]))
        for i in range(1, len(words))
    )
    return math.exp(-sum(logs) / (len(words) - 1))


def _network(
    reader: str, train: list[list[str]], test: list[list[str]], vocab: list[str], n_epoch: int
) -> tuple[str, float]:
    frame = pd.DataFrame(
        {"text": train + test, "is_valid": [False] * len(train) + [True] * len(test)}
    )
    with TemporaryDirectory() as folder:
        dls = TextDataLoaders.from_df(
            frame, folder, text_col="text", vocab=vocab, is_lm=True, valid_col="is_valid",
            bs=BS, seq_len=SEQ_LEN, seed=SEED, device="cpu",
        )  # fmt: skip
        set_seed(SEED)  # of the first weights
        learn = language_model_learner(
            dls, reader, SMALL, drop_mult=DROP, pretrained=False, metrics=Perplexity(), seed=SEED
        )
        with learn.no_bar():
            learn.fit_one_cycle(n_epoch, LR, cbs=_OnlyTrain())
    n = sum(p.numel() for p in learn.model.parameters()) / 1e6
    return f"{reader}, {n:.1f} million weights", learn.validate()[1]


class _OnlyTrain(Callback):
    """Leave validation out: the test file is looked at once, at the end."""

    def before_validate(self, learn: Any) -> None:
        raise CancelValidException


def _articles(part: str) -> list[list[str]]:
    text = gzip.decompress((untar_data(URLs.WIKITEXT2) / f"{part}.txt.gz").read_bytes()).decode()
    articles = (
        a.replace("<unk>", UNK).replace("\n", f" {EOS} ").split() for a in TITLE.split(text)
    )
    return [words for words in articles if len(words) > 1]


def _known(articles: list[list[str]], known: set[str]) -> list[list[str]]:
    return [[word if word in known else UNK for word in words] for words in articles]


def _print(name: str, value: float, seconds: float) -> None:
    print(f"{name:36} perplexity {value:6.1f}   {seconds:5.0f} s", flush=True)


if __name__ == "__main__":
    main()
