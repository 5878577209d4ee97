"""Budgets: small functions, flat blocks, short files, small classes and folders."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

from source import Definition, Function, is_public, modules, report, target

BODY, NESTING, FILE, FOLDER, METHODS = 40, 3, 500, 16, 20
CORE = 16_000  # code lines of everything that is not named here (docs/adr/0003-line-budget.md)
BESIDE = {"vision": 5_000, "text": 3_900, "tabular": 2_800, "collab": 900, "notebook": 4_200}
TABLES_OF_CONTENTS = {"Callback", "L", "Learner"}  # wide by design: every name in one place
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def code_lines(source: list[str], node: ast.AST, first: int, last: int) -> int:
    """Count the lines that are neither empty, nor comment, nor docstring of anything in `node`."""
    skipped: set[int] = set()
    for part in ast.walk(node):
        if isinstance(part, Definition | ast.Module) and (
            ast.get_docstring(part, clean=False) is not None
        ):
            skipped.update(range(part.body[0].lineno, (part.body[0].end_lineno or 0) + 1))
    lines = ((n, source[n - 1].strip()) for n in range(first, last + 1))
    return sum(bool(text) and not text.startswith("#") and n not in skipped for n, text in lines)


def nesting(node: ast.AST, depth: int = 0) -> int:
    """Return the depth of the deepest block; `elif` adds none, nested functions count alone."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition | ast.Lambda):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and [child] == node.orelse
        deeper = isinstance(child, BLOCKS) and not is_elif
        deepest = max(deepest, nesting(child, depth + deeper))
    return deepest


def too_wide(node: ast.ClassDef) -> bool:
    names = {p.name for p in node.body if isinstance(p, Function) and is_public(p.name)}
    return len(names - {"__init__"}) > METHODS and node.name not in TABLES_OF_CONTENTS


def check(folder: Path) -> Iterator[str]:
    bodies, totals, folders = [0, 0], Counter[str](), Counter[Path]()
    for path, tree in modules(folder):
        if path.name == "all.py":  # written by tools/facade.py, which has its own limit
            continue
        source = path.read_text(encoding="utf-8").splitlines()
        folders[path.parent] += 1
        rung = path.relative_to(folder).parts[0]
        totals[rung if rung in BESIDE else "core"] += code_lines(source, tree, 1, len(source))
        if len(source) > FILE:
            yield f"{path}: {len(source)} lines, at most {FILE}"
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and too_wide(node):
                yield f"{path}:{node.lineno}: class {node.name}: over {METHODS} public methods"
            if isinstance(node, Function):
                bodies.append(code_lines(source, node, node.body[0].lineno, node.end_lineno or 0))
                if bodies[-1] > BODY or nesting(node) > NESTING:
                    yield (
                        f"{path}:{node.lineno}: {node.name}: {bodies[-1]} lines (at most {BODY}), "
                        f"nesting {nesting(node)} (at most {NESTING})"
                    )
    yield from (f"{d}: {n} files, at most {FOLDER}" for d, n in folders.items() if n > FOLDER)
    for part, most in {"core": CORE, **BESIDE}.items():
        if totals[part] > most:
            yield f"{part}: {totals[part]} code lines, at most {most}"
    parts = ", ".join(f"{part} {lines}" for part, lines in totals.most_common())
    print(
        f"budget: {totals.total()} code lines in {folders.total()} files ({parts}); function body: "
        f"median {median(bodies[2:] or bodies):g}, p90 {quantiles(bodies, n=10)[-1]:g} lines"
    )


if __name__ == "__main__":
    report("budget", check(target()))
