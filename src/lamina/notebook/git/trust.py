"""Trust notebooks: sign them, so that Jupyter shows their outputs."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from lamina.foundation.errors import needs
from lamina.notebook.config import Config, config_of, find_notebooks
from lamina.notebook.document import read_notebook, render_notebook

__all__ = ["add_arguments", "run", "trust_notebooks"]


def trust_notebooks(config: Config, paths: Iterable[str | Path] = ()) -> list[Path]:
    """Sign notebooks with the key of this user's Jupyter.

    Args:
        config: the settings of the project.
        paths: notebooks and folders; none takes the project's.

    Returns:
        The notebooks that were not trusted before. Text notebooks hold no outputs to trust.

    Raises:
        NotebookError: a file is not a notebook.
    """
    with needs("nbformat", "notebook"):
        import nbformat
        from nbformat.sign import NotebookNotary
    notary = NotebookNotary()
    signed: list[Path] = []
    for file in (f for path in [*paths] or [None] for f in find_notebooks(config, path)):
        if file.suffix != ".ipynb":
            continue
        node = nbformat.reads(render_notebook(read_notebook(file)), as_version=4)
        if not notary.check_signature(node):
            notary.sign(node)
            signed.append(file)
    return signed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb trust`."""
    parser.add_argument("paths", nargs="*", help="notebooks and folders (default: the project's)")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb trust`."""
    config = config_of(options.paths)
    for path in trust_notebooks(config, options.paths):
        sys.stdout.write(f"trusted: {config.relative(path)}\n")
    return 0
