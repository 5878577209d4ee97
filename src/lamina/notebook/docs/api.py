"""The reference: Markdown from the docstrings, signatures and parameter comments of a package."""

import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lamina.foundation.errors import needs
from lamina.notebook.config import Config
from lamina.notebook.docs.docments import read_docments
from lamina.notebook.docs.markdown import adapt_markdown

if TYPE_CHECKING:
    import griffe

__all__ = ["Reference", "documented_members", "load_package", "public_modules"]

WIDTH = 88
_DOCTEST = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
_PIPE = re.compile(r"(`[^`]*`)|\|")  # code keeps its pipes; others would begin a column
_FACADES = {"all"}  # modules that only gather names
_SKIPPED = ("self", "cls")


def load_package(config: Config) -> "griffe.Module | None":
    """Read a package without importing it; None if there is none.

    Raises:
        MissingExtraError: griffe is not installed.
    """
    if not any(config.lib_path.glob("*.py")):
        return None
    with needs("griffe", "notebook"):
        import griffe
    package = griffe.load(
        config.package,
        search_paths=[config.lib_path.parent],
        docstring_parser="google",
        docstring_options={"warnings": False},
        allow_inspection=False,
    )
    return package if isinstance(package, griffe.Module) else None


def public_modules(module: "griffe.Module") -> "Iterator[griffe.Module]":
    """Give a package's modules, without those that are private or only gather names."""
    yield module
    for name, child in sorted(module.modules.items()):
        if not (name.startswith("_") or name in _FACADES or child.is_alias):
            yield from public_modules(child)


@dataclass(frozen=True)
class Reference:
    """Writes the reference of symbols as Markdown.

    Args:
        source_url: the address of a file's lines: `source_url(path, first, last)`; empty if it is
            not known.
    """

    source_url: Callable[[Any, int, int], str]

    def module(self, module: "griffe.Module") -> str:
        """Return the page of a module."""
        parts = [f"# {_escaped(module.path)} {{#{module.path}}}", *self._docstring(module)]
        for name, member in public_members(module):
            if member.is_alias:
                parts.append(f"`{name}` comes from `{member.target_path}`.")
        for name, member in _told(module):
            parts += self.symbol(member, name, 2)
        return "\n\n".join(parts) + "\n"

    def symbol(self, member: Any, title: str, level: int) -> Iterator[str]:
        """Give the paragraphs about a function, class or constant."""
        anchor = f"{member.path.removesuffix('.' + member.name)}.{title}"
        if member.parent.kind.value == "class":
            anchor = member.path
        yield f"{'#' * level} {_escaped(title)} {{#{anchor} .nb-symbol}}"
        url = self.source_url(member.filepath, member.lineno or 1, member.endlineno or 1)
        source = f"[source]({url}){{.nb-source data-search-exclude=''}}" if url else ""
        yield f"```python\n{declaration(member)}\n```\n\n{source}"
        yield from self._docstring(member)
        for name, part in _told(member) if member.kind.value == "class" else ():
            yield from self.symbol(part, name, min(level + 1, 6))

    def _docstring(self, member: Any) -> Iterator[str]:
        sections = member.docstring.parsed if member.docstring else []
        is_table_due = member.kind.value in ("function", "class")
        for section in sections:
            if section.kind.value == "parameters":
                yield from _table(member, {p.name: p.description for p in section.value})
                is_table_due = False
            else:
                yield _section(section)
        if is_table_due:
            yield from _table(member, {})


def public_members(owner: Any) -> Iterator[tuple[str, Any]]:
    """Give the public members, in the order of the source: by `__all__` where there is one."""
    exports = owner.exports if owner.kind.value == "module" else None
    for name, member in sorted(owner.members.items(), key=_line):
        is_own = not member.is_alias and not name.startswith("_")
        if (name in exports and name[:2] != "__") if exports is not None else is_own:
            yield name, member


def find_member(package: Any, path: str) -> Any:
    """Return what a package defines under a full name, or None."""
    for part in path.split(".")[1:]:
        package = package.members.get(part)
        if package is None or package.is_alias:
            return None
    return package


def documented_members(owner: Any, name: str) -> Iterator[str]:
    """Give the full names that the reference of a module or class describes."""
    yield name
    for part, member in _told(owner):
        yield from documented_members(member, f"{name}.{part}")


def _told(owner: Any) -> Iterator[tuple[str, Any]]:
    kind = owner.kind.value
    for name, member in public_members(owner) if kind in ("module", "class") else ():
        is_method = member.kind.value == "function" or "property" in member.labels
        if (
            not member.is_alias
            and member.kind.value != "module"
            and (is_method or kind == "module")
        ):
            yield name, member


def _line(named: tuple[str, Any]) -> int:
    return (named[1].alias_lineno if named[1].is_alias else named[1].lineno) or 0


