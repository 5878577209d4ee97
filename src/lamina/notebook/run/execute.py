"""Run a notebook in a fresh kernel, cell by cell, through nbclient.

Kernels are driven by coroutines, so one process runs several; whatever ends a run, an error, a
limit of time or Ctrl-C, its kernel is shut down.
"""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from lamina.foundation.errors import UnknownNameError, needs
from lamina.notebook.config import Config
from lamina.notebook.directives import (
    check_directives,
    has_flag,
    notebook_directives,
    parse_directives,
    split_directives,
)
from lamina.notebook.document import Cell, Notebook, content_hash, to_raw
from lamina.notebook.errors import NotebookError

__all__ = [
    "CellRun",
    "Failure",
    "NotebookRun",
    "RunOptions",
    "execute_notebook",
    "execute_notebook_async",
]

DEFAULT_KERNEL = "python3"
_QUIET = ("--HistoryManager.hist_file=:memory:", "--log-level=40")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How notebooks are run.

    Args:
        flags: flags of `tst_flags` whose cells run too.
        n_workers: how many kernels run at a time; None: one for each processor.
        timeout_s: the most seconds a cell may take; None takes `cell_timeout_s` of the settings.
        save: write the outputs of notebooks that passed into their files, cleaned.
        coverage_folder: where kernels write which lines of the package they ran; None: nowhere.
    """

    flags: Collection[str] = ()
    n_workers: int | None = None
    timeout_s: float | None = None
    save: bool = False
    coverage_folder: Path | None = None


@dataclass(frozen=True)
class Failure:
    """Why a cell or a notebook failed.

    Args:
        summary: one line, such as `"ZeroDivisionError: division by zero"`.
        traceback: as the kernel wrote it, coloured by ANSI codes; empty where there is none.
        place: which cell, such as `"cell 3 (#a1b2c3d4)"`; empty for the whole notebook.
        source: the source of the cell.
    """

    summary: str
    traceback: str = ""
    place: str = ""
    source: str = ""

    @property
    def plain_traceback(self) -> str:
        """The traceback without colours."""
        return _ANSI.sub("", self.traceback)


@dataclass
class CellRun:
    """How a code cell fared.

    Args:
        place: which cell.
        status: `"passed"`, `"failed"`, or `"skipped"`: by a directive, or after a failure.
        seconds: how long it ran.
    """

    place: str
    status: str = "skipped"
    seconds: float = 0.0


@dataclass
class NotebookRun:
    """How a notebook fared.

    Args:
        path: the notebook.
        cells: one record for each code cell.
        failure: the first failure, which ends the run; None if all is well.
        seconds: how long it took, with the start of the kernel.
    """

    path: Path
    cells: list[CellRun] = field(default_factory=list)
    failure: Failure | None = None
    seconds: float = 0.0

    @property
    def status(self) -> str:
        """`"failed"`, `"skipped"` if no cell ran, or `"passed"`."""
        if self.failure:
            return "failed"
        return "passed" if any(cell.status == "passed" for cell in self.cells) else "skipped"


def execute_notebook(
    notebook: Notebook, config: Config, options: RunOptions | None = None
) -> NotebookRun:
    """Run a notebook's code cells in a fresh kernel, and put what they put out into the notebook.

    It runs in the notebook's folder, with the project's package importable, figures drawn into the
    outputs and the environment variable `IN_TEST` set to 1. Cells with `#| eval: false` or a flag
    of `tst_flags` are skipped; so are all in a notebook that says `skip_exec: true` or names a flag
    in its metadata or front matter. Where `#| error: true` stands, an error is expected. The first
    failure ends the run.

    Args:
        notebook: changed in place: the outputs and counts of the cells that ran.
        config: the settings of its project.
        options: how; `n_workers` and `save` are for `run_notebooks`.

    Returns:
        How it fared; failures are in it, not raised.

    Raises:
        UnknownNameError: a flag is not in `tst_flags`.
        MissingExtraError: nbclient is not installed.
    """
    return asyncio.run(execute_notebook_async(notebook, config, options))


async def execute_notebook_async(
    notebook: Notebook, config: Config, options: RunOptions | None = None
) -> NotebookRun:
    """Do what `execute_notebook` does, in a running event loop."""
    options = options or RunOptions()
    for flag in options.flags:
        if flag not in config.tst_flags:
            raise UnknownNameError("flag", flag, config.tst_flags, where="tst_flags")
    run = NotebookRun(notebook.path or Path())
    started = perf_counter()
    try:
        check_directives(notebook, config.tst_flags)
        chosen = _chosen_cells(notebook, set(config.tst_flags) - set(options.flags))
        run.cells = [CellRun(notebook.place(c)) for c in notebook.cells if c.kind == "code"]
        if chosen:
            async with _kernel(notebook, config, options) as client:
                await _run_cells(client, notebook, chosen, run)
    except NotebookError as error:
        run.failure = Failure(error.message, place=error.cell)
    run.seconds = perf_counter() - started
    return run


def _chosen_cells(notebook: Notebook, skipped: set[str]) -> dict[int, Cell]:
    """Return the cells to run, by their position."""
    general = notebook_directives(notebook)
    skip_all = general.get("skip_exec", "false").lower() != "false"
    if skip_all or not general.keys().isdisjoint(skipped):
        return {}
    return {
        i: cell
        for i, cell in enumerate(notebook.cells)
        if cell.kind == "code" and cell.source.strip()
        if parse_directives(cell).get("eval", "true").lower() != "false"
        if not has_flag(cell, skipped)
    }


@asynccontextmanager
async def _kernel(notebook: Notebook, config: Config, options: RunOptions) -> AsyncIterator[Any]:
    """Start the notebook's kernel and give nbclient's client of it; at the end there is none."""
    with needs("nbclient", "notebook"):
        import nbformat
        from jupyter_client.kernelspec import NoSuchKernel
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient

    timeout_s = config.cell_timeout_s if options.timeout_s is None else options.timeout_s
    manager = AsyncKernelManager(kernel_name=_kernel_name(notebook))
    node: Any = nbformat.from_dict(_for_kernel(notebook))
    client = NotebookClient(
        node, km=manager, timeout_func=lambda _: timeout_s, coalesce_streams=True
    )
    try:
        spec = manager.kernel_spec
        if options.coverage_folder and spec is not None and spec.argv[1:2] == ["-m"]:
            measured = _coverage_argv(notebook, config, options.coverage_folder)
            spec.argv = [spec.argv[0], *measured, *spec.argv[1:]]
        await manager.start_kernel(
            cwd=_folder(notebook, config),
            env=_environment(config),
            extra_arguments=list(_QUIET) if manager.ipykernel else [],
        )
        await client.async_start_new_kernel_client()
        client.reset_execution_trackers()
        yield client
    except NoSuchKernel:
        raise notebook.error(_no_kernel(manager.kernel_name)) from None
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
        if manager.has_kernel:
            await manager.shutdown_kernel(now=options.coverage_folder is None)


def _kernel_name(notebook: Notebook) -> str:
    if notebook.kernel is None and notebook.language != "python":
        raise notebook.error(
            f"is in {notebook.language!r} and names no kernel. Choose one in Jupyter, and save it."
        )
    return notebook.kernel or DEFAULT_KERNEL


def _no_kernel(name: str) -> str:
    from jupyter_client.kernelspec import KernelSpecManager

    installed = ", ".join(sorted(KernelSpecManager().find_kernel_specs())) or "none"
    return (
        f"its kernel {name!r} is not installed (installed: {installed}). Install the kernel, or "
        f"choose another one; `lamina nb fix --kernel {DEFAULT_KERNEL}` writes it into the file."
    )


def _coverage_argv(notebook: Notebook, config: Config, folder: Path) -> list[str]:
    file = folder / f".coverage.{content_hash(str(notebook.path))}"
    return ["-m", "coverage", "run", f"--data-file={file}", f"--source={config.lib_path}"]


def _folder(notebook: Notebook, config: Config) -> str:
    return str(notebook.path.absolute().parent if notebook.path else config.root)


def _environment(config: Config) -> dict[str, str]:
    paths = [str(config.lib_path.absolute().parent), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "IN_TEST": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def _for_kernel(notebook: Notebook) -> dict[str, Any]:
    """Return the notebook as nbclient takes it; the notebook itself is left alone."""
    raw = to_raw(notebook)
    for cell, original in zip(raw["cells"], notebook.cells, strict=True):
        cell["source"] = original.source
        if original.kind == "code":
            body = split_directives(original.source).body
            if body.startswith("%%"):  # a cell magic has to stand in the first line
                cell["source"] = body
            if parse_directives(original).get("error", "false").lower() != "false":
                tags = [*original.metadata.get("tags", []), "raises-exception"]
                cell["metadata"] = {**original.metadata, "tags": tags}
    return raw


async def _run_cells(
    client: Any, notebook: Notebook, chosen: dict[int, Cell], run: NotebookRun
) -> None:
    records = dict(zip(_code_positions(notebook), run.cells, strict=True))
    for count, (i, cell) in enumerate(chosen.items(), 1):
        started = perf_counter()
        failure = await _run_cell(client, i, count)
        records[i].seconds = perf_counter() - started
        records[i].status = "failed" if failure else "passed"
        cell.outputs = _outputs(client.nb.cells[i])
        cell.execution_count = count
        if failure:
            run.failure = Failure(*failure, notebook.place(cell), cell.source)
            return


def _code_positions(notebook: Notebook) -> Iterator[int]:
    return (i for i, cell in enumerate(notebook.cells) if cell.kind == "code")


async def _run_cell(client: Any, i: int, count: int) -> tuple[str, str] | None:
    """Run a cell; return what went wrong and its traceback, or None."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    try:
        await client.async_execute_cell(client.nb.cells[i], i, execution_count=count)
    except CellTimeoutError:
        return f"takes longer than the limit of {client.timeout_func(None):g} s", ""
    except CellExecutionError as error:
        return f"{error.ename}: {error.evalue}", _traceback(client.nb.cells[i]) or str(error)
    except DeadKernelError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # nbclient takes this for a dead kernel
            raise asyncio.CancelledError from None
        return "the kernel died in this cell", ""
    return None


def _outputs(cell: Any) -> list[dict[str, Any]]:
    """Return a cell's outputs as a file holds them: texts as lists of lines."""
    from nbformat import from_dict
    from nbformat.v4.rwbase import split_lines

    node = split_lines(from_dict({"metadata": {}, "cells": [dict(cell)]}))
    return json.loads(json.dumps(node.cells[0].outputs))


def _traceback(cell: Any) -> str:
    errors = [output for output in cell.outputs if output["output_type"] == "error"]
    return "\n".join(errors[-1]["traceback"]) if errors else ""
