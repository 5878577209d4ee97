"""The index of a package made from notebooks: which cell each line and each name comes from.

It lies in the package as `_nb_index.json`, in a layout that merges line by line. Per module it
holds the cells in order, each with a hash of its exported text: what `sync` and `export` compare
with to know which side has changed. And it holds the symbols, for links in documentation, also
from other packages.
"""

import json
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from lamina.notebook.document import write_if_changed

__all__ = ["INDEX", "Index", "find_index", "read_index", "write_index"]

INDEX = "_nb_index.json"


@dataclass(slots=True)
class Index:
    """What stands in the index.

    Args:
        cells: per module (a path in the package), `"notebook#id"` to a hash of the exported text.
        symbols: per module (its dotted name), a symbol to the `"notebook#id"` that defines it.
    """

    cells: dict[str, dict[str, str]] = field(default_factory=dict)
    symbols: dict[str, dict[str, str]] = field(default_factory=dict)

    def lookup(self, name: str) -> tuple[str, str, str] | None:
        """Find what a name in a text refers to.

        Args:
            name: a symbol, alone (`"greet"`, `"Count.double"`) or behind its module or package.

        Returns:
            The module, the symbol and the `"notebook#id"` of its cell; None if there is none, or
            if several modules define it.

        Example:
            >>> index = Index(symbols={"pets.core": {"greet": "nbs/00_core.ipynb#a1"}})
            >>> index.lookup("pets.core.greet") == index.lookup("greet")
            True
        """
        found = [
            (module, symbol, place)
            for module, symbols in self.symbols.items()
            for symbol, place in symbols.items()
            if name in (symbol, f"{module}.{symbol}", f"{module.split('.')[0]}.{symbol}")
        ]
        return found[0] if len(found) == 1 else None


def read_index(package: Path) -> Index:
    """Read the index of a package's folder; an empty one if it is missing or damaged."""
    try:
        raw = json.loads((package / INDEX).read_text(encoding="utf-8"))
        return Index(raw["cells"], raw["symbols"])
    except (OSError, ValueError, KeyError, TypeError):
        return Index()


def write_index(package: Path, index: Index) -> bool:
    """Write the index if that changes the file; return whether it was written."""
    raw = {"cells": index.cells, "symbols": index.symbols}
    return write_if_changed(package / INDEX, json.dumps(raw, indent=1, ensure_ascii=False) + "\n")


def find_index(package: str) -> Index | None:
    """Return the index of an installed package, without importing it; None if it has none.

    Example:
        >>> find_index("json") is None
        True
    """
    spec = find_spec(package.partition(".")[0])
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    return read_index(folder) if folder and (folder / INDEX).is_file() else None
