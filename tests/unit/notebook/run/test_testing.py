"""`lamina nb test`: fresh kernels side by side, what is skipped, what failures say."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lamina.notebook.cli import main
from lamina.notebook.config import Config, load_config
from lamina.notebook.document import Cell, Notebook, read_notebook, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.run.execute import RunOptions
from lamina.notebook.run.testing import run_notebooks

PASSES = [
    "import os, pets\nprint(pets.choose(1), os.getcwd().endswith('nbs'), os.environ['IN_TEST'])",
    "#| notest\n1 / 0",
    "#| eval: false\n1 / 0",
    "#| hide\n%%capture\nprint('a magic below a directive')",
    "#| error: true\n1 / 0",
    "object()",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
]


def write(folder: Path, name: str, *sources: str, **metadata: object) -> Path:
    cells = [Cell(f"c{i}", "code", source) for i, source in enumerate(sources)]
    write_notebook(Notebook(cells, dict(metadata)), folder / name)
    return folder / name


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "pyproject.toml").write_text('[project]\nname = "pets"\n[tool.lamina.nb]\n')
    (root / "pets").mkdir()
    module = "def choose(x):\n    if x:\n        return 1\n    return 2\n"
    (root / "pets" / "__init__.py").write_text(module)
    nbs = root / "nbs"
    write(nbs, "passes.ipynb", *PASSES)
    write(nbs, "fails.ipynb", "x = 1", "def f():\n    return x / 0\nf()", "x = 2")
    write(nbs, "no_kernel.ipynb", "1", kernelspec={"name": "julia-9", "language": "julia"})
    write(nbs, "typo.ipynb", "#| exprot\n1")
    write(nbs, "skipped.ipynb", "1 / 0", lamina={"skip_exec": True})
    (nbs / "broken.ipynb").write_text('{"cells": [')
    (nbs / "conflict.ipynb").write_text('{"cells": [\n<<<<<<< HEAD\n=======\n>>>>>>> b\n]}')
    (nbs / "text.py").write_text("# %%\nx = 1\n\n# %%\nassert x == 1\n")
    (nbs / "page.md").write_text(
        "---\njupyter: {}\n---\n\n# Title\n\n```python\nassert True\n```\n"
    )
    return root


@pytest.fixture(scope="module")
def command(root: Path) -> subprocess.CompletedProcess:
    """The whole project through the command, once."""
    code = "from lamina.cli.main import main; import sys; sys.exit(main(sys.argv[1:]))"
    options = ["--coverage", "--timing", "--junit", "out.xml", "--save", "--n-workers", "2"]
    return subprocess.run(
        [sys.executable, "-c", code, "nb", "test", *options],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_exit_code_is_1_and_every_notebook_has_its_line(command) -> None:
    lines = command.stdout.splitlines()
    status = {line.split()[-1].removeprefix("nbs/"): line.split()[0] for line in lines[:9]}
    failed = dict.fromkeys(
        ["fails.ipynb", "no_kernel.ipynb", "typo.ipynb", "broken.ipynb", "conflict.ipynb"], "failed"
    )
    passed = dict.fromkeys(["passes.ipynb", "text.py", "page.md"], "passed")
    assert status == failed | passed | {"skipped.ipynb": "skipped"}
    assert lines[-1] == "9 notebooks: 3 passed, 5 failed, 1 skipped"
    assert command.returncode == 1


def test_a_failing_cell_is_shown_with_notebook_source_and_plain_traceback(command) -> None:
    assert (
        "nbs/fails.ipynb, cell 2 (#c1): ZeroDivisionError: division by zero\n"
        "  | def f():\n  |     return x / 0\n  | f()\n"
    ) in command.stderr
    assert "----> 2     return x / 0" in command.stderr
    assert "\x1b" not in command.stderr + command.stdout


@pytest.mark.parametrize(
    "message",
    [
        "nbs/no_kernel.ipynb: its kernel 'julia-9' is not installed (installed: ",
        "nbs/typo.ipynb, cell 1 (#c0): unknown directive '#| exprot'. Did you mean '#| export'?",
        "nbs/broken.ipynb: is not valid JSON: Expecting value, at line 1, column 12.",
        "nbs/conflict.ipynb: has conflict markers of git inside its JSON. Run `lamina nb fix ",
    ],
)
def test_notebooks_that_cannot_run_say_why(command, message: str) -> None:
    assert message in command.stderr


def test_the_slowest_notebooks_and_cells_are_listed(command) -> None:
    assert "slowest notebooks:\n" in command.stdout
    assert " s  nbs/fails.ipynb, cell 2 (#c1)\n" in command.stdout


def test_coverage_counts_the_lines_of_the_package(command) -> None:
    assert "75%" in next(row for row in command.stdout.splitlines() if "pets/__init__" in row)


def test_junit_has_a_suite_for_a_notebook_and_a_case_for_a_cell(command, root: Path) -> None:
    suites = {s.get("name"): s for s in ET.parse(root / "out.xml").getroot()}
    fails = suites["nbs/fails.ipynb"]
    assert [len(case) for case in fails] == [0, 1, 1]  # passed, failed, skipped
    assert fails[1][0].get("message") == "ZeroDivisionError: division by zero"
    assert suites["nbs/broken.ipynb"].get("failures") == "1"


def test_saved_outputs_are_clean_and_as_jupyter_writes_them(command, root: Path) -> None:
    notebook = read_notebook(root / "nbs" / "passes.ipynb")
    first, _, _, _, expected, reference, plot = notebook.cells
    assert first.outputs[0]["text"] == ["1 True 1\n"]
    assert first.execution_count is None
    assert expected.outputs[0]["ename"] == "ZeroDivisionError"
    assert reference.outputs[0]["data"] == {"text/plain": ["<object>"]}
    assert plot.outputs[0]["data"]["image/png"].startswith("iVBOR")
    assert read_notebook(root / "nbs" / "fails.ipynb").cells[1].outputs == []


def test_flags_limits_and_a_kernel_that_dies(tmp_path: Path, capsys) -> None:
    settings = '[tool.lamina.nb]\nnbs_path = "."\ntst_flags = ["slow"]\ncell_timeout_s = 0.5\n'
    (tmp_path / "pyproject.toml").write_text(settings)
    write(tmp_path, "sleeps.ipynb", "#| slow\nimport time; time.sleep(60)")
    write(tmp_path, "dies.ipynb", "#| slow\nimport os; os._exit(3)")
    config = load_config(tmp_path)
    assert [run.status for run in run_notebooks(config)] == ["skipped", "skipped"]
    assert main(["test", str(tmp_path), "--flags", "slow"]) == 1
    errors = capsys.readouterr().err
    assert "sleeps.ipynb, cell 1 (#c0): takes longer than the limit of 0.5 s" in errors
    assert "dies.ipynb, cell 1 (#c0): the kernel died in this cell" in errors


def test_misuse_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.ipynb", "1")
    config = Config(root=tmp_path)
    assert main(["test", str(path), "--flags", "notset"]) == 2
    with pytest.raises(NotebookError, match="n_workers is 0; expected 1 or more"):
        run_notebooks(config, [path], options=RunOptions(n_workers=0))
    with pytest.raises(NotebookError, match="there is no such folder"):
        run_notebooks(config, [tmp_path / "nowhere"])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_kernel(tmp_path: Path, how: signal.Signals) -> None:
    code = (
        "import os, time\nopen('pid.part', 'w').write(str(os.getpid()))\n"
        "os.rename('pid.part', 'pid')\ntime.sleep(120)"
    )
    path = write(tmp_path, "a.ipynb", code)
    command = "from lamina.cli.main import main; import sys; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "nb", "test", str(path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for((tmp_path / "pid").exists)
    kernel = int((tmp_path / "pid").read_text())
    process.send_signal(how)
    assert process.wait(20) in (130, -how)
    wait_for(lambda: not is_alive(kernel))


def wait_for(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
