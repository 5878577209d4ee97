"""The factories of picture loaders: what they make of labels, tables, splits and options."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from lamina.data.block import CategoryBlock, MultiCategoryBlock
from lamina.data.task import MultiLabel, Regression, SingleLabel
from lamina.foundation.errors import DataError
from lamina.train.learner import Learner
from lamina.train.persistence import load_learner
from lamina.vision.augmentation.resize import Resize
from lamina.vision.learner import vision_learner
from lamina.vision.loaders import ImageDataLoaders

OPTIONS = {"item_tfms": Resize(32), "bs": 4, "seed": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0).integers(0, 255, (12, 40, 40, 3), dtype=np.uint8)
    for i, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def names():
    return [f"{i}.png" for i in range(12)]


@pytest.fixture
def table(names):
    return pd.DataFrame(
        {"name": names, "label": ["cat", "dog"] * 6, "held": [True] * 3 + [False] * 9}
    )


LABELS = {
    "words": (["cat", "dog"], SingleLabel(vocab=["cat", "dog"])),
    "whole numbers": ([0, 1], SingleLabel(vocab=[0, 1])),
    "numbers": ([0.5, 2], Regression(n_out=1)),
    "several numbers": ([[0.5, 1.0], [2.0, 0.0]], Regression(n_out=2)),
    "lists, the first of one label": ([["x"], ["x", "y"]], MultiLabel(vocab=["x", "y"])),
}


@pytest.mark.parametrize("kind", LABELS)
def test_all_labels_decide_the_kind_of_target(folder, names, kind):
    labels, task = LABELS[kind]
    dls = ImageDataLoaders.from_lists(folder, names, labels * 6, **OPTIONS)
    assert dls.task == task


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        ([0.5, 2.0], Regression(n_out=1)),
        ([1.0, 2.0, np.nan], SingleLabel(vocab=[1.0, 2.0])),
        (["cat", "dog"], SingleLabel(vocab=["cat", "dog"])),
    ],
)
def test_a_column_of_labels_decides_too(folder, table, labels, task):
    table["label"] = labels * (12 // len(labels))
    dls = ImageDataLoaders.from_df(table, folder, valid_col="held", **OPTIONS)
    assert dls.task == task


def test_a_tensor_of_numbers_is_no_list_of_classes(folder, names):
    dls = ImageDataLoaders.from_lists(folder, names, torch.arange(12) / 2, **OPTIONS)
    assert dls.task == Regression(n_out=1)


def test_unlabelled_cells_have_no_label(folder, table):
    table["label"] = ["cat dog", "dog", None, " cat", "", np.nan] * 2
    dls = ImageDataLoaders.from_df(table, folder, label_delim=" ", valid_col="held", **OPTIONS)
    assert dls.vocab == ["cat", "dog"]
    assert not dls.valid_ds[2][1].any()


def test_the_kind_of_target_can_be_chosen(folder, names):
    block = CategoryBlock()
    dls = ImageDataLoaders.from_lists(folder, names, [0.5, 2.0] * 6, y_block=block, **OPTIONS)
    assert dls.task == SingleLabel(vocab=[0.5, 2.0])


@pytest.mark.parametrize("kind", LABELS)
def test_batches_and_results_of_every_kind_are_shown(folder, names, kind):
    dls = ImageDataLoaders.from_lists(folder, names, LABELS[kind][0] * 6, **OPTIONS)
    learn = vision_learner(dls, "resnet18", pretrained=False, default_cbs=False)
    learn.fit(1)
    assert len(dls.show_batch(max_n=2)) == 2
    assert len(learn.show_results(max_n=2)) == 2


def test_a_table_can_say_what_validates(folder, table):
    dls = ImageDataLoaders.from_df(table, folder, valid_col="held", **OPTIONS)
    assert (len(dls.train_ds), len(dls.valid_ds)) == (9, 3)


def test_several_labels_in_a_cell(folder, table):
    table["label"] = ["furry red", "furry"] * 6
    dls = ImageDataLoaders.from_df(table, folder, label_delim=" ", **OPTIONS)
    assert dls.task == MultiLabel(vocab=["furry", "red"])


def test_loaders_of_a_table_predict_files_pictures_and_rows(folder, table):
    dls = ImageDataLoaders.from_df(table, folder, **OPTIONS)
    learn = Learner(dls, nn.Sequential(nn.Flatten(), nn.Linear(3072, 2)), default_cbs=False)
    again = load_learner(learn.export(folder / "model.lamina"), model=learn.model)
    expected = learn.predict(table.iloc[5])[2].tolist()
    file = folder / "5.png"
    for item in (table.iloc[5], file, str(file), file.read_bytes(), Image.open(file)):
        assert learn.predict(item)[2].tolist() == expected
        assert again.predict(item)[2].tolist() == expected


def test_loaders_of_lists_predict_files(folder, names):
    dls = ImageDataLoaders.from_lists(folder, names, ["cat", "dog"] * 6, **OPTIONS)
    learn = Learner(dls, nn.Sequential(nn.Flatten(), nn.Linear(3072, 2)), default_cbs=False)
    again = load_learner(learn.export(folder / "model.lamina"), model=learn.model)
    assert (
        again.predict(folder / "5.png")[2].tolist() == learn.predict(folder / "5.png")[2].tolist()
    )


def test_functions_of_the_name_need_not_be_savable(folder, names):
    dls = ImageDataLoaders.from_name_func(
        folder, [folder / name for name in names], lambda name: str(len(name)), **OPTIONS
    )
    learn = Learner(dls, nn.Sequential(nn.Flatten(), nn.Linear(3072, 2)), default_cbs=False)
    again = load_learner(learn.export(folder / "model.lamina"), model=learn.model)
    assert again.predict(folder / "5.png")[0] in {"5", "6"}


def test_everything_may_be_trained_on(folder, names):
    files, label = [folder / name for name in names], r"^(\d)"
    dls = ImageDataLoaders.from_name_re(folder, files, label, valid_pct=0, **OPTIONS)
    assert (len(dls.train_ds), len(dls.valid_ds)) == (12, 0)
    learn = Learner(dls, nn.Sequential(nn.Flatten(), nn.Linear(3072, dls.c)))
    learn.fine_tune(1)
    assert learn.recorder.metric_names == ["epoch", "train_loss", "time"]


def test_zero_held_out_splits_folders_at_random_too(folder):
    with pytest.raises(DataError, match="folder 'train'"):
        ImageDataLoaders.from_folder(folder, **OPTIONS)
    dls = ImageDataLoaders.from_folder(folder, valid_pct=0, **OPTIONS)
    assert (len(dls.train_ds), len(dls.valid_ds)) == (12, 0)


def test_all_options_of_loaders_are_taken(folder, names):
    dls = ImageDataLoaders.from_lists(
        folder, names, ["cat", "dog"] * 6, drop_last=False, n=7, val_bs=2, **OPTIONS
    )
    assert dls.train.n == 7
    assert not dls.train.drop_last
    assert dls.valid.bs == 2


def test_several_columns_of_labels(folder, table):
    table["colour"] = ["red", "black"] * 6
    dls = ImageDataLoaders.from_df(table, folder, label_col=["label", "colour"], **OPTIONS)
    assert dls.task == MultiLabel(vocab=["black", "cat", "dog", "red"])
    assert dls.valid_ds.decode(dls.valid_ds[0])[1] in (["cat", "red"], ["black", "dog"])


def test_columns_of_truth_values_need_their_names(folder, table):
    table["wild"] = [0, 1] * 6
    block = MultiCategoryBlock(encoded=True, vocab=["held", "wild"])
    dls = ImageDataLoaders.from_df(
        table, folder, label_col=["held", "wild"], y_block=block, valid_col="held", **OPTIONS
    )
    assert dls.valid_ds[1][1].tolist() == [1, 1]


def test_a_table_in_a_file_may_have_any_form(folder):
    rows = [f"{i}.png;{'cat' if i % 2 else 'dog'}" for i in range(12)]
    (folder / "labels.csv").write_text("\n".join(rows))
    dls = ImageDataLoaders.from_csv(folder, header=None, delimiter=";", **OPTIONS)
    assert (dls.vocab, len(dls.train_ds)) == (["cat", "dog"], 10)
