"""The bundled samples are what their index says, and each has its licence on the page."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
INDEX = json.loads((SAMPLES / "index.json").read_text("utf-8"))


@pytest.mark.parametrize("name", INDEX)
def test_size_and_checksum(name: str):
    content = (SAMPLES / INDEX[name]["file"]).read_bytes()
    assert len(content) == INDEX[name]["size"]
    assert hashlib.sha256(content).hexdigest() == INDEX[name]["sha256"]


def test_every_file_is_in_the_index():
    beside = {"README.md", "NOTICES.txt", "index.json"}
    assert {p.name for p in SAMPLES.iterdir()} - beside == {e["file"] for e in INDEX.values()}


@pytest.mark.parametrize("name", INDEX)
def test_the_page_names_licence_and_checksum(name: str):
    section = (SAMPLES / "README.md").read_text("utf-8").partition(f"## `{name}`\n")[2]
    section = section.partition("\n## ")[0]
    assert f"- **Licence**: {INDEX[name]['licence']}" in section
    assert INDEX[name]["sha256"] in section


@pytest.mark.parametrize("name", [n for n in INDEX if INDEX[n]["file"].endswith(".tgz")])
def test_an_archive_has_one_top_folder_with_its_name(name: str):
    with tarfile.open(SAMPLES / INDEX[name]["file"]) as tar:
        members = tar.getmembers()
    assert {m.name.partition("/")[0] for m in members} == {name}
    assert all(m.isfile() for m in members)


def test_the_whole_stays_small():
    assert sum(e["size"] for e in INDEX.values()) < 55_000_000
