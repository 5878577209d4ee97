"""Who earned more than 50,000 dollars in 1994? From census rows to a network, and what it learnt.

Run it with `python examples/adult.py --out out`. It takes the bundled Adult data, needs no network
connection, and writes its pictures and the exported model to `--out`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import pandas as pd

from lamina.tabular.all import *

PERSON = {"age": 45, "education": "Masters", "occupation": "Exec-managerial", "hours-per-week": 50}


def read(part: str) -> pd.DataFrame:
    """The rows of the training or the test file."""
    return pd.read_csv(untar_data(URLs.ADULT) / f"adult_{part}.csv.gz")


def train(out: Path) -> None:
    """The whole way: loaders, network, trees, blend, explanation, export."""
    out.mkdir(parents=True, exist_ok=True)
    train, test = read("train"), read("test")
    conts, cats = cont_cat_split(train, dep_var="salary")
    dls = TabularDataLoaders.from_df(
        train, out, cat_names=cats, cont_names=conts, y_names="salary", bs=256, seed=42
    )
    learn = tabular_learner(
        dls, layers=[200, 100], numbers="piecewise", metrics=[accuracy, RocAucBinary()], seed=42
    )
    learn.fit_one_cycle(5, 5e-3)
    _, acc, auc = learn.validate(dl=dls.test_dl(test, with_labels=True))
    print(f"\nOn the test file: accuracy {acc:.1%}, area under the ROC curve {auc:.3f}")

    trees = boosting_baseline(dls)
    both = blend(learn, trees)
    truth = torch.tensor((test["salary"] == dls.vocab[1]).to_numpy())
    for name, model in (("boosted trees", trees), ("network and trees, blended", both)):
        right = (model.predict(test).argmax(1) == truth).float().mean()
        print(f"{name}: accuracy {right:.1%}")

    print("\nThe loss that shuffling a column adds:")
    print(permutation_importance(learn).head(6).to_string(index=False))
    save_figure(out / "age.png", partial_dependence(learn, "age").plot())
    save_figure(out / "loss.png", learn.recorder.plot_loss())
    model = learn.export(out.resolve() / "adult.lamina")
    print(f"\nThe exported {model.name} in a new process, on a person made up:", flush=True)
    subprocess.run([sys.executable, __file__, "--model", str(model)], check=True)


def ask(model: Path) -> None:
    """Load an exported model and ask it about one person."""
    learn = load_learner(model)
    person = {**dict(read("test").iloc[0]), **PERSON}
    label, _, probabilities = learn.predict(person)
    print(f"{PERSON}: {label} ({probabilities.max():.0%} sure)")


def main() -> None:
    """Train, or ask an exported model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is made")
    parser.add_argument("--model", type=Path, help="an exported model to ask")
    args = parser.parse_args()
    if args.model:
        ask(args.model)
    else:
        train(args.out)


if __name__ == "__main__":
    main()
