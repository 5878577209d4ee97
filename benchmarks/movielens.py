"""MovieLens ratings, split at random and by time, beside what a network has to beat.

    python benchmarks/movielens.py --data FOLDER_WITH_RATINGS_CSV

A fifth of the rows is for the test: drawn at random, or the latest. RMSE is that of all test rows;
the ranking is that of users and films that training had, for ratings of at least 4. The data are
not shipped: their licence excludes commercial use.

`--search` measures the settings that were tried, on a fifth held out of the training rows in the
same way; the test rows play no part in it. `RATING` was chosen so on both splits; `RANKING`, `BPR`
and the settings of kNN and ALS on the random split, and taken over to the other.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from lamina.collab.learner import collab_learner
from lamina.collab.loaders import CollabDataLoaders
from lamina.collab.metrics import ranking_metrics
from lamina.data.split import RandomSplitter, TimeSplitter
from lamina.optim.recipes import Adam

L2 = partial(Adam, decouple_wd=False)  # weight decay as a part of the loss
UNTUNED = {"n_factors": 50, "bs": 256, "epochs": 5, "lr": 5e-3, "wd": 0.1, "y_range": (0, 5.5)}
RATING = {**UNTUNED, "n_factors": 20, "epochs": 10, "lr": 1e-2, "wd": 3e-4, "opt_func": L2}
CHOICE = {"n_factors": 50, "bs": 256, "epochs": 10, "lr": 5e-3, "wd": 0.1}
BPR = {**CHOICE, "objective": "bpr", "negatives": 4, "epochs": 5}
RANKING = {**CHOICE, "objective": "sampled_softmax", "negatives": 20}
ALS = 50.0  # how strongly the factors of ALS of choices are held near 0

Splitter = Callable[[Any], tuple[Any, Any]]
SPLITTERS: dict[str, Splitter] = {
    "random": RandomSplitter(0.2, seed=42),
    "time": TimeSplitter("timestamp", 0.2),
}


@dataclass
class Split:
    """Rows to learn from and rows to be measured on, as codes; 0 is who is unknown."""

    df: Any
    splitter: Splitter

    def __post_init__(self) -> None:
        dls = self.loaders()
        self.train, _, y = (t.numpy() for t in dls.train.dataset.tensors)
        self.test, _, truth = (t.numpy() for t in dls.valid.dataset.tensors)
        self.stars, self.truth = y.ravel().astype(float), truth.ravel()
        self.shape = (len(dls.classes["userId"]), len(dls.classes["movieId"]))

    def loaders(self, bs: int = 256, seed: int = 42, *, implicit: bool = False) -> Any:
        """Loaders of both parts."""
        return CollabDataLoaders.from_df(
            self.df, splitter=self.splitter, bs=bs, seed=seed, device="cpu", implicit=implicit
        )

    def matrix(self, values: Any) -> Any:
        """A value for every training row: a sparse matrix (users, films)."""
        from scipy.sparse import csr_matrix

        filled = np.broadcast_to(np.float32(values), len(self.train))
        return csr_matrix((filled, self.train.T), self.shape)

    def rmse(self, said: np.ndarray) -> float:
        """The error of what is said of the test rows, brought to the stars that exist."""
        return float(np.sqrt(((self.truth - said.clip(0.5, 5)) ** 2).mean()))

    def ranked(self, array: Any, k: int = 10) -> dict[str, float]:
        """The measures of `evaluate_ranking(threshold=4)` for scores (users, films)."""
        scores = torch.as_tensor(array).float().clone()
        scores[self.train[:, 0], self.train[:, 1]] = scores[:, 0] = -torch.inf
        test = torch.as_tensor(self.test[(self.test > 0).all(1) & (self.truth >= 4)])
        wanted = torch.zeros(scores.shape, dtype=torch.bool)
        wanted[test[:, 0], test[:, 1]] = True
        users = test[:, 0].unique()
        best = scores[users].topk(k, dim=1).indices
        found = ranking_metrics(wanted[users].gather(1, best), wanted[users].sum(1), k)
        return {**found, f"coverage@{k}": len(best.unique()) / (scores.shape[1] - 1)}


def biases(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Mean, user and film biases, shrunk by 5 ratings, in five rounds; for training and test."""
    mean, found = split.stars.mean(), [np.zeros(n) for n in split.shape]
    for _ in range(5):
        for side, codes in enumerate(split.train.T):
            rest = split.stars - mean - found[1 - side][split.train[:, 1 - side]]
            sums = np.bincount(codes, rest, split.shape[side])
            found[side] = sums / (np.bincount(codes, minlength=split.shape[side]) + 5)
    first, last = (mean + sum(b[c] for b, c in zip(found, rows.T, strict=True))
                   for rows in (split.train, split.test))  # fmt: skip
    return first, last


