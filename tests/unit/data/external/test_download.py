"""Downloads: whole and right, or a clear error; resumed, checked and locked."""

import hashlib
import multiprocessing
import shutil
from pathlib import Path

import pytest

from lamina.data.external.download import Expected, download
from lamina.foundation.errors import DownloadError

CONTENT = bytes(range(256)) * 4000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def url(server):
    server.files["a.bin"] = CONTENT
    return server.url("a.bin")


def test_a_file_arrives_whole_and_leaves_no_part(url, tmp_path):
    got = download(url, tmp_path / "a.bin", expected=Expected(len(CONTENT), sha256(CONTENT)))
    assert got.read_bytes() == CONTENT
    assert not (tmp_path / "a.bin.part").exists()


def test_a_file_that_is_there_is_not_fetched_again(server, url, tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT)
    download(url, tmp_path / "a.bin", expected=Expected(sha256=sha256(CONTENT)))
    assert server.ranges == []


def test_a_damaged_file_is_fetched_again(url, tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT[:-1])
    got = download(url, tmp_path / "a.bin", expected=Expected(size=len(CONTENT)))
    assert got.read_bytes() == CONTENT


def test_force_fetches_again(server, url, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    assert download(url, tmp_path / "a.bin", force=True).read_bytes() == CONTENT


def test_a_dropped_transfer_goes_on_where_it_stopped(server, url, tmp_path):
    server.drops = [300_000, 300_000]
    got = download(url, tmp_path / "a.bin", expected=Expected(sha256=sha256(CONTENT)), wait_s=0)
    assert got.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=600000-"]


def test_a_part_of_an_earlier_run_is_used(server, url, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    assert download(url, tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-"]


def test_a_complete_part_is_accepted(server, url, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert download(url, tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(url, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"x")
    assert download(url, tmp_path / "a.bin", wait_s=0).read_bytes() == CONTENT


def test_a_part_of_another_version_is_thrown_away(server, url, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    got = download(url, tmp_path / "a.bin", expected=Expected(sha256=sha256(CONTENT)))
    assert got.read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]


@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_a_file_that_changed_between_two_tries_is_not_spliced(server, url, tmp_path, header):
    server.version, server.drops = (header, '"one"'), [300_000]
    with pytest.raises(DownloadError, match="closed after 300,000 bytes"):
        download(url, tmp_path / "a.bin", retries=0)
    server.version, server.files["a.bin"] = (header, '"two"'), CONTENT[::-1]
    assert download(url, tmp_path / "a.bin").read_bytes() == CONTENT[::-1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.bin", "a.bin.lock"]


@pytest.mark.parametrize("tag", ['"one"', 'W/"one"'])
def test_a_file_that_did_not_change_goes_on_where_it_stopped(server, url, tmp_path, tag):
    server.version, server.drops = ("ETag", tag), [300_000]
    assert download(url, tmp_path / "a.bin", wait_s=0).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-"]


def test_a_server_without_ranges_sends_everything_again(server, url, tmp_path):
    server.knows_ranges = False
    server.drops = [300_000]
    assert download(url, tmp_path / "a.bin", wait_s=0).read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server, url, tmp_path):
    server.statuses = [503, 429]
    assert download(url, tmp_path / "a.bin", wait_s=0).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (Expected(size=5), "it has 1,024,000 bytes, expected 5"),
        (Expected(sha256="0" * 64), "its sha256 is [0-9a-f]{64}, expected 0{64}"),
        (Expected(md5="0" * 32), "its md5 is [0-9a-f]{32}, expected 0{32}"),
    ],
)
def test_a_wrong_file_is_refused_and_not_kept(url, tmp_path, expected, message):
    with pytest.raises(DownloadError, match=f"not the file expected: {message}.*was not kept"):
        download(url, tmp_path / "a.bin", expected=expected)
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin.lock"]


def test_a_missing_file_is_an_error_at_once(server, tmp_path):
    with pytest.raises(DownloadError, match=r"answered 404 Not Found. Check the address"):
        download(server.url("b.bin"), tmp_path / "b.bin")
    assert len(server.ranges) == 1


def test_without_a_network_the_message_says_where_to_put_the_file(server, tmp_path):
    dest = tmp_path / "a.bin"
    url = "http://127.0.0.1:1/a.bin"
    with pytest.raises(DownloadError, match=f"Without a network.*size 7.*at {dest}") as error:
        download(url, dest, expected=Expected(size=7), retries=1, wait_s=0)
    assert url in str(error.value)


def test_a_transfer_that_always_drops_keeps_what_came(server, url, tmp_path):
    server.drops = [1000, 1000]
    with pytest.raises(DownloadError, match="closed after 2,000 bytes"):
        download(url, tmp_path / "a.bin", retries=1, wait_s=0)
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:2000]


def test_only_web_addresses_are_fetched(tmp_path):
    with pytest.raises(DownloadError, match="Give an http or https address"):
        download("file:///etc/passwd", tmp_path / "a")


def _fetch(url: str, dest: Path) -> None:
    download(url, dest, expected=Expected(sha256=sha256(CONTENT)))


def test_two_processes_fetch_once(server, url, tmp_path):
    context = multiprocessing.get_context("fork")
    dest = tmp_path / "a.bin"
    workers = [context.Process(target=_fetch, args=(url, dest)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert dest.read_bytes() == CONTENT
    assert len(server.ranges) == 1


# Mirrors and offline


def test_mirrors_are_asked_in_order_when_the_first_address_fails(server, url, tmp_path):
    server.files["damaged.bin"] = CONTENT[:-1] + b"x"
    got = download(
        server.url("gone.bin"),
        tmp_path / "a.bin",
        expected=Expected(sha256=sha256(CONTENT)),
        mirrors=[server.url("damaged.bin"), url],
    )
    assert got.read_bytes() == CONTENT


def test_when_all_addresses_fail_each_is_named(server, tmp_path):
    with pytest.raises(DownloadError, match=r"(?s)none of 2 addresses.*a\.bin.*404.*b\.bin.*404"):
        download(server.url("a.bin"), tmp_path / "a.bin", mirrors=[server.url("b.bin")])


def test_mirrors_of_the_environment_come_first(server, tmp_path, monkeypatch):
    server.files["mirror/sets/a.bin"] = CONTENT
    monkeypatch.setenv("LAMINA_MIRRORS", f"{server.url('nothing')}, {server.url('mirror/')}")
    url = "http://127.0.0.1:1/sets/a.bin"
    assert download(url, tmp_path / "a.bin").read_bytes() == CONTENT


def test_offline_nothing_is_fetched_and_the_message_says_where_to_put_the_file(
    server, url, tmp_path, monkeypatch
):
    monkeypatch.setenv("LAMINA_OFFLINE", "1")
    dest = tmp_path / "a.bin"
    message = rf"LAMINA_OFFLINE is set.* Put the file \(size 7\) at {dest} and call again"
    with pytest.raises(DownloadError, match=message):
        download(url, dest, expected=Expected(size=7))
    dest.write_bytes(b"wrong")
    with pytest.raises(DownloadError, match="is another one: it has 5 bytes, expected 7"):
        download(url, dest, expected=Expected(size=7))
    dest.write_bytes(b"correct")
    assert download(url, dest, expected=Expected(size=7)) == dest
    assert server.ranges == []


@pytest.mark.parametrize("value", ["0", ""])
def test_offline_can_be_switched_off(url, tmp_path, monkeypatch, value):
    monkeypatch.setenv("LAMINA_OFFLINE", value)
    assert download(url, tmp_path / "a.bin").exists()


# A full disk


def test_what_will_not_fit_is_not_begun(url, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"1,024,000 bytes are to come.*only 1,000 free\. Make"):
        download(url, tmp_path / "a.bin")
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin.lock"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_on_the_way_is_named(url, tmp_path):
    (tmp_path / "a.bin.part").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match=rf"the disk of {tmp_path} is full\. Make room, or set"):
        download(url, tmp_path / "a.bin")


# Progress


def test_a_long_transfer_shows_a_bar(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LAMINA_PROGRESS", "plain")
    monkeypatch.setattr("lamina.foundation.progress.PlainDisplay.refresh_s", 0.0)
    server.files["long.bin"] = bytes(5_000_000)
    download(server.url("long.bin"), tmp_path / "long.bin")
    assert "Fetching long.bin" in "".join(capsys.readouterr())
