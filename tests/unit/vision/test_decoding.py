import importlib.util
import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lamina.foundation.errors import DataError, MissingExtraError, UnknownNameError
from lamina.foundation.seeding import Randomness, using
from lamina.train.learner import Learner
from lamina.train.persistence import load_learner
from lamina.vision.augmentation.resize import RandomResizedCrop, Resize
from lamina.vision.decoding import (
    decode_with_simplejpeg,
    find_decoder,
    first_rows,
    jpeg_size,
    reduction,
    shared_pixels,
)
from lamina.vision.images import PILImage, PILImageBW, load_image
from lamina.vision.loaders import ImageDataLoaders
from lamina.vision.opening import OpenImage

needs_simplejpeg = pytest.mark.skipif(
    importlib.util.find_spec("simplejpeg") is None, reason="simplejpeg is not installed"
)
KINDS = [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"quality": 40}]


def encoded(im: Image.Image, kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    im.save(file, kind, **options)
    return file.getvalue()


def photograph(photos: Path, mode: str = "RGB", **options) -> bytes:
    return encoded(Image.open(photos / "cat.jpg").convert(mode), **options)


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))


def opened(file: bytes, tfm, decoder="pillow", seed: int = 0) -> np.ndarray:
    with using(Randomness(seed)):
        return np.asarray(tfm(OpenImage(decoder=decoder)(file), split_idx=0), dtype=int)


@needs_simplejpeg
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("size", [48, 100, 224])
def test_simplejpeg_gives_pillow_s_pixels(photos: Path, kind, size: int):
    file = photograph(photos, **kind)
    difference = np.abs(opened(file, Resize(size)) - opened(file, Resize(size), "simplejpeg"))
    assert difference.mean() < 0.5
    assert difference.max() <= 4


@needs_simplejpeg
def test_an_exported_model_keeps_its_decoder(photos: Path, tmp_path: Path):
    files = sorted(photos.glob("*.jpg"))
    dls = ImageDataLoaders.from_name_func(
        photos, files, str.title, bs=2, item_tfms=Resize(32), decoder="simplejpeg"
    )
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, dls.c))
    file = Learner(dls, model, loss_func=nn.CrossEntropyLoss()).export(tmp_path / "model.lamina")
    opening, *_ = load_learner(file, model=model).dls.train_ds.tls[0].tfms
    assert opening == OpenImage(decoder="simplejpeg")