def solve_ratings(
    split: Split, rest: np.ndarray, *, factors: int = 20, strength: float = 0.2
) -> np.ndarray:
    """ALS on what biases leave, each row's penalty by its count (Zhou et al. 2008)."""
    sides = [np.random.default_rng(42).normal(0, 0.1, (n, factors)) for n in split.shape]
    for _ in range(10):
        for me, codes in enumerate(split.train.T):
            order = np.argsort(codes, kind="stable")
            for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
                near = sides[1 - me][split.train[rows, 1 - me]]
                gram = near.T @ near + strength * len(rows) * np.eye(factors)
                sides[me][codes[rows[0]]] = np.linalg.solve(gram, near.T @ rest[rows])
    for side in sides:
        side[0] = 0
    return (sides[0][split.test[:, 0]] * sides[1][split.test[:, 1]]).sum(1)


def near_ratings(split: Split, rest: np.ndarray, shrunk: float = 0.3) -> np.ndarray:
    """Item-kNN on what biases leave: the 50 films nearest by shrunk cosine (Koren 2008)."""
    left, seen = split.matrix(rest), split.matrix(1)
    alike, common = (left.T @ left).toarray(), (seen.T @ seen).toarray()
    norms = np.sqrt(alike.diagonal()).clip(1e-6)
    alike *= common / (common + 25) / norms[:, None] / norms
    keep_nearest(alike)
    alike = alike.clip(0)
    users, films = split.test.T
    return ((left @ alike) / (seen @ alike + shrunk))[users, films]


def keep_nearest(alike: np.ndarray, n: int = 50) -> None:
    """Set all but the n largest of every row to 0, and the diagonal."""
    np.fill_diagonal(alike, 0)
    alike[alike < np.partition(alike, -n, axis=1)[:, -n:][:, :1]] = 0


def solve_choices(
    split: Split, strength: float, *, factors: int = 50, weight: float = 5.0
) -> np.ndarray:
    """ALS for choices (Hu, Koren & Volinsky 2008): all pairs count, those chosen 1 + weight."""
    sides = [np.random.default_rng(42).normal(0, 0.01, (n, factors)) for n in split.shape]
    for _ in range(8):
        for me, codes in enumerate(split.train.T):
            other = sides[1 - me]
            gram = other.T @ other + strength * np.eye(factors)
            order = np.argsort(codes, kind="stable")
            for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
                near = other[split.train[rows, 1 - me]]
                right = (1 + weight) * near.sum(0)
                sides[me][codes[rows[0]]] = np.linalg.solve(gram + weight * near.T @ near, right)
    return sides[0] @ sides[1].T


def scores(split: Split, strength: float) -> Iterator[tuple[str, np.ndarray]]:
    """Scores of all films for all users, by what does not learn in steps."""
    from scipy.sparse.linalg import svds

    settings: Any = {"random_state": 42}
    seen, centred = split.matrix(1), split.matrix(split.stars - split.stars.mean())
    counts = np.asarray(seen.sum(0)).ravel()
    yield "popularity", np.tile(counts, (split.shape[0], 1))
    norms = np.sqrt(counts).clip(1)
    near = (seen.T @ seen).toarray() / norms[:, None] / norms
    keep_nearest(near)
    yield "item-kNN (cosine, 50)", seen @ near
    for what, table in (("choices", seen), ("ratings", centred)):
        users, sizes, films = svds(table, 50, **settings)
        yield f"SVD of {what} (50)", (users * sizes) @ films
    yield f"ALS of choices (50, strength {strength:g})", solve_choices(split, strength)


