"""One exported cell's code: how it stands in the notebook, and how in the module.

In the module it has no directives, imports from `__future__` move to the top of the file, and
imports from the package itself become relative.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

from lamina.notebook.directives import split_directives
from lamina.notebook.document import Cell, Notebook
from lamina.notebook.layout import render_docstring, tidy
from lamina.notebook.names import defined_symbols, exported_names

__all__ = ["ExportedCode", "export_code", "source_from_module"]

_FROM = re.compile(r"from(\s+)(\.*[\w.]*|\.+)(?=\s+import\b)")


@dataclass(frozen=True, slots=True)
class ExportedCode:
    """What a cell gives its module.

    Args:
        text: the code, as it stands in the module.
        names: what it adds to `__all__`.
        symbols: what links may name.
        futures: its imports from `__future__`.
        is_docstring: it is the module's docstring.
    """

    text: str
    names: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    futures: tuple[str, ...] = ()
    is_docstring: bool = False


def export_code(
    notebook: Notebook, cell: Cell, module: str, *, as_docstring: bool = False
) -> ExportedCode:
    """Turn a cell into what its module holds of it.

    Args:
        notebook: where the cell stands; named in errors.
        cell: a cell with an export directive.
        module: the module's dotted name, with the package.
        as_docstring: the text is no code, but the module's docstring.

    Raises:
        NotebookError: the cell is not plain Python, or has a relative import.
    """
    body = tidy(split_directives(cell.source).body)
    if as_docstring:
        return ExportedCode(render_docstring(body), is_docstring=True)
    try:
        tree = ast.parse(body)
    except SyntaxError as error:
        raise notebook.error(_explain(error), cell) from None
    futures = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    text = _change_imports(body, tree, lambda name: _relative(name, module, notebook, cell))
    return ExportedCode(
        tidy(_without(text, futures, notebook, cell)),
        tuple(exported_names(tree)),
        tuple(defined_symbols(tree)),
        tuple(ast.unparse(node) for node in futures),
    )


def source_from_module(text: str, module: str, original: str = "") -> str:
    r"""Turn the text of a section back into a cell's source.

    Args:
        text: the code as it stands in the module.
        module: the module's dotted name, with the package.
        original: the cell's source so far; its directives and `__future__` imports are kept.

    Example:
        >>> source_from_module("from .core import f", "pets.app", "#| export\nx = 1")
        '#| export\nfrom pets.core import f'
    """
    tree = ast.parse(text)
    text = _change_imports(text, tree, lambda name: _absolute(name, module))
    split = split_directives(original)
    head = split.head if split.head.endswith("\n") or not split.head else split.head + "\n"
    old = ast.parse(split.body) if "__future__" in split.body else ast.Module([], [])
    futures = (n for n in old.body if isinstance(n, ast.ImportFrom) and n.module == "__future__")
    return (head + "".join(f"{ast.unparse(node)}\n" for node in futures) + text).rstrip("\n")


def docstring_from_module(text: str, original: str) -> str:
    r"""Turn a module's docstring back into the source of its Markdown cell.

    Example:
        >>> docstring_from_module('\"\"\"Better tools.\"\"\"', "#| export\nTools.")
        '#| export\nBetter tools.'
    """
    return split_directives(original).head + tidy(str(ast.literal_eval(text)))


def _explain(error: SyntaxError) -> str:
    line = (error.text or "").strip()
    if line.startswith(("%", "!")):
        return f"is exported, but {line!r} is a command of IPython. Move it to a cell of its own."
    return f"is exported, but is not valid Python: {error.msg}, in line {error.lineno}: {line!r}."


def _without(text: str, nodes: list[ast.ImportFrom], notebook: Notebook, cell: Cell) -> str:
    lines = text.split("\n")
    gone: set[int] = set()
    for node in nodes:
        span = range(node.lineno - 1, node.end_lineno or node.lineno)
        alone = re.fullmatch(
            r"from\s+__future__\s+import\s+([\w\s,.]+|\([^)]*\))(#.*)?",
            "\n".join(lines[i] for i in span),
        )
        if not alone:
            raise notebook.error("put the import from __future__ on a line of its own.", cell)
        gone |= set(span)
    return "\n".join(line for i, line in enumerate(lines) if i not in gone)


def _change_imports(text: str, tree: ast.Module, change: Callable[[str], str]) -> str:
    """Rename the modules in `from ... import`; a name that `change` returns as it is stays."""
    if "from" not in text:
        return text
    lines = text.split("\n")
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    for node in sorted(nodes, key=lambda node: (node.lineno, -node.col_offset)):
        old = "." * node.level + (node.module or "")
        new = change(old)
        line = lines[node.lineno - 1].encode()
        start, rest = line[: node.col_offset].decode(), line[node.col_offset :].decode()
        if new != old and (match := _FROM.match(rest)):
            lines[node.lineno - 1] = f"{start}from{match[1]}{new}{rest[match.end() :]}"
    return "\n".join(lines)


def _relative(name: str, module: str, notebook: Notebook, cell: Cell) -> str:
    here = module.split(".")[:-1]
    if name.startswith("."):
        raise notebook.error(
            f"'from {name} import' is relative, which a notebook cannot run. Name the package: "
            f"'from {_absolute(name, module)} import'; the module gets a relative import.",
            cell,
        )
    parts = name.split(".")
    if parts[0] != here[0]:
        return name
    common = 0
    while common < min(len(here), len(parts)) and here[common] == parts[common]:
        common += 1
    return "." * (len(here) - common + 1) + ".".join(parts[common:])


def _absolute(name: str, module: str) -> str:
    rest = name.lstrip(".")
    level = len(name) - len(rest)
    if not level:
        return name
    here = module.split(".")[:-1]
    return ".".join([*here[: len(here) - level + 1], *([rest] if rest else [])])
