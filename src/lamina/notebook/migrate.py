"""Rewrite the directives of older tools: `# export` becomes `#| export`."""

import argparse
import sys

from lamina.notebook.config import find_notebooks, load_config
from lamina.notebook.directives import migrate_directives
from lamina.notebook.document import read_notebook, write_notebook

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb migrate`."""
    parser.add_argument("path", nargs="?", help="a notebook or folder (default: the project's)")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb migrate`."""
    config = load_config(options.path or ".")
    for path in find_notebooks(config, options.path):
        notebook = read_notebook(path)
        if count := migrate_directives(notebook):
            write_notebook(notebook)
            sys.stdout.write(f"{config.relative(path)}: {count} directives\n")
    return 0
