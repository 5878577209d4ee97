"""Getting files and parts of items."""

from pathlib import Path

import pytest

from lamina.data.get import (
    AttrGetter,
    FileGetter,
    ImageGetter,
    ItemGetter,
    get_files,
    get_image_files,
    get_text_files,
)
from lamina.foundation.collections import L
from lamina.foundation.errors import DataError, ItemError

FILES = ["b.png", "a.PNG", "notes.txt", ".hidden.png", "train/1.jpg", "train/deep/2.jpg"]
FILES += ["valid/3.jpg", ".git/4.jpg"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(root: Path, files: L) -> list[str]:
    return [path.relative_to(root).as_posix() for path in files]


def test_all_files_sorted_without_hidden_ones(root):
    found = get_files(root)
    assert isinstance(found, L)
    expected = ["a.PNG", "b.png", "notes.txt", "train/1.jpg", "train/deep/2.jpg", "valid/3.jpg"]
    assert names(root, found) == expected


def test_extensions_in_any_case(root):
    assert names(root, get_files(root, ".png")) == ["a.PNG", "b.png"]
    assert names(root, get_files(root, [".PNG", ".txt"])) == ["a.PNG", "b.png", "notes.txt"]


def test_only_the_folder_itself(root):
    assert names(root, get_files(root, recurse=False)) == ["a.PNG", "b.png", "notes.txt"]


def test_folders_restrict_the_first_level(root):
    assert names(root, get_files(root, folders="train")) == ["train/1.jpg", "train/deep/2.jpg"]
    assert names(root, get_files(root, folders=["train"], recurse=False)) == ["train/1.jpg"]
    assert names(root, get_files(root, ".png", folders=[".", "train"])) == ["a.PNG", "b.png"]


def test_a_link_upwards_ends(root):
    (root / "train" / "loop").symlink_to(root, target_is_directory=True)
    assert len(get_files(root)) == 6


def test_links_to_elsewhere_are_followed_on_request(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "x.jpg").touch()
    (root / "more").symlink_to(other, target_is_directory=True)
    assert "more/x.jpg" in names(root, get_files(root))
    assert "more/x.jpg" not in names(root, get_files(root, followlinks=False))


def test_images_and_texts(root):
    assert len(get_image_files(root)) == 5
    assert names(root, get_text_files(root)) == ["notes.txt"]


def test_getters_keep_their_options(root):
    assert names(root, ImageGetter("train", recurse=False)(root)) == ["train/1.jpg"]
    assert names(root, FileGetter(extensions=".txt")(root)) == ["notes.txt"]


def test_extensions_need_no_dot_and_may_have_two(root):
    (root / "all.tar.gz").touch()
    assert names(root, get_files(root, "txt")) == ["notes.txt"]
    assert names(root, get_files(root, ".tar.gz")) == ["all.tar.gz"]


def test_a_folder_to_look_into_that_is_missing(root):
    with pytest.raises(DataError, match=r"no folder 'trian' in '"):
        get_files(root, folders=["train", "trian"])


def test_a_missing_folder(root):
    with pytest.raises(DataError, match=r"no folder '.*nothing'. Check the path"):
        get_files(root / "nothing")


def test_element_and_attribute_of_a_tuple():
    assert ItemGetter(1)(("a", "b")) == "b"
    assert ItemGetter("x")({"x": 3}) == 3
    assert AttrGetter("real")(2 + 3j) == 2
    assert AttrGetter("nothing", default=0)(1) == 0


def test_a_missing_element():
    with pytest.raises(ItemError, match=r"ItemGetter\(5\): tuple .* no such element. The index"):
        ItemGetter(5)((1, 2))
