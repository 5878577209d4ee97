"""Show the site while it is written: build, serve, build again on every change, reload the page."""

import argparse
import functools
import sys
import webbrowser
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from lamina.foundation.errors import LaminaError, needs
from lamina.notebook.config import Config, load_config
from lamina.notebook.docs.site import build_site

__all__ = ["add_arguments", "preview_site", "run"]

VERSION = "/_version"
_RELOAD = f"""<script>(async () => {{
  const version = async () => (await fetch("{VERSION}")).text();
  const first = await version();
  setInterval(async () => (await version()) === first || location.reload(), 500);
}})()</script>""".encode()


class _Handler(SimpleHTTPRequestHandler):
    """Serves the site; each page asks whether there is a newer version of it."""

    def __init__(self, *args: object, versions: list[str], directory: str) -> None:
        self.versions = versions
        super().__init__(*args, directory=directory)  # type: ignore[arg-type] - as the server gives them

    def do_GET(self) -> None:
        page = Path(self.translate_path(self.path))
        page = page / "index.html" if page.is_dir() else page
        if self.path == VERSION:
            self._send(self.versions[-1].encode(), "text/plain")
        elif page.suffix == ".html" and page.is_file():
            self._send(page.read_bytes().replace(b"</body>", _RELOAD + b"</body>"), "text/html")
        else:
            super().do_GET()

    def _send(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing about requests."""


def preview_site(
    config: Config,
    *,
    port: int = 3000,
    host: str = "127.0.0.1",
    stop: Event | None = None,
    on_ready: Callable[[str], object] = str,
    say: Callable[[str], object] = sys.stdout.write,
) -> None:
    """Build the site, serve it, and build it again on every change, until `stop` is set or Ctrl-C.

    Args:
        config: the settings.
        port: where to listen; 0 takes a free one.
        host: the address to listen on.
        stop: ends the preview.
        on_ready: receives the site's address once it can be opened.
        say: receives a line per build, and what is wrong.

    Raises:
        MissingExtraError: watchfiles, mkdocs-material or griffe is not installed.
    """
    with needs("watchfiles", "notebook"):
        from watchfiles import watch
    with TemporaryDirectory() as folder:
        out, versions = Path(folder, "site"), ["0"]
        _build(config, out, say)
        handler = functools.partial(_Handler, versions=versions, directory=str(out))
        server = ThreadingHTTPServer((host, port), handler)
        Thread(target=server.serve_forever, daemon=True).start()
        on_ready(f"http://{host}:{server.server_port}/")
        places = [path for path in (config.nbs_path, config.lib_path) if path.is_dir()]
        settings = {"yield_on_timeout": True, "rust_timeout": 200, "debounce": 200}
        for changes in watch(*places, stop_event=stop, **settings):
            if changes and _build(config, out, say):
                versions.append(str(len(versions)))
        server.shutdown()
        server.server_close()


def _build(config: Config, out: Path, say: Callable[[str], object]) -> bool:
    try:
        site = build_site(config, out, say=say)
    except LaminaError as error:
        say(f"lamina nb preview: {error}\n")
        return False
    say(f"{site.pages} pages\n")
    for page, link in site.broken:
        say(f"{page}: the link {link} leads nowhere\n")
    return True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb preview`."""
    parser.add_argument("path", nargs="?", default=".", help="the project (default: here)")
    parser.add_argument("--port", type=int, default=3000, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--no-browser", action="store_true", help="open no browser")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb preview`."""

    def show(address: str) -> None:
        sys.stdout.write(f"{address}; Ctrl-C ends it\n")
        if not options.no_browser:
            webbrowser.open(address)

    preview_site(load_config(options.path), port=options.port, host=options.host, on_ready=show)
    return 0
