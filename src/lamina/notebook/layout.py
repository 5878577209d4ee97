r"""The text of a module that is made from notebooks, written and taken apart again.

    # Made by `lamina nb` from nbs/00_core.ipynb: edit it there, or ...
    # %% nbs/00_core.ipynb #f3a1b2c4
    \"\"\"The module's docstring, from a Markdown cell.\"\"\"

    # %% auto
    from __future__ import annotations

    __all__ = ["greet"]

    # %% nbs/00_core.ipynb #a1b2c3d4
    def greet(): ...

A marker names the cell that the lines below it come from. A bare `# %%` starts a new cell, which
`lamina nb sync` brings into the notebook. Only comments at the start of a line are markers, never
lines in a string; a cell's own comment `# %%` is written `# \%%`.
"""

import ast
import re
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from lamina.notebook.errors import NotebookError

__all__ = [
    "Section",
    "is_made_module",
    "make_auto",
    "parse_auto",
    "parse_module",
    "render_docstring",
    "render_module",
]

START = "# Made by `lamina nb` from "
AUTO = "auto"
_MARKER = re.compile(r"# %%(?: +(?P<notebook>\S.*?) +#(?P<id>[\w-]+)| *(?P<title>.*?)) *$")
_OWN = re.compile(r"^# (\\*)%%", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Section:
    """The lines of a module that belong to one cell.

    Args:
        notebook: the notebook, relative to the project; empty for a new cell.
        id: the cell's id; empty for a new cell.
        text: the code, without the marker.
        is_docstring: it stands before the automatic part and is the module's docstring.
    """

    notebook: str
    id: str
    text: str
    is_docstring: bool = False

    @property
    def key(self) -> str:
        """Name the cell in one string; empty for a new cell.

        Example:
            >>> Section("nbs/core.ipynb", "a1", "x = 1").key
            'nbs/core.ipynb#a1'
        """
        return f"{self.notebook}#{self.id}" if self.id else ""


def is_made_module(text: str) -> bool:
    """Say whether a module's text was made from notebooks."""
    return text.startswith(START)


def tidy(text: str) -> str:
    """Remove what may differ without meaning: empty lines around, and the kind of line ends."""
    return text.replace("\r\n", "\n").strip("\n").rstrip()


def render_docstring(text: str) -> str:
    """Return a string literal in triple quotes.

    Example:
        >>> print(render_docstring("Tools."))
        \"\"\"Tools.\"\"\"
    """
    end = "\n" if "\n" in text else ""
    if "\\" in text and '"""' not in text and not text.endswith(("\\", '"')):
        return f'r"""{text}{end}"""'
    text = text.replace("\\", "\\\\").replace('"""', r"\"\"\"")
    return '"""' + (text[:-1] + r"\"" if text.endswith('"') else text) + end + '"""'


def make_auto(futures: list[str], names: str) -> str:
    """Return the automatic part: imports from `__future__`, and `__all__`."""
    return "\n".join([*dict.fromkeys(futures), *([""] if futures else []), names])


def render_module(sections: list[Section], auto: str) -> str:
    """Return the text of a module.

    Args:
        sections: one per cell; a docstring comes first.
        auto: the automatic part, see `make_auto`.
    """
    notebooks = ", ".join(dict.fromkeys(section.notebook for section in sections))
    header = f"{START}{notebooks}: edit it there, or here and run `lamina nb sync`.\n"
    docs = [_render(section) for section in sections if section.is_docstring]
    code = [_render(section) for section in sections if not section.is_docstring]
    return header + "\n".join([*docs, f"# %% {AUTO}\n{auto}\n", *code])


def _render(section: Section) -> str:
    text = section.text
    if _OWN.search(text):
        text = _change_comments(text, lambda line: _OWN.sub(r"# \\\1%%", line))
    return f"# %% {section.notebook} #{section.id}\n{text}\n"


def _change_comments(text: str, change: Callable[[str], str]) -> str:
    lines = text.split("\n")
    for number in _comment_lines(text):
        lines[number - 1] = change(lines[number - 1])
    return "\n".join(lines)


def _comment_lines(text: str) -> list[int]:
    """Return the lines that are comments from their first column on, and not part of a string."""
    tokens = tokenize.generate_tokens(StringIO(text).readline)
    return [t.start[0] for t in tokens if t.type == tokenize.COMMENT and t.start[1] == 0]


def parse_module(text: str, path: Path) -> tuple[list[Section], str]:
    """Take a module apart: the sections in order, and the automatic part.

    Raises:
        NotebookError: the module is not valid Python, or was not made from notebooks.
    """
    text = text.replace("\r\n", "\n")
    if not is_made_module(text):
        raise NotebookError("was not made from notebooks: it lacks the first line.", path)
    try:
        ast.parse(text)
        return _take_apart(text)
    except (SyntaxError, tokenize.TokenError) as error:
        raise NotebookError(
            f"is not valid Python, or a cell in it is not: {error}. Mend it, or write it anew "
            "from the notebooks with `lamina nb export --force`.",
            path,
        ) from None


def _take_apart(text: str) -> tuple[list[Section], str]:
    lines = text.split("\n")
    comments = _comment_lines(text)
    starts = [n for n in comments if _MARKER.match(lines[n - 1])]
    sections: list[Section] = []
    auto = ""
    for start, end in zip([1, *starts], [*starts, len(lines) + 1], strict=True):
        marker = _MARKER.match(lines[start - 1])
        body = _unescape(tidy("\n".join(lines[start : end - 1])))
        if marker and marker["title"] == AUTO:
            auto = body
        else:
            section = _make_section(marker, body, in_front=not auto)
            sections += [section] if section.id or section.text else []
    return sections, auto


def _make_section(marker: re.Match[str] | None, body: str, *, in_front: bool) -> Section:
    if marker and marker["id"]:
        return Section(marker["notebook"], marker["id"], body, in_front and _is_string(body))
    title = marker["title"] if marker else ""
    text = tidy(f"# {title}\n{body}" if title else body)
    return Section("", "", text, in_front and _is_string(text))


def _is_string(text: str) -> bool:
    match ast.parse(text).body:
        case [ast.Expr(ast.Constant(str()))]:
            return True
    return False


def _unescape(text: str) -> str:
    if not _OWN.search(text):
        return text
    return _change_comments(text, lambda line: re.sub(r"^# \\(\\*)%%", r"# \1%%", line))


def parse_auto(auto: str) -> tuple[list[str], set[str], str]:
    r"""Take the automatic part apart: imports from `__future__`, names in `__all__`, other code.

    Example:
        >>> parse_auto('__all__ = ["a"]\n\na = 1')
        ([], {'a'}, 'a = 1')
    """
    lines = auto.split("\n")
    futures: list[str] = []
    names: set[str] = set()
    for node in ast.parse(auto).body:
        match node:
            case ast.ImportFrom(module="__future__"):
                futures.append(ast.unparse(node))
            case ast.Assign(targets=[ast.Name("__all__")], value=ast.List(elements)):
                names |= {str(e.value) for e in elements if isinstance(e, ast.Constant)}
            case _:
                continue
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            lines[number - 1] = ""
    return futures, names, tidy("\n".join(lines))
