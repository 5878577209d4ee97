"""The whole site: its pages, links, search and reference."""

import base64
import re
from pathlib import Path
from threading import Event, Thread
from urllib.request import urlopen

import pytest

from lamina.notebook.cli import main
from lamina.notebook.docs.preview import preview_site
from lamina.notebook.docs.site import Site, build_site
from lamina.notebook.document import Cell, Notebook, read_notebook, write_notebook
from lamina.notebook.errors import NotebookError
from lamina.notebook.export import export_notebooks

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
CORE = '''#| export
class Count:
    """Counts pets.

    Args:
        start: the first number.

    Example:
        >>> Count(1).next()
        2
    """

    def __init__(self, start: int = 0):
        self.start = start

    def next(self) -> int:
        """Return the next number, as a `Count` would."""
        return self.start + 1
'''
GREET = """#| exports
def greet(
    name: str,  # whom to greet
    times: int | None = 1,  # how often | at most, `1 | 2`
) -> str:  # the greeting
    "Greet, see `os.path.join` and `Count.next`."
    return f"Hello, {name}" * (times or 0)
"""


def fill(project) -> None:
    (project.root / "pyproject.toml").write_text(
        '[project]\nname = "pets"\ndescription = "Tools for pets."\n[tool.lamina.nb]\n'
        'git_url = "https://example.org/pets"\ninventories = ["https://docs.python.org/3 py.inv"]\n'
    )
    from lamina.notebook.docs.inventory import render_inventory

    inventory = render_inventory("py", {"os.path.join": "library/os.path.html#os.path.join"})
    (project.root / "py.inv").write_bytes(inventory)
    project.notebook("00_core.ipynb", "md:# Core\n\n- a\n  - b", "#| default_exp core", CORE, GREET)
    project.notebook(
        "guides/start.ipynb",
        "md:# Start\n\nUse `greet`, `list[Count]` and [core](../00_core.ipynb#Core), "
        "[code](../../pets/core.py).",
        "#| code-fold: true\n#| code-summary: Preparation\nx = 1",
        "greet('Ada')",
        "#| label: pixel\n#| fig-cap: A pixel\nplot()",
    )
    path = project.root / "nbs/guides/start.ipynb"
    notebook = read_notebook(path)
    notebook.cells[2].outputs = [
        {"output_type": "stream", "name": "stdout", "text": "<div>\n\n**not bold**"}
    ]
    data = {"image/png": PIXEL, "text/plain": "<Figure>"}
    notebook.cells[3].outputs = [{"output_type": "display_data", "data": data, "metadata": {}}]
    write_notebook(notebook)
    (project.root / "nbs/notes.md").write_text("# Notes\n\nSee [start](guides/start.ipynb).\n")
    (project.root / "nbs/_draft.md").write_text("# Draft\n\n[gone](nowhere.md)\n")
    (project.root / "README.md").write_text("# Pets\n\n[notes](nbs/notes.md)\n")
    export_notebooks(project.config)


@pytest.fixture(scope="module")
def site(tmp_path_factory, make_project) -> Site:
    project = make_project(tmp_path_factory.mktemp("pets"))
    fill(project)
    return build_site(project.config)


def text(site: Site, page: str) -> str:
    return (site.path / page).read_text("utf-8")


def test_pages_come_from_notebooks_texts_modules_and_the_readme(site: Site) -> None:
    pages = {path.relative_to(site.path).as_posix() for path in site.path.rglob("*.html")}
    assert pages == {
        "404.html", "00_core.html", "api/pets.core.html", "api/pets.html", "guides/start.html",
        "index.html", "notes.html",
    }  # fmt: skip
    assert (site.pages, site.broken) == (7, [])


def test_nothing_comes_from_elsewhere(site: Site) -> None:
    for page in site.path.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="([^"]+)"', page.read_text("utf-8"))
        loaded += re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="([^"]+)"', page.read_text())
        assert not [address for address in loaded if "//" in address]


def test_the_search_works_without_a_server(site: Site) -> None:
    index = text(site, "search/search_index.js")
    assert index.startswith("var __index = {")
    assert "Counts pets" in index
    assert "not bold" not in index
    assert "iframe-worker.js" in text(site, "index.html")


def test_outputs_stand_on_the_page_as_they_are(site: Site) -> None:
    page = text(site, "guides/start.html")
    assert "&lt;div&gt;\n\n**not bold**" in page
    (name,) = re.findall(r'src="(start_files/\w+\.png)"', page)
    assert (site.path / "guides" / name).read_bytes() == base64.b64decode(PIXEL)
    assert '<figure class="nb-figure" id="pixel">' in page
    assert re.search(r'<details class="abstract">\s*<summary>Preparation</summary>', page)


def test_names_and_files_are_linked(site: Site) -> None:
    page = text(site, "guides/start.html")
    assert '<a href="../00_core.html#pets.core.greet"><code>greet</code></a>' in page
    assert 'list[<a href="../00_core.html#pets.core.Count">Count</a>]' in page
    assert 'href="../00_core.html#core"' in page
    assert 'href="https://example.org/pets/blob/main/pets/core.py"' in page
    target = "https://docs.python.org/3/library/os.path.html#os.path.join"
    assert f'<a href="{target}"><code>os.path.join</code></a>' in text(site, "00_core.html")


