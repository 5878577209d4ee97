"""Fine-tune a small network to name 37 breeds of cats and dogs, and use the result.

Run it with `make demo`, or `python examples/pets.py --out out`. It takes the bundled photographs
and ImageNet weights, needs no network, and writes its pictures and the exported model to `--out`.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from lamina.vision.all import *

PATTERN = r"^(.+)_\d+\.jpg$"
UNSEEN = "samoyed_11.jpg"  # kept away from training and validation


def make_loaders(seed: int) -> DataLoaders:
    """The photographs in batches; a fifth of them held out for validation."""
    path = untar_data(URLs.PETS)
    photos = [file for file in get_image_files(path / "images") if file.name != UNSEEN]
    return ImageDataLoaders.from_name_re(
        path,
        photos,
        PATTERN,
        seed=seed,
        bs=32,
        item_tfms=RandomResizedCrop(160, min_scale=0.75),
        batch_tfms=[*aug_transforms(size=128, max_warp=0.0), Normalize.from_stats(*imagenet_stats)],
    )


def save_pictures(learn: Learner, out: Path) -> None:
    """The loss of the training, and some answers beside the truth."""
    save_figure(out / "loss.png", learn.recorder.plot_loss())
    save_figure(out / "predictions.png", learn.show_results(max_n=9))


def name_breed(model: Path, photo: Path) -> None:
    """Load an exported model and name the breed on a photograph."""
    learn = load_learner(model)
    breed, _, probabilities = learn.predict(photo)
    print(f"{photo.name}: {breed} ({probabilities.max():.0%} sure)")


def train(out: Path, seed: int) -> None:
    """The whole way from photographs to an exported model."""
    started = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    set_seed(seed)
    dls = make_loaders(seed)
    n_train, n_valid = len(dls.train_ds), len(dls.valid_ds)
    print(f"{n_train} photographs to train on, {n_valid} to validate, {dls.c} breeds")

    learn = vision_learner(dls, mobilenet_v2, metrics=[error_rate, accuracy])
    found = learn.lr_find(num_it=40)
    save_figure(out / "lr_find.png", found.plot())
    print(f"lr_find suggests {found.valley:.1e}")
    learn.fine_tune(3, base_lr=4e-3)
    fine_tuned = learn.validate()[-1]
    save_pictures(learn, out)
    model = out / "pets.lamina"
    learn.export(model)

    print("\nThe same network from scratch:")
    scratch = vision_learner(dls, mobilenet_v2, pretrained=False, metrics=[error_rate, accuracy])
    scratch.fit_one_cycle(4, 1e-2)
    from_scratch = scratch.validate()[-1]

    print("\nAccuracy on the photographs held out:")
    print(f"  fine-tuned from ImageNet weights  {fine_tuned:6.1%}")
    print(f"  the same network from scratch     {from_scratch:6.1%}")
    print(f"  guessing                          {1 / dls.c:6.1%}")
    size_mb = model.stat().st_size / 1e6
    print(f"\nThe exported {model} ({size_mb:.1f} MB) in a new process, on an unseen photograph:")
    photo = untar_data(URLs.PETS) / "images" / UNSEEN
    subprocess.run(
        [sys.executable, __file__, "--model", str(model), "--photo", str(photo)], check=True
    )
    print(f"\nPictures: {', '.join(str(p) for p in sorted(out.glob('*.png')))}")
    print(f"All this took {time.perf_counter() - started:.0f} s.")


def main() -> None:
    """Train, or name one photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is made")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--model", type=Path, help="an exported model to use")
    parser.add_argument("--photo", type=Path, help="a photograph to name")
    args = parser.parse_args()
    if args.model and args.photo:
        name_breed(args.model, args.photo)
    else:
        train(args.out, args.seed)


if __name__ == "__main__":
    main()
