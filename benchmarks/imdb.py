"""Film reviews: a language model's reader against tf-idf, by how many labels there are.

    python benchmarks/imdb.py --data PATH [--labels 1000 5000 25000] [--reader FOLDER]

`PATH` holds `train.csv.xz`, `test.csv.xz` (25,000 reviews each, columns `label` and `text`) and
`unsup_10k.csv.xz` (unlabelled ones). A small AWD-LSTM first learns the language of the training
and the unlabelled reviews, in one pass, without labels; its reader then goes on to classifiers with
the first so many labels of the training file. `FOLDER` keeps the reader for the next run. All
groups learn at one rate: with the first 1,000 labels, judged on the last 4,000 reviews of the
training file, ULMFiT's rates came to 73 to 82 %, one rate to 81 and 83 %. The opponent is logistic
regression on tf-idf of words and pairs, whose strength is chosen on a fifth of the labels. Both are
judged on the whole test file. Hours on two cores: each figure is printed when it is there.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from lamina.metrics.classify import accuracy
from lamina.metrics.text import Perplexity
from lamina.tensor.bundle import read_bundle
from lamina.text.learner import language_model_learner, text_classifier_learner
from lamina.text.loaders import TextDataLoaders
from lamina.text.tokenize import tokenize_df

SMALL = {"emb_sz": 128, "n_hid": 384, "n_layers": 2}
MAX_VOCAB, MAX_LEN, SEED = 15_000, 360, 42
LR, EPOCHS = 1e-2, {1_000: 8, 5_000: 4, 25_000: 2}


def main() -> None:
    """Print a line per number of labels."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", type=int, nargs="+", default=[1_000, 5_000, 25_000])
    parser.add_argument("--reader", type=Path, help="a folder that keeps the reader")
    parser.add_argument("--rows", type=int, help="of each file, for a trial")
    args = parser.parse_args()
    train, test, unlabelled = (
        pd.read_csv(args.data / f"{name}.csv.xz", usecols=["label", "text"], nrows=args.rows)
        for name in ("train", "test", "unsup_10k")
    )
    for n in args.labels:
        print(f"{n:>6} labels, tf-idf: {_tfidf(train.head(n), test):.2%}", flush=True)
    with TemporaryDirectory() as folder:
        print("words of all reviews ...", flush=True)
        tokens = [_tokens(frame) for frame in (train, test, unlabelled)]
        file = (args.reader or Path(folder)) / "models" / "reader.safetensors"
        if not file.exists():
            _language_model(pd.concat([tokens[0], tokens[2]], ignore_index=True), file)
        for n in args.labels:
            start = time.perf_counter()
            right = _classifier(tokens[0].head(n), tokens[1], file)
            minutes = (time.perf_counter() - start) / 60
            print(f"{n:>6} labels, AWD-LSTM: {right:.2%} ({minutes:.0f} min)", flush=True)


def _tfidf(train: pd.DataFrame, test: pd.DataFrame) -> float:
    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    x, y = vectors.fit_transform(train.text), train.label
    fit, held, y_fit, y_held = train_test_split(x, y, test_size=0.2, random_state=SEED)
    scores = {
        c: LogisticRegression(C=c, max_iter=500).fit(fit, y_fit).score(held, y_held)
        for c in (1, 4, 16, 64)
    }
    best = LogisticRegression(C=max(scores, key=lambda c: scores[c]), max_iter=500).fit(x, y)
    return float(best.score(vectors.transform(test.text), test.label))


def _tokens(frame: pd.DataFrame) -> pd.DataFrame:
    return tokenize_df(frame, ["text"])[0]


def _language_model(reviews: pd.DataFrame, file: Path) -> None:
    start = time.perf_counter()
    dls = TextDataLoaders.from_df(
        reviews, file.parent.parent, text_col="text", is_lm=True, valid_pct=0.05,
        max_vocab=MAX_VOCAB, seed=SEED, bs=64,
    )  # fmt: skip
    learn = language_model_learner(
        dls, "AWD_LSTM", SMALL, drop_mult=0.1, pretrained=False, metrics=Perplexity(), seed=SEED
    )
    with learn.no_bar():
        learn.fit_one_cycle(1, LR)
    minutes = (time.perf_counter() - start) / 60
    perplexity = learn.recorder.values[-1][-2]
    print(f"language model: perplexity {perplexity:.1f} ({minutes:.0f} min)", flush=True)
    learn.save_encoder(file.stem)


def _classifier(train: pd.DataFrame, test: pd.DataFrame, file: Path) -> float:
    dls = TextDataLoaders.from_df(
        train, file.parent.parent, text_col="text", label_col="label",
        text_vocab=read_bundle(file, kind="encoder").object["vocab"],
        valid_pct=0.1, seed=SEED, bs=32,
    )  # fmt: skip
    learn = text_classifier_learner(
        dls,
        "AWD_LSTM",
        config=SMALL,
        drop_mult=0.2,
        max_len=MAX_LEN,
        pretrained=False,
        metrics=accuracy,
        seed=SEED,
    )
    learn.load_encoder(file)
    with learn.no_bar():
        learn.freeze()
        learn.fit_one_cycle(1, 2 * LR)
        learn.unfreeze()
        learn.fit_one_cycle(EPOCHS.get(len(train), 3), LR)
        return learn.validate(dl=dls.test_dl(test, with_labels=True))[1]


if __name__ == "__main__":
    main()
