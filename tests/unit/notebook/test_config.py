"""Settings in pyproject.toml, and finding notebooks."""

from pathlib import Path

import pytest

from lamina.foundation.errors import UnknownNameError
from lamina.notebook.config import find_notebooks, load_config
from lamina.notebook.errors import NotebookError


def project(root: Path, table: str = "", name: str = "my-pets") -> Path:
    text = f'[project]\nname = "{name}"\n[tool.lamina.nb]\n{table}'
    (root / "pyproject.toml").write_text(text)
    return root


def test_defaults_follow_the_name_of_the_project(tmp_path: Path) -> None:
    config = load_config(project(tmp_path))
    assert (config.name, config.package) == ("my-pets", "my_pets")
    assert config.nbs_path == tmp_path / "nbs"
    assert config.lib_path == tmp_path / "my_pets"
    assert config.tst_flags == ("notest",)


def test_a_package_below_src_is_found(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    assert load_config(project(tmp_path)).lib_path == tmp_path / "src" / "my_pets"


def test_settings_are_found_from_below(tmp_path: Path) -> None:
    project(tmp_path, 'tst_flags = ["slow"]\ncell_timeout_s = 5')
    (tmp_path / "nbs" / "deep").mkdir(parents=True)
    config = load_config(tmp_path / "nbs" / "deep")
    assert (config.root, config.tst_flags, config.cell_timeout_s) == (tmp_path, ("slow",), 5.0)


def test_unknown_settings_are_refused_with_the_closest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown setting 'nb_path'\. Did you mean 'nbs_p"):
        load_config(project(tmp_path, 'nb_path = "x"'))


@pytest.mark.parametrize("line", ["nbs_path = 1", 'recursive = "yes"', 'tst_flags = "slow"'])
def test_settings_of_a_wrong_type_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(NotebookError, match=f"{line.split(maxsplit=1)[0]} is .*; expected"):
        load_config(project(tmp_path, line))


def test_a_folder_outside_a_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    with pytest.raises(NotebookError, match=r"no pyproject\.toml with a table.*lamina nb new"):
        load_config(tmp_path)


def test_broken_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project\n")
    with pytest.raises(NotebookError, match="is not valid TOML"):
        load_config(tmp_path)


def test_notebooks_of_all_formats_are_found(tmp_path: Path) -> None:
    config = load_config(project(tmp_path))
    texts = {
        "b.ipynb": "{}",
        "b.py": "# %%\nx = 1",
        "a.py": "# %%\nx = 1",
        "plain.py": "x = 1",
        "c.md": "---\njupyter: {}\n---\n",
        "readme.md": "# Read me",
        "sub/d.ipynb": "{}",
        "_draft.ipynb": "{}",
        ".ipynb_checkpoints/b.ipynb": "{}",
    }
    for name, text in texts.items():
        path = tmp_path / "nbs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = [config.relative(path) for path in find_notebooks(config)]
    assert found == ["nbs/a.py", "nbs/b.ipynb", "nbs/c.md", "nbs/sub/d.ipynb"]
    assert find_notebooks(config, tmp_path / "nbs" / "sub") == [tmp_path / "nbs/sub/d.ipynb"]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="no such folder of notebooks"):
        find_notebooks(load_config(project(tmp_path)))
