"""Clean notebooks: what changes with every run, and says nothing, is taken out before a commit."""

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from lamina.notebook.config import Config, find_config, find_notebooks, load_config
from lamina.notebook.document import (
    Notebook,
    fresh_id,
    parse_notebook,
    read_notebook,
    render_notebook,
    write_notebook,
)

__all__ = ["add_arguments", "clean_notebook", "clean_notebooks", "run"]

KEPT_METADATA = {"jupytext", "kernelspec", "lamina"}
KEPT_CELL_METADATA = {"lamina", "tags"}
_PLAINTEXT_CELL = {"cell_marker", "lines_to_end_of_cell_marker", "lines_to_next_cell", "title"}
_ADDRESS = re.compile(r"(?<=<)([^<>\n]*?)(?: at|:)? 0x[0-9a-fA-F]{6,}(?=[^<>\n]*>)")


def clean_notebook(notebook: Notebook, config: Config) -> None:
    """Clean a notebook in memory; doing it again changes nothing.

    Execution counts become empty; metadata that the settings do not allow go, of the notebook, the
    cells and the outputs; so do memory addresses such as `<Model at 0x7f3a60>` in outputs, or all
    outputs (`clear_all`). Of two cells with one id, the second gets a new one.

    Example:
        >>> from lamina.notebook.document import Cell
        >>> notebook = Notebook([Cell("a", "code", "x", execution_count=7)])
        >>> clean_notebook(notebook, Config(root=Path()))
        >>> notebook.cells[0].execution_count is None
        True
    """
    kept = KEPT_METADATA | set(config.allowed_metadata_keys)
    kept_in_cells = KEPT_CELL_METADATA | set(config.allowed_cell_metadata_keys)
    if notebook.path is not None and notebook.path.suffix != ".ipynb":
        kept_in_cells |= _PLAINTEXT_CELL
    notebook.metadata = {k: v for k, v in notebook.metadata.items() if k in kept}
    if name := notebook.kernel:
        notebook.metadata["kernelspec"] = {
            "display_name": name,
            "language": notebook.language,
            "name": name,
        }
    seen: set[str] = set()
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in kept_in_cells}
        cell.execution_count = None
        cell.outputs = [] if config.clear_all else [_output(o, config) for o in cell.outputs]
        if cell.id in seen:
            cell.id = fresh_id()
        seen.add(cell.id)


def _output(output: dict[str, Any], config: Config) -> dict[str, Any]:
    cleaned = dict(output)
    if "execution_count" in cleaned:
        cleaned["execution_count"] = None
    if "metadata" in cleaned:
        allowed = config.allowed_cell_metadata_keys
        cleaned["metadata"] = {k: v for k, v in cleaned["metadata"].items() if k in allowed}
    if config.clean_ids:
        for key in ("text", "traceback", "evalue", "data"):
            if key in cleaned:
                cleaned[key] = _without_addresses(cleaned[key])
    return cleaned


def _without_addresses(value: Any) -> Any:
    """Take memory addresses out of texts; pictures and the like are left alone."""
    match value:
        case str():
            return _replace_addresses(value)
        case list():
            return [_without_addresses(part) for part in value]
        case dict():
            texts = ("text/plain", "text/html", "text/markdown")
            return {k: _without_addresses(v) if k in texts else v for k, v in value.items()}
    return value


def _replace_addresses(text: str) -> str:
    while (shorter := _ADDRESS.sub(r"\1", text)) != text:
        text = shorter
    return text


def clean_notebooks(
    config: Config, path: str | Path | None = None, *, check: bool = False
) -> list[Path]:
    """Clean the notebooks of a project, or those at `path`, and return those that were not clean.

    Args:
        config: the settings.
        path: a notebook, or a folder of them.
        check: only look.

    Raises:
        NotebookError: a file is not a notebook.
    """
    changed: list[Path] = []
    for file in find_notebooks(config, path):
        notebook = read_notebook(file)
        clean_notebook(notebook, config)
        if check:
            is_clean = render_notebook(notebook).encode() == file.read_bytes()
            changed += [] if is_clean else [file]
        elif write_notebook(notebook):
            changed.append(file)
    return changed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb clean`."""
    parser.add_argument("path", nargs="?", help="a notebook or folder (default: the project's)")
    parser.add_argument("--check", action="store_true", help="only say which are not clean")
    parser.add_argument("--clear-all", action="store_true", help="remove all outputs")
    parser.add_argument("--stdin", action="store_true", help="from stdin to stdout: a git filter")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb clean`.

    Returns:
        1 if `--check` found a notebook that is not clean, else 0.
    """
    config = _settings(options)
    if options.stdin:
        notebook = parse_notebook(sys.stdin.read(), options.path)
        clean_notebook(notebook, config)
        sys.stdout.write(render_notebook(notebook))
        return 0
    changed = clean_notebooks(config, options.path, check=options.check)
    for path in changed:
        sys.stdout.write(f"{'not clean' if options.check else 'cleaned'}: {path}\n")
    return int(options.check and bool(changed))


def _settings(options: argparse.Namespace) -> Config:
    config = find_config(options.path or ".")
    if config is None and not (options.stdin or options.path):
        config = load_config()  # says what is missing
    config = config or Config(root=Path.cwd())  # a lone notebook, or git's filter
    return replace(config, clear_all=config.clear_all or options.clear_all)