@needs_simplejpeg
@pytest.mark.parametrize("orientation", range(1, 9))
def test_simplejpeg_heeds_how_the_camera_was_held(photos: Path, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = photograph(photos, exif=exif)
    im = OpenImage(decoder="simplejpeg")(file)
    expected = np.asarray(load_image(io.BytesIO(file)), dtype=int)
    assert im.size == expected.shape[1::-1]
    assert np.abs(np.asarray(im, dtype=int) - expected).max() <= 4
    assert np.abs(opened(file, Resize(64)) - opened(file, Resize(64), "simplejpeg")).max() <= 4


@needs_simplejpeg
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", KINDS[:2], ids=str)
def test_simplejpeg_crops_as_pillow_does(photos: Path, kind, seed: int):
    file, tfm = photograph(photos, **kind), RandomResizedCrop(64)
    assert np.abs(opened(file, tfm, seed=seed) - opened(file, tfm, "simplejpeg", seed)).max() <= 4


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_what_is_no_colour_jpeg_is_left_to_pillow(photos: Path, mode: str):
    for file in (photograph(photos, mode), encoded(Image.open(photos / "cat.jpg"), "PNG")):
        im = OpenImage(decoder=refuse)(file)
        np.testing.assert_array_equal(np.asarray(im), np.asarray(OpenImage()(file)))


def refuse(file: bytes, factor: int):
    raise AssertionError


def test_a_function_decodes(photos: Path):
    asked = []

    def blue(file: bytes, factor: int):
        asked.append(factor)
        return torch.tensor([0, 0, 255], dtype=torch.uint8).expand(160, 240, 3)

    im = Resize(60)(OpenImage(decoder=blue)(photos / "cat.jpg"))
    assert (im.size, im.getpixel((0, 0)), asked) == ((60, 60), (0, 0, 255), [2])
    assert OpenImage(PILImageBW, decoder=blue)(photos / "cat.jpg").getpixel((0, 0)) == 29


def test_a_decoder_may_decline(photos: Path):
    im = OpenImage(decoder=lambda _, __: None)(photos / "cat.jpg")
    np.testing.assert_array_equal(np.asarray(im), np.asarray(OpenImage()(photos / "cat.jpg")))


@needs_simplejpeg
@pytest.mark.parametrize("n_bytes", [8000, 30000])
def test_a_truncated_file_is_named_whoever_decodes(photos: Path, tmp_path: Path, n_bytes: int):
    broken = tmp_path / "half.jpg"
    broken.write_bytes((photos / "bird.jpg").read_bytes()[:n_bytes])
    for decoder in ("pillow", "simplejpeg"):
        with pytest.raises(DataError, match=r"half\.jpg: .*Expected a complete image file"):
            Resize((8, 80))(OpenImage(decoder=decoder)(broken))


def test_an_unknown_decoder_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'simplejpeg'"):
        OpenImage(decoder="simplejpg")


def test_a_missing_package_is_named_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    with pytest.raises(MissingExtraError, match="vision-fast"):
        OpenImage(decoder="simplejpeg")


def test_names_stand_for_decoders():
    assert find_decoder("pillow") is None
    assert find_decoder(refuse) is refuse


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("n", [1, 50, 160, 161, 300])
def test_the_first_rows_are_those_of_the_whole(photos: Path, kind, n: int):
    file = photograph(photos, **kind)
    part = pixels(first_rows(file, n))
    assert len(part) == min(320, n + 16)
    np.testing.assert_array_equal(part[:n], pixels(file)[:n])


def test_rows_of_what_is_no_jpeg_are_left(photos: Path):
    png = encoded(Image.open(photos / "cat.jpg"), "PNG")
    for file in (png, b"", b"\xff\xd8", b"\xff\xd8\xff\xda" + bytes(20)):
        assert first_rows(file, 1) == file


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_size_of_a_colour_jpeg_is_read_from_its_header(photos: Path, kind):
    assert jpeg_size(photograph(photos, **kind)) == (480, 320)


def test_the_size_of_all_other_files_is_left_to_pillow(photos: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, png = photograph(photos, exif=exif), encoded(Image.open(photos / "cat.jpg"), "PNG")
    plain = photograph(photos)
    others = (photograph(photos, "L"), photograph(photos, "CMYK"), b"", plain[:20], b"x" + plain)
    assert [jpeg_size(file) for file in (turned, png, *others)] == [None] * 7


def test_bytes_that_fill_up_a_header_are_left_to_pillow(photos: Path):
    plain = photograph(photos)
    text = bytearray(65_500)  # a comment with what looks like a frame where a wrong step leads
    text[65_276:65_286] = b"\xff\xc0\x00\x11\x08\x00\x07\x00\x07\x03"
    filled = plain[:2] + b"\xff" + b"\xff\xfe" + (65_502).to_bytes(2, "big") + text + plain[2:]
    assert jpeg_size(filled) is None
    np.testing.assert_array_equal(np.asarray(OpenImage()(filled)), pixels(plain))
    assert first_rows(filled, 1) == filled


@needs_simplejpeg
@pytest.mark.parametrize("decoder", ["pillow", "simplejpeg"])
def test_a_picture_that_fills_the_memory_is_refused(
    photos: Path, monkeypatch: pytest.MonkeyPatch, decoder: str
):
    file = photograph(photos)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 480 * 320 // 3)
    with pytest.raises(DataError, match=r"exceeds limit"):
        OpenImage(decoder=decoder)(file)


@pytest.mark.parametrize(("shrink", "factor"), [(0.1, 1), (2.3, 1), (2.5, 2), (8, 4), (90, 8)])
def test_the_reduction_leaves_something_to_resize(shrink: float, factor: int):
    assert reduction(shrink) == factor


def test_shared_pixels_outlive_their_picture(photos: Path):
    expected = pixels(photograph(photos))
    shared = shared_pixels(Image.open(io.BytesIO(photograph(photos))))
    if shared is None:
        pytest.skip("this Pillow shares no memory")
    for _ in range(8):  # what was freed would be written over
        pixels(photograph(photos))
    np.testing.assert_array_equal(shared[..., :3].numpy(), expected)


def test_only_colour_in_one_piece_is_shared():
    assert shared_pixels(Image.new("L", (5, 4))) is None
    assert shared_pixels(Image.new("RGB", (5000, 3000))) is None
    large = PILImage.wrap(Image.new("RGB", (5000, 3000), "red"))
    assert large.to_tensor()[:, -1, -1].tolist() == [255, 0, 0]


@needs_simplejpeg
def test_simplejpeg_declines_what_it_cannot_read():
    assert decode_with_simplejpeg(b"no picture\xff\xd9", 1) is None
