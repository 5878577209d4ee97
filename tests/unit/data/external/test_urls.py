"""The table of known data sets."""

import re
from pathlib import Path

import pytest

from lamina.data.external.urls import URLs, find_source, home
from lamina.foundation.errors import UnknownNameError

ALL = {name: getattr(URLs, name) for name in URLs.names()}


def test_every_address_is_fetched_over_https_or_bundled():
    assert {s.partition(":")[0] for s in ALL.values()} == {"https", "sample"}


def test_every_known_checksum_is_an_md5():
    checksums = [s.md5 for s in ALL.values() if s.md5]
    assert len(checksums) == 54
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in checksums)


@pytest.mark.parametrize("name", ALL)
def test_every_set_is_found_by_name_and_by_address(name):
    assert find_source(name) == ALL[name]
    assert find_source(str(ALL[name])).md5 == ALL[name].md5


def test_a_bundled_sample_is_found_by_its_own_name():
    assert find_source("bccd") == URLs.BCCD


def test_an_unknown_name_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'CAMVID'"):
        find_source("CAMVD")


@pytest.mark.parametrize("address", ["https://example.org/", "https://example.org/a/..", 3])
def test_what_names_no_file_is_refused(address):
    with pytest.raises(UnknownNameError, match=f"unknown data set '{address}'"):
        find_source(address)


def test_the_users_folder_may_be_written_short(monkeypatch):
    monkeypatch.setenv("LAMINA_HOME", "~/data")
    assert home() == Path.home() / "data"


def test_an_unknown_address_is_taken_as_it_is():
    source = find_source("https://example.org/a/birds.tar.gz?x=1")
    assert (source.file, source.stem, source.md5) == ("birds.tar.gz", "birds", None)
