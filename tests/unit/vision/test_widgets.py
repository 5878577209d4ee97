"""Cleaning pictures by menus, without a browser: what is chosen is set by hand."""

import io
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from ipywidgets.embed import embed_minimal_html
from PIL import Image

from lamina.foundation.errors import MissingExtraError
from lamina.train.learner import Learner
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.resize import Resize
from lamina.vision.loaders import ImageDataLoaders
from lamina.vision.widgets import ImageClassifierCleaner, ImagesCleaner


@pytest.fixture
def files(tmp_path):
    """Grey pictures, from dark to bright, of a and b by turns."""
    for i in range(12):
        pixels = np.full((40, 60, 3), 20 * i, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{'ab'[i % 2]}{i:02}.png")
    return sorted(tmp_path.glob("*.png"), key=lambda f: f.name[1:])


class Bright(torch.nn.Module):
    """Takes bright pictures for b, so that bright a's and dark b's are the hardest."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        light = x.mean((1, 2, 3)) - 0.5
        return torch.stack([-light, light], 1)


@pytest.fixture
def learn(files, tmp_path):
    options = {"item_tfms": Resize(16), "batch_tfms": aug_transforms(), "bs": 4, "device": "cpu"}
    dls = ImageDataLoaders.from_name_func(tmp_path, files, lambda n: n[0], seed=0, **options)
    return Learner(dls, Bright(), default_cbs=False)


def shown(cleaner: ImagesCleaner) -> list[Image.Image]:
    is_alone = type(cleaner) is ImagesCleaner  # else the row is below two menus
    row = cleaner.box if is_alone else cleaner.box.children[-1]
    return [Image.open(io.BytesIO(box.children[0].value)) for box in row.children]


def test_what_was_chosen_is_told(files):
    cleaner = ImagesCleaner(("cat", "dog"), max_n=10)
    cleaner.set_fns(files)
    cleaner.menus[1].value = "<Delete>"
    cleaner.menus[3].value = "dog"
    cleaner.menus[9].value = "<Delete>"
    assert list(cleaner.fns) == files[:10]
    assert list(cleaner.delete()) == [1, 9]
    assert list(cleaner.change()) == [(3, "dog")]
    assert list(cleaner.values())[:2] == ["<Keep>", "<Delete>"]


def test_pictures_are_small_and_in_proportion(files):
    cleaner = ImagesCleaner(height=20, width=100)
    cleaner.set_fns(files[:2])
    assert [picture.size for picture in shown(cleaner)] == [(30, 20)] * 2
    assert cleaner.menus[0].options == ("<Keep>", "<Delete>")


def test_the_hardest_of_a_label_come_first(learn):
    cleaner = ImageClassifierCleaner(learn)
    names = [f.name for f in cleaner.fns]
    assert all(name[0] == "a" for name in names)
    assert names == sorted(names, reverse=True)
    cleaner.label.value = "b"
    names = [f.name for f in cleaner.fns]
    assert all(name[0] == "b" for name in names)
    assert names == sorted(names)


def test_both_splits_can_be_cleaned(learn):
    cleaner = ImageClassifierCleaner(learn)
    seen = set()
    for split in (0, 1):
        for label in "ab":
            cleaner.split.value, cleaner.label.value = split, label
            seen |= set(cleaner.fns)
            assert set(cleaner.fns) <= set(learn.dls[split].dataset.items)
    assert len(seen) == 12


def test_other_labels_can_be_offered_and_few_shown(learn):
    cleaner = ImageClassifierCleaner(learn, opts=["x"], max_n=2)
    assert cleaner.menus[0].options == ("<Keep>", "<Delete>", "x")
    assert len(cleaner.menus) == len(shown(cleaner)) == 2


def test_rows_of_a_frame_are_pictures_too(files, tmp_path):
    frame = pd.DataFrame({"name": [f.name for f in files], "label": [f.name[0] for f in files]})
    dls = ImageDataLoaders.from_df(frame, tmp_path, item_tfms=Resize(16), bs=4, device="cpu")
    cleaner = ImageClassifierCleaner(Learner(dls, Bright(), default_cbs=False))
    assert {row["label"] for row in cleaner.fns} == {"a"}
    assert shown(cleaner)[0].size == (60, 40)


def test_a_page_of_it_can_be_written(learn, tmp_path):
    cleaner = ImageClassifierCleaner(learn)
    embed_minimal_html(tmp_path / "page.html", views=[cleaner.box], title="Cleaner")
    page = (tmp_path / "page.html").read_text()
    assert page.count('"DropdownModel"') >= 2 + len(cleaner.menus)


def test_without_ipywidgets_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MissingExtraError, match=r"lamina\[widgets\]"):
        ImagesCleaner()
