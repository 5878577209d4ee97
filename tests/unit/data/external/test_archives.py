"""Archives: honest ones come out whole, hostile ones not at all."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.data.external.archives import Limits, extract
from lamina.foundation.errors import ArchiveError


def tar(path: Path, *members: tarfile.TarInfo | tuple[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as bundle:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                bundle.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                bundle.addfile(info, io.BytesIO(member[1]))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped(path: Path, members: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
    return path


def nothing_left(folder: Path) -> bool:
    return [p.name for p in folder.iterdir() if not p.is_file()] == []


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_single_top_folder_becomes_the_destination(tmp_path, mode):
    archive = tar(tmp_path / "a", ("pets/images/a.txt", b"A"), ("pets/b.txt", b"B"), mode=mode)
    out = extract(archive, tmp_path / "out")
    assert (out / "images" / "a.txt").read_bytes() == b"A"
    assert (out / "b.txt").read_bytes() == b"B"


def test_several_top_entries_go_into_the_destination(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a.txt": b"A", "d/b.txt": b"B"})
    out = extract(archive, tmp_path / "out")
    assert sorted(p.name for p in out.iterdir()) == ["a.txt", "d"]


def test_the_destination_must_be_new(tmp_path):
    archive = tar(tmp_path / "a.tgz", ("d/a", b"A"))
    with pytest.raises(ArchiveError, match=r"exists already\. Remove it"):
        extract(archive, tmp_path)


def test_links_inside_are_kept(tmp_path):
    archive = tar(
        tmp_path / "a.tgz",
        ("d/a", b"A"),
        special("d/sub/soft", tarfile.SYMTYPE, "../a"),
        special("d/hard", tarfile.LNKTYPE, "d/a"),
    )
    out = extract(archive, tmp_path / "out")
    assert (out / "sub" / "soft").read_bytes() == (out / "hard").read_bytes() == b"A"


def test_set_uid_bits_are_not_taken_over(tmp_path):
    info = tarfile.TarInfo("d/run")
    info.mode = 0o6777
    out = extract(tar(tmp_path / "a.tgz", info), tmp_path / "out")
    assert (out / "run").stat().st_mode & 0o6002 == 0


@pytest.mark.parametrize("name", ["/etc/evil", "../evil", "d/../../evil", "d\\..\\evil", "C:/evil"])
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    archive = tar(tmp_path / "a.tgz", ("d/good", b"x"), (name, b"x"))
    with pytest.raises(ArchiveError, match=r"leaves its folder.*Nothing was unpacked"):
        extract(archive, tmp_path / "out")
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("name", ["/etc/evil", "../evil", "d/../../evil"])
def test_such_names_are_refused_in_zip_files_too(tmp_path, name):
    archive = zipped(tmp_path / "a.zip", {"d/good": b"x", name: b"x"})
    with pytest.raises(ArchiveError, match="leaves its folder"):
        extract(archive, tmp_path / "out")
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "sub/../../../secret"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_out_of_the_folder_are_refused(tmp_path, kind, target):
    archive = tar(tmp_path / "a.tgz", ("d/good", b"x"), special("d/link", kind, target))
    with pytest.raises(ArchiveError, match="leaves its folder"):
        extract(archive, tmp_path / "out")
    assert nothing_left(tmp_path)


def test_a_chain_of_links_out_of_the_folder_is_refused(tmp_path):
    archive = tar(
        tmp_path / "a.tgz",
        ("d/e/good", b"x"),
        special("d/e/up", tarfile.SYMTYPE, "../.."),
        special("out", tarfile.SYMTYPE, "d/e/up/../secret"),
    )
    with pytest.raises(ArchiveError, match="outside its folder"):
        extract(archive, tmp_path / "out")
    assert nothing_left(tmp_path)


def test_no_file_is_written_through_a_link(tmp_path):
    (tmp_path / "victim").mkdir()
    archive = tar(
        tmp_path / "a.tgz",
        special("d/link", tarfile.SYMTYPE, str(tmp_path / "victim")),
        ("d/link/evil", b"x"),
    )
    with pytest.raises(ArchiveError, match="leaves its folder"):
        extract(archive, tmp_path / "out")
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_zip_link_out_of_the_folder_is_refused(tmp_path):
    link = zipfile.ZipInfo("d/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr(link, "/etc/passwd")
    with pytest.raises(ArchiveError, match="leaves its folder"):
        extract(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused(tmp_path, kind):
    archive = tar(tmp_path / "a.tgz", ("d/good", b"x"), special("d/dev", kind))
    with pytest.raises(ArchiveError, match="device, a pipe"):
        extract(archive, tmp_path / "out")
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    "make", [lambda p, c: tar(p, ("d/a", c)), lambda p, c: zipped(p, {"a": c})]
)
def test_a_decompression_bomb_is_refused_by_ratio(
    tmp_path: Path, make: Callable[[Path, bytes], Path]
):
    archive = make(tmp_path / "a", bytes(20_000_000))
    with pytest.raises(ArchiveError, match="more than 200 times its size"):
        extract(archive, tmp_path / "out", limits=Limits(ratio_from=1_000_000))
    assert nothing_left(tmp_path)


def test_what_comes_after_the_last_member_counts_too(tmp_path):
    tar(tmp_path / "a.tar", ("d/a", b"x"), mode="w")
    padded = gzip.compress((tmp_path / "a.tar").read_bytes() + bytes(20_000_000))
    (tmp_path / "a.tgz").write_bytes(padded)
    with pytest.raises(ArchiveError, match="more than 200 times its size"):
        extract(tmp_path / "a.tgz", tmp_path / "out", limits=Limits(ratio_from=1_000_000))
    assert nothing_left(tmp_path)


def test_the_total_size_is_limited(tmp_path):
    archive = tar(tmp_path / "a.tgz", ("d/a", b"x" * 600), ("d/b", b"x" * 600))
    with pytest.raises(ArchiveError, match="more than 1,000 bytes"):
        extract(archive, tmp_path / "out", limits=Limits(max_bytes=1000))


def test_the_number_of_members_is_limited(tmp_path):
    archive = tar(tmp_path / "a.tgz", *[(f"d/{i}", b"") for i in range(11)])
    with pytest.raises(ArchiveError, match="more than 10 members"):
        extract(archive, tmp_path / "out", limits=Limits(max_members=10))


def test_a_header_that_claims_gigabytes_is_refused(tmp_path):
    header = special("d/pax", tarfile.XHDTYPE)
    header.size = 1 << 32
    (tmp_path / "a.tar").write_bytes(header.tobuf() + bytes(4096))
    with pytest.raises(ArchiveError, match="a header claims"):
        extract(tmp_path / "a.tar", tmp_path / "out")


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_truncated_archive_is_refused(tmp_path, mode, kept):
    archive = tar(
        tmp_path / "a", *[(f"d/{i}", bytes(range(256)) * 40) for i in range(9)], mode=mode
    )
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data.rstrip(b"\0")) * kept)])
    with pytest.raises(ArchiveError, match=r"damaged or not a tar or zip archive .*fetch it again"):
        extract(archive, tmp_path / "out")
    assert nothing_left(tmp_path)


def test_a_damaged_zip_is_refused(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a": bytes(range(256)) * 40})
    data = bytearray(archive.read_bytes())
    data[60] ^= 255
    archive.write_bytes(data)
    with pytest.raises(ArchiveError, match="damaged"):
        extract(archive, tmp_path / "out")


def test_an_encrypted_zip_is_refused(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a": b"x"})
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(ArchiveError, match="is encrypted"):
        extract(archive, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\3\4nonsense"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.tgz").write_bytes(content)
    with pytest.raises(ArchiveError, match=r"damaged|is empty"):
        extract(tmp_path / "a.tgz", tmp_path / "out")


def test_a_file_where_a_folder_should_be_is_refused(tmp_path):
    archive = tar(tmp_path / "a.tgz", ("d/a", b"x"), ("d/a/b", b"x"))
    with pytest.raises(ArchiveError, match="damaged"):
        extract(archive, tmp_path / "out")
    assert nothing_left(tmp_path)
