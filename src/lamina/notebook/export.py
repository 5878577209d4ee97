"""Export: from notebooks to the modules of a package."""

import argparse
import keyword
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lamina.notebook.code import ExportedCode, export_code
from lamina.notebook.config import Config, find_notebooks, load_config
from lamina.notebook.directives import (
    EXPORTS,
    check_directives,
    default_export,
    old_directives,
    parse_directives,
)
from lamina.notebook.document import Cell, Notebook, content_hash, read_notebook, write_if_changed
from lamina.notebook.errors import NotebookError
from lamina.notebook.index import Index, read_index, write_index
from lamina.notebook.layout import Section, is_made_module, make_auto, parse_module, render_module
from lamina.notebook.names import render_all

__all__ = [
    "ExportReport",
    "ExportedCell",
    "Module",
    "add_arguments",
    "export_notebooks",
    "plan_modules",
    "read_notebooks",
    "run",
]


@dataclass(frozen=True, slots=True)
class ExportedCell:
    """A cell that goes to a module, with the notebook it stands in."""

    notebook: Notebook
    cell: Cell
    section: Section
    code: ExportedCode
    is_hidden: bool


@dataclass(slots=True)
class Module:
    """A module to be written.

    Args:
        name: dotted, with the package.
        path: the file.
        cells: in order.
    """

    name: str
    path: Path
    cells: list[ExportedCell] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """What stands in `__all__`."""
        return sorted({name for c in self.cells if not c.is_hidden for name in c.code.names})

    @property
    def auto(self) -> str:
        """The automatic part of the module's text."""
        futures = [line for cell in self.cells for line in cell.code.futures]
        return make_auto(futures, render_all(self.names))

    @property
    def text(self) -> str:
        """The text of the file."""
        return render_module([cell.section for cell in self.cells], self.auto)

    @property
    def hashes(self) -> dict[str, str]:
        """What the index keeps of the cells, in the order of the module."""
        cells = sorted(self.cells, key=lambda cell: not cell.code.is_docstring)
        return {cell.section.key: content_hash(cell.section.text) for cell in cells}

    @property
    def symbols(self) -> dict[str, str]:
        """What the index keeps of the symbols, sorted."""
        found = {s: cell.section.key for cell in self.cells for s in cell.code.symbols}
        return dict(sorted(found.items()))


@dataclass(slots=True)
class ExportReport:
    """What an export did.

    Args:
        written: files that changed.
        removed: modules that no notebook exports to any more.
        hints: what the user may want to know.
    """

    written: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


def export_notebooks(
    config: Config, path: str | Path | None = None, *, force: bool = False, check: bool = False
) -> ExportReport:
    """Write the modules of a project from its notebooks.

    A file that would not change is not touched.

    Args:
        config: the settings.
        path: a notebook, or a folder of them; only the modules that they export to are written.
        force: write over edits in modules that no notebook has yet.
        check: write nothing; the report says what would be written and removed.

    Raises:
        NotebookError: a notebook cannot be exported, or a module has edits that would be lost.
    """
    notebooks = read_notebooks(config)
    modules = plan_modules(notebooks, config)
    only = None if path is None else {config.relative(p) for p in find_notebooks(config, path)}
    if unknown := sorted((only or set()) - notebooks.keys()):
        raise NotebookError("is none of the notebooks of the project.", unknown[0])
    chosen = [m for m in modules.values() if only is None or only & _sources(m)]
    index = read_index(config.lib_path)
    report = ExportReport(hints=list(_hints(notebooks)))
    stale = [] if only is not None else _stale(config, index, modules)
    texts = {module.path: module.text for module in chosen}
    changed = {p: t for p, t in texts.items() if not p.exists() or p.read_text("utf-8") != t}
    report.written, report.removed = list(changed), stale
    if check:
        return report
    for module in [m for m in chosen if m.path in changed] + [Module("", file) for file in stale]:
        _refuse_to_lose(config, module, index, force=force)
    for file in stale:
        file.unlink()
    for file, text in changed.items():
        write_if_changed(file, text)
    report.written += _write_packages(config, [module.path for module in chosen])
    _write_index(config, index, modules, chosen)
    return report


def read_notebooks(config: Config) -> dict[str, Notebook]:
    """Read all notebooks of a project, by their path relative to it.

    Raises:
        NotebookError: one is broken, has two cells with one id, or a directive that does not exist.
    """
    notebooks: dict[str, Notebook] = {}
    for path in find_notebooks(config):
        notebook = notebooks[config.relative(path)] = read_notebook(path)
        notebook.refuse_duplicate_ids()
        check_directives(notebook, config.tst_flags)
    return notebooks


def plan_modules(notebooks: dict[str, Notebook], config: Config) -> dict[str, Module]:
    """Say what the modules hold, by their path in the package.

    Raises:
        NotebookError: a cell cannot be exported.
    """
    modules: dict[str, Module] = {}
    for name, notebook in notebooks.items():
        if notebook.language != "python":
            continue
        default = default_export(notebook)
        for cell in notebook.cells:
            directives = parse_directives(cell)
            if kind := next((d for d in EXPORTS if d in directives), None):
                target = directives[kind] or default
                module = _module(modules, config, notebook, cell, target)
                is_text = cell.kind != "code" or kind == "exportd"
                code = export_code(notebook, cell, module.name, as_docstring=is_text)
                section = Section(name, cell.id, code.text, code.is_docstring)
                _refuse_second_docstring(module, notebook, cell, code)
                module.cells.append(ExportedCell(notebook, cell, section, code, kind == "exporti"))
    return modules


