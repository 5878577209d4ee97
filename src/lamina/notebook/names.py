"""What a cell's code defines: the names for `__all__`, and the symbols that links lead to."""

import ast
from collections.abc import Iterator

__all__ = ["defined_symbols", "exported_names", "render_all"]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def exported_names(tree: ast.Module) -> list[str]:
    r"""Return the names that a cell adds to `__all__`.

    These are functions and classes without a decorator whose name starts with `patch`, and the
    targets of assignments, as far as they do not start with an underscore; and the strings of a
    list `_all_ = [...]`.

    Example:
        >>> exported_names(ast.parse("a, (b, *_c) = f()\ndef g(): ...\n_all_ = ['h']"))
        ['a', 'b', 'g', 'h']
    """
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef):
            if patched_class(node) is None:
                found.append(node.name)
        else:
            found += _assigned(node)
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


def _assigned(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Assign(targets=[ast.Name(id="_all_")], value=ast.List(elts) | ast.Tuple(elts)):
            yield from (str(e.value) for e in elts if isinstance(e, ast.Constant))
        case ast.Assign(targets=targets):
            for target in targets:
                yield from _names(target)
        case ast.AnnAssign(target=target, value=ast.expr()):
            yield from _names(target)


def _names(target: ast.expr) -> Iterator[str]:
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Starred(value=inner):
            yield from _names(inner)
        case ast.Tuple(elts) | ast.List(elts):
            for element in elts:
                yield from _names(element)


def patched_class(node: Function | ast.ClassDef) -> str | None:
    r"""Return the class that a function with a decorator such as `@patch` is added to.

    None if there is no such decorator; an empty string if it does not say which class.

    Example:
        >>> patched_class(ast.parse("@patch\ndef double(self: Count): ...").body[0])
        'Count'
    """
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        if not ast.unparse(call).split(".")[-1].startswith("patch"):
            continue
        if isinstance(decorator, ast.Call) and decorator.args:
            return ast.unparse(decorator.args[0])
        first = next(iter(node.args.args), None) if isinstance(node, Function) else None
        return ast.unparse(first.annotation) if first and first.annotation else ""
    return None


def defined_symbols(tree: ast.Module) -> list[str]:
    r"""Return what a link may name: functions, classes, public methods, constants.

    Example:
        >>> defined_symbols(ast.parse("class A:\n    def f(self): ...\nB = 1"))
        ['A', 'A.f', 'B']
    """
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = (n.name for n in node.body if isinstance(n, Function))
            found += [node.name, *(f"{node.name}.{m}" for m in methods if not m.startswith("_"))]
        elif isinstance(node, Function):
            owner = patched_class(node)
            found.append(f"{owner}.{node.name}" if owner else node.name)
        else:
            found += (name for name in _assigned(node) if not name.startswith("_"))
    return list(dict.fromkeys(found))


def render_all(names: list[str]) -> str:
    """Return the statement that defines `__all__`: sorted, on one line if it fits.

    Example:
        >>> render_all(["b", "a"])
        '__all__ = ["a", "b"]'
    """
    listed = [f'"{name}"' for name in sorted(set(names))]
    line = f"__all__ = [{', '.join(listed)}]"
    return line if len(line) <= 88 else "__all__ = [\n    " + ",\n    ".join(listed) + ",\n]"
