"""Collaborative filtering beside a loop written by hand: the same network, data and steps.

    python benchmarks/collab.py [MILLIONS ...]

Prints seconds per epoch (the best of several, in turn) at 50 factors and batches of 4096, the
ratio, and the most memory that the process has had. Both take the same settings of AdamW; building
network and loaders is not timed. Ratings are drawn at random; one row is left for validation.
"""

import resource
import sys
import time

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from lamina.collab.learner import collab_learner
from lamina.collab.loaders import CollabDataLoaders
from lamina.collab.models import EmbeddingDotBias
from lamina.data.split import IndexSplitter

BS, FACTORS, USERS, ITEMS = 4096, 50, 20_000, 5_000
ADAM = {"lr": 5e-3, "betas": (0.9, 0.99), "eps": 1e-5, "weight_decay": 0.01}  # Lamina's defaults


def ratings(n: int) -> pd.DataFrame:
    """Random ratings, always the same."""
    rng = np.random.default_rng(42)
    users, items = rng.integers(0, USERS, n), rng.integers(0, ITEMS, n)
    return pd.DataFrame({"user": users, "item": items, "rating": rng.integers(1, 6, n) * 1.0})


def by_hand(dls: CollabDataLoaders) -> float:
    """Seconds of an epoch of slices, AdamW and the mean squared error."""
    cats, _, y = (t for t in dls.train.dataset.tensors)
    sizes = [len(dls.classes[name]) for name in dls.cat_names]
    model = EmbeddingDotBias(FACTORS, *sizes, y_range=(0, 5.5)).to(dls.device)
    opt = torch.optim.AdamW(model.parameters(), **ADAM, fused=True)
    start = time.perf_counter()
    order = torch.randperm(len(cats))
    for rows in order.split(BS)[: len(cats) // BS]:
        loss = F.mse_loss(model(cats[rows]), y[rows].view(-1))
        loss.backward()
        opt.step()
        opt.zero_grad()
    return time.perf_counter() - start


def lamina(dls: CollabDataLoaders) -> float:
    """Seconds of an epoch of a learner, without validation to speak of."""
    learn = collab_learner(dls, FACTORS, y_range=(0, 5.5), lr=5e-3)
    with learn.no_bar(), learn.no_logging():
        start = time.perf_counter()
        learn.fit(1)
        return time.perf_counter() - start


def main() -> None:
    """Print a row per size."""
    print("ratings      by hand s   Lamina s   ratio   peak memory GB")
    for millions in map(float, sys.argv[1:] or ["1"]):
        df = ratings(int(millions * 1e6))
        dls = CollabDataLoaders.from_df(df, splitter=IndexSplitter([0]), bs=BS, device="cpu")
        pairs = [(by_hand(dls), lamina(dls)) for _ in range(2 if millions > 4 else 7)]
        hand, ours = (min(times) for times in zip(*pairs, strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{millions:6.1f} M {hand:12.2f} {ours:10.2f} {ours / hand:7.2f} {peak:10.2f}")


if __name__ == "__main__":
    main()
