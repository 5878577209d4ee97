"""Links from names in texts to what they name, and the check that no link is broken."""

import html
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Names", "broken_links", "link_names"]

_CODE = re.compile(
    r"<(?P<skip>pre|a|h[1-6]|script|style|svg)\b.*?</(?P=skip)>|<code>(?P<text>[^<]+)</code>",
    re.DOTALL,
)
_NAME = re.compile(r"@?([A-Za-z_][\w.]*)(?:\(\))?")
_WORD = re.compile(r"(?<![\w.\"'])[A-Za-z_][\w.]*(?!\w)")
_NOT_NAMES = {"None", "True", "False"}
_SHORT = {
    "np": "numpy", "pd": "pandas", "plt": "matplotlib.pyplot", "nn": "torch.nn",
    "F": "torch.nn.functional",
}  # fmt: skip


class Names:
    """What a name in a text refers to.

    Args:
        symbols: the addresses of the project's symbols within the site, by their full names. The
            name of a method alone is not taken for it.
        foreign: those of other libraries.

    Example:
        >>> Names({"pets.core.greet": "core.html#greet"}, {}).find("greet")
        'core.html#greet'
    """

    def __init__(self, symbols: Mapping[str, str], foreign: Mapping[str, str]) -> None:
        self.symbols = symbols
        self.foreign = foreign
        self._short = defaultdict[str, set[str]](set)
        for full in symbols:
            parts = full.split(".")
            is_method = len(parts) > 1 and parts[-2][:1].isupper()
            for i in range(1, len(parts) - is_method):
                self._short[".".join(parts[i:])].add(full)
            if len(parts) > 2:
                self._short[f"{parts[0]}.{parts[-1]}"].add(full)

    def find(self, name: str) -> str | None:
        """Return the address; None if there is none, or if the name is not clear."""
        if name in _NOT_NAMES:
            return None
        if name in self.symbols:
            return self.symbols[name]
        if len(found := self._short.get(name, ())) == 1:
            return self.symbols[next(iter(found))]
        head, _, tail = name.partition(".")
        return self.foreign.get(f"{_SHORT[head]}.{tail}" if head in _SHORT and tail else name)


def link_names(page: str, names: Names, url: str) -> str:
    """Make links of the names in a page's code.

    That is `<code>` in running text; in types, such as `list[Cell]`, every name by itself.

    Args:
        page: HTML.
        names: what they refer to.
        url: the page's own address within the site.

    Example:
        >>> names = Names({"pets.core.greet": "api/core.html#greet"}, {})
        >>> link_names("<code>greet()</code>", names, "index.html")
        '<a href="api/core.html#greet"><code>greet()</code></a>'
    """

    def link(name: str, shown: str) -> str:
        if (to := names.find(name)) is None:
            return shown
        target = html.escape(to if "://" in to else relative_url(to, url))
        return f'<a href="{target}">{shown}</a>'

    def replace(match: re.Match[str]) -> str:
        if (text := match["text"]) is None:
            return match[0]
        if name := _NAME.fullmatch(text):
            return link(name[1], match[0])
        if "[" in text or " | " in text:
            return f"<code>{_WORD.sub(lambda m: link(m[0], m[0]), text)}</code>"
        return match[0]

    return _CODE.sub(replace, page)


def relative_url(to: str, page: str) -> str:
    """Return an address of the site as seen from one of its pages.

    Example:
        >>> relative_url("api/core.html#greet", "guides/start.html")
        '../api/core.html#greet'
    """
    return posixpath.relpath(to, posixpath.dirname(page) or ".")


class _Page(HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"", "__skip"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key in ("href", "src") and value:
                self.links.append(value)
            elif key == "id" or (key == "name" and tag == "a"):
                self.anchors.add(value or "")


def broken_links(site: Path) -> Iterator[tuple[str, str]]:
    """Give the links within a site that lead nowhere: the page, and where the link leads.

    Links to other sites are not followed.
    """
    found = {p: _Page(p.read_text("utf-8")) for p in sorted(site.rglob("*.html"))}
    pages = {path: page for path, page in found.items() if path.name != "404.html"}
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            to = Path(posixpath.normpath(path.parent / unquote(parts.path))) if parts.path else path
            to = to / "index.html" if to.is_dir() else to
            is_there = unquote(parts.fragment) in pages[to].anchors if to in pages else to.exists()
            if not is_there:
                yield path.relative_to(site).as_posix(), link
