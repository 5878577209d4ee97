"""Versions, the changelog, the README, and what is published."""

import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from zipfile import ZipFile

import pytest

import lamina
from lamina.notebook.cli import main
from lamina.notebook.config import load_config
from lamina.notebook.document import read_notebook, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.export import export_notebooks
from lamina.notebook.project.changelog import merged_changes, update_changelog
from lamina.notebook.project.new import new_project
from lamina.notebook.project.readme import render_readme
from lamina.notebook.project.release import build_release, check_release, upload_release
from lamina.notebook.project.version import bump_version, next_version, read_version

WHEEL = "pets-0.0.1-py3-none-any.whl"


def git(root: Path, *args: str) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", *identity, *args], cwd=root, check=True, capture_output=True)


def commit(root: Path, title: str, body: str = "") -> None:
    git(root, "commit", "-q", "--allow-empty", "-m", title, *(["-m", body] if body else []))


@pytest.fixture
def repository(project):
    git(project.root, "init", "-q", "-b", "main")
    return project


@pytest.mark.parametrize(
    ("version", "part", "new"),
    [("0.1.0", "minor", "0.2.0"), ("0.1.0.dev0", "patch", "0.1.0"),
     ("0.1.0.dev0", "minor", "0.1.0"),
     ("0.1.0.dev0", "major", "1.0.0"), ("0.1.0.dev0", "pre", "0.1.0.dev1"),
     ("1.2.3rc1", "minor", "1.3.0"), ("1.2.3b1", "pre", "1.2.3b2")],
)  # fmt: skip
def test_the_next_version(version: str, part: str, new: str) -> None:
    assert next_version(version, part) == new


def test_a_version_is_raised_where_it_stands(project) -> None:
    with pytest.raises(NotebookError, match=r"must stand in \[project\].* Found: none\."):
        read_version(project.config)
    project.notebook("a.ipynb", "#| export core\nx = 1")
    export_notebooks(project.config)
    assert bump_version(project.config) == ("0.0.1", "0.0.2")
    assert '__version__ = "0.0.2"' in project.module("__init__.py")
    pyproject = project.root / "pyproject.toml"
    text = pyproject.read_text().replace('"pets"\n', '"pets"\nversion = "0.0.2"\n')
    pyproject.write_text(f'[tool.x]\nversion = "9"\n{text}')
    assert bump_version(project.config, "1.0.0rc1") == ("0.0.2", "1.0.0rc1")
    assert pyproject.read_text().startswith('[tool.x]\nversion = "9"\n[project]')
    project.edit("1.0.0rc1", "1.0.0", "__init__.py")
    with pytest.raises(NotebookError, match="the same in both"):
        bump_version(project.config)


@pytest.mark.parametrize("is_template", [True, False])
def test_the_version_stands_in_one_place(tmp_path: Path, is_template: bool) -> None:
    package = Path(lamina.__file__).parent
    if is_template:
        new_project(tmp_path, name="lamina", force=True)
    else:
        (tmp_path / "src").mkdir()
        shutil.copytree(package, tmp_path / "src/lamina", ignore=shutil.ignore_patterns("[!_]*"))
        shutil.copy(package.parents[1] / "pyproject.toml", tmp_path)
    config = load_config(tmp_path)
    version, places = read_version(config)
    assert places == [config.lib_path / "__init__.py"]
    assert bump_version(config, "major")[0] == version
    assert read_version(config) == (next_version(version, "major"), places)


def test_an_unknown_part_is_refused(project, monkeypatch, capsys) -> None:
    project.notebook("a.ipynb", "#| export core\nx = 1")
    export_notebooks(project.config)
    monkeypatch.chdir(project.root)
    assert (main(["bump", "mayor"]), main(["bump", "minor"])) == (2, 0)
    captured = capsys.readouterr()
    assert "unknown part 'mayor'. Did you mean 'major'?" in captured.err
    assert captured.out == "0.0.1 -> 0.1.0\n"


