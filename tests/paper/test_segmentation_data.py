"""The data of the paper's segmentation example, on pets and their trimaps.

Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Vision". The paper takes CamVid
and spells the class `SegmentationDataloaders` and the getter `get_image_filenames`.
"""

# ruff: noqa: F403, F405 - as a reader of the paper types it

from pathlib import Path

import numpy as np
import pytest

from lamina.vision.all import *
from lamina.vision.all import LaminaError


@pytest.fixture(scope="module")
def path() -> Path:
    return untar_data(URLs.OXFORD_PETS)


def trimap(path: Path):
    return lambda o: path / "annotations" / "trimaps" / f"{o.stem}.png"


def pictures(path: Path) -> list[Path]:
    return [file for file in get_image_files(path / "images") if trimap(path)(file).exists()]


def options(path: Path, **more):
    codes = np.array(["pet", "background", "border"])
    return {
        "path": path, "bs": 8, "fnames": pictures(path), "label_func": trimap(path), "codes": codes,
        "item_tfms": Resize((180, 240)), "device": "cpu", "seed": 0, **more,
    }  # fmt: skip


def test_segmentation_as_printed(path: Path):
    dls = SegmentationDataloaders.from_label_func(
        **options(path, values=[1, 2, 3]),
        batch_tfms=[*aug_transforms(size=(90, 120)), Normalize.from_stats(*imagenet_stats)],
    )
    x, y = dls.one_batch()
    assert x.shape == (8, 3, 90, 120)
    assert y.shape == (8, 90, 120)
    assert set(y.unique().tolist()) == {0, 1, 2}
    assert dls.vocab == ("pet", "background", "border")
    assert dls.c == 3
    assert len(dls.valid_ds) == int(0.2 * len(pictures(path)))


def test_masks_that_count_from_one_are_found_out(path: Path):
    dls = SegmentationDataLoaders.from_label_func(**options(path))
    with pytest.raises(LaminaError, match=r"trimaps.*values 1, 2, 3.*values=\[1, 2, 3\]"):
        dls.one_batch()


def test_a_misspelt_option_is_refused(path: Path):
    with pytest.raises(LaminaError, match="Did you mean 'codes'"):
        SegmentationDataLoaders.from_label_func(**options(path, code=["pet"]))


def test_masks_are_drawn_over_pictures_with_one_legend(path: Path):
    dls = SegmentationDataLoaders.from_label_func(**options(path, values=[1, 2, 3]))
    axes = dls.show_batch(max_n=4)
    assert [len(ax.images) for ax in axes] == [2] * 4
    (legend,) = axes[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["pet", "background", "border"]
