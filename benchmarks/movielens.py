"""MovieLens ratings: Lamina's dot product beside biases, popularity, item-kNN and SVD; two splits.

    python benchmarks/movielens.py FOLDER_WITH_RATINGS_CSV

The data are not shipped: their licence excludes commercial use. Nothing was tuned on them.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from lamina.collab.learner import collab_learner
from lamina.collab.loaders import CollabDataLoaders
from lamina.collab.metrics import ranking_metrics
from lamina.data.split import RandomSplitter, TimeSplitter


def biases(train: Any, valid: Any) -> float:
    """The error of mean, user and item biases, shrunk by 5 ratings, in five rounds."""
    mean = train["rating"].mean()
    found: dict[str, Any] = {name: pd.Series(dtype=float) for name in ("userId", "movieId")}

    def of(df: Any, name: str) -> Any:
        return df[name].map(found[name]).fillna(0.0).astype(float)

    for _ in range(5):
        for name, other in (("userId", "movieId"), ("movieId", "userId")):
            rest = (train["rating"] - mean - of(train, other)).groupby(train[name])
            found[name] = rest.sum() / (rest.count() + 5)
    error = valid["rating"] - mean - of(valid, "userId") - of(valid, "movieId")
    return float(np.sqrt((error**2).mean()))


def baselines(
    train: np.ndarray, counts: tuple[int, int], mean: float, ratings: np.ndarray
) -> dict[str, np.ndarray]:
    """Scores of all items for all users: popularity, item-kNN, a truncated SVD of 50 factors."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import svds

    settings: Any = {"random_state": 42}
    seen = csr_matrix((np.ones(len(train)), (train[:, 0], train[:, 1])), counts)
    centred = csr_matrix((ratings - mean, (train[:, 0], train[:, 1])), counts)
    norms = np.sqrt(np.asarray(seen.sum(0)).ravel()).clip(1)
    near = (seen.T @ seen).toarray() / norms[:, None] / norms
    np.fill_diagonal(near, 0)
    near[near < np.partition(near, -50, axis=1)[:, -50:-49]] = 0
    left, sizes, right = svds(seen, 50, **settings)
    shown, weight, films = svds(centred, 50, **settings)
    return {
        "popularity": np.tile(np.asarray(seen.sum(0)).ravel(), (counts[0], 1)),
        "item-kNN (cosine, 50)": seen @ near,
        "SVD of choices (50)": (left * sizes) @ right,
        "SVD of ratings (50)": (shown * weight) @ films,
    }


def ranked(array: np.ndarray, dls: CollabDataLoaders, k: int = 10) -> dict[str, float]:
    """The measures of `evaluate_ranking` (threshold 4) for given scores."""
    cats = dls.train.dataset.tensors[0]
    scores = torch.as_tensor(array).float().clone()
    scores[cats[:, 0], cats[:, 1]] = scores[:, 0] = -torch.inf
    valid, _, y = dls.valid.dataset.tensors
    good = (valid > 0).all(1) & (y.flatten() >= 4)
    wanted = torch.zeros(scores.shape, dtype=torch.bool)
    wanted[valid[good, 0], valid[good, 1]] = True
    users = valid[good, 0].unique()
    best = scores[users].topk(k, dim=1).indices
    found = ranking_metrics(wanted[users].gather(1, best), wanted[users].sum(1), k)
    return {**found, f"coverage@{k}": len(best.unique()) / (scores.shape[1] - 1)}


def row(split: str, name: str, error: float, found: dict[str, float]) -> None:
    """Print a row of the table."""
    figures = (found.get(f"{key}@10", np.nan) for key in ("ndcg", "recall", "coverage"))
    print(f"| {split} | {name} | {error:.4f} | " + " | ".join(f"{v:.4f}" for v in figures) + " |")


def learnt(df: Any, splitter: Any, seed: int, split: str, *, bpr: bool) -> None:
    """Train the dot product on ratings or choices, and print its row."""
    dls = CollabDataLoaders.from_df(
        df, splitter=splitter, bs=256, seed=seed, device="cpu", implicit=bpr
    )
    options: Any = {"objective": "bpr", "negatives": 4} if bpr else {"y_range": (0, 5.5)}
    learn = collab_learner(dls, 50, wd=0.1, seed=seed, **options)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(5, 5e-3)
    if not bpr:
        row(split, f"Lamina, ratings, seed {seed}", learn.validate()[0] ** 0.5,
            learn.evaluate_ranking(k=10, threshold=4))  # fmt: skip
        return
    scored = CollabDataLoaders.from_df(df, splitter=splitter, bs=256, device="cpu")
    with torch.no_grad():
        model: Any = learn.model.eval()
        scores = model.u_weight.weight @ model.i_weight.weight.T + model.i_bias.weight.T
    row(split, f"Lamina, BPR, seed {seed}", np.nan, ranked(scores.numpy(), scored))


def main() -> None:
    """Print a row per split, seed and model."""
    df: Any = pd.read_csv(next(Path(sys.argv[1]).glob("ratings.csv*")))
    print("| split | model | RMSE | NDCG@10 | recall@10 | coverage@10 |\n|---|---|---|---|---|---|")
    for name, splitter in (
        ("random", RandomSplitter(0.2, seed=42)),
        ("time", TimeSplitter("timestamp", 0.2)),
    ):
        train, valid = (df.iloc[rows] for rows in splitter(df))
        dls = CollabDataLoaders.from_df(df, splitter=splitter, bs=256, device="cpu")
        cats, _, y = (t.numpy() for t in dls.train.dataset.tensors)
        counts = (len(dls.classes["userId"]), len(dls.classes["movieId"]))
        row(name, "biases", biases(train, valid), {})
        for kind, scores in baselines(cats, counts, float(y.mean()), y.ravel()).items():
            row(name, kind, np.nan, ranked(scores, dls))
        for seed in (42, 43, 44):
            for bpr in (False, True):
                learnt(df, splitter, seed, name, bpr=bpr)


if __name__ == "__main__":
    main()
