"""Tables: preprocessing, training epochs and prediction, against loops by hand and fastai.

Run it with the second environment, where fastai is: `.venv-interop/bin/python
benchmarks/tabular.py` (without fastai its rows are left out). The rows are 200,000 drawn from the
Adult sample, with some noise in the numbers; nine columns as in the paper. By hand means: codes and
numbers as tensors, batches taken by index, the same network written down, PyTorch's fused Adam.
Times are per row of the table, and per call for single rows. One thread; rounds alternate.
"""

import importlib.util
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from _timing import Row, interleaved_us, print_rows, ratio_row
from lamina.tabular.core import TabularPandas
from lamina.tabular.learner import TabularLearner, tabular_learner
from lamina.tabular.procs import Categorify, FillMissing, Normalize

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "adult.tgz"
N = 200_000
CATS = ["workclass", "education", "marital-status", "occupation", "relationship", "race"]
CONTS = ["age", "fnlwgt", "education-num"]
HAS_FASTAI = importlib.util.find_spec("fastai") is not None


def make_frame() -> pd.DataFrame:
    with tarfile.open(SAMPLE) as tar:
        found: Any = tar.extractfile("adult/adult_train.csv.gz")
        df = pd.read_csv(found, compression="gzip")
    rng = np.random.default_rng(0)
    out = df.iloc[rng.integers(len(df), size=N)].reset_index(drop=True)
    out["age"] = out["age"] + rng.normal(size=N)
    return out[[*CATS, *CONTS, "salary"]]


SPLITS = (list(range(N)), list(range(64)))  # one batch of validation, which fastai insists on


def process(df: Any) -> TabularPandas:
    return TabularPandas(
        df, [Categorify, FillMissing, Normalize], CATS, CONTS, "salary", splits=SPLITS
    )


def make_learner(to: TabularPandas, bs: int) -> TabularLearner:
    dls = to.dataloaders(bs=bs, device="cpu")
    learn = tabular_learner(dls, layers=[200, 100], default_cbs=True, wd_bn_bias=True)
    learn.dls.loaders = learn.dls.loaders[:1]  # an epoch is training alone, as by hand
    return learn


class ByHand(nn.Module):
    """The network of the paper, written down."""

    def __init__(self, emb_szs: list[tuple[int, int]]) -> None:
        super().__init__()
        self.embeds = nn.ModuleList([nn.Embedding(*size) for size in emb_szs])
        self.norm = nn.BatchNorm1d(len(CONTS))
        n_in = sum(width for _, width in emb_szs) + len(CONTS)
        self.layers = nn.Sequential(
            *(nn.Linear(n_in, 200, bias=False), nn.ReLU(inplace=True), nn.BatchNorm1d(200)),
            *(nn.Linear(200, 100, bias=False), nn.ReLU(inplace=True), nn.BatchNorm1d(100)),
            nn.Linear(100, 2),
        )

    def forward(self, cats: Tensor, conts: Tensor) -> Tensor:
        """Answer for every row."""
        parts = [emb(cats[:, i]) for i, emb in enumerate(self.embeds)]
        return self.layers(torch.cat([*parts, self.norm(conts)], 1))


def epoch_by_hand(to: TabularPandas, bs: int) -> Callable[[], None]:
    cats, conts, ys = to.train.tensors
    emb_szs = [(emb.num_embeddings, emb.embedding_dim) for emb in make_learner(to, bs).model.embeds]  # type: ignore[union-attr]  # a TabularModel
    model = ByHand(emb_szs)
    opt = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)

    def epoch() -> None:
        model.train()
        order = torch.randperm(len(ys))
        losses = []
        for i in range(0, len(ys) - bs + 1, bs):
            at = order[i : i + bs]
            loss = F.cross_entropy(model(cats[at], conts[at]), ys[at])
            loss.backward()
            opt.step()
            opt.zero_grad()
            losses.append(loss.detach())
        torch.stack(losses).mean().item()

    return epoch


def row_by_hand(learn: TabularLearner) -> Callable[[dict[str, Any]], Any]:
    """Look up codes in dicts, normalise, call the network; with what the learner has fitted."""
    recipe = learn.dls.recipe
    norm = next(proc for proc in recipe.procs if isinstance(proc, Normalize))
    vocabs = {name: {x: i for i, x in enumerate(recipe.classes[name])} for name in CATS}
    mean: Any = norm.mean
    std: Any = norm.std
    labels = list(learn.dls.vocab)
    model = learn.model.eval()

    def predict(row: dict[str, Any]) -> tuple[Any, Tensor]:
        cats = torch.tensor([[vocabs[name].get(row[name], 0) for name in CATS]])
        numbers = [[(row[name] - mean[name]) / std[name] for name in CONTS]]
        conts = torch.tensor(numbers, dtype=torch.float32)
        with torch.no_grad():
            probs = model(cats, conts).softmax(1)[0]
        return labels[int(probs.argmax())], probs

    return predict