def test_what_was_merged_is_grouped_by_its_first_word(repository) -> None:
    commit(repository.root, "Before")
    git(repository.root, "tag", "v1")
    commit(repository.root, "Merge pull request #12 from ada/cats", "Add cats")
    commit(repository.root, "Fix the dogs (#13)")
    commit(repository.root, "feat(birds)!: sing")
    commit(repository.root, "Merge branch 'main' into x")
    commit(repository.root, "Rename fish")
    assert merged_changes(repository.config) == {
        "Added": ["Add cats (#12)", "**Breaking.** sing"],
        "Fixed": ["Fix the dogs (#13)"],
        "Changed": ["Rename fish"],
    }


def test_the_changelog_keeps_what_stands_there(repository) -> None:
    path = repository.root / "CHANGELOG.md"
    old = "# Changes\n\n## [Unreleased]\n\n### Added\n\n- Add cats\n- By hand\n"
    old += "\n## [0.1.0]\n\n- Old\n"
    path.write_text(old)
    for title in ("Add cats", "Add dogs", "Fix fish", "Add birds"):
        commit(repository.root, title)
    assert update_changelog(repository.config)
    assert path.read_text() == (
        "# Changes\n\n## [Unreleased]\n\n### Added\n\n- Add cats\n- By hand\n- Add dogs\n"
        "- Add birds\n"
        "\n### Fixed\n\n- Fix fish\n\n## [0.1.0]\n\n- Old\n"
    )
    assert not update_changelog(repository.config)


def test_a_release_closes_the_section(repository) -> None:
    repository.notebook("a.ipynb", "#| export core\nx = 1")
    export_notebooks(repository.config)
    commit(repository.root, "Add cats")
    update_changelog(repository.config, release=True, today="2030-01-02")
    text = (repository.root / "CHANGELOG.md").read_text()
    assert text.endswith("## [Unreleased]\n\n## [0.0.1] - 2030-01-02\n\n### Added\n\n- Add cats\n")
    with pytest.raises(NotebookError, match=r"section of 0\.0\.1 already. Run `lamina nb bump`"):
        update_changelog(repository.config, release=True)


def test_the_readme_comes_from_a_notebook(project) -> None:
    project.notebook("core.ipynb", "md:# Core")
    path = project.notebook(
        "index.ipynb",
        "md:# Pets\n\n[core](core.ipynb#a), [licence](../LICENSE)",
        "#| hide\nx",
        "plot()",
    )
    (project.root / "LICENSE").touch()
    notebook = read_notebook(path)
    notebook.cells[2].outputs = [
        {"output_type": "stream", "name": "stdout", "text": "1\n"},
        {"output_type": "display_data", "data": {"image/png": "QUJD"}, "metadata": {}},
    ]
    write_notebook(notebook)
    text, files = render_readme(project.config)
    (picture,) = files
    assert files[picture] == b"ABC"
    assert text == (
        "# Pets\n\n[core](nbs/core.ipynb#a), [licence](LICENSE)\n\n```python\nplot()\n```\n\n"
        f"```text\n1\n```\n\n![Output]({picture})\n"
    )


def test_the_readme_is_written_once_and_checked(project, monkeypatch, capsys) -> None:
    project.notebook("index.ipynb", "md:# Pets")
    (project.root / "README_files").mkdir()
    (project.root / "README_files/old.png").touch()
    monkeypatch.chdir(project.root)
    codes = [main(["readme", *args]) for args in (["--check"], [], [], ["--check"])]
    assert codes == [1, 0, 0, 0]
    assert capsys.readouterr().out == "written: README.md\n"
    assert not (project.root / "README_files/old.png").exists()


def test_preparing_runs_the_commands_in_turn(project, monkeypatch, capsys) -> None:
    project.notebook("index.ipynb", "md:# Pets")
    project.notebook("a.ipynb", "#| export core\nx = 1")
    monkeypatch.chdir(project.root)
    assert main(["prepare", "--no-test"]) == 0
    assert (project.root / "README.md").read_text() == "# Pets\n"
    project.edit("x = 1", "x = 2")
    project.notebook("a.ipynb", "#| export core\nx = 3")
    assert main(["prepare", "--no-test"]) == 2
    assert "stopped at `lamina nb export`" in capsys.readouterr().err


