"""The notebook tool: exporting, syncing and cleaning 100 notebooks, and the start of the command.

Run: `python benchmarks/notebook.py`. If nbdev is installed, its export of the same notebooks is
measured beside; each in a process of its own, as the commands are used.
"""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from lamina.notebook.clean import clean_notebooks
from lamina.notebook.config import Config, load_config
from lamina.notebook.document import Cell, Notebook, write_notebook
from lamina.notebook.export import export_notebooks
from lamina.notebook.sync import sync_modules

NOTEBOOKS, CELLS = 100, 30
GOALS_S = {"first export": 2.0, "export, nothing changed": 2.0, "sync of 100 edits": 4.0}
NBDEV = "from nbdev.export import nb_export; from pathlib import Path\n"
NBDEV += "for p in sorted(Path('nbs').glob('*.ipynb')): nb_export(p, 'lib')"


def write_project(root: Path) -> Config:
    (root / "pyproject.toml").write_text(
        '[project]\nname = "bench"\n[tool.lamina.nb]\n[tool.nbdev]\nlib_path = "lib"\n'
    )
    for number in range(NOTEBOOKS):
        cells = [Cell("first", "code", f"#| default_exp module_{number}")]
        for i in range(CELLS):
            source = (
                f"#| export\nfrom bench.module_{i} import x\n\ndef f_{i}(a):\n    return a + {i}"
            )
            text = [{"output_type": "stream", "name": "stdout", "text": [f"<A at 0x7fff{i:06x}>"]}]
            cells += [Cell(f"e{i}", "code", source), Cell(f"m{i}", "markdown", "Words. " * 40)]
            cells += [Cell(f"t{i}", "code", f"f_{i}(1)", text, execution_count=i)]
        write_notebook(Notebook(cells), root / "nbs" / f"{number:03}.ipynb")
    return load_config(root)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def show(name: str, value: float) -> None:
    goal = GOALS_S.get(name)
    verdict = "" if goal is None else f"  goal {goal:g} s: {'ok' if value <= goal else 'MISSED'}"
    print(f"{name:<28} {value:7.3f} s{verdict}")


def edit_modules(config: Config) -> None:
    for path in config.lib_path.glob("module_*.py"):
        path.write_text(path.read_text().replace("return a + 3\n", "return 3 + a\n"))


def run(command: list[str], cwd: str | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


def main() -> None:
    print(f"{NOTEBOOKS} notebooks of {3 * CELLS + 1} cells, {CELLS} of them exported")
    with TemporaryDirectory() as folder:
        config = write_project(Path(folder))
        show("first export", seconds(lambda: export_notebooks(config)))
        show("export, nothing changed", seconds(lambda: export_notebooks(config)))
        edit_modules(config)
        show("sync of 100 edits", seconds(lambda: sync_modules(config)))
        show("clean", seconds(lambda: clean_notebooks(config)))
        command = [sys.executable, "-m", "lamina.cli.main", "nb"]
        show("lamina nb --help", seconds(lambda: run(command)))
        show("lamina nb export (command)", seconds(lambda: run([*command, "export", folder])))
        if importlib.util.find_spec("nbdev"):
            peer = [sys.executable, "-c", NBDEV]
            show("nbdev, the same", seconds(lambda: run(peer, cwd=folder)))


if __name__ == "__main__":
    main()
