"""Outputs of cells, as HTML for pages and as Markdown for the README."""

import html
import json
import re
from collections.abc import Callable
from typing import Any

from lamina.notebook.docs.cells import decoded, joined

__all__ = ["output_html", "output_markdown"]

SaveFile = Callable[[str, bytes], str]  # a suffix and the data, to the address for links
PICTURES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_REMOTE = re.compile(
    r"<script\b[^>]*\bsrc\s*=\s*[\"']?(?:https?:)?//.*?</script\s*>"
    r"|<link\b[^>]*\bhref\s*=\s*[\"']?(?:https?:)?//[^>]*>",
    re.IGNORECASE | re.DOTALL,
)
_STYLE = re.compile(r"<style\b.*?</style\s*>\s*", re.IGNORECASE | re.DOTALL)
_RICHNESS = (
    "image/svg+xml", *PICTURES, "text/html", "text/markdown", "text/latex", "application/json",
    "text/plain",
)  # fmt: skip


def output_html(output: dict[str, Any], save: SaveFile, to_html: Callable[[str], str]) -> str:
    r"""Return an output as HTML.

    Scripts and style sheets from elsewhere are left out: a page works without a network.

    Args:
        output: as it stands in the file (nbformat 4).
        save: keeps a picture beside the page.
        to_html: makes HTML of Markdown.

    Example:
        >>> output = {"output_type": "stream", "name": "stdout", "text": "1 < 2\n"}
        >>> output_html(output, lambda suffix, data: "", str)
        '<pre class="nb-stream">1 &lt; 2</pre>'
    """
    if output["output_type"] == "stream":
        return _stream(output)
    if output["output_type"] == "error":
        trace = _plain("\n".join(output.get("traceback", []))) or output.get("evalue", "")
        return f'<pre class="nb-error">{html.escape(trace)}</pre>'
    mime, data = _richest(output)
    if mime in PICTURES:
        width = output.get("metadata", {}).get(mime, {}).get("width")
        size = f' width="{width}"' if isinstance(width, int) else ""
        address = save(PICTURES[mime], decoded(data))
        return f'<img alt="Output" loading="lazy" src="{address}"{size}>'
    text = joined(data) if mime != "application/json" else json.dumps(data, indent=1)
    if mime in ("text/html", "image/svg+xml"):
        return _REMOTE.sub("", text)
    is_markdown = mime == "text/markdown"
    return to_html(text) if is_markdown else f'<pre class="nb-result">{_escaped(text)}</pre>'


def _stream(output: dict[str, Any]) -> str:
    text = _escaped(output["text"])
    if output.get("name") != "stderr":
        return f'<pre class="nb-stream">{text}</pre>'
    return f'<details class="nb-stderr"><summary>Messages</summary><pre>{text}</pre></details>'


def output_markdown(output: dict[str, Any], save: SaveFile) -> str:
    """Return an output as Markdown that GitHub and PyPI show; messages are left out."""
    if output["output_type"] == "stream":
        return "" if output.get("name") == "stderr" else _fenced(output["text"])
    if output["output_type"] == "error":
        return _fenced(f"{output.get('ename')}: {output.get('evalue')}")
    mime, data = _richest(output)
    if mime in PICTURES:
        return f"![Output]({save(PICTURES[mime], decoded(data))})"
    if mime == "image/svg+xml":
        return f"![Output]({save('svg', joined(data).encode())})"
    if mime == "text/html":
        return _STYLE.sub("", _REMOTE.sub("", joined(data))).strip()
    return joined(data) if mime == "text/markdown" else _fenced(data)


def _richest(output: dict[str, Any]) -> tuple[str, Any]:
    data = output.get("data", {})
    return next(((mime, data[mime]) for mime in _RICHNESS if mime in data), ("text/plain", ""))


def _fenced(text: Any) -> str:
    return f"```text\n{_plain(joined(text))}\n```" if joined(text).strip() else ""


def _escaped(text: Any) -> str:
    return html.escape(_plain(text))


def _plain(text: Any) -> str:
    """Remove colours, and what a progress bar has written over."""
    lines = _ANSI.sub("", joined(text)).replace("\r\n", "\n").rstrip().split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
