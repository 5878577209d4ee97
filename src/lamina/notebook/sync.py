"""Sync: edits of modules go back into the notebooks that the modules are made from.

Three states of every cell are compared, by hashes: as it was exported (in the index), as it stands
in the module, and as the notebook would export it now. So edits of different cells on both sides
come together; the same cell changed on both sides is a conflict, and nothing is written.
"""

import argparse
import sys
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lamina.notebook.code import docstring_from_module, source_from_module
from lamina.notebook.config import Config, load_config
from lamina.notebook.directives import EXPORTS, default_export, split_directives
from lamina.notebook.document import Cell, Notebook, content_hash, fresh_id, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.export import (
    ExportedCell,
    Module,
    export_notebooks,
    plan_modules,
    read_notebooks,
)
from lamina.notebook.index import Index, read_index
from lamina.notebook.layout import Section, is_made_module, parse_auto, parse_module, tidy

__all__ = ["SyncReport", "add_arguments", "run", "sync_modules"]


@dataclass(slots=True)
class SyncReport:
    """What a sync did.

    Args:
        notebooks: notebooks that were written.
        modules: modules that were written again afterwards.
        edited: cells whose source changed, as `"notebook#id"`.
        added: new cells.
        moved: cells that stand elsewhere now.
        deleted: cells that are gone.
    """

    notebooks: list[Path] = field(default_factory=list)
    modules: list[Path] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Change:
    """One module: what it holds, what it held when it was made, what the notebooks say now."""

    module: Module
    sections: list[Section]
    auto: str
    base: dict[str, str]
    cells: dict[str, ExportedCell]

    @property
    def found(self) -> dict[str, str]:
        return {s.key: content_hash(s.text) for s in self.sections if s.key}

    @property
    def now(self) -> dict[str, str]:
        return self.module.hashes

    def order(self, side: dict[str, str]) -> list[str]:
        common = self.base.keys() & self.found.keys() & self.now.keys()
        return [key for key in side if key in common]

    @property
    def is_reordered(self) -> bool:
        return self.order(self.found) != self.order(self.base)


def sync_modules(config: Config, *, force: bool = False) -> SyncReport:
    """Take the edits of all modules into their notebooks, and write the modules again.

    Edited, new, moved and deleted cells are taken over; other cells, outputs and metadata stay as
    they are.

    Args:
        config: the settings.
        force: where both sides changed the same cell, the module's version wins.

    Raises:
        NotebookError: a module is not valid Python, or both sides changed the same cell, or an
            automatic part was edited by hand, or a cell stands among those of another notebook.
    """
    notebooks = read_notebooks(config)
    modules = plan_modules(notebooks, config)
    changes = list(_changes(config, modules, read_index(config.lib_path)))
    if not force and (conflicts := [c for change in changes for c in _conflicts(change)]):
        raise NotebookError(
            f"the notebook and the module both changed since the last export: "
            f"{', '.join(conflicts[:5])}. Undo one of the edits; or run `lamina nb sync --force` "
            "to take the module's, or `lamina nb export --force` to take the notebook's."
        )
    for change in changes:
        _refuse_mixed(change)
    report = SyncReport()
    pool = _pool(changes)
    syncs = [_Sync(config, notebooks, change, pool, report) for change in changes]
    for sync in syncs:
        sync.delete()
    for sync in syncs:
        sync.place()
    _check_auto(changes, plan_modules(notebooks, config))
    touched = {key.rpartition("#")[0] for key in _all_keys(report)}
    written = [write_notebook(notebooks[name]) for name in sorted(touched)]
    report.notebooks = [
        config.root / name for name, new in zip(sorted(touched), written, strict=True) if new
    ]
    report.modules = export_notebooks(config, force=True).written
    return report


def _all_keys(report: SyncReport) -> list[str]:
    return [*report.edited, *report.added, *report.moved, *report.deleted]


def _changes(config: Config, modules: dict[str, Module], index: Index) -> Iterator[_Change]:
    for relative in sorted(modules.keys() | index.cells.keys()):
        path = config.lib_path / relative
        name = f"{config.package}.{relative.removesuffix('.py').replace('/', '.')}"
        module = modules.get(relative) or Module(name, path)
        text = path.read_text("utf-8") if path.exists() else ""
        if text == module.text or not is_made_module(text):
            continue
        sections, auto = parse_module(text, path)
        if rest := parse_auto(auto)[2]:  # code behind `__all__`: a new cell, the first one
            first = sum(section.is_docstring for section in sections)
            sections.insert(first, Section("", "", rest))
        cells = {cell.section.key: cell for cell in module.cells}
        base = index.cells.get(relative, {})
        yield _Change(module, _unique(sections), auto, base, cells)


