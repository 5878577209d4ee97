"""Hooks: git merges, shows and cleans notebooks; Jupyter cleans them as it saves."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from socket import socket
from time import sleep
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import yaml

import lamina
from lamina.notebook.cli import main
from lamina.notebook.document import Cell, Notebook, read_notebook, to_raw, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.git.hooks import Hooks, install_hooks, uninstall_hooks
from lamina.notebook.git.save_hook import clean_on_save


def git(folder: Path, *args: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    command = ["git", *who, *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def save(root: Path, *sources: str) -> None:
    cells = [Cell(f"c{i}", "code", s, execution_count=i) for i, s in enumerate(sources)]
    write_notebook(Notebook(cells), root / "a.ipynb")


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    root = tmp_path / "my project"
    root.mkdir()
    git(root, "init", "-q")
    return root


def test_git_shows_cleans_and_merges_through_the_hooks(root: Path) -> None:
    install_hooks(root)
    save(root, "x = 1", "y = 1")
    git(root, "add", "."), git(root, "commit", "-qm", "1")
    assert '"execution_count": null' in git(root, "show", "HEAD:a.ipynb")
    git(root, "checkout", "-qb", "other")
    save(root, "x = 2", "y = 1")
    assert "-x = 1\n+x = 2\n # %% code #c1\n y = 1\n" in git(root, "diff")
    git(root, "commit", "-qam", "2"), git(root, "checkout", "-q", "main")
    save(root, "x = 1", "y = 3")
    git(root, "commit", "-qam", "3"), git(root, "merge", "-q", "other", "-m", "4")
    assert [cell.source for cell in read_notebook(root / "a.ipynb").cells] == ["x = 2", "y = 3"]


def test_installing_again_changes_nothing_and_uninstalling_restores(root: Path, capsys) -> None:
    attributes, config = root / ".gitattributes", root / ".git" / "config"
    attributes.write_text("*.png binary\n")
    before = config.read_text()
    assert install_hooks(root, Hooks(jupyter=True)) == [
        config, attributes, root.parent / "jupyter" / "jupyter_server_config.py"
    ]  # fmt: skip
    assert install_hooks(root, Hooks(jupyter=True)) == []
    assert len(uninstall_hooks(root, jupyter=True)) == 3
    assert uninstall_hooks(root, jupyter=True) == []
    assert (attributes.read_text(), config.read_text()) == ("*.png binary\n", before)
    assert [*(root.parent / "jupyter").iterdir()] == []
    assert main(["hooks", "uninstall", str(root)]) == 0
    assert capsys.readouterr().out == "nothing to do\n"


def test_what_is_not_wanted_is_not_installed(root: Path) -> None:
    install_hooks(root)
    assert main(["hooks", "install", str(root), "--no-clean", "--no-diff"]) == 0
    assert "*.ipynb merge=lamina-nb\n" in (root / ".gitattributes").read_text()
    assert "filter" not in (root / ".git" / "config").read_text()


def test_the_filter_names_a_broken_notebook_and_leaves_it(root: Path) -> None:
    install_hooks(root)
    (root / "my nbs").mkdir()
    (root / "my nbs/a.ipynb").write_text("<<<<<<< HEAD\n")
    added = subprocess.run(
        ["git", "add", "."], cwd=root, capture_output=True, text=True, check=True
    )
    assert "lamina nb: my nbs/a.ipynb: has conflict markers" in added.stderr
    assert git(root, "show", ":my nbs/a.ipynb") == "<<<<<<< HEAD\n"


def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="is not in a git repository"):
        install_hooks(tmp_path)


def test_half_a_block_is_not_guessed_at(root: Path) -> None:
    (root / ".gitattributes").write_text("# >>> lamina-nb >>>\n*.png binary\n")
    with pytest.raises(NotebookError, match="but not '# <<< lamina-nb <<<' below it"):
        install_hooks(root)


@pytest.mark.parametrize("is_on", [True, False])
def test_jupyter_cleans_in_projects_that_want_it(tmp_path: Path, is_on: bool) -> None:
    settings = f"[tool.lamina.nb]\njupyter_hooks = {str(is_on).lower()}\n"
    (tmp_path / "pyproject.toml").write_text(settings)
    content = to_raw(Notebook([Cell("a", "code", "x\ny", execution_count=3)], {"widgets": {}}))
    content["cells"][0]["source"] = "x\ny"  # as Jupyter hands it over
    model = {"type": "notebook", "content": content}
    clean_on_save(model, "/nbs/a.ipynb", SimpleNamespace(root_dir=str(tmp_path)))
    assert content["cells"][0]["source"] == "x\ny"
    assert content["cells"][0]["execution_count"] == (None if is_on else 3)
    assert content["metadata"] == ({} if is_on else {"widgets": {}})


def test_trust_signs_once(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    save(tmp_path, "x")
    path = str(tmp_path / "a.ipynb")
    assert main(["trust", path]) == main(["trust", path]) == 0
    assert capsys.readouterr().out.count("trusted: ") == 1


def call(address: str, method: str = "GET", body: object = None) -> dict:
    """Call Jupyter's server, which may still be starting."""
    data = json.dumps(body).encode() if body else None
    request = Request(address, data, {"Authorization": "token t"}, method=method)
    for _ in range(200):
        try:
            with urlopen(request, timeout=20) as answer:
                return json.loads(answer.read())
        except URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            sleep(0.1)
    raise TimeoutError(address)