def learnt(
    split: Split, seed: int, bs: int, epochs: int, lr: float, **options: Any
) -> tuple[float, dict[str, float], float]:
    """Train on ratings or choices; the RMSE of ratings, the ranking, and seconds."""
    start, implicit = time.perf_counter(), "objective" in options
    dls = split.loaders(bs, seed, implicit=implicit)
    learn = collab_learner(dls, seed=seed, **options)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, lr)
    seconds = time.perf_counter() - start
    model: Any = learn.model.eval()
    with torch.no_grad():
        table = model.u_weight.weight @ model.i_weight.weight.T + model.i_bias.weight.T
        said = model(torch.as_tensor(split.test)).numpy()
    error = np.nan if implicit else split.rmse(said)
    return error, split.ranked(table), seconds


def row(split: str, name: str, error: float, found: dict[str, float]) -> None:
    """Print a row of the table."""
    figures = (found.get(f"{key}@10", np.nan) for key in ("ndcg", "recall", "coverage"))
    cells = " | ".join("" if np.isnan(v) else f"{v:.4f}" for v in (error, *figures))
    print(f"| {split} | {name} | {cells} |", flush=True)


def compare(name: str, split: Split, seeds: int) -> None:
    """Print a row per model of one split, and one per seed of what learns in steps."""
    train, test = biases(split)
    row(name, "biases", split.rmse(test), {})
    rest = split.stars - train
    row(name, "biases and item-kNN", split.rmse(test + near_ratings(split, rest)), {})
    row(name, "biases and ALS (20)", split.rmse(test + solve_ratings(split, rest)), {})
    for kind, table in scores(split, ALS):
        row(name, kind, np.nan, split.ranked(table))
    kinds = {"ratings, untuned": UNTUNED, "ratings": RATING, "BPR": BPR}
    for kind, settings in {**kinds, "sampled softmax": RANKING}.items():
        for seed in range(42, 42 + seeds):
            error, found, _ = learnt(split, seed, **settings)
            row(name, f"Lamina, {kind}, seed {seed}", error, found)


TRIED: dict[str, list[dict[str, Any]]] = {
    "ratings": [
        UNTUNED,
        {**UNTUNED, "wd": 0.3},
        {**UNTUNED, "n_factors": 10},
        *({**RATING, "wd": wd} for wd in (1e-4, 2e-4, 3e-4, 4e-4, 1e-3)),
        {**RATING, "n_factors": 50},
        {**RATING, "epochs": 20, "wd": 5e-4},
        {**RATING, "lr": 5e-3},
    ],
    "choices": [BPR, {**BPR, "epochs": 20}, {**BPR, "epochs": 20, "wd": 0.01}, RANKING],
}


def search(name: str, split: Split) -> None:
    """Print what every setting gives on rows held out of the training rows."""
    train, test = biases(split)
    rest = split.stars - train
    for strength in (0.05, 0.1, 0.2, 0.3, 0.5):
        said = test + solve_ratings(split, rest, strength=strength)
        row(name, f"biases and ALS, strength {strength}", split.rmse(said), {})
    for shrunk in (0.1, 0.3, 1.0, 3.0):
        said = test + near_ratings(split, rest, shrunk)
        row(name, f"biases and item-kNN, shrunk by {shrunk}", split.rmse(said), {})
    for strength in (10.0, 30.0, 50.0, 100.0):
        table = solve_choices(split, strength)
        row(name, f"ALS of choices, strength {strength:g}", np.nan, split.ranked(table))
    for settings in [setting for group in TRIED.values() for setting in group]:
        error, found, seconds = learnt(split, 42, **settings)
        told = {k: v for k, v in settings.items() if k != "y_range"}
        told |= {"opt_func": "L2"} if "opt_func" in told else {}
        said = ", ".join(f"{k} {v}" for k, v in told.items())
        row(name, f"{said} ({seconds:.0f} s)", error, found)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of ratings.csv")
    parser.add_argument("--splits", nargs="+", default=list(SPLITTERS), choices=list(SPLITTERS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--search", action="store_true", help="on held-out training rows")
    args = parser.parse_args()
    df: Any = pd.read_csv(next(args.data.glob("ratings.csv*")))
    print("| split | model | RMSE | NDCG@10 | recall@10 | coverage@10 |\n|---|---|---|---|---|---|")
    for name in args.splits:
        splitter = SPLITTERS[name]
        if args.search:
            held_in = df.iloc[list(splitter(df)[0])].reset_index(drop=True)
            inner = RandomSplitter(0.2, seed=1) if name == "random" else splitter
            search(name, Split(held_in, inner))
        else:
            compare(name, Split(df, splitter), args.seeds)


if __name__ == "__main__":
    main()
