"""What is to be done before a commit: export, clean, test, write the README."""

import argparse
import sys

from lamina.notebook.cli import main
from lamina.notebook.config import load_config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb prepare`."""
    parser.add_argument("--no-test", action="store_true", help="do not run the notebooks")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb prepare`: the commands in turn, until one finds something wrong.

    Returns:
        The code of the command that did, else 0.
    """
    config = load_config()
    has_readme = (config.nbs_path / config.readme_nb).is_file()
    tests = [] if options.no_test else ["test"]
    for command in ("export", "clean", *tests, *(["readme"] if has_readme else [])):
        if code := main([command]):
            sys.stderr.write(f"lamina nb prepare: stopped at `lamina nb {command}`\n")
            return code
    return 0
