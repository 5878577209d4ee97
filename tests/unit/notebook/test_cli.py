"""The command `lamina nb`."""

import re
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

import lamina
from lamina.cli import main as cli
from lamina.notebook.cli import COMMANDS, main
from lamina.notebook.config import Config
from lamina.notebook.directives import DIRECTIVES


def test_without_a_command_it_lists_them(capsys) -> None:
    assert cli.main(["nb"]) == cli.main(["nb", "--help"]) == 0
    text = capsys.readouterr().out
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name} " in text
        assert summary in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys) -> None:
    assert callable(import_module(COMMANDS[name][0]).run)
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert f"usage: lamina nb {name}" in capsys.readouterr().out


def test_the_guide_names_all_commands_directives_and_settings() -> None:
    guide = Path(lamina.__file__).parents[2] / "docs/notebooks.md"
    if not guide.exists():
        pytest.skip("the package is installed without its repository")
    named = set(re.findall(r"`([\w-]+)`", guide.read_text("utf-8")))
    settings = {field.name for field in fields(Config)} - {"root", "name", "description"}
    assert {*COMMANDS, *DIRECTIVES, *settings} <= named


def test_an_unknown_command_is_refused_with_the_closest(capsys) -> None:
    assert main(["exprot"]) == 2
    assert capsys.readouterr().err == (
        "lamina nb: unknown command 'exprot'. Did you mean 'export'?\n"
    )


def test_an_error_is_one_line_and_code_2(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export"]) == 2
    assert "no pyproject.toml with a table [tool.lamina.nb]" in capsys.readouterr().err


def test_listing_the_commands_loads_none_of_them() -> None:
    code = (
        "import sys; from lamina.cli.main import main; main(['nb']);"
        "heavy = {'torch', 'numpy', 'nbformat', 'jupytext', 'lamina.notebook.document'};"
        "sys.exit(bool(heavy & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_exporting_loads_no_heavy_library(project) -> None:
    project.notebook("a.ipynb", "#| export core\nx = 1")
    code = (
        "import sys; from lamina.cli.main import main;"
        f"main(['nb', 'export', {str(project.root / 'nbs')!r}]);"
        "heavy = {'torch', 'numpy', 'nbformat', 'jupytext', 'jsonschema', 'watchfiles'};"
        "sys.exit(bool(heavy & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_export_sync_and_checks(project, monkeypatch, capsys) -> None:
    monkeypatch.chdir(project.root)
    project.notebook("a.ipynb", "# export\ny = 1", "#| export core\nx = 1")
    assert main(["export", "--check"]) == 1
    assert main(["migrate"]) == 0
    assert main(["export"]) == 2  # where to?
    project.notebook("a.ipynb", "#| export core\nx = 1")
    assert (main(["export"]), main(["export", "--check"])) == (0, 0)
    project.edit("x = 1", "x = 2")
    assert (main(["export"]), main(["sync"]), main(["export", "--check"])) == (2, 0, 0)
    captured = capsys.readouterr()
    assert "edited: nbs/a.ipynb#c0" in captured.out
    assert "did you mean '#| export'?" in captured.err
