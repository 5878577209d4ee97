"""What to watch next? From synthetic ratings to recommendations for known and new users.

Run it with `python examples/ratings.py --out out`. The ratings are made up and come with Lamina.
"""

import argparse
from pathlib import Path

import pandas as pd

from lamina.collab.all import *


def main() -> None:
    """Train, rank, recommend, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is made")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    folder = untar_data(URLs.RATINGS)
    ratings, titles = (pd.read_csv(folder / f"{name}.csv") for name in ("ratings", "titles"))
    ratings = ratings.merge(titles, on="movieId")
    dls = CollabDataLoaders.from_df(
        ratings, item_name="title", rating_name="rating", bs=64, seed=42, path=out
    )
    learn = collab_learner(dls, n_factors=20, y_range=(0, 5.5), metrics=rmse, seed=42)
    learn.fit_one_cycle(5, 5e-3, wd=0.1)
    print(pd.Series(learn.evaluate_ranking(k=10, threshold=4)).round(3).to_string())
    print("\nFor user 1:", learn.recommend(1, k=5), sep="\n")
    print("\nFor somebody new:", learn.recommend(0, k=5, unknown="popular"), sep="\n")
    print("\nLike the first title:", learn.similar_items(titles["title"][0], k=5), sep="\n")
    model = learn.export(out.resolve() / "ratings.lamina")
    again = load_learner(model)
    print("\nThe exported model:", again.recommend(1, k=3, exclude_seen=False), sep="\n")


if __name__ == "__main__":
    main()
