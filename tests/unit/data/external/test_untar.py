"""`untar_data`: local folder, bundled sample, cache, network, in this order."""

import hashlib
import json
import logging
import multiprocessing

import pytest

from lamina.data.external import untar as module
from lamina.data.external.untar import prefetch_data, sample_file, samples, untar_data
from lamina.data.external.urls import ALIKE, Source, URLs, home
from lamina.foundation.errors import ArchiveError, DownloadError, UnknownNameError


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    monkeypatch.setenv("LAMINA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LAMINA_SAMPLES", raising=False)
    monkeypatch.delenv("LAMINA_FULL_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    module._tell.cache_clear()


@pytest.fixture
def birds(server, archive):
    server.files["birds.tgz"] = archive
    return Source(server.url("birds.tgz"), md5=hashlib.md5(archive).hexdigest())


@pytest.fixture
def bundled(monkeypatch, tmp_path, archive):
    """Bundle the archive as sample `birds`, which stands in for a set that cannot be reached."""
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / "birds.tgz").write_bytes(archive)
    sha256 = hashlib.sha256(archive).hexdigest()
    facts = {"file": "birds.tgz", "size": len(archive), "sha256": sha256, "licence": "CC0"}
    (folder / "index.json").write_text(json.dumps({"birds": facts}))
    monkeypatch.setenv("LAMINA_SAMPLES", str(folder))
    return Source("http://127.0.0.1:1/all-birds.tgz", md5="0" * 32, sample="birds")


def test_a_set_is_fetched_and_unpacked_once(server, birds):
    path = untar_data(birds)
    assert path == home() / "data" / "birds"
    assert len(list(path.iterdir())) == 20
    assert untar_data(birds) == path
    assert len(server.ranges) == 1


def test_the_folders_can_be_chosen(birds, tmp_path):
    path = untar_data(birds, archive=tmp_path / "a", data=tmp_path / "d")
    assert path == tmp_path / "d" / "birds"
    assert (tmp_path / "a" / "birds.tgz").is_file()
    assert untar_data(birds, base=tmp_path / "b") == tmp_path / "b" / "data" / "birds"


def test_an_archive_put_there_by_hand_is_used(server, birds, archive):
    (home() / "archive").mkdir(parents=True)
    (home() / "archive" / "birds.tgz").write_bytes(archive)
    untar_data(birds)
    assert server.ranges == []


def test_force_download_replaces_everything(server, birds):
    (untar_data(birds) / "mine.txt").write_text("x")
    assert not (untar_data(birds, force_download=True) / "mine.txt").exists()
    assert len(server.ranges) == 2


def test_a_wrong_checksum_leaves_nothing_behind(server, birds):
    server.files["birds.tgz"] += b"x"
    with pytest.raises(DownloadError, match="its md5 is"):
        untar_data(birds)
    assert not (home() / "data" / "birds").exists()


def test_a_truncated_archive_leaves_nothing_behind(server, archive):
    server.files["cut.tgz"] = archive[: len(archive) // 2]
    with pytest.raises(ArchiveError, match="is damaged"):
        untar_data(server.url("cut.tgz"))
    assert not (home() / "data" / "cut").exists()


def test_a_local_folder_comes_first(birds, tmp_path):
    (tmp_path / "data" / "birds").mkdir(parents=True)
    assert untar_data(birds).resolve() == tmp_path / "data" / "birds"


def test_a_bundled_sample_stands_in_and_says_so(bundled, caplog):
    with caplog.at_level(logging.WARNING, "lamina.data"):
        path = untar_data(bundled)
        untar_data(bundled)
    assert path.name == "birds"
    assert len(list(path.iterdir())) == 20
    (record,) = caplog.records
    assert record.message == (
        "all-birds.tgz: using the bundled sample 'birds', a subset of the same layout. "
        "Pass full=True or set LAMINA_FULL_DATA=1 for the full set."
    )


def test_the_full_set_can_be_insisted_on(bundled, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda s: None)
    with pytest.raises(DownloadError, match="could not fetch"):
        untar_data(bundled, full=True)
    monkeypatch.setenv("LAMINA_FULL_DATA", "1")
    with pytest.raises(DownloadError, match="could not fetch"):
        untar_data(bundled)


def test_a_damaged_sample_is_refused(bundled, tmp_path):
    with (tmp_path / "samples" / "birds.tgz").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DownloadError, match=r"cannot be used: it has .* Restore it"):
        untar_data(bundled)


