"""Prices of houses: the networks for tables beside ridge regression and boosted trees.

    python benchmarks/houses.py --data FILE_OR_FOLDER

The file is that of California (target `median_house_value`, in dollars; the bundled sample when
no path is given) or of Ames (target `SalePrice`, of which the logarithm is learnt and measured).
A seed decides the fifth of the rows for the test, the tenth of the others that is held back, the
start of the networks and their batches, so that the deviations are also those of the splits.
Networks take about 1,200 steps. Rates, steps and sizes were set once and not searched for.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from adult import Problem, network, trees
from lamina.data.external import URLs, untar_data

STEPS = 1200
TABM = {"model": "tabm", "numbers": "piecewise", "layers": [128, 128], "config": {"k": 8}}
NETWORKS: dict[str, dict[str, Any]] = {
    "embedding MLP (the paper's)": {"lr": 5e-3},
    "the same, piecewise numbers": {"lr": 5e-3, "numbers": "piecewise"},
    "TabM, k 8, piecewise": {"lr": 2e-3, **TABM},
}


def ridge(problem: Problem, dls: Any, _seed: int) -> np.ndarray:
    """Ridge regression on scaled numbers and one-hot categories; its strength by leave-one-out."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    features = make_column_transformer(
        (numbers, problem.conts), (OneHotEncoder(handle_unknown="ignore"), problem.cats)
    )
    rows = problem.train.iloc[list(dls.train.dataset.origin[0])]
    model = make_pipeline(features, RidgeCV(np.logspace(-2, 3, 11)))
    columns = problem.conts + problem.cats
    return model.fit(rows[columns], rows[problem.target]).predict(problem.test[columns])


def read(path: Path | None) -> tuple[Any, str, int]:
    """The rows, the column to predict, and the batch size."""
    folder = path or untar_data(URLs.CALIFORNIA_HOUSING)
    file = folder if folder.is_file() else next(folder.glob("*.csv*"))
    df: Any = pd.read_csv(file, keep_default_na=False, na_values=[""])  # "NA" is a level in Ames
    if "SalePrice" not in df:
        return df, "median_house_value", 256
    df["SalePrice"] = np.log(df["SalePrice"])
    return df.drop(columns=["Order", "PID"]), "SalePrice", 64


def problem(df: Any, target: str, bs: int, seed: int) -> Problem:
    """Split off the test rows."""
    is_test = np.random.default_rng(seed).random(len(df)) < 0.2
    train, test = (df[rows].reset_index(drop=True) for rows in (~is_test, is_test))
    return Problem(train, test, target, bs)


def models(n_rows: int, bs: int) -> dict[str, Callable[..., np.ndarray]]:
    """What is compared, by name."""
    epochs = round(STEPS / (0.72 * n_rows / bs))
    learnt = {name: network(epochs=epochs, **options) for name, options in NETWORKS.items()}
    return {"ridge (one-hot, scaled)": ridge, "HistGradientBoosting": trees, **learnt}


def main() -> None:
    """Print one row per model: mean and deviation over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a CSV file, or the folder of one")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", help="models by a part of their names")
    args = parser.parse_args()
    torch.set_num_threads(1)
    df, target, bs = read(args.data)
    print(f"{len(df):,} rows\n\n| model | R² | RMSE | CPU seconds | seeds |\n|---|---|---|---|---|")
    for name, predict in models(len(df), bs).items():
        if args.only and not any(part in name for part in args.only):
            continue
        seeds = min(args.seeds, 3) if name.startswith("TabM") else args.seeds
        started, scores = time.process_time(), []
        for seed in range(seeds):
            one = problem(df, target, bs, seed)
            scores.append(one.score(predict(one, one.loaders(seed), seed)))
        seconds = (time.process_time() - started) / seeds
        (rmse, r2), (d_rmse, d_r2) = np.mean(scores, 0), np.std(scores, 0)
        digits = 4 if target == "SalePrice" else 0
        error = f"{rmse:,.{digits}f} ± {d_rmse:,.{digits}f}"
        print(f"| {name} | {r2:.4f} ± {d_r2:.4f} | {error} | {seconds:.1f} | {seeds} |", flush=True)


if __name__ == "__main__":
    main()
