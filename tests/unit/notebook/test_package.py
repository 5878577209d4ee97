"""What the tool promises of a package: from an empty folder to its documentation."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def lamina(folder: Path, *args: str) -> str:
    return python(folder, "-m", "lamina.cli.main", "nb", *args)


def python(folder: Path, *args: str, path: Path | None = None) -> str:
    env = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONPATH": str(path or "")}
    done = subprocess.run(
        [sys.executable, *args], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_package_is_written_tested_installed_and_documented(tmp_path: Path) -> None:
    root, site = tmp_path / "cats", tmp_path / "site"
    root.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    lamina(root, "new", "--description", "Greets cats.")
    lamina(root, "prepare")
    pip = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    python(root, *pip, "--target", str(site), str(root))
    code = "from cats import core; print(core.__file__, core.greet('Tom'))"
    assert python(tmp_path, "-c", code, path=site) == f"{site}/cats/core.py Hello, Tom!\n"
    assert lamina(root, "docs", "--strict") == "5 pages in _docs\n"
    assert "Greet somebody by name." in (root / "_docs/00_core.html").read_text("utf-8")
    assert "Greets cats." in (root / "_docs/index.html").read_text("utf-8")
    assert "Greet somebody by name." in (root / "_docs/search/search_index.js").read_text("utf-8")
