"""Notebooks as tests: run them several at a time, report, and save what they put out."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from lamina.foundation.errors import MissingExtraError
from lamina.notebook.clean import clean_notebook
from lamina.notebook.config import Config, config_of, find_notebooks
from lamina.notebook.document import read_notebook, write_if_changed, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.run.execute import Failure, NotebookRun, RunOptions, execute_notebook_async
from lamina.notebook.run.report import describe_failure, junit_xml, summarize, timing_table

__all__ = ["add_arguments", "run", "run_notebooks"]


def run_notebooks(
    config: Config,
    paths: Iterable[str | Path] = (),
    *,
    options: RunOptions | None = None,
    on_done: Callable[[NotebookRun], object] | None = None,
) -> list[NotebookRun]:
    """Run notebooks, each in a fresh kernel, several at a time.

    Args:
        config: the settings of the project.
        paths: notebooks and folders of them; none takes those of the project.
        options: how.
        on_done: receives each notebook's run as it ends.

    Returns:
        The runs, in the order of the notebooks. Failures are in them: a file that is not a notebook
        is one, too.

    Raises:
        NotebookError: there is nothing at a path, or `n_workers` is not positive.
        UnknownNameError: a flag is not in `tst_flags`.
    """
    options = options or RunOptions()
    if options.n_workers is not None and options.n_workers < 1:
        raise NotebookError(f"n_workers is {options.n_workers}; expected 1 or more.")
    files = [file for path in [*paths] or [None] for file in find_notebooks(config, path)]
    return asyncio.run(_run_all(config, list(dict.fromkeys(files)), options, on_done))


async def _run_all(
    config: Config,
    files: list[Path],
    options: RunOptions,
    on_done: Callable[[NotebookRun], object] | None,
) -> list[NotebookRun]:
    free = asyncio.Semaphore(options.n_workers or os.cpu_count() or 1)

    async def run_one(file: Path) -> NotebookRun:
        async with free:
            run = await _run_file(file, config, options)
        if on_done is not None:
            on_done(run)
        return run

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run_one(file)) for file in files]
    except ExceptionGroup as errors:  # one that is no failure of a notebook: say it once
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _run_file(file: Path, config: Config, options: RunOptions) -> NotebookRun:
    try:
        notebook = read_notebook(file)
    except NotebookError as error:
        return NotebookRun(file, failure=Failure(error.message, place=error.cell))
    run = await execute_notebook_async(notebook, config, options)
    if options.save and run.status == "passed" and file.suffix == ".ipynb":
        clean_notebook(notebook, config)
        write_notebook(notebook)
    return run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb test`."""
    parser.add_argument("paths", nargs="*", help="notebooks and folders (default: the project's)")
    parser.add_argument("--flags", default="", help="also run cells marked so: 'slow notest'")
    parser.add_argument("--n-workers", type=int, metavar="N", help="kernels at a time")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="the limit of a cell")
    parser.add_argument("--timing", action="store_true", help="list what took longest")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML")
    parser.add_argument("--coverage", action="store_true", help="which lines of the package ran")
    parser.add_argument(
        "--save", "--inplace", action="store_true", help="write the outputs into the notebooks"
    )


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb test`.

    Returns:
        1 if a notebook failed, else 0.
    """
    config = config_of(options.paths, is_needed=options.coverage)
    if options.coverage and find_spec("coverage") is None:
        raise MissingExtraError("coverage", "notebook")
    with TemporaryDirectory(prefix="lamina-nb-") as folder:
        wanted = RunOptions(
            flags=options.flags.replace(",", " ").split(),
            n_workers=options.n_workers,
            timeout_s=options.timeout,
            save=options.save,
            coverage_folder=Path(folder) if options.coverage else None,
        )
        runs = run_notebooks(
            config, options.paths, options=wanted, on_done=lambda run: _say(run, config)
        )
        if options.coverage:
            _report_coverage(config, Path(folder))
    if options.junit:
        write_if_changed(options.junit, junit_xml(runs, config))
    if options.timing:
        sys.stdout.write(timing_table(runs, config) + "\n")
    sys.stdout.write(summarize(runs) + "\n")
    return int(any(run.failure for run in runs))


def _say(run: NotebookRun, config: Config) -> None:
    sys.stdout.write(f"{run.status:<7} {run.seconds:6.1f} s  {config.relative(run.path)}\n")
    if run.failure:
        text = describe_failure(run, config, is_colored=sys.stderr.isatty())
        sys.stderr.write(text + "\n")
    sys.stdout.flush()


def _report_coverage(config: Config, folder: Path) -> None:
    from coverage import Coverage
    from coverage.exceptions import NoDataError

    coverage = Coverage(data_file=str(config.root / ".coverage"), source=[str(config.lib_path)])
    try:
        coverage.combine([str(folder)])
        coverage.save()
        coverage.report(file=sys.stdout)
    except NoDataError:
        sys.stdout.write(f"coverage: no line of {config.relative(config.lib_path)} ran\n")
