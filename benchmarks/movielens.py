"""MovieLens ratings: the error of Lamina's dot product beside means and biases, for two splits.

    python benchmarks/movielens.py FOLDER_WITH_RATINGS_CSV

The data are not shipped: their licence excludes commercial use. Nothing was tuned on them.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from lamina.collab.learner import collab_learner
from lamina.collab.loaders import CollabDataLoaders
from lamina.data.split import RandomSplitter, TimeSplitter


def biases(train: pd.DataFrame, valid: pd.DataFrame) -> float:
    """The error of mean, user and item biases, shrunk by 5 ratings, in five rounds."""
    mean = train["rating"].mean()
    found = {name: pd.Series(dtype=float) for name in ("userId", "movieId")}

    def of(df: pd.DataFrame, name: str) -> pd.Series:
        return df[name].map(found[name]).fillna(0.0).astype(float)

    for _ in range(5):
        for name, other in (("userId", "movieId"), ("movieId", "userId")):
            rest = (train["rating"] - mean - of(train, other)).groupby(train[name])
            found[name] = rest.sum() / (rest.count() + 5)
    error = valid["rating"] - mean - of(valid, "userId") - of(valid, "movieId")
    return float(np.sqrt((error**2).mean()))


def main() -> None:
    """Print a row per split."""
    df = pd.read_csv(next(Path(sys.argv[1]).glob("ratings.csv*")))
    splitters = {"random": RandomSplitter(0.2, seed=42), "time": TimeSplitter("timestamp", 0.2)}
    print("split    RMSE of biases   RMSE of the dot product   NDCG@10   recall@10   coverage@10")
    for name, splitter in splitters.items():
        train, valid = (df.iloc[rows] for rows in splitter(df))
        dls = CollabDataLoaders.from_df(df, splitter=splitter, bs=256, seed=42, device="cpu")
        learn = collab_learner(dls, 50, y_range=(0, 5.5), wd=0.1, seed=42)
        with learn.no_bar(), learn.no_logging():
            learn.fit_one_cycle(5, 5e-3)
        rank = learn.evaluate_ranking(k=10, threshold=4)
        figures = "".join(f"{rank[f'{key}@10']:11.4f}" for key in ("ndcg", "recall", "coverage"))
        error = learn.validate()[0] ** 0.5
        print(f"{name:8}{biases(train, valid):15.4f}{error:26.4f}{figures}")


if __name__ == "__main__":
    main()
