"""What the law scripts share: the library's modules as syntax trees, and how they report."""

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "src" / "lamina"

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def target() -> Path:
    """Return the folder to check: the first argument, or the library."""
    folders = [a for a in sys.argv[1:] if not a.startswith("-")]
    folder = Path(folders[0]) if folders else LIBRARY
    if not folder.is_dir():
        sys.exit(f"{folder} is not a folder")
    return folder


def modules(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Give every Python file under `folder`, sorted, with its tree."""
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"), str(path))


def is_public(name: str) -> bool:
    """Whether users may use the name: no leading underscore, or a constructor or call."""
    return not name.startswith("_") or name in ("__init__", "__call__")


def is_overload(node: ast.AST) -> bool:
    """Whether the node is only a typed spelling of the function that follows."""
    decorators = getattr(node, "decorator_list", ())
    return any(ast.unparse(d).split(".")[-1] == "overload" for d in decorators)


def public_functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Give the functions of a module and the methods of its public classes, with dotted names."""
    for node in tree.body:
        if isinstance(node, Function) and is_public(node.name) and not is_overload(node):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and is_public(node.name):
            for part in node.body:
                if isinstance(part, Function) and is_public(part.name) and not is_overload(part):
                    yield f"{node.name}.{part.name}", part


def report(law: str, problems: Iterable[str]) -> None:
    """Print the problems and leave with 1 if there is any, else say that the law holds."""
    found = list(problems)
    print(*found, f"{law}: {len(found) or 'no'} problem{'s' * (len(found) != 1)}", sep="\n")
    sys.exit(bool(found))
