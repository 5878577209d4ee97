import io
import pickle
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lamina.foundation.errors import DataError
from lamina.tensor.types import TensorImage, TensorMask
from lamina.vision.images import (
    PILImage,
    PILImageBW,
    PILMask,
    image2tensor,
    load_image,
    to_image,
)

RAMP = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
COLOURS = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14


def encoded(im: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    im.save(file, kind, **options)
    return file.getvalue()


def turned(im: Image.Image, orientation: int, kind: str = "JPEG", **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(im, kind, exif=exif, **options)


def corners() -> Image.Image:
    """A 64 x 32 picture: the left half red, the right half blue."""
    im = Image.new("RGB", (64, 32), "red")
    im.paste("blue", (32, 0, 64, 32))
    return im


def is_loaded(im: PILImage) -> bool:
    return im._undecoded is None


def test_opening_reads_the_header_only(photos: Path):
    im = PILImage.create(photos / "bird.jpg")
    assert im.size == (478, 320)
    assert not is_loaded(im)
    assert im.getpixel((0, 0)) == load_image(photos / "bird.jpg").getpixel((0, 0))
    assert is_loaded(im)


def test_the_file_is_closed_at_once(photos: Path, tmp_path: Path):
    copy = tmp_path / "bird.jpg"
    copy.write_bytes((photos / "bird.jpg").read_bytes())
    im = PILImage.create(copy)
    copy.unlink()
    assert np.asarray(im).shape == (320, 478, 3)


def test_draft_lets_a_jpeg_decode_smaller_but_never_too_small(photos: Path):
    im = PILImage.create(photos / "bird.jpg")
    im.draft(None, (100, 100))
    assert im.size == (239, 160)
    assert np.asarray(im).shape == (160, 239, 3)


def test_draft_does_nothing_once_loaded_or_for_png():
    loaded = PILImage.wrap(corners())
    png = PILImage.create(encoded(corners()))
    for im in (loaded, png):
        im.draft(None, (8, 8))
        assert im.size == (64, 32)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_the_camera_is_applied(orientation: int):
    data = turned(corners(), orientation)
    expected = load_image(io.BytesIO(data))
    im = PILImage.create(data)
    assert im.size == ((32, 64) if orientation >= 5 else (64, 32)) == expected.size
    np.testing.assert_array_equal(np.asarray(im), np.asarray(expected))


def test_orientation_applies_to_a_png_too():
    im = PILImage.create(turned(corners(), 3, "PNG"))
    assert im.getpixel((0, 0)) == (0, 0, 255)


def test_draft_is_in_upright_pixels():
    im = PILImage.create(turned(corners().resize((640, 320)), 6))
    assert im.size == (320, 640)
    im.draft(None, (80, 160))
    assert im.size == (80, 160)
    red, blue = im.getpixel((40, 20)), im.getpixel((40, 140))
    assert red == pytest.approx((255, 0, 0), abs=20)
    assert blue == pytest.approx((0, 0, 255), abs=20)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_pickling_keeps_the_pixels(photos: Path, orientation: int):
    lazy = PILImage.create(turned(Image.open(photos / "cat.jpg"), orientation))
    for copy in (pickle.loads(pickle.dumps(lazy)), deepcopy(lazy)):
        assert type(copy) is PILImage
        np.testing.assert_array_equal(np.asarray(copy), np.asarray(lazy))


def test_a_mask_keeps_the_indices_of_a_palette():
    im = Image.fromarray(RAMP // 40)
    im.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200] * 4)
    mask = PILMask.create(encoded(im))
    np.testing.assert_array_equal(np.asarray(mask), RAMP // 40)


def test_a_mask_keeps_the_values_of_16_bits():
    data = encoded(Image.fromarray((RAMP // 40).astype(np.uint16)))
    np.testing.assert_array_equal(np.asarray(PILMask.create(data)), RAMP // 40)


def test_a_class_above_255_is_refused():
    data = encoded(Image.fromarray(np.array([[0, 300]], dtype=np.uint16)))
    with pytest.raises(DataError, match=r"pixel of class 300\. Expected 0 to 255"):
        PILMask.create(data).load()


def test_16_bit_grey_keeps_its_range():
    deep = RAMP.astype(np.uint16) * 257
    im = PILImage.create(encoded(Image.fromarray(deep)))
    np.testing.assert_array_equal(np.asarray(im), np.stack([RAMP] * 3, -1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_every_mode_becomes_the_class_s_own(mode: str):
    im = corners().convert("L").convert(mode) if mode in ("I;16", "F") else corners().convert(mode)
    assert np.asarray(PILImage.wrap(im)).shape == (32, 64, 3)
    assert np.asarray(PILImageBW.wrap(im)).shape == (32, 64)


def test_grey_of_colour_is_its_luma():
    assert PILImageBW.wrap(corners()).getpixel((0, 0)) == 76  # 0.299 * 255


@pytest.mark.parametrize("n_bytes", [500, 8000, 30000])
def test_a_truncated_jpeg_is_named(photos: Path, tmp_path: Path, n_bytes: int):
    broken = tmp_path / "half.jpg"
    broken.write_bytes((photos / "bird.jpg").read_bytes()[:n_bytes])
    with pytest.raises(DataError, match=r"half\.jpg: .*Expected a complete image file"):
        PILImage.create(broken).load()


def test_a_truncated_jpeg_stays_unreadable(photos: Path):
    im = PILImage.create((photos / "bird.jpg").read_bytes()[:8000])
    for _ in range(2):
        with pytest.raises(DataError, match="truncated"):
            im.load()


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff"])
def test_what_is_no_image_is_named(tmp_path: Path, data: bytes):
    file = tmp_path / "notes.jpg"
    file.write_bytes(data)
    with pytest.raises(DataError, match=r"notes\.jpg: no known image format"):
        PILImage.create(file)


def test_a_missing_file_is_a_missing_file(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        PILImage.create(tmp_path / "nowhere.jpg")


@pytest.mark.parametrize("cls", [PILImage, PILImageBW, PILMask])
def test_tensors_arrays_and_bytes_come_round(cls: type):
    pixels = COLOURS if cls is PILImage else RAMP
    im = cls.create(pixels)
    for again in (cls.create(im.to_tensor()), cls.create(encoded(im)), cls.create(np.asarray(im))):
        assert type(again) is cls
        np.testing.assert_array_equal(np.asarray(again), pixels)


def test_state_comes_round():
    for im in (PILImage.create(COLOURS), PILMask.create(RAMP)):
        again = type(im).from_state(im.to_state())
        np.testing.assert_array_equal(np.asarray(again), np.asarray(im))


def test_to_tensor_is_channels_first_of_the_semantic_type():
    image, mask = PILImage.create(COLOURS).to_tensor(), PILMask.create(RAMP).to_tensor()
    assert (type(image), image.shape, image.dtype) == (TensorImage, (3, 2, 3), torch.uint8)
    assert (type(mask), mask.shape, mask.dtype) == (TensorMask, (2, 3), torch.uint8)
    assert PILImageBW.create(RAMP).to_tensor().shape == (1, 2, 3)
    np.testing.assert_array_equal(image.numpy(), COLOURS.transpose(2, 0, 1))


def test_wrap_keeps_an_image_of_the_class_and_converts_others():
    im = PILImage.create(COLOURS)
    assert PILImage.create(im) is im
    assert type(PILImage.wrap(im.rotate(90))) is PILImage
    assert PILImageBW.create(im).mode == "L"


def test_floats_are_from_0_to_1():
    im = to_image(torch.tensor([[[0.0, 0.5, 1.0, 1.5]]]))
    assert np.asarray(im).tolist() == [[0, 128, 255, 255]]


def test_two_channels_are_no_picture():
    with pytest.raises(DataError, match=r"2 channels\. Expected 1, 3 or 4"):
        to_image(np.zeros((4, 4, 2), dtype=np.uint8))


def test_image2tensor_owns_its_pixels():
    im = Image.fromarray(COLOURS)
    image2tensor(im).zero_()
    np.testing.assert_array_equal(np.asarray(im), COLOURS)


@pytest.mark.parametrize(
    "method",
    [
        lambda im: im.crop((10, 10, 50, 40)),
        lambda im: im.rotate(30, expand=True),
        lambda im: im.convert("L"),
        lambda im: im.copy(),
        lambda im: im.getchannel("G"),
        lambda im: im.transpose(Image.Transpose.ROTATE_90),
        lambda im: Image.open(io.BytesIO(encoded(im))),
        lambda im: Image.blend(im, im.transpose(Image.Transpose.FLIP_TOP_BOTTOM), 0.5),
    ],
)
def test_pillow_s_methods_work_on_a_picture_that_is_not_loaded(photos: Path, method):
    lazy, plain = PILImage.create(photos / "cat.jpg"), load_image(photos / "cat.jpg")
    np.testing.assert_array_equal(np.asarray(method(lazy)), np.asarray(method(plain)))


def test_a_thumbnail_of_a_picture_that_is_not_loaded(photos: Path):
    im = PILImage.create(photos / "cat.jpg")
    im.thumbnail((60, 60))
    assert im.size == (60, 40)
    assert np.asarray(im).shape == (40, 60, 3)


def test_an_image_shows_itself():
    assert PILImage.create(COLOURS).show(title="ramp").get_title() == "ramp"
    assert PILMask.create(RAMP).show() is not None
    assert repr(PILImage.create(COLOURS)) == "PILImage(mode=RGB, size=3x2)"