def _unique(sections: list[Section]) -> list[Section]:
    """Take a marker that occurs again for that of a new cell."""
    seen: set[str] = set()
    unique: list[Section] = []
    for section in sections:
        twice = section.key in seen
        unique.append(Section("", "", section.text, section.is_docstring) if twice else section)
        seen |= {section.key} - {""}
    return unique


def _conflicts(change: _Change) -> Iterator[str]:
    for key in change.base.keys() | change.now.keys() | change.found.keys():
        base, found, now = (side.get(key) for side in (change.base, change.found, change.now))
        if found not in (base, now) and now != base:
            yield key
    orders = [change.order(side) for side in (change.base, change.found, change.now)]
    if len(set(map(tuple, orders))) == 3:
        yield f"the order of cells in {change.module.name}"


def _refuse_mixed(change: _Change) -> None:
    """Refuse cells that were moved among those of another notebook; their markers say whose."""
    orders = (change.order(change.found), change.order(change.base))
    for found, base in zip(*orders, strict=True):
        names = (found.rpartition("#")[0], base.rpartition("#")[0])
        if names[0] != names[1]:
            raise NotebookError(
                f"from {found} on, the cells of {' and '.join(sorted(names))} are mixed, and each "
                "notebook is exported as one piece. Move the cell back to its own; or take it into "
                "the other notebook, as a new cell, by removing its line '# %%'.",
                change.module.path,
            )


def _pool(changes: list[_Change]) -> dict[str, Cell]:
    """Return cells that are gone from their module: if an id turns up elsewhere, it was moved."""
    gone = (
        cell
        for change in changes
        for key, cell in change.cells.items()
        if key not in change.found and key in change.base
    )
    return {cell.cell.id: cell.cell for cell in gone}