def test_an_unknown_name_is_refused_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'PETS'"):
        untar_data("PETTS")


def test_a_sample_that_is_not_here_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("LAMINA_SAMPLES", str(tmp_path))
    with pytest.raises(DownloadError, match="Set LAMINA_SAMPLES"):
        untar_data(URLs.TITANIC)


def test_two_processes_unpack_once(server, birds):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=untar_data, args=(birds,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(server.ranges) == 1


@pytest.mark.parametrize("name", ["ADULT_SAMPLE", "PETS"])
def test_what_cannot_be_had_names_the_bundled_sample_of_the_same_data(name, monkeypatch):
    monkeypatch.setenv("LAMINA_OFFLINE", "1")
    with pytest.raises(DownloadError, match="LAMINA_OFFLINE is set") as caught:
        untar_data(name, full=True)
    like = {"ADULT_SAMPLE": "ADULT", "PETS": "OXFORD_PETS"}[name]
    note = f"Lamina brings a sample of these data: untar_data(URLs.{like})"
    assert caught.value.__notes__ == [note]


def test_data_without_a_bundled_sample_get_no_such_note(birds, monkeypatch):
    monkeypatch.setenv("LAMINA_OFFLINE", "1")
    with pytest.raises(DownloadError) as caught:
        untar_data(birds)
    assert not hasattr(caught.value, "__notes__")
    assert all(untar_data(name).is_dir() for name in ALIKE.values())


def test_the_names_of_the_bundled_samples_exist():
    bundled = {s.sample for s in map(URLs.__dict__.get, URLs.names()) if s.sample}
    assert bundled <= set(samples())


def test_mnist_tiny_is_served_without_a_network():
    path = untar_data(URLs.MNIST_TINY)
    assert sorted(p.name for p in path.iterdir()) == ["train", "valid"]
    assert len(list(path.rglob("*.png"))) == 1400


def test_weights_are_served_as_checked_files():
    assert sample_file("squeezenet1_1-imagenet").suffix == ".safetensors"
    with pytest.raises(UnknownNameError, match="squeezenet1_1-imagenet"):
        sample_file("squeezenet-imagenet")


def test_an_archive_that_changed_since_it_was_first_fetched_is_refused(server, archive):
    server.files["birds.tgz"] = archive
    url = server.url("birds.tgz")
    path = untar_data(url)
    (path / "mine.txt").write_text("x")
    server.files["birds.tgz"] += b"changed"
    message = r"as when it was first fetched\. If a new version.*remove its line from .*pins\.json"
    with pytest.raises(DownloadError, match=message):
        untar_data(url, force_download=True)
    assert (path / "mine.txt").exists()
    (home() / "archive" / "pins.json").unlink()
    with pytest.raises(ArchiveError):  # the new version itself is no archive
        untar_data(url, force_download=True)


def test_a_damaged_archive_does_not_cost_the_data_that_are_there(server, archive):
    server.files["birds.tgz"] = archive
    path = untar_data(server.url("birds.tgz"))
    (home() / "archive" / "pins.json").unlink()
    server.files["birds.tgz"] = archive[:99]
    with pytest.raises(ArchiveError, match="is damaged"):
        untar_data(server.url("birds.tgz"), force_download=True)
    assert len(list(path.iterdir())) == 20
    assert [p.name for p in path.parent.iterdir() if p.is_dir()] == ["birds"]


def test_what_cannot_be_unpacked_is_not_pinned(server, archive):
    server.files["birds.tgz"] = archive[:99]
    with pytest.raises(ArchiveError, match=r"Delete it and fetch it again"):
        untar_data(server.url("birds.tgz"))
    (home() / "archive" / "birds.tgz").unlink()
    server.files["birds.tgz"] = archive
    assert untar_data(server.url("birds.tgz")).is_dir()


@pytest.mark.parametrize("name", ["birds", "MNIST_TINY"])
def test_a_home_that_cannot_be_written_to_is_named(birds, monkeypatch, tmp_path, name):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LAMINA_HOME", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match=r"cannot write into .*file.*\. Set LAMINA_HOME to"):
        untar_data(birds if name == "birds" else name)


def test_the_pin_holds_the_sha256_beside_a_public_md5(birds, archive):
    untar_data(birds)
    pins = json.loads((home() / "archive" / "pins.json").read_text())
    assert pins == {str(birds): hashlib.sha256(archive).hexdigest()}


def test_a_published_sha256_needs_no_pin(server, birds, archive):
    untar_data(Source(str(birds), sha256=hashlib.sha256(archive).hexdigest()))
    assert not (home() / "archive" / "pins.json").exists()


def test_damaged_pins_are_not_taken_for_none(birds):
    (home() / "archive").mkdir(parents=True)
    (home() / "archive" / "pins.json").write_text("{")
    with pytest.raises(DownloadError, match=r"pins\.json.* is damaged\. Restore it, or delete it"):
        untar_data(birds)


def test_a_source_may_have_mirrors(server, birds):
    moved = Source(server.url("gone/birds.tgz"), md5=birds.md5, mirrors=[str(birds)])
    assert len(list(untar_data(moved).iterdir())) == 20


def test_offline_an_archive_put_there_by_hand_is_used(birds, archive, monkeypatch):
    monkeypatch.setenv("LAMINA_OFFLINE", "1")
    wanted = home() / "archive" / "birds.tgz"
    with pytest.raises(DownloadError, match=f"Put the file .md5 {birds.md5}. at {wanted}"):
        untar_data(birds)
    wanted.write_bytes(archive)
    assert len(list(untar_data(birds).iterdir())) == 20


def _unpack_with_little_room(url: Source) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    with pytest.raises(
        ArchiveError, match=r"does not fit on the disk of .*data\. Make room, or set"
    ):
        untar_data(url)


def test_an_archive_that_does_not_fit_leaves_nothing_behind(birds, archive):
    (home() / "archive").mkdir(parents=True)
    (home() / "archive" / "birds.tgz").write_bytes(archive)
    worker = multiprocessing.get_context("fork").Process(
        target=_unpack_with_little_room, args=(birds,)
    )
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert [p.name for p in (home() / "data").iterdir()] == ["birds.lock"]


def test_weights_have_a_folder_of_their_own(birds, tmp_path):
    assert untar_data(birds, c_key="model") == home() / "models" / "birds"
    (tmp_path / "models" / "birds").mkdir(parents=True)
    assert untar_data(birds, c_key="model").resolve() == tmp_path / "models" / "birds"
    with pytest.raises(UnknownNameError, match="Did you mean 'model'"):
        untar_data(birds, c_key="models")


def test_the_place_of_a_set_is_known_before_it_is_there(birds):
    assert URLs.path(birds) == home() / "archive" / "birds.tgz"
    assert URLs.path(birds, "model") == home() / "models" / "birds"
    assert untar_data(birds) == URLs.path(birds, "data")
    assert URLs.path(birds).is_file()
    with pytest.raises(UnknownNameError, match=r"URLs\.path: unknown c_key 'dat'.* mean 'data'"):
        URLs.path(birds, "dat")


def test_sets_that_a_notebook_names_are_fetched_ahead(tmp_path, birds):
    cell = {"source": ["untar_data(URLs.MNIST_TINY) # URLs.names(), URLs.MNIST_TINY\n"]}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell]}))
    names = [folder.name for folder in prefetch_data(tmp_path / "a.ipynb", birds)]
    assert names == ["mnist_tiny", "birds"]
