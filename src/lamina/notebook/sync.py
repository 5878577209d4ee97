"""Sync: edits of modules go back into the notebooks that the modules are made from.

Three states of every cell are compared, by hashes: as it was exported (in the index), as it stands
in the module, and as the notebook would export it now. So edits of different cells on both sides
come together; the same cell changed on both sides is a conflict, and nothing is written.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from lamina.notebook.code import docstring_from_module, source_from_module
from lamina.notebook.config import Config, load_config
from lamina.notebook.directives import (
    EXPORTS,
    default_export,
    parse_directives,
    set_directive,
    split_directives,
)
from lamina.notebook.document import Cell, Notebook, content_hash, fresh_id, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.export import (
    ExportedCell,
    Module,
    export_notebooks,
    plan_modules,
    read_notebooks,
)
from lamina.notebook.git.align import in_order
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
    they are. A cell among those of another notebook moves there, with its outputs and metadata.

    Args:
        config: the settings.
        force: where both sides changed the same cell, the module's version wins.

    Raises:
        NotebookError: a module is not valid Python, or both sides changed the same cell, or an
            automatic part was edited by hand.
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
    work = _Work(config, notebooks, _pool(changes))
    for exported in work.pool.values():
        work.take_out(exported)
    syncs = [_Sync(work, change) for change in changes]
    for sync in syncs:
        sync.take_out()
    for sync in syncs:
        sync.place()
    work.report.deleted += work.pool
    _check_auto(changes, plan_modules(notebooks, config))
    work.report.notebooks = work.write()
    work.report.modules = export_notebooks(config, force=True).written
    return work.report


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


def _pool(changes: list[_Change]) -> dict[str, ExportedCell]:
    return {
        key: cell
        for change in changes
        for key, cell in change.cells.items()
        if key not in change.found and key in change.base
    }


@dataclass(slots=True)
class _Work:
    """What the work on all modules shares.

    Args:
        config: the settings.
        notebooks: all of them, changed in memory.
        pool: cells that are gone from their module; one that turns up elsewhere was moved.
        report: what was done so far.
        touched: the notebooks to write.
        given: the cells that a notebook gives to others.
        gained: the notebooks that get such cells.
    """

    config: Config
    notebooks: dict[str, Notebook]
    pool: dict[str, ExportedCell]
    report: SyncReport = field(default_factory=SyncReport)
    touched: set[str] = field(default_factory=set)
    given: dict[str, list[Cell]] = field(default_factory=dict)
    gained: set[str] = field(default_factory=set)

    def take_out(self, exported: ExportedCell) -> None:
        """Take a cell out of its notebook, but leave there what it says of the whole notebook."""
        cells, cell = exported.notebook.cells, exported.cell
        at = next(i for i, other in enumerate(cells) if other is cell)
        name = parse_directives(cell).get("default_exp")
        cells[at : at + 1] = [Cell.new(f"#| default_exp {name}")] if name else []
        set_directive(cell, "default_exp", None)
        self.touched.add(exported.section.notebook)

    def write(self) -> list[Path]:
        """Write the notebooks; at every moment, each cell stands in a file.

        Those that give cells away come last. If they also get some, they are first written with
        both.
        """
        for name in sorted(self.gained & self.given.keys()):
            notebook = self.notebooks[name]
            ids = {cell.id for cell in notebook.cells}
            both = [
                replace(cell, id=fresh_id() if cell.id in ids else cell.id)
                for cell in self.given[name]
            ]
            write_notebook(replace(notebook, cells=[*notebook.cells, *both]))
        order = sorted(self.touched, key=lambda name: (name in self.given, name))
        written = {name for name in order if write_notebook(self.notebooks[name])}
        return [self.config.root / name for name in sorted(written)]


class _Sync:
    """The work on one module."""

    def __init__(self, work: _Work, change: _Change) -> None:
        self.work = work
        self.notebooks = work.notebooks
        self.change = change
        self.target = change.module.name.removeprefix(f"{work.config.package}.")
        self.places = self._owners()

    def _owners(self) -> list[tuple[Section, str]]:
        """Say which notebook each section goes to, so that as few as possible change theirs.

        A notebook is exported as one piece: what stands among the cells of another belongs to it.
        """
        sections = [section for section in self.change.sections if not self._is_gone(section)]
        sources = dict.fromkeys(
            key.rpartition("#")[0] for key in self.change.base | self.change.now
        )
        ranks = {name: i for i, name in enumerate(self.notebooks) if name in sources}
        code = [n for n, s in enumerate(sections) if s.notebook in ranks and not s.is_docstring]
        # Backwards: of two that changed places, the upper one was moved down.
        numbers = [-ranks[sections[n].notebook] * len(sections) - n for n in reversed(code)]
        kept = {-number % len(sections) for number in in_order(numbers)}
        first = sections[min(kept)].notebook if kept else next(iter(ranks), "")
        owners: list[tuple[Section, str]] = []
        for n, section in enumerate(sections):
            first = section.notebook if n in kept else first
            is_own = section.is_docstring and section.notebook in ranks
            owners.append((section, section.notebook if is_own else first))
        if owners and not first:
            raise NotebookError(
                "none of the notebooks that it was made from exists any more.",
                self.change.module.path,
            )
        return owners

    def _is_gone(self, section: Section) -> bool:
        """Whether the notebook has deleted this cell, and the module has not touched it."""
        key = section.key
        known = self.change.base.get(key)
        return key not in self.change.now and known == content_hash(section.text)

    def take_out(self) -> None:
        """Take the cells out of the notebooks that go to another."""
        for section, name in self.places:
            exported = self.change.cells.get(section.key)
            if exported is not None and section.notebook != name:
                self.work.take_out(exported)

    def place(self) -> None:
        """Bring the sections into the notebooks: edits, new cells, and the order."""
        by_notebook: dict[str, list[Cell]] = {}
        for section, name in self.places:
            cell = self._cell(name, section)
            is_own = section.is_docstring and section.key in self.change.cells
            if not is_own:  # a docstring may stand anywhere in its notebook
                by_notebook.setdefault(name, []).append(cell)
        for name, cells in by_notebook.items():
            self._arrange(name, cells)

    def _cell(self, name: str, section: Section) -> Cell:
        exported = self.change.cells.get(section.key)
        if exported is None:
            exported = self.work.pool.get(section.key)
            if exported is None or exported.code.is_docstring != section.is_docstring:
                return self._new(name, section)
            del self.work.pool[section.key]
        cell, notebook = exported.cell, self.notebooks[name]
        if exported.section.notebook != name:
            self.work.given.setdefault(exported.section.notebook, []).append(cell)
            self.work.gained.add(name)
        if exported.section.notebook != name or section.key not in self.change.cells:
            self._retarget(notebook, cell)
        value = content_hash(section.text)
        if value not in (self.change.now.get(section.key), self.change.base.get(section.key)):
            cell.source = self._source(section, cell.source, exported)
            self.work.report.edited.append(section.key)
            self.work.touched.add(name)
        return self._twin(name, cell) if exported.section.notebook != name else cell

    def _twin(self, name: str, cell: Cell) -> Cell:
        """Return the copy that a sync has left which was interrupted between two notebooks."""
        for other in self.notebooks[name].cells:
            is_known = f"{name}#{other.id}" in self.change.base | self.change.found
            if not is_known and replace(other, id=cell.id) == cell:
                return other
        return cell

    def _source(self, section: Section, original: str, exported: ExportedCell | None = None) -> str:
        if section.is_docstring:
            return docstring_from_module(section.text, original)
        if exported and exported.code.is_docstring:
            raise NotebookError(
                f"the text of {section.key} was the docstring, and is now followed by code. Put "
                "the code below a line '# %%' of its own.",
                self.change.module.path,
            )
        return source_from_module(section.text, self.change.module.name, original)

    def _new(self, name: str, section: Section) -> Cell:
        split = split_directives(section.text)
        is_directed = not split.directives.keys().isdisjoint(EXPORTS)
        head = split.head if is_directed else f"#| export\n{split.head}"
        cell = Cell.new(head, "markdown" if section.is_docstring else "code")
        body = Section("", "", tidy(split.body), section.is_docstring)
        cell.source += self._source(body, "")
        self._retarget(self.notebooks[name], cell)
        self.work.report.added.append(f"{name}#{cell.id}")
        return cell

    def _retarget(self, notebook: Notebook, cell: Cell) -> None:
        """Name the module in the cell's directive where the notebook's own is another."""
        directives = parse_directives(cell)
        kind = next(name for name in EXPORTS if name in directives)
        default = default_export(notebook)
        if (directives[kind] or default) != self.target:
            set_directive(cell, kind, "" if default == self.target else self.target)

    def _arrange(self, name: str, cells: list[Cell]) -> None:
        """Bring the notebook's cells into the order of the module's, moving as few as possible."""
        notebook = self.notebooks[name]
        at = {id(cell): i for i, cell in enumerate(notebook.cells)}
        known = [cell for cell in cells if id(cell) in at]
        stable = {id(cell) for cell in known}
        if self.change.is_reordered:
            kept = in_order([at[id(cell)] for cell in known])
            stable = {id(notebook.cells[i]) for i in kept}
        loose = {id(cell) for cell in cells} - stable
        order = [cell for cell in notebook.cells if id(cell) not in loose]
        for number, cell in enumerate(cells):
            if id(cell) in loose:
                self._give_unique_id(cell, order)
                order.insert(self._place(order, cells, number), cell)
        notebook.cells[:] = order
        keys = [f"{name}#{cell.id}" for cell in cells if id(cell) in loose]
        self.work.touched |= {name} if keys else set()
        self.work.report.moved += [key for key in keys if key not in self.work.report.added]

    def _give_unique_id(self, cell: Cell, others: list[Cell]) -> None:
        if any(other.id == cell.id for other in others):
            cell.id = fresh_id()

    def _place(self, order: list[Cell], cells: list[Cell], number: int) -> int:
        """Return where a cell goes: behind the one before it, or in front of the one behind it."""
        places = {id(cell): i for i, cell in enumerate(order)}
        if number:
            return places[id(cells[number - 1])] + 1
        return next((places[id(c)] for c in cells[1:] if id(c) in places), len(order))


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