class _Sync:
    """The work on one module."""

    def __init__(
        self,
        config: Config,
        notebooks: dict[str, Notebook],
        change: _Change,
        pool: dict[str, Cell],
        report: SyncReport,
    ) -> None:
        self.config = config
        self.notebooks = notebooks
        self.change = change
        self.pool = pool
        self.report = report
        self.sources = dict.fromkeys(key.rpartition("#")[0] for key in change.base | change.now)

    def delete(self) -> None:
        """Take the cells out of the notebooks that are gone from the module."""
        for key, exported in self.change.cells.items():
            if key in self.change.base and key not in self.change.found:
                cells = exported.notebook.cells
                cells[:] = [cell for cell in cells if cell is not exported.cell]
                self.report.deleted.append(key)

    def place(self) -> None:
        """Bring the others into the notebooks: edits, new cells, and the order."""
        by_notebook: dict[str, list[Section]] = {}
        for number, section in enumerate(self.change.sections):
            if not self._is_gone(section):
                by_notebook.setdefault(self._owner(number), []).append(section)
        for name, sections in by_notebook.items():
            self._arrange(name, [self._cell(name, section) for section in sections])

    def _is_gone(self, section: Section) -> bool:
        """Whether the notebook has deleted this cell, and the module has not touched it."""
        key = section.key
        known = self.change.base.get(key)
        return key not in self.change.now and known == content_hash(section.text)

    def _owner(self, index: int) -> str:
        """Return the notebook of a section: its own, or that of a cell beside it."""
        sections = self.change.sections
        for section in (*sections[index::-1], *sections[index:]):
            if section.notebook in self.sources and section.notebook in self.notebooks:
                return section.notebook
        for name in (*self.sources, sections[index].notebook):
            if name in self.notebooks:
                return name
        raise NotebookError(
            "none of the notebooks that it was made from exists any more.", self.change.module.path
        )

    def _cell(self, name: str, section: Section) -> Cell:
        exported = self.change.cells.get(section.key)
        if exported is None:
            return self._new(name, section)
        value = content_hash(section.text)
        if value not in (self.change.now[section.key], self.change.base.get(section.key)):
            exported.cell.source = self._source(section, exported.cell.source)
            self.report.edited.append(section.key)
        return exported.cell

    def _source(self, section: Section, original: str) -> str:
        if section.is_docstring:
            return docstring_from_module(section.text, original)
        if original and self.change.cells[section.key].code.is_docstring:
            raise NotebookError(
                f"the text of {section.key} was the docstring, and is now followed by code. Put "
                "the code below a line '# %%' of its own.",
                self.change.module.path,
            )
        return source_from_module(section.text, self.change.module.name, original)

    def _new(self, name: str, section: Section) -> Cell:
        notebook = self.notebooks[name]
        cell = self.pool.pop(section.id, None)
        cell = cell or Cell.new("", "markdown" if section.is_docstring else "code")
        if notebook.find(cell.id) is not None:
            cell.id = fresh_id()
        split = split_directives(section.text)
        if not split.directives.keys() & set(EXPORTS):
            target = self.change.module.name.removeprefix(f"{self.config.package}.")
            module = "" if default_export(notebook) == target else f" {target}"
            cell.source = f"#| export{module}\n{split.head}"
        else:
            cell.source = split.head
        body = Section("", "", tidy(split.body), section.is_docstring)
        cell.source = cell.source + self._source(body, "")
        self.report.added.append(f"{name}#{cell.id}")
        return cell

    def _arrange(self, name: str, cells: list[Cell]) -> None:
        """Bring the notebook's cells into the order of the module's, moving as few as possible."""
        notebook = self.notebooks[name]
        at = {id(cell): i for i, cell in enumerate(notebook.cells)}
        known = [cell for cell in cells if id(cell) in at]
        stable = {id(cell) for cell in known}
        if self.change.is_reordered:
            kept = _longest_rise([at[id(cell)] for cell in known])
            stable = {id(notebook.cells[i]) for i in kept}
        self.report.moved += [f"{name}#{cell.id}" for cell in known if id(cell) not in stable]
        loose = {id(cell) for cell in cells} - stable
        order = [cell for cell in notebook.cells if id(cell) not in loose]
        for number, cell in enumerate(cells):
            if id(cell) in loose:
                order.insert(self._place(order, cells, number), cell)
        notebook.cells[:] = order

    def _place(self, order: list[Cell], cells: list[Cell], number: int) -> int:
        """Return where a cell goes: behind the one before it, or in front of the one behind it."""
        places = {id(cell): i for i, cell in enumerate(order)}
        if number:
            return places[id(cells[number - 1])] + 1
        return next((places[id(c)] for c in cells[1:] if id(c) in places), len(order))


def _longest_rise(numbers: list[int]) -> set[int]:
    """Return the members of a longest increasing subsequence.

    Example:
        >>> sorted(_longest_rise([3, 0, 1, 2]))
        [0, 1, 2]
    """
    tails: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        place = bisect_left(tails, number)
        before[number] = tails[place - 1] if place else None
        tails[place : place + 1] = [number]
    rise: set[int] = set()
    last = tails[-1] if tails else None
    while last is not None:
        rise.add(last)
        last = before[last]
    return rise


def _check_auto(changes: list[_Change], after: dict[str, Module]) -> None:
    """Refuse edits of the automatic part that the cells do not bring about."""
    new = {module.path: module for module in after.values()}
    for change in changes:
        module = new.get(change.module.path)
        futures, names, _ = parse_auto(change.auto)
        old_futures, old_names, _ = parse_auto(change.module.auto)
        will = set(module.names) if module else set()
        lost = {*(names - old_names - will), *((old_names - names) & will)}
        lost |= set(old_futures) - set(futures) if module else set()
        if lost and change.auto:
            raise NotebookError(
                f"its part '# %% auto' was edited ({', '.join(sorted(lost))}), which is made from "
                "the cells. Add names with `_all_ = [...]` and leave them out with "
                "`#| exporti`; put imports from __future__ into a cell.",
                change.module.path,
            )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb sync`."""
    parser.add_argument("path", nargs="?", default=".", help="the project (default: here)")
    parser.add_argument("--force", action="store_true", help="the module's version wins")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb sync`."""
    report = sync_modules(load_config(options.path), force=options.force)
    for verb in ("edited", "added", "moved", "deleted"):
        sys.stdout.writelines(f"{verb}: {key}\n" for key in getattr(report, verb))
    return 0
