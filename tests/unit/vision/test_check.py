"""The data doctor on pictures: every planted fault is found and named, and nothing else."""

import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lamina.data.block import CategoryBlock, DataBlock, TransformBlock
from lamina.data.get import get_image_files
from lamina.data.normalize import IntToFloatTensor
from lamina.data.split import FuncSplitter, IndexSplitter
from lamina.data.task import DenseLabels
from lamina.tensor.types import TensorBBox
from lamina.vision.augmentation.resize import Resize
from lamina.vision.blocks import BBoxBlock, ImageBlock, MaskBlock
from lamina.vision.check import group_alike
from lamina.vision.images import PILImage, PILMask, load_image
from lamina.vision.loaders import ImageDataLoaders
from lamina.vision.opening import OpenImage
from lamina.vision.targets.points import PointScaler, ToPoints

BREEDS = ("Abyssinian", "Bengal")


@pytest.fixture(scope="session")
def pets(samples, tmp_path_factory):
    """Return the folder of the pets."""
    folder = tmp_path_factory.mktemp("pets")
    with tarfile.open(samples / "oxford_pets.tgz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "oxford_pets"


@pytest.fixture
def cats(pets, tmp_path):
    """Return a folder of forty cats: `train/breed/x.jpg` and `valid/breed/x.jpg`."""
    for breed in BREEDS:
        for k, file in enumerate(sorted((pets / "images").glob(f"{breed}_*.jpg"))[:20]):
            folder = tmp_path / ("train" if k < 15 else "valid") / breed
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / f"{k}.jpg")
    return tmp_path


def check(folder, **options):
    dls = ImageDataLoaders.from_folder(folder, item_tfms=Resize(64), bs=8, device="cpu")
    return dls.check(seconds=0.05, progress=False, **options)


def kinds(report):
    return {problem.kind: list(problem.items) for problem in report.problems}


def test_clean_pictures_have_no_problems(cats):
    report = check(cats)
    assert report.ok
    assert not report.problems
    assert [table.title for table in report.tables] == [
        "First training batch",
        "Items per class (2 classes)",
        "Picture sizes (31 sizes)",
        "Speed of training",
    ]


def test_broken_files_are_named(cats):
    folder = cats / "train" / "Bengal"
    whole = (folder / "1.jpg").read_bytes()
    (folder / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "2.jpg").write_text("no picture")
    (folder / "3.jpg").write_bytes(b"")
    report = check(cats, skip=["speed", "batches"])
    assert {"unreadable": [f"train/Bengal/{i}.jpg" for i in (1, 2, 3)]} == {
        kind: sorted(items) for kind, items in kinds(report).items()
    }
    assert not report.ok
    assert "image file is truncated" in report.problems[0].message


