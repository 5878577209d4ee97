"""Find blood cells in photographs through the microscope, and measure how well.

Run it with `python examples/cells.py --out out`. It takes the bundled photographs and ImageNet
weights, needs no network, takes about four minutes on a processor, and writes a picture of the
answers and the exported model to `--out`.

Training and test lists are those of the data set; nothing is chosen by a look at the latter.
"""

import argparse
import time
from pathlib import Path

from lamina.vision.all import *

SIZE = 144, 192  # height and width; the photographs have 300 x 400


def make_loaders(path: Path, seed: int) -> DataLoaders:
    """The photographs of the data set's own lists for training and test, with their cells."""
    names, found = get_voc_annotations(sorted((path / "annotations").glob("*.xml")))
    boxes = dict(zip(names, found, strict=True))
    train, test = (set((path / f"{part}.txt").read_text().split()) for part in ("train", "test"))
    photos = [f for f in get_image_files(path / "images") if f.stem in train | test]
    block = DataBlock(
        blocks=(ImageBlock, BBoxBlock, BBoxLblBlock),
        getters=[noop, lambda file: boxes[file.name][0], lambda file: boxes[file.name][1]],
        splitter=FuncSplitter(lambda file: file.stem in test),
        n_inp=1,
        item_tfms=Resize(SIZE, method="squish"),
        batch_tfms=aug_transforms(flip_vert=True, max_rotate=0.0, max_warp=0.0),
    )
    return block.dataloaders(photos, bs=8, seed=seed)


def main() -> None:
    """Train, measure, and use the detector."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is made")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    set_seed(args.seed)
    path = untar_data(URLs.BCCD)
    dls = make_loaders(path, args.seed)
    print(f"{len(dls.train_ds)} photographs to train on, {len(dls.valid_ds)} to test")

    precision = MeanAveragePrecision()
    learn = detection_learner(dls, squeezenet1_1, min_stride=4, metrics=[precision])
    learn.unfreeze()
    learn.fit_one_cycle(args.epochs, slice(1e-4, 2e-3))
    print(precision.table(dls.vocab))
    print(f"mAP@50: {precision.table(dls.vocab).rows[0][2]:.3f}")

    save_figure(args.out / "cells.png", learn.show_results(max_n=4))
    model = learn.export(args.out / "cells.lamina")
    boxes, labels, scores = load_learner(model).predict(sorted((path / "images").iterdir())[0])
    for box, label, score in zip(boxes.tolist(), labels, scores.tolist(), strict=True):
        print(f"{label:10} {score:4.0%} at {[round(edge) for edge in box]}")
    print(f"All this took {time.perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