def test_the_reference_has_signatures_parameters_and_sources(site: Site) -> None:
    for page in (text(site, "00_core.html"), text(site, "api/pets.core.html")):
        plain = re.sub(r"<[^>]+>", "", page)
        assert 'id="pets.core.Count.next"' in page
        assert "class Count(start: int = 0)" in plain
        assert "the first number." in plain
        assert "how often | at most, 1 | 2" in plain
        assert "<td><code>int | None</code></td>" in page
        assert "Returns the greeting" in plain
        assert "&gt;&gt;&gt; Count(1).next()" in plain
        assert re.search(r"https://example\.org/pets/blob/main/pets/core\.py#L\d+-L\d+", page)


def test_exports_shows_the_code_and_export_does_not(site: Site) -> None:
    plain = re.sub(r"<[^>]+>", "", text(site, "00_core.html"))
    assert 'return f"Hello, {name}" * (times or 0)' in plain
    assert "self.start = start" not in plain


def test_broken_links_are_an_error_if_asked_for(project, monkeypatch, capsys) -> None:
    fill(project)
    (project.root / "nbs/notes.md").write_text("# Notes\n\n[gone](gone.md) [no](index.md#no)\n")
    monkeypatch.chdir(project.root)
    assert (main(["docs"]), main(["docs", "--strict"])) == (0, 1)
    told = capsys.readouterr().err
    assert "notes.html: the link gone.md leads nowhere" in told
    assert "notes.html: the link index.html#no leads nowhere" in told


def test_a_folder_that_is_no_site_is_not_replaced(project, tmp_path: Path) -> None:
    fill(project)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    with pytest.raises(NotebookError, match=r"is not replaced\. Empty it, or name another folder"):
        build_site(project.config, tmp_path / "precious")


def test_the_navigation_may_be_written_by_hand(project) -> None:
    fill(project)
    with (project.root / "pyproject.toml").open("a") as file:
        file.write("custom_sidebar = true\n")
    with pytest.raises(NotebookError, match=r"sidebar\.yml: cannot be read"):
        build_site(project.config)
    sidebar = "- Beginning: index.md\n- All guides: guides/\n- More: [notes.md, none/]\n"
    (project.root / "nbs/sidebar.yml").write_text(sidebar)
    page = text(build_site(project.config), "index.html")
    assert [w for w in ("Beginning", "All guides", "More", "Reference") if w in page] == [
        "Beginning", "All guides", "More",
    ]  # fmt: skip


def test_own_functions_change_notebooks(project, monkeypatch) -> None:
    fill(project)
    with (project.root / "pyproject.toml").open("a") as file:
        file.write('doc_procs = ["shouting:shout"]\n')
    with pytest.raises(NotebookError, match="doc_procs names 'shouting:shout': No module named"):
        build_site(project.config)
    code = "def shout(notebook):\n    notebook.cells[0].source = notebook.cells[0].source.upper()\n"
    (project.root / "shouting.py").write_text(code)
    monkeypatch.syspath_prepend(str(project.root))
    assert "NOTES</h1>" in re.sub(r"<a.*?</a>", "", text(build_site(project.config), "notes.html"))


@pytest.mark.slow
def test_cells_are_run_where_that_is_asked_for(project) -> None:
    project.notebook("a.ipynb", "x = 20", "#| exec_doc\nprint(x + 22)")
    page = text(build_site(project.config), "a.html")
    assert '<pre class="nb-stream">42</pre>' in page


def test_the_preview_builds_again_on_a_change(project) -> None:
    fill(project)
    stop, ready, said = Event(), Event(), []
    addresses: list[str] = []

    def show(address: str) -> None:
        addresses.append(address)
        ready.set()

    settings = {"port": 0, "stop": stop, "on_ready": show, "say": said.append}
    thread = Thread(target=preview_site, args=(project.config,), kwargs=settings)
    thread.start()
    try:
        assert ready.wait(20)
        read = lambda page: urlopen(addresses[0] + page, timeout=10).read().decode()  # noqa: E731
        assert "location.reload()" in read("notes.html")
        assert read("_version") == "0"
        for _ in range(40):
            (project.root / "nbs/notes.md").write_text("# Other notes\n")
            if read("_version") != "0" or stop.wait(0.25):
                break
        assert "Other notes" in read("notes.html")
    finally:
        stop.set()
        thread.join(20)


def test_markdown_notebooks_and_hidden_notebooks(project) -> None:
    text_notebook = "---\njupyter:\n  jupytext: {}\n---\n# Plain\n\n```python\nx = 1\n```\n"
    project.notebook("_hidden.ipynb", "x = 1")
    (project.root / "nbs/plain.md").write_text(text_notebook)
    write_notebook(
        Notebook([Cell("a", "raw", "---\ntitle: Named\n---")]), project.root / "nbs/b.ipynb"
    )
    site = build_site(project.config)
    assert "jupyter" not in text(site, "plain.html")
    assert "Tools" not in text(site, "index.html")
    assert not (site.path / "_hidden.html").exists()
