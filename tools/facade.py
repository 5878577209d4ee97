"""Write the `all.py` facades: explicit imports of what listed modules offer in their `__all__`.

With `--check`, fail when one differs from what would be written.
"""

import ast
import builtins
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from source import ROOT, report, target

MOST_NAMES = 250
SHORT_ALLOWED = {"np", "pd", "nn", "F", "L"}
LISTS = tomllib.loads((ROOT / "tools" / "facades.toml").read_text(encoding="utf-8"))
EXTERNAL: dict[str, str] = LISTS["outside"]
HEADER = (
    '"""Everything for {app} in a notebook; written by tools/facade.py."""\n\n# ruff: noqa: I001\n'
)


def offered(library: Path, entry: str) -> tuple[str, list[str]]:
    """Read the `__all__` of an entry's module without importing it; `module: a b` takes a and b."""
    module, _, chosen = entry.partition(":")
    path = library / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.exists():
        raise SystemExit(f"facade: {path} does not exist")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            public = set(ast.literal_eval(node.value))
            if unknown := set(chosen.split()) - public:
                raise SystemExit(f"facade: {module} offers no {', '.join(sorted(unknown))}")
            return module, sorted(set(chosen.split()) or public)
    raise SystemExit(f"facade: {path} has no __all__")


def refused(app: str, origins: dict[str, list[str]]) -> Iterator[str]:
    if len(origins) > MOST_NAMES:
        yield f"{app}: {len(origins)} names, at most {MOST_NAMES}"
    for name, places in origins.items():
        if hasattr(builtins, name):
            yield f"{app}: {name} of {places[0]} hides a builtin"
        if len(name) < 3 and name not in SHORT_ALLOWED:
            yield f"{app}: {name} of {places[0]} is too short"
        if len(places) > 1:
            yield f"{app}: {name} has {len(places)} meanings: {', '.join(places)}"


def facade(library: Path, app: str, entries: Iterable[str]) -> tuple[str, list[str]]:
    """Return the text of a facade and what is wrong with it."""
    names = dict(offered(library, entry) for entry in sorted(entries))
    origins: dict[str, list[str]] = {n: ["outside"] for n in EXTERNAL}
    for module, public in names.items():
        for name in public:
            origins.setdefault(name, []).append(module)
    lines = [HEADER.format(app=app), *sorted(EXTERNAL.values()), ""]
    for module, public in names.items():
        lines += [f"from lamina.{module} import (", *(f"    {n}," for n in public), ")"]
    lines += ["", "__all__ = [  # noqa: RUF022 - sorted by the tool, case first"]
    lines += [*(f'    "{n}",' for n in sorted(origins)), "]", ""]
    return "\n".join(lines), list(refused(app, origins))


def facades() -> dict[str, list[str]]:
    """Give the entries of each application, those that all share included."""
    apps = {name: app for name, app in LISTS.items() if name not in ("basics", "outside")}
    return {name: [*LISTS["basics"]["entries"], *app["entries"]] for name, app in apps.items()}


def main(library: Path, *, check: bool) -> Iterator[str]:
    for app, entries in facades().items():
        text, problems = facade(library, app, entries)
        yield from problems
        path = library / app / "all.py"
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            yield f"{path} is out of date: run `make facade`"
        elif not check and not problems:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    report("facade", main(target(), check="--check" in sys.argv))