def declaration(member: Any) -> str:
    """Return a symbol's declaration, in several lines if it is long."""
    kind = member.kind.value
    if kind == "attribute":
        typed = f": {member.annotation}" if member.annotation else ""
        value = str(member.value or "")
        is_shown = value and "property" not in member.labels
        short = value if len(value) < 4 * WIDTH else "..."
        return f"{member.name}{typed} = {short}" if is_shown else f"{member.name}{typed}"
    decorators = [d for d in ("classmethod", "staticmethod") if d in member.labels]
    prefix = {"class": "class ", "function": "def "}[kind]
    text = _folded(prefix + _without_self(str(member.signature())))
    if kind == "class" and member.bases:
        text += f"  # bases: {', '.join(map(str, member.bases))}"
    return "".join(f"@{name}\n" for name in decorators) + text


def _without_self(text: str) -> str:
    return re.sub(r"\((?:self|cls)(?:, |(?=\)))", "(", text, count=1)


def _folded(text: str) -> str:
    """Break a long declaration: a line per parameter."""
    if len(text) <= WIDTH:
        return text
    depth, start = 0, 0
    parts: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        depth += (token.string in "([{") - (token.string in ")]}") if token.string else 0
        is_open = depth == 1 and token.string == "(" and not parts
        if is_open or (depth == 1 and token.string == ","):
            parts.append(text[start : token.end[1]].strip())
            start = token.end[1]
        elif depth == 0 and token.string == ")":
            parts.append(text[start : token.start[1]].strip() + ",")
            head, *rest = parts
            return "\n    ".join([head, *rest]) + "\n" + text[token.start[1] :]
    return text


def _table(member: Any, told: dict[str, str]) -> Iterator[str]:
    """Give the table of the parameters, if one of them is described, and the comment on the result.

    Descriptions come from the docstring, or from the comments behind the parameters.
    """
    comments = read_docments(member.source) if "#" in member.source else {}
    init = member.members.get("__init__") if member.kind.value == "class" else None
    if init is not None and not init.is_alias and "#" in init.source:
        comments |= read_docments(init.source)
    given = {p.name: p for p in member.parameters if p.name not in _SKIPPED}
    texts = {name: told.get(name, comments.get(name, "")) for name in [*given, *told]}
    if any(texts.values()):
        rows = ["| Parameter | | Type | Default |", "| --- | --- | --- | --- |"]
        rows += [_row(name, given.get(name), text) for name, text in texts.items()]
        yield "\n".join(rows)
    if "return" in comments:
        yield f"**Returns** {comments['return']}"


def _row(name: str, parameter: Any, text: str) -> str:
    kind = code(parameter.annotation) if parameter and parameter.annotation is not None else ""
    is_variadic = parameter is not None and parameter.kind.name.startswith("var_")
    default = parameter.default if parameter is not None and not is_variadic else None
    shown = code(default) if default is not None else ""
    described = _PIPE.sub(lambda m: m[1] or r"\|", " ".join(text.split()))
    return f"| `{name}`{{.nb-parameter}} | {described} | {kind} | {shown} |"


def _escaped(title: str) -> str:
    return title.replace("_", r"\_")


def code(text: Any) -> str:
    """Return a text as code in Markdown, on one line; empty where there is none.

    Example:
        >>> code("int | None")
        '`int | None`'
    """
    return f"`{' '.join(str(text).split())}`" if str(text) else ""


def _section(section: Any) -> str:
    kind, value = section.kind.value, section.value
    if kind == "text":
        return with_examples(value)
    if kind == "examples":
        return "**Example**\n\n" + with_examples("\n\n".join(text for _, text in value))
    if kind == "admonition":
        return f"**{section.title}**\n\n{with_examples(value.description)}"
    if not isinstance(value, list):  # a deprecation
        return f"**{kind.title()}** {adapt_markdown(value.description)}"
    items = [_item(part, kind) for part in value]
    if kind in ("returns", "yields", "receives") and len(items) == 1:
        return f"**{kind.title()}** {items[0]}"
    return f"**{section.title or kind.title()}**\n\n" + "\n".join(f"- {item}" for item in items)


def _item(part: Any, kind: str) -> str:
    name = getattr(part, "name", "")
    label = part.annotation if kind in ("raises", "warns", "returns", "yields") else name
    head = f"`{label}`: " if label and str(label) else ""
    return head + " ".join(str(part.description).split())


def with_examples(text: str) -> str:
    r"""Put fences around what a docstring shows of a session.

    Example:
        >>> with_examples(">>> 1 + 1\n2")
        '```pycon\n>>> 1 + 1\n2\n```'
    """
    parts: list[str] = []
    position = 0
    for match in _DOCTEST.finditer(text):
        parts += [adapt_markdown(text[position : match.start()]), f"\n```pycon\n{match[0]}\n```\n"]
        position = match.end()
    return "".join([*parts, adapt_markdown(text[position:])]).strip("\n")
