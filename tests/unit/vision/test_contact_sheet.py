"""Every transform on one photograph, as a picture to look at.

It is written to the folder `LAMINA_ARTEFACTS`, or to a temporary one.
"""

import os
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from lamina.data.normalize import Normalize
from lamina.data.transform import Transform
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import PointsMeta, TensorBBox, TensorImage, TensorMultiCategory, plain
from lamina.vision import augmentation
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.erasing import RandomErasing
from lamina.vision.augmentation.lighting import Brightness, Contrast, Hue, Saturation
from lamina.vision.augmentation.mixing import CopyPaste, Mosaic
from lamina.vision.augmentation.policies import OPERATIONS, RandAugment, TrivialAugment, changed
from lamina.vision.augmentation.resize import (
    CropPad,
    RandomCrop,
    RandomResizedCrop,
    RatioResize,
    Resize,
)
from lamina.vision.augmentation.spatial import (
    DeterministicDihedral,
    DeterministicFlip,
    Dihedral,
    Flip,
    RandomResizedCropGPU,
    Rotate,
    Warp,
    Zoom,
)
from lamina.vision.augmentation.symmetry import DihedralItem, FlipItem
from lamina.vision.images import PILImage, to_image

SIZE, SHOWN = 120, 4
ITEM = [
    *(Resize(SIZE, method) for method in ("crop", "squish", "pad")),
    *(CropPad(600), RandomCrop(160), RandomResizedCrop(SIZE, min_scale=0.2), RatioResize(SIZE)),
    *(FlipItem(), DihedralItem(), RandAugment(), RandAugment(3, 20.0), TrivialAugment()),
]
BATCH = [
    *(Flip(), Dihedral(1.0), Rotate(40.0, 1.0), Zoom(1.0, 2.0, 1.0), Warp(0.4, 1.0)),
    *(RandomResizedCropGPU(SIZE), Brightness(0.6, 1.0), Contrast(0.6, 1.0)),
    *(Saturation(0.8, 1.0), Hue(0.4, 1.0), *aug_transforms(size=SIZE)),
    *aug_transforms(size=SIZE, mult=2.0, min_scale=0.3),
]
AMOUNTS = {"Rotate": 25.0, "Posterize": 6.0}
NOT_SHOWN = {  # what the others are made of, and what needs libraries of other people
    "SizedTransform", "SpatialTransform", "FromAlbumentations", "FromTorchvision",
}  # fmt: skip
BOX = [[-0.3, -0.6, 0.35, 0.6]]


def of_item(tfm, file: Path) -> list[Image.Image]:
    made = []
    for seed in range(SHOWN):
        with using(Randomness(seed)):
            made.append(tfm(PILImage.create(file), split_idx=0))
    return made


def batch_of(files: list[Path]) -> TensorImage:
    pictures = [Resize(SIZE, "squish")(PILImage.create(f)).to_tensor() for f in files]
    return TensorImage(torch.stack([plain(p) for p in pictures]) / 255)


def of_batch(tfms, x: TensorImage) -> list[Image.Image]:
    with using(Randomness(0)):
        for tfm in tfms:
            x = tfm(x, split_idx=0)
    return [to_image(one) for one in plain(x)]


def of_versions(tfm, x: TensorImage) -> list[Image.Image]:
    """What a transform makes of one picture for each version that `tta` asks for."""
    made = []
    for version in range(len(x)):
        tfm.set_version(version)
        made += of_batch([tfm], x[:1])
    return made


def mixed(tfm, files: list[Path]) -> list[Image.Image]:
    """The mixtures, with their boxes drawn on them."""
    images = (plain(batch_of(files)) * 255).byte()
    box = TensorBBox(BOX, meta=PointsMeta((SIZE, SIZE)))
    with using(Randomness(2)):
        done = tfm([(TensorImage(x), box, TensorMultiCategory([1])) for x in images], split_idx=0)
    return [outlined(to_image(image), boxes) for image, boxes, _ in done]


def outlined(im: Image.Image, boxes: TensorBBox) -> Image.Image:
    for corners in ((plain(boxes).view(-1, 4) + 1) / 2 * (SIZE - 1)).tolist():
        ImageDraw.Draw(im).rectangle(corners, outline="red", width=2)
    return im


def rows_of(files: list[Path]) -> dict[str, list[Image.Image]]:
    first, batch = files[0], batch_of([files[0]] * SHOWN)
    stats = [0.5] * 3, [0.25] * 3
    normalize = Normalize.from_stats(*stats)
    erased = Normalize.from_stats([-2.0] * 3, [4.0] * 3)  # what undoes it
    moves = [changed(PILImage.create(first), n, AMOUNTS.get(n, 0.3)) for n in OPERATIONS]
    return {
        **{repr(tfm): of_item(tfm, first) for tfm in ITEM},
        **{repr(tfm): of_batch([tfm], batch) for tfm in BATCH},
        "DeterministicFlip": of_versions(DeterministicFlip(), batch),
        "DeterministicDihedral": of_versions(DeterministicDihedral(), batch),
        "RandomErasing": of_batch([normalize, RandomErasing(1.0, max_count=3), erased], batch),
        **{f"operations {i}": moves[i : i + SHOWN] for i in range(0, len(moves), SHOWN)},
        "Mosaic": mixed(Mosaic(), files[:SHOWN]),
        "CopyPaste": mixed(CopyPaste(1.0), files[:SHOWN]),
    }


def sheet(rows: dict[str, list[Image.Image]], columns: int = 3) -> Image.Image:
    """Rows of thumbnails with their names above, in columns."""
    high, wide = SIZE + 16, SIZE * SHOWN + 8
    canvas = Image.new("RGB", (wide * columns, high * -(-len(rows) // columns)), "white")
    for i, (name, images) in enumerate(rows.items()):
        left, top = i % columns * wide, i // columns * high
        ImageDraw.Draw(canvas).text((left + 2, top + 2), name[:76], fill="black")
        for k, im in enumerate(images):
            thumb = im.convert("RGB")
            thumb.thumbnail((SIZE - 2, SIZE - 2))
            canvas.paste(thumb, (left + k * SIZE, top + 15))
    return canvas


@pytest.fixture(scope="module")
def rows(photos: Path) -> dict[str, list[Image.Image]]:
    return rows_of(sorted(photos.glob("*.jpg")))


def test_a_contact_sheet_of_every_transform(rows, tmp_path: Path):
    folder = Path(os.environ.get("LAMINA_ARTEFACTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    sheet(rows).save(folder / "augmentation.png")
    assert all(np.asarray(im).std() > 2 for images in rows.values() for im in images)


def test_no_transform_is_left_out(rows):
    names = [f"{augmentation.__name__}.{m.name}" for m in iter_modules(augmentation.__path__)]
    offered = [getattr(m, name) for m in map(import_module, names) for name in m.__all__]
    kinds = {k.__name__ for k in offered if isinstance(k, type) and issubclass(k, Transform)}
    assert kinds - NOT_SHOWN == {name.partition("(")[0] for name in rows} & kinds
