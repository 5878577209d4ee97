import pytest

from lamina.foundation.paths import atomic_write, find_files, ls, write_text


@pytest.fixture
def folder(tmp_path):
    for name in ["b.JPG", "a.txt", "sub/c.png", "sub/deep/d.txt", ".git/e.txt", "sub/.hidden.png"]:
        write_text(tmp_path / name, name)
    return tmp_path


def names(files, folder):
    return [f.relative_to(folder).as_posix() for f in files]


class TestLs:
    def test_is_sorted_and_complete(self, folder):
        assert names(ls(folder), folder) == [".git", "a.txt", "b.JPG", "sub"]
        assert names(ls(folder, 2), folder) == [".git", "a.txt"]

    def test_by_type_and_extension(self, folder):
        assert names(ls(folder, file_type="image"), folder) == ["b.JPG"]
        assert names(ls(folder, file_exts=[".TXT"]), folder) == ["a.txt"]


class TestFindFiles:
    def test_walks_in_a_fixed_order_without_hidden_ones(self, folder):
        expected = ["a.txt", "b.JPG", "sub/c.png", "sub/deep/d.txt"]
        assert names(find_files(folder), folder) == expected

    def test_filters(self, folder):
        assert names(find_files(folder, file_type="image"), folder) == ["b.JPG", "sub/c.png"]
        assert names(find_files(folder, file_exts=".txt", recursive=False), folder) == ["a.txt"]
        assert len(find_files(folder, skip_hidden=False)) == 6

    def test_links_are_followed_once(self, folder):
        (folder / "sub" / "up").symlink_to(folder)
        (folder / "other").symlink_to(folder / "sub")
        assert len(find_files(folder)) == 4
        assert len(find_files(folder, follow_links=True)) == 4

    def test_one_file_and_none(self, folder):
        assert find_files(folder / "a.txt") == [folder / "a.txt"]
        assert find_files(folder / "a.txt", file_exts=".png") == []
        with pytest.raises(FileNotFoundError, match="there is nothing at"):
            find_files(folder / "missing")


def test_write_text_makes_folders(tmp_path):
    path = write_text(tmp_path / "a" / "b.txt", "\u00e4")
    assert path.read_text(encoding="utf8") == "\u00e4"


class TestAtomicWrite:
    def test_the_file_appears_whole_at_the_end(self, tmp_path):
        path = tmp_path / "new" / "w.npy"
        with atomic_write(path) as temporary:
            temporary.write_bytes(b"new")
            assert not path.exists()
            assert temporary.suffix == ".npy"
        assert path.read_bytes() == b"new"
        assert list(ls(path.parent)) == [path]

    def test_an_error_leaves_the_old_file(self, tmp_path):
        path = write_text(tmp_path / "w", "old")

        def write_half():
            with atomic_write(path) as temporary:
                temporary.write_text("half")
                raise KeyError

        with pytest.raises(KeyError):
            write_half()
        assert path.read_text() == "old"
        assert list(ls(tmp_path)) == [path]
