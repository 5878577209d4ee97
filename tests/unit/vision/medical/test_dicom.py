"""DICOM files of the sample and of pydicom: values, pictures, tags, and what is refused."""

import sys
import tarfile
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from lamina.data.block import CategoryBlock, DataBlock
from lamina.foundation.errors import DataError, MissingExtraError
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.resize import Resize
from lamina.vision.blocks import ImageBlock
from lamina.vision.images import PILImage
from lamina.vision.learner import unet_learner
from lamina.vision.loaders import SegmentationDataLoaders
from lamina.vision.medical.dicom import (
    PILDicom,
    TensorDicom,
    as_dict,
    as_picture,
    dcmread,
    from_dicoms,
    get_dicom_files,
    pixels,
    scaled_px,
    set_pixels,
    show_dicom,
    shown,
)
from lamina.vision.medical.windows import windowed


@pytest.fixture(scope="module")
def folder(samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("dicom")
    with tarfile.open(samples / "dicom_sample.tgz") as archive:
        archive.extractall(path, filter="data")
    return path / "dicom_sample"


@pytest.fixture
def ct(folder):
    return dcmread(folder / "CT_small.dcm")


def small_body(*, n_in: int, n_out: int) -> nn.Module:
    convs = (nn.Conv2d(i, o, 3, 2, 1) for i, o in ((n_in, 4), (4, 6)))
    return nn.Sequential(*convs, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_files_are_found_by_their_extension(folder):
    files = get_dicom_files(folder.parent)
    assert len(files) == 12
    assert {f.suffix for f in files} == {".dcm"}


def test_values_are_signed_and_in_hounsfield_units(ct):
    assert pixels(ct).dtype == torch.int32
    assert (scaled_px(ct).min(), scaled_px(ct).max()) == (-896, 1167)
    stored = np.frombuffer(ct.PixelData, "<i2").reshape(128, 128)
    np.testing.assert_array_equal(scaled_px(ct).numpy(), stored.astype(np.float32) - 1024)


def test_negative_stored_values_stay_negative(ct):
    stored = np.frombuffer(ct.PixelData, "<i2").copy()
    stored[0] = -2000
    ct.PixelData = stored.tobytes()
    assert pixels(ct)[0, 0] == -2000
    ct.PixelRepresentation = 0
    assert pixels(ct)[0, 0] == 2**16 - 2000


@pytest.mark.parametrize("name", ["CT_small", "MR_small_RLE", "examples_rgb_color"])
def test_other_pixels_are_stored_and_written(folder, tmp_path, name):
    dataset = dcmread(folder / f"{name}.dcm")
    turned = pixels(dataset).flip(0)[8:, 16:]
    set_pixels(dataset, turned)
    dataset.save_as(tmp_path / "turned.dcm")
    again = dcmread(tmp_path / "turned.dcm")
    assert torch.equal(pixels(again), turned)
    assert (again.Rows, again.Columns) == turned.shape[:2]
    assert again.SOPInstanceUID == dataset.SOPInstanceUID


@pytest.mark.parametrize("value", [2**15, -(2**15) - 1, 0.5])
def test_pixels_that_do_not_fit_are_refused(ct, value):
    with pytest.raises(DataError, match=r"CT_small\.dcm. Expected whole numbers from -32768 to"):
        set_pixels(ct, torch.full((4, 4), value))
    assert ct.Rows == 128


def test_masks_of_scans_are_loaded_and_learnt_as_of_photographs(folder):
    files = [folder / "CT_small.dcm", folder / "MR_small.dcm"] * 5
    dls = SegmentationDataLoaders.from_label_func(
        folder, files, lambda f: (np.asarray(PILDicom.create(f)) > 128).astype(np.uint8),
        img_cls=PILDicom, codes=["dark", "bright"], item_tfms=Resize(32), bs=4, device="cpu",
        batch_tfms=aug_transforms(max_warp=0.0), seed=42,
    )  # fmt: skip
    x, y = dls.one_batch()
    assert (x.shape, y.shape) == ((4, 1, 32, 32), (4, 32, 32))
    assert isinstance(x, TensorDicom)
    learn = unet_learner(dls, small_body, pretrained=False, seed=42)
    learn.fit(1)
    assert isinstance(dls.decode_batch((x, y))[0][0], TensorDicom)
    assert learn.predict(files[0])[0].shape == (32, 32)


def test_the_window_of_the_file_is_its_default(folder):
    mr = dcmread(folder / "MR_small.dcm")
    torch.testing.assert_close(shown(mr)[0], windowed(scaled_px(mr), (1600, 600)))


def test_the_first_of_several_windows_counts(folder):
    overlay = dcmread(folder / "examples_overlay.dcm")
    torch.testing.assert_close(shown(overlay)[0], windowed(scaled_px(overlay), (790, 450)))


def test_without_a_window_all_values_are_seen(ct):
    seen = shown(ct)
    assert seen.shape == (1, 128, 128)
    assert (seen.min(), seen.max()) == (0, 1)


def test_white_for_low_values_is_turned_around(ct):
    before = shown(ct, "lungs")
    ct.PhotometricInterpretation = "MONOCHROME1"
    torch.testing.assert_close(shown(ct, "lungs"), 1 - before)
    assert scaled_px(ct).max() == 1167


def test_compressed_and_plain_files_show_the_same(folder):
    plain, coded = (as_picture(folder / f"MR_small{s}.dcm") for s in ("", "_RLE"))
    assert np.array_equal(np.asarray(plain), np.asarray(coded))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("examples_rgb_color", (320, 240)),
        ("ExplVR_BigEnd", (80, 60)),
        ("examples_palette", (800, 350)),
        ("examples_ybr_color", (320, 240)),
    ],
)
def test_colours_are_colours(folder, name, size):
    picture = as_picture(folder / f"{name}.dcm")
    assert isinstance(picture, PILImage)
    assert picture.size == size
    red, green, blue = np.asarray(picture, dtype=int).reshape(-1, 3).T
    assert (red != green).any()
    assert (green != blue).any()


