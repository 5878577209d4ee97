"""Public means documented: docstrings, examples that run, sources of methods."""

import ast
from collections.abc import Iterator
from pathlib import Path

from source import Definition, is_overload, is_public, modules, public_functions, report, target

# Shares that the library has reached; raise them when it gets better, never lower them.
EXAMPLES = 0.5  # public functions and classes with an `Example:`
SOURCES = {"optim": 0, "nn": 0, "vision": 0}  # docstrings with a `Source:` in the folder, at least


def documented(tree: ast.Module) -> Iterator[tuple[str, ast.AST, str]]:
    """Give the public functions and classes of a module with their docstrings."""
    for node in tree.body:
        if isinstance(node, Definition) and is_public(node.name) and not is_overload(node):
            yield node.name, node, ast.get_docstring(node) or ""


def undocumented(path: Path, tree: ast.Module) -> Iterator[str]:
    """Give what has no docstring: the module, classes, functions; methods are ruff's D102."""
    if not ast.get_docstring(tree):
        yield f"{path}: the module has no docstring"
    for name, node, text in documented(tree):
        if not text:
            yield f"{path}:{getattr(node, 'lineno', 0)}: {name} has no docstring"


def check(folder: Path) -> Iterator[str]:
    texts: list[tuple[Path, str]] = []
    for path, tree in modules(folder):
        yield from undocumented(path, tree)
        texts += [(path, text) for _, _, text in documented(tree)]
        texts += [(path, ast.get_docstring(f) or "") for n, f in public_functions(tree) if "." in n]
    tops = [t for p, tree in modules(folder) for _, _, t in documented(tree)]
    share = sum("Example:" in t or ">>>" in t for t in tops) / max(len(tops), 1)
    print(f"docs: {len(tops)} public functions and classes, {share:.0%} with an example")
    if share < EXAMPLES:
        yield f"{folder}: only {share:.0%} have an example, at least {EXAMPLES:.0%} wanted"
    for rung, least in SOURCES.items():
        count = sum("Source:" in t for p, t in texts if rung in p.relative_to(folder).parts)
        print(f"docs: {rung} names {count} sources")
        if count < least:
            yield f"{rung}: {count} sources, at least {least} wanted"


if __name__ == "__main__":
    report("docs", check(target()))
