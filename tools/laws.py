"""House laws: every name is written where it comes from, and wrong names are refused."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from source import modules, public_functions, report, target

PATCHES_FOR_USERS = {"patching.py"}  # `patch` is a tool for users; the library does not use it
STRICT = re.compile(r"Unpack\[|\.kwargs$")  # typed keywords, or those of a ParamSpec
FACADE = re.compile(r"lamina\.(.*\.)?all$")
CHECKS = {"refuse_unknown", "signature_names", "bind_partial"}


def called(node: ast.AST) -> str:
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "id", "") or ""


def is_class_expression(node: ast.expr) -> bool:
    text = ast.unparse(node)
    return text == "cls" or text.startswith("type(") or text.split(".")[-1][0].isupper()


def broken_by(path: Path, node: ast.AST) -> Iterator[str]:
    """Give the laws that one node breaks."""
    match node:
        case ast.ImportFrom(names=[ast.alias(name="*")]):
            yield "star import: name what you use"
        case ast.ImportFrom(module=str(name)) if FACADE.match(name):
            yield "the library imports no facade: import from the module itself"
        case ast.ClassDef(name=name, body=body, keywords=keywords):
            if any(k.arg == "metaclass" for k in keywords):
                yield "metaclass: use __init_subclass__"
            if any(getattr(p, "name", "") == "__getattr__" for p in body) and name[0] != "_":
                yield f"class {name}: no __getattr__ on public classes"
        case ast.Call(func=ast.Attribute(attr="_getframe" | "currentframe")):
            yield "frame inspection"
        case ast.Call(func=ast.Name(id="setattr"), args=[owner, *_]):
            if is_class_expression(owner) and path.name not in PATCHES_FOR_USERS:
                yield "setattr on a class: bind the name in the class body"
        case ast.Call() if called(node) in ("exec", "eval"):
            yield f"{called(node)}: no code that writes code"


def hands_on(function: ast.AST, name: str) -> bool:
    """Whether a call receives all keywords: then the receiver refuses what it does not know."""
    calls = (n for n in ast.walk(function) if isinstance(n, ast.Call))
    return any(k.arg is None and ast.unparse(k.value) == name for c in calls for k in c.keywords)


def loose_keywords(source: list[str], tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Give public functions that drop keywords or pick from them; `# kwargs: why` allows it.

    As nobody drops them, every chain of functions ends in one that names its keywords.
    """
    for name, function in public_functions(tree):
        keywords = function.args.kwarg
        signature = "\n".join(source[function.lineno - 1 : function.body[0].lineno - 1])
        if keywords is None or "# kwargs: " in signature or hands_on(function, keywords.arg):
            continue
        annotation = ast.unparse(keywords.annotation) if keywords.annotation else ""
        if not STRICT.search(annotation) and not CHECKS & {called(n) for n in ast.walk(function)}:
            yield function.lineno, f"{name}: bare **{keywords.arg}; use Unpack or refuse_unknown"


def check(folder: Path) -> Iterator[str]:
    for path, tree in modules(folder):
        for node in ast.walk(tree):
            line = getattr(node, "lineno", 0)
            yield from (f"{path}:{line}: {text}" for text in broken_by(path, node))
        source = path.read_text(encoding="utf-8").splitlines()
        yield from (f"{path}:{line}: {text}" for line, text in loose_keywords(source, tree))


if __name__ == "__main__":
    report("laws", check(target()))
