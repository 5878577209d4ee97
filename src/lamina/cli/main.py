"""The `lamina` command: what is worth having without writing Python.

lamina check PATH      look for faults in a folder of pictures
lamina nb COMMAND      packages written as notebooks
lamina --version
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from lamina import __version__
from lamina.foundation.errors import DataError, LaminaError

__all__ = ["KINDS", "main"]

KINDS = ("auto", "folder", "split")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        args: what follows `lamina`; None takes what the program was started with.

    Returns:
        0 if all is well, 1 if `check` found an error, 2 if it could not work.
    """
    args = sys.argv[1:] if args is None else args
    if args[:1] == ["nb"]:  # has a parser per command, which is made when it is needed
        return import_module("lamina.notebook.cli").main(args[1:])
    parser = _make_parser()
    options = parser.parse_args(args)
    if options.run is None:
        parser.print_help()
        return 0
    try:
        return options.run(options)
    except LaminaError as error:
        sys.stderr.write(f"lamina: {error}\n")
        return 2


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lamina", description="Deep learning in layers.")
    parser.add_argument("--version", action="version", version=f"lamina {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands")
    commands.add_parser("nb", help="packages written as notebooks", add_help=False)
    check = commands.add_parser(
        "check",
        help="look for faults in a folder of pictures",
        description="Look for unreadable files, copies across the split, wrong labels and more.",
    )
    check.set_defaults(run=_check)
    check.add_argument("path", type=Path, help="folder with one folder of pictures per label")
    check.add_argument(
        "--kind",
        choices=KINDS,
        default="auto",
        help="split: train/LABEL and valid/LABEL; folder: LABEL, split at random; "
        "auto: what is there (default)",
    )
    check.add_argument("--train", default="train", help="name of the training folder")
    check.add_argument("--valid", default="valid", help="name of the validation folder")
    check.add_argument("--valid-pct", type=float, default=0.2, help="fraction held out at random")
    check.add_argument("-n", type=int, help="pictures of each split to look at (default: all)")
    check.add_argument("--size", type=int, default=224, help="pixels that pictures are resized to")
    check.add_argument("--bs", type=int, default=64, help="pictures in a batch")
    check.add_argument("--num-workers", type=int, default=0, help="worker processes")
    check.add_argument("--skip", action="append", default=[], help="leave a probe out; repeatable")
    return parser


def _check(options: argparse.Namespace) -> int:
    report = _make_loaders(options).check(options.n, skip=options.skip)
    sys.stdout.write(f"{report}\n")
    return 0 if report.ok else 1


def _make_loaders(options: argparse.Namespace) -> Any:
    from lamina.data.get import get_image_files
    from lamina.vision.augmentation.resize import Resize
    from lamina.vision.loaders import ImageDataLoaders

    if not get_image_files(options.path):
        raise DataError(
            f"there are no pictures below {options.path}. Give a folder that has one folder of "
            "pictures per label."
        )
    folders = [options.path / options.train, options.path / options.valid]
    is_split = options.kind == "split"
    if options.kind == "auto":
        is_split = all(folder.is_dir() for folder in folders)
    return ImageDataLoaders.from_folder(
        options.path,
        options.train,
        options.valid,
        valid_pct=None if is_split else options.valid_pct,
        seed=0,
        item_tfms=Resize(options.size),
        bs=options.bs,
        drop_last=False,
        num_workers=options.num_workers,
        device="cpu",
    )


if __name__ == "__main__":
    sys.exit(main())