def fastai_learner(df: pd.DataFrame, bs: int) -> Any:
    from fastai.tabular import all as peer  # type: ignore[import-not-found]  # the second environment

    to = process_by_fastai(df)
    return peer.tabular_learner(to.dataloaders(bs=bs, device="cpu"), layers=[200, 100])


def process_by_fastai(df: pd.DataFrame) -> Any:
    from fastai.tabular import all as peer  # type: ignore[import-not-found]  # the second environment

    procs = [peer.Categorify, peer.FillMissing, peer.Normalize]
    return peer.TabularPandas(df.copy(), procs, CATS, CONTS, "salary", splits=SPLITS)


def compare(name: str, times: list[float], goals: list[float], per: float) -> list[Row]:
    """Rows of the first time against each of the others."""
    ours, *others = (time / per for time in times)
    return [
        Row(f"{name} / {peer}", ours, time, "ratio", goal)
        for peer, time, goal in zip(("by hand", "fastai"), others, goals, strict=False)
    ]


def quietly(learn: Any, fit: str) -> Callable[[], None]:
    def epoch() -> None:
        with learn.no_bar():
            getattr(learn, fit)(1)

    return epoch


def preprocessing_rows(df: pd.DataFrame) -> list[Row]:
    """One row for each way in which pandas keeps strings, as that decides more than all else."""
    found = []
    for storage in ("python", *(["pyarrow"] if importlib.util.find_spec("pyarrow") else [])):
        kind = pd.StringDtype(storage, na_value=np.nan)
        strings = df.astype(dict.fromkeys([*CATS, "salary"], kind))
        passes = (partial(process, strings), partial(process_by_fastai, strings))
        ours, peer = interleaved_us(passes, n=1, repeats=7)
        name = f"preprocessing, {storage} strings / fastai"
        found.append(Row(name, ours / N, peer / N, "ratio", 1 / 1.2))
    return found


def polars_rows(df: pd.DataFrame) -> list[Row]:
    """The same frame in polars, beside each way in which pandas keeps strings.

    Polars works on all cores; `POLARS_MAX_THREADS=1` says otherwise.
    """
    import polars as pl

    found = []
    for storage in ("python", *(["pyarrow"] if importlib.util.find_spec("pyarrow") else [])):
        kind = pd.StringDtype(storage, na_value=np.nan)
        strings = df.astype(dict.fromkeys([*CATS, "salary"], kind))
        passes = (partial(process, pl.from_pandas(df)), partial(process, strings))
        ours, other = interleaved_us(passes, n=1, repeats=7)
        name = f"preprocessing, polars / pandas, {storage} strings"
        found.append(Row(name, ours / N, other / N, "ratio", 1.0))
    return found


def rows() -> list[Row]:
    df = make_frame()
    to = process(df)
    found = []
    found += preprocessing_rows(df) if HAS_FASTAI else []
    found += polars_rows(df) if importlib.util.find_spec("polars") else []
    for bs, most in ((64, 1 / 2.5), (1024, 1.0)):
        learn = make_learner(to, bs)
        passes = [quietly(learn, "fit"), epoch_by_hand(to, bs)]
        if HAS_FASTAI:
            passes.append(quietly(fastai_learner(df, bs), "fit"))
        found += compare(f"epoch, bs {bs}", interleaved_us(passes, 1, 5), [1.1, most], N)
    return found + prediction_rows(df, make_learner(to, 64))


def prediction_rows(df: pd.DataFrame, learn: TabularLearner) -> list[Row]:
    row, by_hand = dict(df.iloc[0]), row_by_hand(learn)
    series, many = df.iloc[0], df.iloc[:50_000]
    found = [
        _pair("predict a dict / by hand", lambda: learn.predict(row), lambda: by_hand(row), 2.0)
    ]
    ours = found[0].ours_us
    found.append(Row("predict a dict, at most 1 ms", ours, 1000.0, "ratio", 1.0))
    if HAS_FASTAI:
        peer = fastai_learner(df, 64)
        found.append(
            _pair(
                "predict a row / fastai",
                lambda: learn.predict(series),
                lambda: quiet_predict(peer, series),
                0.5,
                n=20,
            )
        )
        with peer.no_bar():
            bulk = _pair(
                "50,000 rows / fastai",
                lambda: learn.predict(many),
                lambda: peer.get_preds(dl=peer.dls.test_dl(many)),
                0.4,
                n=1,
            )
        n = len(many)
        found.append(replace(bulk, ours_us=bulk.ours_us / n, reference_us=bulk.reference_us / n))
    return found


def _pair(
    name: str,
    ours: Callable[[], object],
    other: Callable[[], object],
    goal: float,
    n: int = 200,
) -> Row:
    return ratio_row(name, ours, other, goal=goal, n=n, repeats=5)


def quiet_predict(peer: Any, row: Any) -> object:
    with peer.no_bar(), peer.no_logging():
        return peer.predict(row)


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(not print_rows(rows()))