def test_three_windows_are_three_channels(folder, ct):
    windows = ("brain", "lungs", (2000, 0))
    picture = as_picture(folder / "CT_small.dcm", windows)
    assert isinstance(picture, PILImage)
    expected = torch.stack([windowed(scaled_px(ct), window) for window in windows])
    np.testing.assert_allclose(np.asarray(picture) / 255, expected.permute(1, 2, 0), atol=1 / 500)


def test_a_picture_is_opened_by_a_block(folder):
    files = [folder / f"{name}.dcm" for name in ("CT_small", "MR_small", "examples_overlay")] * 4
    block = DataBlock(
        (ImageBlock(PILDicom), CategoryBlock), get_y=lambda f: f.name[:2], item_tfms=Resize(32)
    )
    x, _ = block.dataloaders(files, bs=4, device="cpu").one_batch()
    assert x.shape == (4, 1, 32, 32)
    opened = PILDicom.create(files[0])
    assert isinstance(opened.to_tensor(), TensorDicom)
    assert np.array_equal(np.asarray(PILDicom.create(files[0].read_bytes())), np.asarray(opened))


def test_windows_are_chosen_where_pictures_are_made(folder):
    block = DataBlock(
        (ImageBlock, CategoryBlock),
        get_x=partial(as_picture, windows=("brain", "subdural", "lungs")),
        get_y=lambda f: f.name[:2],
        item_tfms=Resize(32),
    )
    files = [folder / "CT_small.dcm", folder / "MR_small.dcm"] * 5
    assert block.dataloaders(files, bs=4, device="cpu").one_batch()[0].shape == (4, 3, 32, 32)


def test_tags_are_a_row_of_texts_and_numbers(ct):
    row = as_dict(ct)
    assert row["Modality"] == "CT"
    assert (row["Rows"], row["RescaleIntercept"]) == (128, -1024.0)
    assert [row["PixelSpacing"], row["PixelSpacing1"]] == [0.661468, 0.661468]
    assert (row["img_min"], row["img_max"]) == (-896.0, 1167.0)
    assert row["img_pct_window"] == pytest.approx(0.2823, abs=1e-4)
    assert "PixelData" not in row
    assert "img_min" not in as_dict(ct, px_summ=False)


def test_files_are_a_frame_and_broken_ones_say_why(folder, tmp_path):
    (tmp_path / "broken.dcm").write_bytes(b"no dicom")
    frame = from_dicoms([*get_dicom_files(folder), tmp_path / "broken.dcm"])
    assert len(frame) == 13
    assert frame["Modality"].value_counts()["MR"] == 3
    assert frame.loc[frame["fname"].str.endswith("rtplan.dcm"), "img_min"].isna().all()
    errors = frame.dropna(subset="error")
    assert [name.rpartition("/")[2] for name in errors["fname"]] == ["no_meta.dcm", "broken.dcm"]


def test_what_has_no_beginning_is_read_when_forced(folder):
    with pytest.raises(DataError, match=r"no_meta\.dcm is no DICOM file.*force=True"):
        dcmread(folder / "no_meta.dcm")
    assert dcmread(folder / "no_meta.dcm", force=True) is not None


def test_a_file_without_a_picture_is_named(folder):
    with pytest.raises(DataError, match=r"rtplan\.dcm has no pixels that can be read"):
        PILDicom.create(folder / "rtplan.dcm")


def test_it_is_drawn(ct, folder):
    even = show_dicom(ct).images[0]
    assert even.get_cmap().name == "bone"
    assert np.ptp(even.get_array()) == 1
    brain = show_dicom(ct, scale="brain").images[0].get_array()
    np.testing.assert_allclose(brain, windowed(scaled_px(ct), "brain"), atol=1e-6)
    assert show_dicom(ct, scale=False).images[0].get_array().max() == 1167
    tensor = PILDicom.create(folder / "MR_small.dcm").to_tensor()
    assert tensor.show().images[0].get_cmap().name == "bone"


def test_frames_are_chosen(folder):
    frames = dcmread(folder / "examples_ybr_color.dcm")
    assert pixels(frames).shape == (30, 240, 320, 3)
    assert not torch.equal(shown(frames, frame=0), shown(frames, frame=29))


def test_without_pydicom_it_says_what_to_install(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtraError, match=r"lamina\[medical\]"):
        dcmread(folder / "CT_small.dcm")
