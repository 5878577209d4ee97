"""Tools for folders of pictures, against real files and a real web server."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from lamina.vision.tools import download_images, resize_images, verify_image, verify_images


def encoded(size=(8, 6), kind: str = "JPEG", **options) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, "red").save(file, kind, **options)
    return file.getvalue()


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as im:
        return im.size


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures, one of them in a folder of its own, and one that is broken."""
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "large.jpg").write_bytes(encoded((200, 100)))
    (source / "small.png").write_bytes(encoded((20, 10), "PNG"))
    (source / "deep" / "tall.png").write_bytes(encoded((50, 300), "PNG"))
    (source / "broken.jpg").write_bytes(encoded((200, 100))[:400])
    return source


@pytest.fixture
def address():
    """The address of a server that has pictures, a page, and a file that is too long."""
    files = {
        "/a.jpg": encoded(),
        "/b": encoded(kind="PNG"),
        "/page.jpg": b"<html>Not here</html>",
        "/long.jpg": encoded() + bytes(5000),
        "/other/a.jpg": encoded((3, 3)),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            data = files.get(self.path)
            self.send_response(404 if data is None else 200)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_broken_pictures_are_found_with_the_reason(folder: Path, photos: Path):
    (folder / "text.jpg").write_text("no picture")
    failed = verify_images([*sorted(folder.glob("*.*")), *photos.glob("*.jpg"), folder / "gone"])
    assert [path.name for path in failed] == ["broken.jpg", "text.jpg", "gone"]
    assert "truncated" in failed.reasons[folder / "broken.jpg"].lower()
    assert failed.reasons[folder / "text.jpg"] == "no known image format"
    assert "No such file" in failed.reasons[folder / "gone"]


def test_the_bad_ones_can_be_removed_in_one_line(folder: Path):
    verify_images(folder.glob("*.jpg")).map(Path.unlink)
    assert not (folder / "broken.jpg").exists()
    assert verify_image(folder / "large.jpg") is None


def test_pictures_are_made_smaller_and_never_larger(folder: Path, tmp_path: Path):
    failed = resize_images(folder, 100, tmp_path / "out", recurse=True)
    sizes = {f.name: size_of(f) for f in (tmp_path / "out").rglob("*.*")}
    assert sizes == {"large.jpg": (100, 50), "small.png": (20, 10), "tall.png": (17, 100)}
    assert (tmp_path / "out" / "small.png").read_bytes() == (folder / "small.png").read_bytes()
    assert [f.name for f in failed] == ["broken.jpg"]


def test_files_that_are_there_are_left_out_on_resume(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "large.jpg").write_bytes(b"mine")
    resize_images(folder, 100, out, resume=True)
    assert (out / "large.jpg").read_bytes() == b"mine"
    assert (out / "small.png").exists()
    assert not (out / "tall.png").exists()
    resize_images(folder, 100, out)
    assert size_of(out / "large.jpg") == (100, 50)


def test_a_folder_can_be_treated_in_place(folder: Path):
    resize_images(folder, 50, folder)
    assert size_of(folder / "large.jpg") == (50, 25)
    assert size_of(folder / "small.png") == (20, 10)


def test_a_picture_is_turned_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(encoded((200, 100), exif=exif))
    resize_images(tmp_path, 100, tmp_path / "out")
    assert size_of(tmp_path / "out" / "a.jpg") == (50, 100)


def test_pictures_are_fetched_and_failures_reported(address: str, tmp_path: Path):
    names = ["/a.jpg", "/b", "/page.jpg", "/long.jpg", "/gone.jpg"]
    urls = [*(address + n for n in names), "file:///etc/hosts", "http://127.0.0.1:1/x.jpg"]
    failed = download_images(tmp_path, urls, max_bytes=4000, timeout=5)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["00000000.jpg", "00000001.png"]
    assert size_of(tmp_path / "00000000.jpg") == (8, 6)
    assert list(failed) == urls[2:]
    expected = ["no known image", "more than 4,000", "404", "no http", "refused"]
    for reason, part in zip(failed.reasons.values(), expected, strict=True):
        assert part in reason


def test_addresses_from_a_file_keep_their_names(address: str, tmp_path: Path):
    (tmp_path / "urls.txt").write_text(f"{address}/a.jpg\n{address}/other/a.jpg\n{address}/b\n")
    failed = download_images(
        tmp_path / "out", tmp_path / "urls.txt", preserve_filename=True, max_pics=2
    )
    assert not failed
    sizes = {f.name: size_of(f) for f in (tmp_path / "out").iterdir()}
    assert sizes == {"a.jpg": (8, 6), "00000001.jpg": (3, 3)}
