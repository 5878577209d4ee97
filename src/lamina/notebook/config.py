"""The settings of a project: the table `[tool.lamina.nb]` of its pyproject.toml."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lamina.foundation.errors import UnknownNameError
from lamina.notebook.errors import NotebookError
from lamina.notebook.plaintext import is_plaintext_notebook

__all__ = ["Config", "config_of", "find_config", "find_notebooks", "load_config"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of a project; every path in the file is relative to the project's folder.

    Args:
        root: the project's folder.
        name: the distribution's name, from `[project]`.
        description: from `[project]`.
        nbs_path: the folder of the notebooks.
        lib_path: the folder of the package that `export` writes.
        doc_path: the folder of the documentation site.
        tst_flags: directives that mark cells which tests skip unless asked for.
        recursive: also look in the folders below `nbs_path`.
        readme_nb: the notebook that the README is made from.
        clean_ids: `clean` removes memory addresses from outputs.
        clear_all: `clean` removes all outputs.
        allowed_metadata_keys: metadata of notebooks that `clean` keeps.
        allowed_cell_metadata_keys: metadata of cells that `clean` keeps.
        put_version_in_init: the version stands in the package's `__init__.py`.
        jupyter_hooks: notebooks are cleaned whenever Jupyter saves them.
        branch: the git branch that links to the source point to.
        git_url: the repository's address.
        doc_host: the address of the documentation site.
        title: the title of the site; the name if empty.
        custom_sidebar: the site's navigation stands in `sidebar.yml` beside the notebooks.
        doc_procs: functions (`module:function`) that change a notebook before its page is made.
        inventories: sites of Sphinx whose names are linked, such as `https://docs.python.org/3/`;
            behind the address may stand a file `objects.inv` of the project to use instead.
        cell_timeout_s: the most seconds that a cell may run in tests.
    """

    root: Path
    name: str = ""
    description: str = ""
    nbs_path: Path = Path("nbs")
    lib_path: Path = Path()
    doc_path: Path = Path("_docs")
    tst_flags: tuple[str, ...] = ("notest",)
    recursive: bool = True
    readme_nb: str = "index.ipynb"
    clean_ids: bool = True
    clear_all: bool = False
    allowed_metadata_keys: tuple[str, ...] = ()
    allowed_cell_metadata_keys: tuple[str, ...] = ()
    put_version_in_init: bool = True
    jupyter_hooks: bool = False
    branch: str = "main"
    git_url: str = ""
    doc_host: str = ""
    title: str = ""
    custom_sidebar: bool = False
    doc_procs: tuple[str, ...] = ()
    inventories: tuple[str, ...] = ()
    cell_timeout_s: float = 600.0

    @property
    def package(self) -> str:
        """The name that the package is imported by."""
        return self.lib_path.name

    def relative(self, path: Path) -> str:
        """Return a path relative to the project, with forward slashes; others as they are."""
        path = path.absolute()
        return (
            path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
        )


_OWN = {"root", "name", "description"}  # not read from [tool.lamina.nb]


def load_config(path: str | Path = ".") -> Config:
    """Read the settings of the project that a path lies in.

    Args:
        path: a file or folder; the folders above it are searched for a pyproject.toml with the
            table `[tool.lamina.nb]`.

    Raises:
        NotebookError: there is none, it is not TOML, or a value has the wrong type.
        UnknownNameError: the table has a key that does not exist.
    """
    if config := find_config(path):
        return config
    raise NotebookError(
        "no pyproject.toml with a table [tool.lamina.nb] here or above. Run `lamina nb new` to "
        "start a project, or add the (possibly empty) table.",
        Path(path).absolute(),
    )


def find_config(path: str | Path = ".") -> Config | None:
    """Read the settings as `load_config` does, but return None outside a project."""
    start = Path(path).absolute()
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and (table := _read_toml(file)) is not None:
            return _make_config(file, *table)
    return None


def config_of(paths: Sequence[str | Path], *, is_needed: bool = False) -> Config:
    """Read the settings for a command about some notebooks, which may belong to no project.

    Args:
        paths: notebooks and folders; the first decides, none stands for the project here.
        is_needed: refuse notebooks without a project.

    Raises:
        NotebookError: there is no project, and it is needed or no path is given.
    """
    start = paths[0] if paths else "."
    if is_needed or not paths:
        return load_config(start)
    here = Path.cwd()
    return find_config(start) or Config(root=here, lib_path=here / "package")


def _read_toml(file: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise NotebookError(f"is not valid TOML: {error}", file) from None
    table = raw.get("tool", {}).get("lamina", {}).get("nb")
    return None if table is None else (table, raw.get("project", {}))


def _make_config(file: Path, table: dict[str, Any], project: dict[str, Any]) -> Config:
    kinds = {f.name: type(f.default) for f in fields(Config) if f.name not in _OWN}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in kinds:
            raise UnknownNameError("setting", key, kinds, where=f"{file}, [tool.lamina.nb]")
        values[key] = _convert(file, key, value, kinds[key])
    root = file.parent
    name = str(project.get("name", root.name))
    package = name.replace("-", "_").lower()
    source = root / "src" / package
    values.setdefault("lib_path", source if (root / "src").is_dir() else root / package)
    for key in ("nbs_path", "lib_path", "doc_path"):
        values[key] = root / values.get(key, getattr(Config, key))
    about = {"name": name, "description": str(project.get("description", ""))}
    return Config(root=root, **about, **values)


def _convert(file: Path, key: str, value: Any, kind: Any) -> Any:
    wanted = {tuple: (list,), float: (int, float), type(Path()): (str,)}.get(kind, (kind,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise NotebookError(
            f"[tool.lamina.nb]: {key} is {value!r}; expected "
            f"{' or '.join(t.__name__ for t in wanted)}.",
            file,
        )
    return tuple(str(part) for part in value) if isinstance(value, list) else kind(value)


def find_notebooks(config: Config, path: str | Path | None = None) -> list[Path]:
    """Find the notebooks of a project, sorted: `.ipynb`, and text notebooks in `.py` and `.md`.

    Files and folders whose name starts with `.` or `_` are left out, so are the package and the
    site, and text files beside an `.ipynb` of the same name.

    Args:
        config: the settings.
        path: a notebook, or a folder to search instead of `nbs_path`.

    Raises:
        NotebookError: there is nothing at `path`.
    """
    start = Path(path).absolute() if path is not None else config.nbs_path
    if start.is_file():
        return [start]
    if not start.is_dir():
        raise NotebookError("there is no such folder of notebooks.", start)
    return sorted(_below(start, config))


def _below(folder: Path, config: Config) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            if config.recursive and entry not in (config.lib_path, config.doc_path):
                yield from _below(entry, config)
        elif entry.suffix == ".ipynb" or (
            not entry.with_suffix(".ipynb").exists() and is_plaintext_notebook(entry)
        ):
            yield entry