def test_copies_in_both_splits_are_found_by_content_and_by_looks(cats):
    shutil.copy(cats / "train" / "Bengal" / "1.jpg", cats / "valid" / "Bengal" / "copy.jpg")
    im = load_image(cats / "train" / "Bengal" / "2.jpg")
    smaller = im.resize((im.width // 2, im.height // 2))
    smaller.save(cats / "valid" / "Bengal" / "near.jpg", quality=50)
    found = kinds(check(cats))
    assert found == {
        "leak": ["train/Bengal/1.jpg (train) = valid/Bengal/copy.jpg (valid)"],
        "near leak": ["train/Bengal/2.jpg (train) ~ valid/Bengal/near.jpg (valid)"],
    }


def test_a_copy_that_is_stored_turned_is_found_and_so_is_its_orientation(cats):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = load_image(cats / "train" / "Bengal" / "3.jpg").transpose(Image.Transpose.ROTATE_90)
    turned.save(cats / "train" / "Bengal" / "turned.jpg", exif=exif)
    assert kinds(check(cats)) == {
        "near duplicate": ["train/Bengal/3.jpg (train) ~ train/Bengal/turned.jpg (train)"],
        "turned photograph": ["train/Bengal/turned.jpg"],
    }


def test_classes_of_one_item_and_labels_only_in_validation(cats):
    for split, label, number in (("train", "lonely", 1), ("valid", "new", 16)):
        (cats / split / label).mkdir()
        source = cats / split / "Bengal" / f"{number}.jpg"
        source.rename(cats / split / label / "only.jpg")
    found = kinds(check(cats))
    assert found["label only in validation"] == ["valid/new/only.jpg"]
    assert found["rare class"] == ["lonely: 1"]
    assert found["label only in training"] == ["lonely"]


def test_copies_under_another_label(cats):
    shutil.copy(cats / "train" / "Bengal" / "1.jpg", cats / "train" / "Abyssinian" / "cat.jpg")
    found = kinds(check(cats))
    assert len(found["contradiction"]) == 1
    assert "train/Abyssinian/cat.jpg (train)" in found["contradiction"][0]


def test_tiny_pictures(cats):
    Image.new("RGB", (16, 16), "red").save(cats / "train" / "Bengal" / "icon.png")
    assert kinds(check(cats)) == {"tiny picture": ["train/Bengal/icon.png: (16, 16)"]}


@pytest.mark.slow
def test_no_two_of_six_hundred_pets_are_taken_for_the_same(pets):
    files = get_image_files(pets / "images")
    dls = ImageDataLoaders.from_name_re(pets, files, r"^(.+)_\d+\.jpg$", seed=1, device="cpu")
    found = kinds(dls.check(probes=["near duplicates", "duplicates", "unreadable"], progress=False))
    assert not found


def test_hashes_suspect_and_thumbnails_decide():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 300, dtype=np.uint64)
    thumbs = rng.integers(0, 255, (300, 256), dtype=np.uint8)
    hashes[200] = hashes[100] ^ np.uint64(0b1000001000001000001 << 20)  # 4 bits
    thumbs[200] = thumbs[100]
    hashes[201] = hashes[101]  # looks different
    hashes[202], thumbs[202] = ~hashes[102], thumbs[102]  # 64 bits
    thumbs[103] = thumbs[203] = 9  # nothing to see
    hashes[203] = hashes[103]
    assert group_alike(hashes, thumbs) == [[100, 200]]


def masked(cats, values, block):
    """Loaders of cats with masks: the file's value `values[k]` in stripe k."""
    for file in get_image_files(cats):
        w, h = PILImage.create(file).size
        stripes = np.resize(np.array(values, dtype=np.uint8), (h, w))
        Image.fromarray(stripes).save(file.with_suffix(".png"))
    files = sorted(cats.rglob("*.jpg"))
    data = DataBlock(
        (ImageBlock, block),
        get_y=lambda file: file.with_suffix(".png"),
        splitter=FuncSplitter(lambda file: "valid" in file.parts),
        item_tfms=Resize(64),
    )
    return data.dataloaders(files, cats, bs=8, device="cpu")


def unchecked(codes):
    """Return a block of masks that looks at no values."""
    return TransformBlock(type_tfms=OpenImage(PILMask), task=DenseLabels(codes))


@pytest.mark.parametrize(
    ("values", "codes", "advice"),
    [
        ([0, 255], ["no", "yes"], r"MaskBlock\(codes, values=\[0, 255\]\)"),
        ([0, 1, 255], ["no", "yes"], "ignore_index=255"),
        ([1, 2], ["a", "b", "c", "d"], None),
        ([1, 2, 3], ["a", "b", "c"], r"values=\[1, 2, 3\]"),
        ([0, 7], ["a", "b", "c"], "up to 7"),
    ],
)
def test_mask_values_outside_the_codes_and_how_to_mend_them(cats, values, codes, advice):
    report = masked(cats, values, unchecked(codes)).check(probes=["masks"], progress=False)
    assert [row[0] for row in report.tables[0].rows] == values
    if advice is None:
        assert not report.problems
        return
    (problem,) = report.problems
    assert problem.kind == "mask values"
    assert len(problem.items) == 40
    assert "train/Bengal/1.png" in problem.items
    assert re.search(advice, problem.advice)


def test_a_mask_block_that_knows_the_values_has_no_problem(cats):
    dls = masked(cats, [0, 255], MaskBlock(["no", "yes"], values=[0, 255]))
    report = dls.check(skip=["speed"], progress=False)
    assert not report.problems


def test_masks_that_are_divided_have_the_values_of_codes(cats):
    divide = IntToFloatTensor(div_mask=255)
    task = DenseLabels(["no", "yes"])
    block = TransformBlock(type_tfms=OpenImage(PILMask), batch_tfms=divide, task=task)
    report = masked(cats, [0, 255], block).check(probes=["masks"], progress=False)
    assert not report.problems
    assert [row[:2] for row in report.tables[0].rows] == [(0, "no"), (255, "yes")]


def test_a_mask_block_names_the_masks_whose_values_it_refuses(cats):
    dls = masked(cats, [0, 255], MaskBlock(["no", "yes"]))
    found = {p.kind: p for p in dls.check(probes=["unreadable"], progress=False).problems}
    assert len(found["wrong target"].items) == 40
    assert "values=[0, 255]" in found["wrong target"].message


def test_masks_of_another_size_than_their_picture(cats):
    dls = masked(cats, [0, 1], unchecked(["no", "yes"]))
    Image.new("L", (9, 9)).save(cats / "train" / "Bengal" / "2.png")
    assert kinds(dls.check(probes=["masks"], progress=False)) == {
        "mask size": ["train/Bengal/2.png"]
    }


def boxed(cats, boxes):
    files = sorted(cats.rglob("*.jpg"))
    data = DataBlock(
        (ImageBlock, BBoxBlock),
        get_y=lambda file: boxes.get(Path(file).relative_to(cats).as_posix(), [[1, 2, 30, 40]]),
        splitter=IndexSplitter(range(5)),
        item_tfms=Resize(64),
    )
    return data.dataloaders(files, cats, bs=8, device="cpu")


def test_boxes_outside_their_picture_and_empty_ones(cats):
    boxes = {
        "train/Bengal/1.jpg": [[0, 0, 10, 10], [5, 5, 2000, 9]],
        "train/Bengal/2.jpg": [[4, 4, 4, 9]],
        "train/Bengal/3.jpg": [],
    }
    assert kinds(boxed(cats, boxes).check(probes=["boxes"], progress=False)) == {
        "box outside": ["train/Bengal/1.jpg: [5.0, 5.0, 2000.0, 9.0]"],
        "empty box": ["train/Bengal/2.jpg: [4.0, 4.0, 4.0, 9.0]"],
        "no box": ["train/Bengal/3.jpg"],
    }
    assert not boxed(cats, {}).check(skip=["speed"], progress=False).problems


def pointed(cats, points, **scaler):
    data = DataBlock(
        (ImageBlock, TransformBlock(type_tfms=ToPoints, item_tfms=PointScaler(**scaler))),
        get_y=lambda file: [points.get(Path(file).name, [0.5, 0.5])],
        splitter=IndexSplitter(range(5)),
        item_tfms=Resize(64),
    )
    return data.dataloaders(get_image_files(cats), cats, bs=8, device="cpu")


def test_points_outside_their_picture(cats):
    Image.new("RGB", (100, 60)).save(cats / "wide.jpg")
    points = {"wide.jpg": [99.0, 70.0], "1.jpg": [-3.0, 5.0], "2.jpg": [float("nan"), 1.0]}
    found = kinds(pointed(cats, points).check(skip=["speed"], progress=False))
    outside = [f"train/{breed}/1.jpg: [-3.0, 5.0]" for breed in BREEDS]
    assert sorted(found["point outside"]) == [*outside, "wide.jpg: [99.0, 70.0]"]
    assert found["missing numbers"] == ["element 1, column 0: 2"]


@pytest.mark.parametrize(
    ("point", "scaler"), [([55.0, 95.0], {"y_first": True}), ([-0.9, 0.9], {"do_scale": False})]
)
def test_points_are_read_as_the_scaler_does(cats, point, scaler):
    Image.new("RGB", (100, 60)).save(cats / "wide.jpg")
    dls = pointed(cats, {"wide.jpg": point}, **scaler)
    assert not dls.check(probes=["points"], progress=False).problems


def test_boxes_that_know_their_picture_need_none():
    from lamina.tensor.types import PointsMeta
    from lamina.vision.check import _look_at_boxes

    facts = _look_at_boxes(TensorBBox([[0.0, 0.0, 2.0, 3.0]], meta=PointsMeta((8, 4))))
    assert facts.size == (8, 4)
    assert facts.boxes.tolist() == [[0, 0, 2, 3]]


def test_labels_are_counted_once_for_pictures_with_labels(cats):
    data = DataBlock(
        (ImageBlock, CategoryBlock), get_y=lambda f: f.parent.name, item_tfms=Resize(64)
    )
    dls = data.dataloaders(get_image_files(cats), cats, bs=8, device="cpu")
    table = next(
        t for t in dls.check(3, skip=["speed"], progress=False).tables if "class" in t.title
    )
    assert sum(n for row in table.rows for n in row[1:]) == 40
