"""Projects from the template."""

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lamina.notebook.clean import clean_notebooks
from lamina.notebook.cli import main
from lamina.notebook.config import load_config
from lamina.notebook.document import read_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.export import export_notebooks
from lamina.notebook.project.new import new_project


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "my-pets"
    root.mkdir()
    git(root, "init", "-q", "-b", "trunk")
    git(root, "config", "user.name", "Ada")
    git(root, "remote", "add", "origin", "git@example.org:ada/my-pets.git")
    return root


def git(root: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=root, check=True)


def python(*args: str, cwd: Path, **env: str) -> str:
    environment = os.environ | env | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, *args],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_values_come_from_git(repository: Path) -> None:
    new_project(repository, description='Tools for "pets".')
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert project["name"] == "my-pets"
    assert project["authors"] == [{"name": "Ada"}]
    assert project["description"] == "Tools for 'pets'."
    assert project["urls"] == {"Repository": "https://example.org/ada/my-pets"}
    assert load_config(repository).branch == "trunk"


def test_a_new_project_is_exported_and_clean(repository: Path) -> None:
    written = new_project(repository)
    names = {str(path.relative_to(repository)) for path in written}
    assert names >= {"nbs/00_core.ipynb", "nbs/index.ipynb", "my_pets/core.py", ".gitignore"}
    config = load_config(repository)
    assert export_notebooks(config, check=True).written == []
    assert clean_notebooks(config, check=True) == []
    kinds = [cell.kind for cell in read_notebook(repository / "nbs/00_core.ipynb").cells]
    assert kinds == ["markdown", "code", "code", "markdown", "code"]


def test_what_exists_is_left_alone(repository: Path) -> None:
    text = '[project]\nname = "other"\n[tool.lamina.nb]\nlib_path = "other"\n'
    (repository / "pyproject.toml").write_text(text)
    new_project(repository)
    assert (repository / "pyproject.toml").read_text() == text
    assert (repository / "other/core.py").exists()
    assert new_project(repository) == []


def test_it_wants_a_git_repository(tmp_path: Path, capsys) -> None:
    assert main(["new", str(tmp_path)]) == 2
    assert "Run `git init` there first" in capsys.readouterr().err
    assert main(["new", str(tmp_path), "--name", "pets", "--force"]) == 0


def test_a_name_that_cannot_be_imported_is_refused(repository: Path) -> None:
    with pytest.raises(NotebookError, match=r"'2 pets' cannot be a package's name\. Pass another"):
        new_project(repository, name="2 pets")


@pytest.mark.slow
def test_the_package_installs_and_imports(repository: Path) -> None:
    new_project(repository)
    target = repository.parent / "site"
    pip = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    python(*pip, "--target", str(target), str(repository), cwd=repository)
    code = "from my_pets import core; print(core.__file__, core.__all__, core.greet('Ada'))"
    out = python("-c", code, cwd=repository.parent, PYTHONPATH=str(target))
    assert out == f"{target}/my_pets/core.py ['greet'] Hello, Ada!\n"
    assert (target / "my_pets/_nb_index.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(
    "test" not in __import__("lamina.notebook.cli").notebook.cli.COMMANDS, reason="-"
)
def test_the_package_passes_its_tests(repository: Path) -> None:
    assert importlib.util.find_spec("ipykernel")
    new_project(repository)
    command = ["-m", "lamina.cli.main", "nb", "test"]
    python(*command, cwd=repository, PYTHONPATH=str(repository))
