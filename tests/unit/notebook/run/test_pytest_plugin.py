"""Notebooks as items of pytest: only when asked, and then with the notebook's own traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lamina.notebook.document import Cell, Notebook, write_notebook

PLUGIN = ["-p", "lamina_nb", "-p", "no:cacheprovider", "-q"]


def run_pytest(root: Path, *args: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pytest", *PLUGIN, *args]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=alone)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    write_notebook(Notebook([Cell("a", "code", "1 / 0")]), tmp_path / "nbs" / "fails.ipynb")
    write_notebook(Notebook([Cell("a", "markdown", "text")]), tmp_path / "nbs" / "text.ipynb")
    (tmp_path / "nbs" / "broken.ipynb").write_text("{")
    (tmp_path / "nbs" / "page.md").write_text("# No notebook\n")
    return tmp_path


def test_nothing_is_collected_and_nothing_loaded_unless_asked(root: Path) -> None:
    (root / "test_a.py").write_text(
        "import sys\ndef test_a():\n"
        "    assert 'lamina.notebook.run.execute' not in sys.modules\n"
        "    assert not {'torch', 'nbformat', 'nbclient', 'jupytext'} & sys.modules.keys()\n"
    )
    assert run_pytest(root).stdout.splitlines()[-1].startswith("1 passed")


def test_notebooks_fail_with_their_own_traceback(root: Path) -> None:
    result = run_pytest(root, "--nb")
    assert "nbs/fails.ipynb, cell 1 (#a): ZeroDivisionError: division by zero" in result.stdout
    assert "broken.ipynb: is not valid JSON" in result.stdout
    assert "2 failed, 1 skipped" in result.stdout
    assert (result.returncode, "pytest_plugin.py:" in result.stdout) == (1, False)


def test_a_setting_names_the_folders(root: Path) -> None:
    (root / "pytest.ini").write_text("[pytest]\nlamina_nb_paths = nbs/text.ipynb\n")
    assert "1 skipped" in run_pytest(root).stdout.splitlines()[-1]
