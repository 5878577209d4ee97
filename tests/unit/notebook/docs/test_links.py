"""Names in texts become links; inventories of other libraries; broken links are found."""

import zlib
from pathlib import Path

import pytest

from lamina.notebook.docs import inventory
from lamina.notebook.docs.docments import read_docments
from lamina.notebook.docs.inventory import load_inventory, parse_inventory, render_inventory
from lamina.notebook.docs.links import Names, broken_links, link_names
from lamina.notebook.docs.markdown import adapt_markdown, rewrite_links
from lamina.notebook.errors import NotebookError

NAMES = Names(
    {
        "pets.core.greet": "api/core.html#greet",
        "pets.core.Count": "api/core.html#Count",
        "pets.core.Count.double": "api/core.html#double",
        "pets.a.twice": "a.html",
        "pets.b.twice": "b.html",
    },
    {"numpy.array": "https://numpy.org/array", "None": "https://docs.python.org/None"},
)


@pytest.mark.parametrize(
    ("name", "found"),
    [("greet", "api/core.html#greet"), ("pets.greet", "api/core.html#greet"),
     ("Count.double", "api/core.html#double"), ("np.array", "https://numpy.org/array"),
     ("twice", None), ("double", None), ("b.twice", "b.html"), ("None", None), ("cat", None)],
)  # fmt: skip
def test_names_are_found_if_they_are_clear(name: str, found: str | None) -> None:
    assert NAMES.find(name) == found


def test_code_in_running_text_is_linked_and_nothing_else() -> None:
    page = "<pre><code>greet</code></pre><h2><code>greet</code></h2><a><code>greet</code></a>"
    assert link_names(page, NAMES, "index.html") == page
    linked = link_names("<p><code>list[Count]</code> <code>cat</code></p>", NAMES, "guides/a.html")
    assert linked == (
        '<p><code>list[<a href="../api/core.html#Count">Count</a>]</code> <code>cat</code></p>'
    )


def test_an_inventory_comes_back_from_its_file() -> None:
    data = render_inventory("pets", {"pets.greet": "api/pets.html#pets.greet"})
    assert parse_inventory(data, "u/") == {"pets.greet": "u/api/pets.html#pets.greet"}


def test_inventories_of_sphinx() -> None:
    body = b"len py:function 1 library/functions.html#$ -\nlabel std:label 1 a.html Some title\n"
    data = b"# Sphinx inventory version 2\n# Project: P\n# zlib.\n" + zlib.compress(body)
    assert parse_inventory(data, "u/") == {"len": "u/library/functions.html#len"}


@pytest.mark.parametrize("data", [b"<html>", b"# Sphinx inventory version 2\n# zlib.\nbroken"])
def test_what_is_no_inventory_is_refused(data: bytes) -> None:
    with pytest.raises(NotebookError, match="u/: is "):
        parse_inventory(data, "u/")


def test_an_inventory_may_lie_in_the_project(tmp_path: Path) -> None:
    (tmp_path / "p.inv").write_bytes(render_inventory("p", {"p.f": "f.html"}))
    assert load_inventory("https://p.org p.inv", tmp_path, print) == {"p.f": "https://p.org/f.html"}
    with pytest.raises(NotebookError, match=r"q\.inv: cannot be read: No such file"):
        load_inventory("https://p.org q.inv", tmp_path, print)


def test_without_a_network_the_cache_is_used_or_a_notice_given(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(inventory, "_cache_folder", lambda: tmp_path)
    said: list[str] = []
    place = "http://127.0.0.1:1/"
    assert load_inventory(place, tmp_path, said.append) == {}
    assert said[0].endswith("its names are not linked.\n")
    cached = tmp_path / f"{inventory.content_hash(place)}.inv"
    cached.write_bytes(render_inventory("p", {"p.f": "f.html"}))
    assert load_inventory(place, tmp_path, said.append) == {"p.f": f"{place}f.html"}
    assert len(said) == 1


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.html").write_text('<p id="here"><a href="#here"><a href="../index.html">')
    links = ["a/b.html#here", "a/b.html#gone", "c.html", "https://example.org", "x.png"]
    (tmp_path / "index.html").write_text("".join(f'<a href="{link}"></a>' for link in links))
    assert list(broken_links(tmp_path)) == [
        ("index.html", "a/b.html#gone"), ("index.html", "c.html"), ("index.html", "x.png"),
    ]  # fmt: skip


def test_comments_behind_parameters() -> None:
    source = """
    @decorated
    def f(
        a: int,  # how many
        b=2, *rest,  # the rest
        c: str = "# no",
    ) -> str:  # the text
        x = 1  # not a parameter
    """
    assert read_docments(source) == {"a": "how many", "rest": "the rest", "return": "the text"}
    assert read_docments("class A:\n    x: int  # the x\n    y = 1  # no") == {"x": "the x"}
    assert read_docments("x = 1") == read_docments("def (") == {}


@pytest.mark.parametrize(
    ("text", "adapted"),
    [("a\n- b\n  c\n  - d", "a\n\n- b\n    c\n    - d"), ("(a,\n2020) b", "(a,\n2020) b"),
     ("1. a\n   - b\n\n   c\n\nd", "1. a\n    - b\n\n    c\n\nd"),
     ("- a\n  ```\n  x\n    - y\n  ```\n- b", "- a\n    ```\n    x\n      - y\n    ```\n- b"),
     ("```\n- a\n  - b\n```", "```\n- a\n  - b\n```")],
)  # fmt: skip
def test_lists_of_common_markdown(text: str, adapted: str) -> None:
    assert adapt_markdown(text) == adapted


def test_links_are_rewritten_outside_of_code() -> None:
    text = '[`a`](x) ![b](x "t")\n```\n[a](x)\n```\n``[a](x)``'
    assert rewrite_links(text, lambda to: to + "!") == (
        '[`a`](x!) ![b](x! "t")\n```\n[a](x)\n```\n``[a](x)``'
    )
