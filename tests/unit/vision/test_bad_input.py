"""Bad input is refused where it enters, with words that help; items left out are counted."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lamina.data.block import CategoryBlock, DataBlock
from lamina.data.external.archives import extract
from lamina.data.get import get_image_files
from lamina.data.label import RegexLabeller
from lamina.data.loader import DataLoader
from lamina.data.normalize import Normalize
from lamina.data.split import IndexSplitter
from lamina.data.transform import Transform
from lamina.foundation.errors import (
    ArchiveError,
    BundleError,
    CollateError,
    DataError,
    ItemError,
    SkipItem,
    UnknownArgumentError,
)
from lamina.train.learner import Learner
from lamina.train.persistence import load_learner
from lamina.vision.augmentation.augment import aug_transforms
from lamina.vision.augmentation.resize import RandomResizedCrop, Resize
from lamina.vision.blocks import ImageBlock
from lamina.vision.learner import cnn_learner, vision_learner
from lamina.vision.loaders import ImageDataLoaders
from lamina.vision.models.head import create_head

PATTERN = r"^(.)_"


def draw(file: Path, size: tuple[int, int] = (40, 40)) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures: a_0.jpg, b_1.jpg, a_2.jpg and so on."""
    for i in range(12):
        draw(tmp_path / f"{'ab'[i % 2]}_{i}.jpg")
    return tmp_path


@pytest.fixture
def files(folder):
    return sorted(get_image_files(folder))


def loaders(folder, files=None, **options):
    options = {"item_tfms": Resize(32), "bs": 4, "valid_pct": 0.0, **options}
    files = get_image_files(folder) if files is None else files
    return ImageDataLoaders.from_name_re(folder, files, PATTERN, **options)


def learner(dls):
    return Learner(dls, nn.Sequential(nn.Flatten(), nn.Linear(32 * 32 * 3, 2)), default_cbs=False)


# Files


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("n_bytes", [0, 300, 700])
def test_a_broken_picture_is_named_with_its_stage(folder, n_bytes, n_workers):
    broken = folder / "a_99.jpg"
    broken.write_bytes((folder / "a_0.jpg").read_bytes()[:n_bytes])
    dls = loaders(folder, bs=1, num_workers=n_workers)
    with pytest.raises(DataError, match=r"Cannot read the image .*a_99\.jpg: .*remove or") as error:
        list(dls.train)
    notes = " ".join(error.value.__notes__)
    assert "TfmdDL: stage" in notes
    assert "failed on item" in notes


@pytest.mark.parametrize("n_workers", [0, 2])
def test_skipped_pictures_are_counted_with_the_reason(files, n_workers):
    def not_dark(file):
        if file.name in {"a_2.jpg", "b_1.jpg"}:
            raise SkipItem("too dark")
        return file

    block = DataBlock(
        (ImageBlock, CategoryBlock),
        get_x=not_dark,
        get_y=RegexLabeller(PATTERN),
        splitter=IndexSplitter([]),
        item_tfms=Resize(32),
    )
    dls = block.dataloaders(files, bs=4, num_workers=n_workers, shuffle=False)
    assert sum(len(y) for _, y in dls.train) == 10
    assert {skip.reason for skip in dls.train.skipped} == {"too dark"}
    assert sorted(Path(skip.item.split("'")[1]).name for skip in dls.train.skipped) == [
        "a_2.jpg",
        "b_1.jpg",
    ]


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match=r"gave no items.* Check that the path is right"):
        ImageDataLoaders.from_folder(tmp_path, valid_pct=0.2)


def test_a_missing_folder(tmp_path):
    with pytest.raises(DataError, match=r"there is no folder .*nowhere'\. Check the path"):
        ImageDataLoaders.from_folder(tmp_path / "nowhere")


def test_no_folder_for_training(folder):
    with pytest.raises(DataError, match=r"no file lies below a folder 'train'.* pass train_name="):
        ImageDataLoaders.from_folder(folder)


