"""Comments behind parameters, which document them as an `Args:` section would."""

import ast
import io
import textwrap
import tokenize

__all__ = ["read_docments"]


def read_docments(source: str) -> dict[str, str]:
    r"""Read the comments behind a function's parameters, or behind the fields of a class.

    Args:
        source: of the function or class.

    Returns:
        The comments by parameter; what stands behind the annotation of the result is `"return"`.

    Example:
        >>> read_docments("def f(\n    a: int,  # how many\n) -> str:  # the text\n    return ''")
        {'a': 'how many', 'return': 'the text'}
    """
    source = textwrap.dedent(source)
    try:
        node = ast.parse(source).body[0]
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, IndexError, tokenize.TokenError):
        return {}
    comments = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    ends = {line: name for name, line in _ends(node)}  # the last one on a line has the comment
    return {name: comments[line] for line, name in ends.items() if line in comments}


def _ends(node: ast.stmt) -> list[tuple[str, int]]:
    if isinstance(node, ast.ClassDef):
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        return [(ast.unparse(part.target), part.end_lineno or 0) for part in fields]
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    given = node.args
    args = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    found = [(arg.arg, arg.end_lineno or 0) for arg in args if arg is not None]
    return found + ([("return", node.returns.end_lineno or 0)] if node.returns else [])
