"""From the Markdown of notebooks to the Markdown that the site generator reads."""

import re
from collections.abc import Callable, Iterator

__all__ = ["adapt_markdown", "rewrite_links"]

_FENCE = re.compile(r" *(`{3,}|~{3,})")
_ITEM = re.compile(r" *(?:[-*+]|\d+[.)]) +")
_FIRST = re.compile(r" *(?:[-*+]|1[.)]) +")  # only these may begin a list within a paragraph
_LINK = re.compile(
    r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[`~]*[ ]*$"
    r"|(?P<head>!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?P<to>[^()\s]+)(?P<tail>[^()]*\))"
    r"|(?P<ticks>`+)[^`\n].*?(?P=ticks)",
    re.MULTILINE | re.DOTALL,
)


def adapt_markdown(text: str) -> str:
    r"""Make lists of CommonMark what Python-Markdown takes for lists.

    These may begin without an empty line before them, and nest by two spaces; here they need the
    line, and four spaces.

    Example:
        >>> adapt_markdown("Two:\n- a\n  - b")
        'Two:\n\n- a\n    - b'
    """
    return "\n".join(_adapted(text.split("\n")))


def _adapted(lines: list[str]) -> Iterator[str]:
    levels: list[int] = []  # the indents of the items around a line
    previous, fence, shift = "", "", 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if fence:
            fence = "" if line.strip().startswith(fence) else fence
        elif _ITEM.match(line) and (levels or not previous.strip() or _FIRST.match(line)):
            if not levels and previous.strip():
                yield ""
            levels = [level for level in levels if level + 2 <= indent]
            shift = _shift(levels, indent)
            levels.append(indent)
        elif line.strip():
            if levels and not previous.strip():  # after an empty line, what is not indented ends it
                levels = [level for level in levels if level + 2 <= indent]
            shift = _shift(levels, indent) if indent else 0
            fence = mark[1] if (mark := _FENCE.match(line)) else ""
        previous = line
        yield " " * (indent + shift) + line.lstrip() if line.strip() else ""


def _shift(levels: list[int], indent: int) -> int:
    return levels[0] // 4 * 4 + 4 * len(levels) - indent if levels else 0


def rewrite_links(text: str, rewrite: Callable[[str], str]) -> str:
    """Change the targets of a text's links and pictures, outside of code.

    Example:
        >>> rewrite_links("[`a`](b.ipynb) and `[a](b.ipynb)`", lambda to: to.upper())
        '[`a`](B.IPYNB) and `[a](b.ipynb)`'
    """

    def replace(match: re.Match[str]) -> str:
        return f"{match['head']}{rewrite(match['to'])}{match['tail']}" if match["to"] else match[0]

    return _LINK.sub(replace, text)