def test_a_truncated_archive(samples, tmp_path):
    cut = tmp_path / "cut.tgz"
    cut.write_bytes((samples / "mnist_tiny.tgz").read_bytes()[:100_000])
    with pytest.raises(ArchiveError, match=r"cut\.tgz"):
        extract(cut, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Labels


def test_a_pattern_that_fits_no_name(folder, files):
    with pytest.raises(ItemError, match=r"found neither in the name '.*' nor in the path .*Change"):
        ImageDataLoaders.from_name_re(folder, files, r"^(\d+)x_")


def test_a_pattern_without_a_group(folder, files):
    with pytest.raises(ItemError, match=r"has no group\. Put the part that is the label in"):
        ImageDataLoaders.from_name_re(folder, files, r"^._")


def test_a_label_only_seen_in_validation_is_named_with_its_item(files):
    block = DataBlock(
        (ImageBlock, CategoryBlock),
        get_y=lambda file: "new" if file.name == "b_1.jpg" else "old",
        splitter=lambda items: (range(6), range(6, 12)),
        item_tfms=Resize(32),
    )
    dls = block.dataloaders(files, bs=4)
    with pytest.raises(
        ItemError, match=r"label 'new' is not in the vocabulary.* split so"
    ) as error:
        list(dls.valid)
    assert "b_1.jpg" in " ".join(error.value.__notes__)


def test_more_labels_than_files(folder, files):
    with pytest.raises(DataError, match=r"12 files and 2 labels\. Give one label for each file"):
        ImageDataLoaders.from_lists(folder, files, ["a", "b"])


# Batches


def test_unequal_sizes_ask_for_a_resize(folder):
    draw(folder / "a_100.jpg", (50, 40))
    dls = loaders(folder, item_tfms=None, bs=13)
    message = r"Cannot stack field 0 \(TensorImage\) of 13 items: .* item_tfms=Resize\("
    with pytest.raises(CollateError, match=message):
        list(dls.train)


def test_a_batch_larger_than_the_data_is_trained_on(folder):
    with pytest.warns(UserWarning, match=r"bs=64 is larger than the data set \(12 items\)"):
        dls = loaders(folder, bs=64)
    learn = learner(dls)
    before = learn.model[1].weight.clone()
    learn.fit(1)
    assert learn.train_iter == 1
    assert not torch.equal(learn.model[1].weight, before)


# Keywords

UNKNOWN = {
    "from_folder": (lambda: ImageDataLoaders.from_folder(".", valid_pt=0.2), "valid_pct"),
    "from_name_re": (lambda: ImageDataLoaders.from_name_re(".", [], "", item_tfm=1), "item_tfms"),
    "from_path_re": (lambda: ImageDataLoaders.from_path_re(".", [], "", sed=1), "seed"),
    "from_path_func": (lambda: ImageDataLoaders.from_path_func(".", [], str, bss=1), "bs"),
    "from_name_func": (lambda: ImageDataLoaders.from_name_func(".", [], str, vall_bs=1), "val_bs"),
    "from_lists": (lambda: ImageDataLoaders.from_lists(".", [], [], yblock=1), "y_block"),
    "from_df": (lambda: ImageDataLoaders.from_df(None, label_cols=1), "label_col"),
    "from_csv": (lambda: ImageDataLoaders.from_csv(".", csv_name="x"), "csv_fname"),
    "DataBlock": (lambda: DataBlock(bloks=1), "blocks"),
    "DataBlock.dataloaders": (lambda: DataBlock().dataloaders([1], item_tfm=1), "item_tfms"),
    "databunch": (lambda: DataBlock().databunch([1], batch_tfm=1), "batch_tfms"),
    "Datasets.dataloaders": (lambda: DataBlock().datasets([1, 2]).dataloaders(sufle=1), "shuffle"),
    "DataLoader": (lambda: DataLoader([1], sufle=True), "shuffle"),
    "vision_learner": (lambda: vision_learner(None, "resnet18", metric=1), "metrics"),
    "cnn_learner": (lambda: cnn_learner(None, "resnet18", metric=1), "metrics"),
    "Learner": (lambda: Learner([[], []], nn.Linear(1, 1), metric=1), "metrics"),
    "aug_transforms": (lambda: aug_transforms(max_rotat=1), "max_rotate"),
    "create_head": (lambda: create_head(1, 1, lin_ftr=1), "lin_ftrs"),
    "Resize": (lambda: Resize(1, metod=1), "method"),
    "RandomResizedCrop": (lambda: RandomResizedCrop(1, min_scal=1), "min_scale"),
    "Normalize": (lambda: Normalize(meen=1), "mean"),
    "Transform": (lambda: Transform(encs=str), "enc"),
    "CategoryBlock": (lambda: CategoryBlock(vocb=1), "vocab"),
    "load_learner": (lambda: load_learner("x", allows=1), "allow"),
}


@pytest.mark.parametrize("where", UNKNOWN)
def test_unknown_keywords_of_factories_are_refused(where):
    call, meant = UNKNOWN[where]
    with pytest.raises(UnknownArgumentError, match=rf"Did you mean '{meant}'\?"):
        call()


@pytest.mark.parametrize(
    ("verb", "wrong", "meant"),
    [
        ("fit", "lrr", "lr"),
        ("fit_one_cycle", "lrmax", "lr_max"),
        ("fit_flat_cos", "pctstart", "pct_start"),
        ("fine_tune", "freeze_epoch", "freeze_epochs"),
        ("lr_find", "numit", "num_it"),
        ("get_preds", "with_inputs", "with_input"),
        ("show_results", "maxn", "max_n"),
        ("export", "name", "fname"),
    ],
)
def test_unknown_keywords_of_verbs_are_refused(verb, wrong, meant):
    batches = [(torch.ones(2, 3), torch.ones(2, 1))]
    loss = nn.functional.mse_loss
    learn = Learner([batches, batches], nn.Linear(3, 1), loss, default_cbs=False)
    given = [1] if verb.startswith("fi") else []
    with pytest.raises(UnknownArgumentError, match=rf"{verb}: .* Did you mean '{meant}'\?"):
        getattr(learn, verb)(*given, **{wrong: 1})
    assert learn.opt is None


# Exported files


@pytest.mark.parametrize(
    "mangle",
    [
        lambda data: b"",
        lambda data: data[:100],
        lambda data: data[:-100],
        lambda data: data[:200] + b"x" * 50 + data[250:],
        lambda data: b"PK\x03\x04" + data[4:],
    ],
    ids=["empty", "beginning only", "end missing", "overwritten", "a zip's beginning"],
)
def test_a_mangled_export_is_refused(folder, tmp_path, mangle):
    file = learner(loaders(folder)).export(tmp_path / "model.lamina")
    file.write_bytes(mangle(file.read_bytes()))
    with pytest.raises(BundleError, match=r"model\.lamina: .*(again|trust)"):
        load_learner(file)