@pytest.mark.slow
def test_a_server_of_jupyter_cleans_what_it_saves(root: Path) -> None:
    pytest.importorskip("jupyter_server")
    (root / "pyproject.toml").write_text("[tool.lamina.nb]\njupyter_hooks = true\n")
    assert main(["hooks", "install", str(root)]) == 0
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--IdentityProvider.token=t", f"--ServerApp.root_dir={root}"]
    content = to_raw(Notebook([Cell("a", "code", "x\ny", execution_count=3)]))
    content["cells"][0]["source"] = "x\ny"
    address = f"http://127.0.0.1:{port}/api/contents/a.ipynb"
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        model = {"type": "notebook", "format": "json", "content": content}
        assert call(address, "PUT", model)["path"] == "a.ipynb"
        assert call(address)["content"]["cells"][0]["source"] == "x\ny"
    finally:
        server.terminate()
        server.wait()
    assert read_notebook(root / "a.ipynb").cells == [Cell("a", "code", "x\ny")]


FOUND = Path(lamina.__file__).parents[2] / ".pre-commit-hooks.yaml"


@pytest.fixture
def hooked(root: Path) -> Path:
    """A repository with a notebook that is not clean, and the hooks that are offered."""
    if not FOUND.exists():
        pytest.skip("the package is installed without its repository")
    hooks = [hook | {"description": ""} for hook in yaml.safe_load(FOUND.read_text())]
    config = yaml.safe_dump({"repos": [{"repo": "local", "hooks": hooks}]})
    (root / ".pre-commit-config.yaml").write_text(config)
    (root / "pyproject.toml").write_text("[project]\nname = 'pets'\n[tool.lamina.nb]\n")
    kernel = {"kernelspec": {"display_name": "python3", "language": "python", "name": "python3"}}
    cell = Cell("a", "code", "#| export core\nx = 1", execution_count=3)
    write_notebook(Notebook([cell], kernel), root / "nbs/a.ipynb")
    return root


def test_each_hook_of_pre_commit_is_a_command(hooked: Path, monkeypatch) -> None:
    monkeypatch.chdir(hooked)
    commands = {hook["id"]: hook["entry"].split()[2:] for hook in yaml.safe_load(FOUND.read_text())}
    assert main(commands["lamina-nb-clean"]) == 0
    assert main(["clean", "--check"]) == 0
    assert main(commands["lamina-nb-export"]) == 1
    assert main([*commands["lamina-nb-fix"], "nbs/a.ipynb"]) == 0
    assert [path.name for path in (hooked / "nbs").iterdir()] == ["a.ipynb"]


@pytest.mark.slow
def test_pre_commit_runs_the_hooks(hooked: Path, monkeypatch) -> None:
    pytest.importorskip("pre_commit")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    run = [sys.executable, "-m", "pre_commit", "run", "--all-files"]

    def outcome() -> list[str]:
        git(hooked, "add", ".")
        done = subprocess.run(run, cwd=hooked, capture_output=True, text=True, check=False)
        return re.findall(r"(?m)\.(Passed|Failed)$", done.stdout)

    assert outcome() == ["Failed", "Failed", "Passed"]  # cleaned; not exported
    assert outcome() == ["Passed", "Failed", "Passed"]
    monkeypatch.chdir(hooked)
    assert main(["export"]) == 0
    assert outcome() == ["Passed", "Passed", "Passed"]
