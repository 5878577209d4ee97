"""Labellers: folder, file name, path, columns."""

from pathlib import Path, PureWindowsPath
from typing import NamedTuple

import pandas as pd
import pytest

from lamina.data.label import ColReader, RegexLabeller, parent_label, using_attr
from lamina.data.pipeline import Pipeline
from lamina.foundation.errors import DataError, ItemError

PET = Path("images/great_pyrenees_173.jpg")


class Row(NamedTuple):
    name: str
    tags: str


@pytest.mark.parametrize("o", [Path("a/cat/1.png"), "a/cat/1.png"])
def test_parent(o):
    assert parent_label(o) == "cat"


class TestRegex:
    def test_the_papers_pattern_with_a_leading_slash(self):
        assert RegexLabeller(r"/([^/]+)_\d+.jpg$")(PET) == "great_pyrenees"

    def test_the_name_comes_first(self):
        assert RegexLabeller(r"^(.*)_\d+.jpg$")(PET) == "great_pyrenees"

    def test_the_path_on_every_system(self):
        path = PureWindowsPath(r"train\cat\1.png").as_posix()
        assert RegexLabeller(r"train/(\w+)/")(path) == "cat"

    def test_match_starts_at_the_beginning(self):
        assert RegexLabeller(r"(great)", match=True)(PET) == "great"
        with pytest.raises(ItemError):
            RegexLabeller(r"(pyrenees)", match=True)(PET)

    def test_no_match_names_item_and_pattern(self):
        expected = r"pattern '\(x\+\)' .* 'great_pyrenees_173.jpg' .* Change the pattern"
        with pytest.raises(DataError, match=expected) as caught:
            RegexLabeller("(x+)")(PET)
        assert caught.value.item == PET

    def test_no_group(self):
        with pytest.raises(DataError, match=r"'great' has no group. Put the part"):
            RegexLabeller("great")(PET)


class TestColumns:
    FRAME = pd.DataFrame({"name": ["1"], "tags": ["car person"], 7: ["seven"]})

    @pytest.mark.parametrize(
        "row", [FRAME.iloc[0], Row("1", "car person"), {"name": "1", "tags": "car person"}]
    )
    def test_rows_of_many_kinds(self, row):
        assert ColReader("name")(row) == "1"
        assert ColReader("tags", label_delim=" ")(row) == ["car", "person"]
        assert ColReader(["name", "tags"])(row) == ["1", "car person"]

    def test_by_position(self):
        assert ColReader(1)(Row("1", "x")) == "x"
        assert ColReader(1)(self.FRAME.iloc[0]) == "car person"
        assert ColReader(7)(self.FRAME.iloc[0]) == "seven"

    def test_a_folder_before_and_an_ending_after(self):
        path = ColReader("name", pref=Path("train"), suff=".jpg")(Row("1", ""))
        assert Path(path) == Path("train/1.jpg")
        assert ColReader("name", pref="x")(Row("1", "")) == "x1"

    @pytest.mark.parametrize("gap", [None, float("nan"), "", " "])
    def test_gaps_are_no_labels(self, gap):
        assert ColReader("tags", label_delim=" ")({"tags": gap}) == []

    def test_delimiters_around_labels_and_labels_that_are_numbers(self):
        assert ColReader("tags", label_delim=" ")({"tags": " car  sky "}) == ["car", "sky"]
        assert ColReader("tags", label_delim=" ")({"tags": 7}) == ["7"]

    def test_no_labels(self):
        assert ColReader("tags", label_delim=" ")(Row("1", "")) == []

    def test_in_a_pipeline(self):
        assert Pipeline([ColReader("name"), int])(Row("1", "")) == 1

    @pytest.mark.parametrize("row", [FRAME.iloc[0], Row("1", ""), {"name": 1, "tags": 2}])
    def test_a_missing_column(self, row):
        with pytest.raises(ItemError, match=r"no column 'label' .* The columns are 'name', 'tags'"):
            ColReader("label")(row)


def test_using_attr():
    assert using_attr(str.upper, "name")(Path("a/b.txt")) == "B.TXT"
