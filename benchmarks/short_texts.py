"""Short texts: surnames of 18 languages by letters, sentences of film reviews by words.

    python benchmarks/short_texts.py [--sst PATH] [--seeds 2]

The surnames are a bundled sample: 80 % of each language to learn from, the rest to judge by; a
surname that two languages share counts for each. `PATH` holds `sst2_train.csv.gz` and
`sst2_test.csv.gz` of the Stanford Sentiment Treebank (columns `label` and `text`). A small AWD-LSTM
first learns the language of the training texts, then the labels; and the same without the first
part. The opponent is logistic regression on tf-idf of runs of up to five letters, or of words and
pairs, whose strength is chosen on a fifth of the training texts. About five minutes on one core.
"""

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier

from lamina.data.external import URLs, untar_data
from lamina.tensor.random import set_seed
from lamina.text.learner import language_model_learner, text_classifier_learner
from lamina.text.loaders import TextDataLoaders
from lamina.text.rules import BOS
from lamina.text.tokenize import tokenize_df
from lamina.text.vocab import make_vocab


@dataclass
class Task:
    """Texts with labels, and what suits them."""

    name: str
    train: Any  # frames with the columns `label` and `text`
    test: Any
    vectors: TfidfVectorizer
    settings: dict[str, Any]  # of the tokenizer
    sizes: dict[str, int]
    epochs: int
    lm_epochs: int


def main() -> None:
    """Print a line per model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sst", type=Path, help="folder of the sentences")
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for task in [_names(), *([] if args.sst is None else [_sentences(args.sst)])]:
        print(f"{task.name}: {len(task.train):,} to learn from, {len(task.test):,} to judge by")
        start = time.process_time()
        _print("logistic regression", task, [_regression(task)], start)
        for name, n_epoch in (("AWD-LSTM, labels alone", 0), ("AWD-LSTM", task.lm_epochs)):
            start = time.process_time()
            found = [_network(task, n_epoch, seed) for seed in range(args.seeds)]
            _print(name, task, found, start)


def _names() -> Task:
    files = sorted(untar_data(URLs.NAMES18).glob("*.txt"))
    pairs = {(file.stem, name.strip()) for file in files for name in file.open(encoding="utf-8")}
    frame = pd.DataFrame(sorted(pairs), columns=["label", "text"])
    train, test = train_test_split(frame, test_size=0.2, stratify=frame.label, random_state=42)
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True)
    settings = {"tok": letters, "rules": ()}
    sizes = {"emb_sz": 96, "n_hid": 192, "n_layers": 2}
    return Task("surnames", train, test, vectors, settings, sizes, epochs=8, lm_epochs=4)


def letters(texts: Iterable[str]) -> Iterator[list[str]]:
    """Cut each text into letters, after a mark of its beginning."""
    return ([BOS, *text] for text in texts)


def _sentences(folder: Path) -> Task:
    train, test = (pd.read_csv(folder / f"sst2_{part}.csv.gz") for part in ("train", "test"))
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    sizes = {"emb_sz": 128, "n_hid": 256, "n_layers": 2}
    return Task("sentences", train, test, vectors, {}, sizes, epochs=4, lm_epochs=6)


def _regression(task: Task) -> np.ndarray:
    x, y = task.vectors.fit_transform(task.train.text), task.train.label
    fit, held, y_fit, y_held = train_test_split(x, y, test_size=0.2, random_state=42)
    scores = {c: _logistic(c).fit(fit, y_fit).score(held, y_held) for c in (1, 4, 16, 64)}
    best = _logistic(max(scores, key=lambda c: scores[c])).fit(x, y)
    return np.asarray(best.predict(task.vectors.transform(task.test.text)))


def _logistic(strength: float) -> OneVsRestClassifier:
    return OneVsRestClassifier(LogisticRegression(C=strength, solver="liblinear"))


def _network(task: Task, lm_epochs: int, seed: int) -> np.ndarray:
    train, count = tokenize_df(task.train, "text", 0, **task.settings)
    test, _ = tokenize_df(task.test, "text", 0, **task.settings)
    options: dict[str, Any] = {"text_col": "text", "vocab": make_vocab(count, min_freq=2)}
    options |= {"valid_pct": 0.02, "seed": seed, "device": "cpu"}
    set_seed(seed)  # of the first weights
    with TemporaryDirectory() as folder:
        dls = TextDataLoaders.from_df(train, folder, label_col="label", bs=32, **options)
        learn = text_classifier_learner(
            dls, "AWD_LSTM", config=task.sizes, drop_mult=0.5, pretrained=False, seed=seed
        )
        with learn.no_bar():
            if lm_epochs:
                dls_lm = TextDataLoaders.from_df(train, folder, is_lm=True, bs=32, **options)
                reader = language_model_learner(
                    dls_lm, "AWD_LSTM", task.sizes, drop_mult=0.3, pretrained=False, seed=seed
                )
                with reader.no_bar():
                    reader.fit_one_cycle(lm_epochs, 1e-2)
                learn.load_encoder(reader.save_encoder("reader"))
            learn.fit_one_cycle(task.epochs, 5e-3)
            scores, _ = learn.get_preds(dl=dls.test_dl(test))
    labels: Any = dls.task
    return np.array(labels.vocab)[scores.argmax(1)]


def _print(name: str, task: Task, found: list[np.ndarray], start: float) -> None:
    seconds = (time.process_time() - start) / len(found)
    right = 100 * np.array([(labels == task.test.label).mean() for labels in found])
    each = 100 * np.array([balanced_accuracy_score(task.test.label, labels) for labels in found])
    spread = f" ± {right.std():.1f}" if len(found) > 1 else ""
    print(
        f"{name:24} right {right.mean():.1f}{spread} %, mean of the labels {each.mean():.1f} %, "
        f"{seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