def test_a_release_wants_a_clean_new_version(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    new_project(tmp_path, name="pets")
    config = load_config(tmp_path)
    with pytest.raises(NotebookError, match=r"not committed: \?\? "):
        check_release(config)
    git(tmp_path, "add", ".")
    commit(tmp_path, "Begin")
    assert check_release(config) == "0.0.1"
    git(tmp_path, "tag", "v0.0.1")
    with pytest.raises(NotebookError, match=r"v0\.0\.1 is tagged already\. Run `lamina nb bump`"):
        check_release(config)


class PackageIndex(BaseHTTPRequestHandler):
    """Speaks the upload form of package indexes; the password is "right"."""

    received: ClassVar[list[dict[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_known = self.headers["Authorization"] == f"Basic {b64encode(b'ada:right').decode()}"
        if is_known:
            start = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts = BytesParser().parsebytes(start + body).get_payload()
            form = {p.get_param("name", header="Content-Disposition"): p for p in parts}
            self.received.append({k: p.get_payload(decode=True) for k, p in form.items()})
        self.send_response(200 if is_known else 403, None if is_known else "No such password")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def package_index(tmp_path: Path, monkeypatch) -> Iterator[str]:
    monkeypatch.setenv("HOME", str(tmp_path))  # no ~/.pypirc, no keyring
    monkeypatch.setenv("TWINE_USERNAME", "ada")
    monkeypatch.setattr(PackageIndex, "received", [])
    with HTTPServer(("127.0.0.1", 0), PackageIndex) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/legacy/"
        server.shutdown()
        thread.join()


def make_wheel(folder: Path) -> Path:
    wheel = folder / WHEEL
    with ZipFile(wheel, "w") as file:
        metadata = "Metadata-Version: 2.1\nName: pets\nVersion: 0.0.1\n"
        file.writestr("pets-0.0.1.dist-info/METADATA", metadata)
        file.writestr("pets-0.0.1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    return wheel


@pytest.mark.parametrize("password", ["wrong", None])
def test_who_is_not_known_uploads_nothing(
    project, package_index: str, monkeypatch, password: str | None
) -> None:
    monkeypatch.delenv("TWINE_PASSWORD", raising=False)
    if password:
        monkeypatch.setenv("TWINE_PASSWORD", password)
    with pytest.raises(NotebookError, match=r"does not know who.*Set TWINE_USERNAME to '__token"):
        upload_release(project.config, [make_wheel(project.root)], package_index)
    assert PackageIndex.received == []


def test_a_repository_without_an_address_is_refused(project, package_index: str) -> None:
    with pytest.raises(NotebookError, match=r"(?s)twine failed:.*Missing 'mine' section"):
        upload_release(project.config, [make_wheel(project.root)], "mine")


@pytest.mark.slow
def test_a_release_is_built_and_checked_and_uploaded_where_asked_for(
    tmp_path: Path, package_index: str, monkeypatch, capsys
) -> None:
    root = tmp_path / "pets"
    root.mkdir()
    git(root, "init", "-q")
    new_project(root)
    monkeypatch.chdir(root)
    monkeypatch.setenv("TWINE_PASSWORD", "right")
    assert main(["readme"]) == 0
    git(root, "add", ".")
    commit(root, "Begin")
    assert main(["release", "--no-isolation", "--repository", package_index]) == 0
    out = capsys.readouterr().out
    assert "built: dist/pets-0.0.1-py3-none-any.whl\n" in out
    assert "built: dist/pets-0.0.1.tar.gz\n" in out
    assert out.endswith("`lamina nb release --upload` publishes it\n")
    assert PackageIndex.received == []
    assert main(["release", "--no-isolation", "--upload", "--repository", package_index]) == 0
    assert capsys.readouterr().out.endswith("git push origin v0.0.1\n")
    forms = {form["filetype"]: form for form in PackageIndex.received}
    for kind, name in ((b"sdist", "pets-0.0.1.tar.gz"), (b"bdist_wheel", WHEEL)):
        assert (forms[kind]["name"], forms[kind]["version"]) == (b"pets", b"0.0.1")
        assert forms[kind]["content"] == (root / "dist" / name).read_bytes()


def test_a_build_that_fails_says_why(project) -> None:
    (project.root / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'none'\n[tool.lamina.nb]\n"
    )
    with pytest.raises(NotebookError, match="build failed:"):
        build_release(project.config, isolated=False)