def _module(
    modules: dict[str, Module], config: Config, notebook: Notebook, cell: Cell, name: str | None
) -> Module:
    if not name:
        raise notebook.error(
            "is exported, but it is not said where to. Put '#| default_exp MODULE' into the first "
            "cell, or name the module: '#| export MODULE'.",
            cell,
        )
    parts = name.split(".")
    if any(not part.isidentifier() or keyword.iskeyword(part) for part in parts):
        raise notebook.error(f"{name!r} is no name of a module.", cell)
    relative = "/".join(parts) + ".py"
    full = f"{config.package}.{name}"
    return modules.setdefault(relative, Module(full, config.lib_path / relative))


def _refuse_second_docstring(
    module: Module, notebook: Notebook, cell: Cell, code: ExportedCode
) -> None:
    if code.is_docstring and any(other.code.is_docstring for other in module.cells):
        raise notebook.error(f"{module.name} has a docstring already, from another cell.", cell)


def _sources(module: Module) -> set[str]:
    return {cell.section.notebook for cell in module.cells}


def _hints(notebooks: dict[str, Notebook]) -> Iterator[str]:
    for name, notebook in notebooks.items():
        for cell, line in old_directives(notebook):
            yield (
                f"{name}, {notebook.place(cell)}: did you mean '#| {line.lstrip('# ')}'? "
                "`lamina nb migrate` rewrites such comments."
            )


def _stale(config: Config, index: Index, modules: dict[str, Module]) -> list[Path]:
    files = (config.lib_path / relative for relative in index.cells if relative not in modules)
    return [file for file in files if file.is_file() and is_made_module(file.read_text("utf-8"))]


def _refuse_to_lose(config: Config, module: Module, index: Index, *, force: bool) -> None:
    """Refuse to write over a file that was written by hand, or has edits that no notebook has."""
    text = module.path.read_text("utf-8") if module.path.exists() else ""
    if not text.strip() or (force and is_made_module(text)):
        return
    place = config.relative(module.path)
    if not is_made_module(text):
        raise NotebookError(
            "exists, and was not made from notebooks. Rename it, or export to another module.",
            place,
        )
    base = index.cells.get(module.path.relative_to(config.lib_path).as_posix(), {})
    if edited := list(_edits(parse_module(text, module.path)[0], base, module.hashes)):
        raise NotebookError(
            f"was edited since it was made: {', '.join(edited[:5])}. Run `lamina nb sync` to take "
            "the edits into the notebooks, or `lamina nb export --force` to drop them.",
            place,
        )


def _edits(sections: list[Section], base: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    found = {section.key: content_hash(section.text) for section in sections}
    for key, value in found.items():
        if value not in (base.get(key), now.get(key)):
            yield key or "a new cell"
    yield from (f"{key} (deleted)" for key in base if key not in found and key in now)
    kept = [key for key in found if key in base]
    if kept not in ([k for k in base if k in found], [k for k in now if k in base and k in found]):
        yield "the order of cells"


def _write_packages(config: Config, modules: Iterable[Path]) -> list[Path]:
    """Write the `__init__.py` that a folder with modules lacks."""
    folders = {folder for path in modules for folder in path.parents} | {config.lib_path}
    missing = [
        folder / "__init__.py"
        for folder in sorted(folders)
        if folder.is_relative_to(config.lib_path) and not (folder / "__init__.py").exists()
    ]
    for file in missing:
        is_root = file.parent == config.lib_path and config.put_version_in_init
        write_if_changed(file, '__version__ = "0.0.1"\n' if is_root else "")
    return missing


def _write_index(
    config: Config, old: Index, modules: dict[str, Module], chosen: list[Module]
) -> None:
    paths = {module.path for module in chosen}
    index = Index()
    for relative, module in sorted(modules.items()):
        if module.path in paths:
            index.cells[relative] = module.hashes
            index.symbols[module.name] = module.symbols
        elif relative in old.cells:
            index.cells[relative] = old.cells[relative]
            index.symbols[module.name] = old.symbols.get(module.name, {})
    write_index(config.lib_path, index)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb export`."""
    parser.add_argument("path", nargs="?", help="a notebook or folder (default: the project's)")
    parser.add_argument("--force", action="store_true", help="drop edits of modules")
    parser.add_argument("--check", action="store_true", help="only say whether all is up to date")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb export`.

    Returns:
        1 if `--check` found a module that is not up to date, else 0.
    """
    config = load_config(options.path or ".")
    report = export_notebooks(config, options.path, force=options.force, check=options.check)
    for hint in report.hints:
        sys.stderr.write(f"lamina nb export: {hint}\n")
    verb = "not up to date" if options.check else "written"
    lines = [f"{verb}: {config.relative(path)}\n" for path in report.written]
    lines += [f"removed: {config.relative(path)}\n" for path in report.removed]
    sys.stdout.write("".join(lines))
    return int(options.check and bool(lines))
