"""A real web server in a thread, which can be told to misbehave."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server(ThreadingHTTPServer):
    """Serves `files`; cuts the first `len(drops)` answers after that many bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.drops: list[int] = []
        self.statuses: list[int] = []
        self.ranges: list[str | None] = []
        self.knows_ranges = True
        self.version: tuple[str, str] | None = None  # the header that names it, and its value

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if self.server.statuses:
            return self.answer(self.server.statuses.pop(0), b"")
        data = self.server.files.get(self.path[1:])
        if data is None:
            return self.answer(404, b"")
        asked = self.headers.get("If-Range")
        is_same = asked is None or self.server.version is None or asked == self.server.version[1]
        if not (wanted and self.server.knows_ranges and is_same):
            return self.answer(200, data)
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(data):
            return self.answer(416, b"", f"bytes */{len(data)}")
        return self.answer(206, data[start:], f"bytes {start}-{len(data) - 1}/{len(data)}")

    def answer(self, status: int, body: bytes, content_range: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.server.version:
            self.send_header(*self.server.version)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        cut = self.server.drops.pop(0) if self.server.drops and body else len(body)
        self.wfile.write(body[:cut])
        if cut < len(body):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def archive() -> bytes:
    """Return a real archive: a folder `birds` with a file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for i in range(20):
            content = hashlib.sha256(str(i).encode()).digest() * 500
            info = tarfile.TarInfo(f"birds/{i}.bin")
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
