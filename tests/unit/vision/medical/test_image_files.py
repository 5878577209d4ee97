"""Measured values in ordinary files: what is written comes back."""

import numpy as np
import pytest
import torch
from PIL import Image

from lamina.foundation.errors import DataError
from lamina.vision.images import PILImage
from lamina.vision.medical.dicom import PILCTScan, TensorCTScan
from lamina.vision.medical.image_files import png16read, save_jpg, save_tif16, to_uint16
from lamina.vision.medical.windows import freqhist_bins, hist_scaled, to_3chan, windowed


@pytest.fixture
def scan() -> torch.Tensor:
    """A smooth slope from air to bone, in Hounsfield units."""
    return torch.linspace(-1000, 1500, 64 * 64).view(64, 64)


def test_two_windows_and_the_even_scale_are_the_colours_of_a_jpeg(scan, tmp_path):
    save_jpg(scan, tmp_path / "scan.jpg", ["brain", "lungs"], quality=95)
    found = np.asarray(PILImage.create(tmp_path / "scan.jpg")) / 255
    expected = to_3chan(scan, "brain", "lungs").permute(1, 2, 0).numpy()
    assert np.abs(found - expected).mean() < 0.03


def test_one_window_is_a_grey_jpeg_of_its_quality(scan, tmp_path):
    for quality in (20, 90):
        save_jpg(scan, tmp_path / f"{quality}.jpg", ["lungs"], bins=0, quality=quality)
    found = Image.open(tmp_path / "90.jpg")
    assert found.mode == "L"
    np.testing.assert_allclose(np.asarray(found) / 255, windowed(scan, "lungs"), atol=0.02)
    assert (tmp_path / "20.jpg").stat().st_size < (tmp_path / "90.jpg").stat().st_size


def test_a_jpeg_has_no_four_channels(scan, tmp_path):
    with pytest.raises(DataError, match=r"4 channels. A JPEG file has one or three: give two"):
        save_jpg(scan, tmp_path / "scan.jpg", ["brain", "lungs", "liver"])
    assert list(tmp_path.iterdir()) == []


def test_sixteen_bits_have_the_whole_scale(scan):
    values = to_uint16(scan)
    assert values.dtype == np.uint16
    assert (values.min(), values.max()) == (0, 65535)
    np.testing.assert_allclose(values / 65535, hist_scaled(scan), atol=1e-5)


@pytest.mark.parametrize("compress", [True, False])
def test_a_tiff_gives_back_its_values(scan, tmp_path, compress):
    bins = freqhist_bins(torch.cat([scan, scan * 2]))
    save_tif16(scan, tmp_path / "scan.tif", bins, compress=compress)
    found = png16read(tmp_path / "scan.tif")
    assert found.dtype == torch.int32
    np.testing.assert_array_equal(found, to_uint16(scan, bins))


def test_a_png_of_sixteen_bits_keeps_every_value(tmp_path):
    values = np.array([[0, 1, 256, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert png16read(tmp_path / "deep.png").tolist() == values.tolist()


def test_other_pixels_are_no_sixteen_bits(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    with pytest.raises(DataError, match=r"colour\.png has pixels of mode RGB. Expected grey"):
        png16read(tmp_path / "colour.png")


def test_a_scan_opens_as_a_grey_picture_in_the_colours_of_an_xray(tmp_path):
    Image.fromarray(np.array([[0, 32768, 65535]], np.uint16)).save(tmp_path / "scan.png")
    tensor = PILCTScan.create(tmp_path / "scan.png").to_tensor()
    assert isinstance(tensor, TensorCTScan)
    assert tensor.tolist() == [[[0, 128, 255]]]
    assert tensor.show().images[0].get_cmap().name == "bone"
