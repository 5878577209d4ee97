"""What a run of notebooks says: lines for the terminal, tables of times, JUnit XML."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from lamina.notebook.config import Config
from lamina.notebook.run.execute import NotebookRun

__all__ = ["describe_failure", "junit_xml", "summarize", "timing_table"]

EXCERPT = 8  # lines of a failing cell that are shown
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def describe_failure(run: NotebookRun, config: Config, *, is_colored: bool = False) -> str:
    r"""Say what failed: the notebook, the cell, the start of its source, and the traceback.

    Args:
        run: a run with a failure.
        config: the settings; paths are relative to its project.
        is_colored: keep the colours of the traceback.

    Raises:
        ValueError: nothing failed.

    Example:
        >>> from pathlib import Path
        >>> from lamina.notebook.run.execute import Failure
        >>> failure = Failure("ValueError: no", place="cell 2 (#a1)", source="f(0)\n")
        >>> run = NotebookRun(Path("a.ipynb").absolute(), failure=failure)
        >>> print(describe_failure(run, Config(root=Path().absolute())))
        a.ipynb, cell 2 (#a1): ValueError: no
          | f(0)
    """
    failure = run.failure
    if failure is None:
        raise ValueError(f"describe_failure: {run.path} did not fail.")
    place = ", ".join(filter(None, (config.relative(run.path), failure.place)))
    lines = failure.source.splitlines()
    more = ["..."] if len(lines) > EXCERPT else []
    traceback = failure.traceback if is_colored else failure.plain_traceback
    return "\n".join(
        [
            f"{place}: {failure.summary}",
            *(f"  | {line}".rstrip() for line in lines[:EXCERPT] + more),
            *([textwrap.indent(traceback.rstrip(), "  ")] if traceback else []),
        ]
    )


def summarize(runs: Sequence[NotebookRun]) -> str:
    """Count the notebooks by how they fared.

    Example:
        >>> from pathlib import Path
        >>> summarize([NotebookRun(Path("a.ipynb"))])
        '1 notebook: 1 skipped'
    """
    counts = {name: sum(r.status == name for r in runs) for name in _STATUSES}
    parts = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    noun = "notebook" if len(runs) == 1 else "notebooks"
    return f"{len(runs)} {noun}" + (f": {parts}" if parts else "")


_STATUSES = ("passed", "failed", "skipped")


def timing_table(runs: Sequence[NotebookRun], config: Config, *, n: int = 10) -> str:
    """Return a table of the slowest notebooks and the slowest cells.

    Args:
        runs: what ran.
        config: the settings; paths are relative to its project.
        n: the most rows of either kind.
    """
    notebooks = [(run.seconds, config.relative(run.path)) for run in runs]
    cells = [
        (cell.seconds, f"{config.relative(run.path)}, {cell.place}")
        for run in runs
        for cell in run.cells
        if cell.status != "skipped"
    ]
    return "\n".join([*_slowest("notebooks", notebooks, n), *_slowest("cells", cells, n)])


def _slowest(what: str, rows: list[tuple[float, str]], n: int) -> Iterator[str]:
    yield f"slowest {what}:"
    yield from (f"{seconds:9.2f} s  {name}" for seconds, name in sorted(rows, reverse=True)[:n])


def junit_xml(runs: Sequence[NotebookRun], config: Config) -> str:
    """Return the runs as JUnit XML: a suite for each notebook, a case for each code cell."""
    root = ET.Element("testsuites")
    for run in runs:
        root.append(_suite(run, config))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(run: NotebookRun, config: Config) -> ET.Element:
    name = config.relative(run.path)
    suite = ET.Element("testsuite", name=name, time=f"{run.seconds:.3f}")
    for cell in run.cells:
        case = _case(suite, name, cell.place, cell.seconds)
        if cell.status == "skipped":
            ET.SubElement(case, "skipped")
        elif cell.status == "failed":
            _failure(case, run, config)
    if run.failure and all(cell.status != "failed" for cell in run.cells):
        _failure(_case(suite, name, run.failure.place or "notebook", run.seconds), run, config)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(int(run.failure is not None)))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    return suite


def _case(suite: ET.Element, group: str, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=group, name=name, time=f"{seconds:.3f}")


def _failure(case: ET.Element, run: NotebookRun, config: Config) -> None:
    summary = run.failure.summary if run.failure else ""
    element = ET.SubElement(case, "failure", message=_NOT_XML.sub("?", summary))
    element.text = _NOT_XML.sub("?", describe_failure(run, config))
