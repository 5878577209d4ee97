"""The data doctor on data without pictures: labels, copies, columns, batches, speed."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchLoader
from torch.utils.data import TensorDataset

from lamina.data.block import CategoryBlock, DataBlock, TransformBlock
from lamina.data.category import Categorize
from lamina.data.check.probes import PROBES
from lamina.data.check.report import Problem
from lamina.data.datasets import Datasets
from lamina.data.items import get_item
from lamina.data.loaders import DataLoaders
from lamina.data.split import IndexSplitter
from lamina.foundation.errors import ContractError, SkipItem, UnknownNameError


def labelled(pairs, n_train, **options):
    """Loaders of texts with labels, the first `n_train` for training."""
    pairs = [list(pair) for pair in pairs]  # a transform takes a tuple apart
    splits = [list(range(n_train)), list(range(n_train, len(pairs)))]
    tfms = [[lambda pair: pair[0]], [lambda pair: pair[1], Categorize(**options)]]
    return Datasets(pairs, tfms, splits=splits).dataloaders(bs=4, device="cpu")


def examined(dls, **options):
    """The problems that a check finds, by kind."""
    report = dls.check(seconds=0.05, progress=False, **options)
    return {problem.kind: problem for problem in report.problems}


CLEAN = [(f"text {i}", "ab"[i % 2]) for i in range(50)]


def test_clean_data_have_no_problems():
    report = labelled(CLEAN, 40).check(seconds=0.05, progress=False)
    assert not report.problems
    assert report.looked_at == {"train": 40, "valid": 10}


def test_label_only_in_validation_is_an_error_that_names_its_items():
    found = examined(labelled([*CLEAN, ("strange", "c")], 40))
    assert found["label only in validation"].severity == "error"
    assert list(found["label only in validation"].items) == ["valid[10]"]
    assert "StratifiedSplitter" in found["label only in validation"].advice


def test_label_only_in_validation_that_the_vocabulary_has_is_a_warning():
    found = examined(labelled([*CLEAN, ("strange", "c")], 40, vocab=["a", "b", "c", "d"]))
    assert found["label only in validation"].severity == "warning"
    assert list(found["empty class"].items) == ["d"]


def test_rare_and_uneven_classes_and_those_nobody_validates():
    found = examined(
        labelled([("lonely", "c"), *CLEAN, *((f"more {i}", "a") for i in range(9))], 41)
    )
    assert list(found["rare class"].items) == ["c: 1"]
    assert list(found["label only in training"].items) == ["c"]
    assert "uneven classes" not in found
    found = examined(labelled([("lonely", "c"), *CLEAN[::2] * 2, *CLEAN], 100))
    assert list(found["uneven classes"].items) == ["a: 75"]


def test_nothing_held_out():
    assert list(examined(labelled(CLEAN, 50))["empty split"].items) == ["valid"]


def test_missing_labels():
    pairs = [*CLEAN[:10], ("nothing", None), ("nan", float("nan")), *CLEAN[10:]]
    found = examined(labelled(pairs, 42, add_na=True))
    assert list(found["unlabelled"].items) == ["train[10]", "train[11]"]


def test_copies_across_and_within_a_split_and_under_another_label():
    pairs = [*CLEAN, CLEAN[0], ("text 1", "a"), CLEAN[48]]
    found = examined(labelled(pairs, 40))
    assert list(found["leak"].items) == [
        "train[0] (train) = valid[10] (valid)",
        "train[1] (train) = valid[11] (valid)",
    ]
    assert list(found["contradiction"].items) == ["train[1] (train) = valid[11] (valid)"]
    assert list(found["duplicate"].items) == ["valid[8] (valid) = valid[12] (valid)"]


def test_copies_of_files_across_the_split_are_an_error(tmp_path):
    for i in range(30):
        (tmp_path / f"{i}.txt").write_text(f"text {i % 29}")
    files = sorted(tmp_path.glob("*.txt"), key=lambda file: int(file.stem))
    block = DataBlock(
        (TransformBlock(type_tfms=lambda f: f.read_text()), TransformBlock()),
        splitter=IndexSplitter([29]),
        get_y=lambda f: len(f.name),
    )
    dls = block.dataloaders(files, tmp_path, bs=4, device="cpu")
    leak = examined(dls)["leak"]
    assert leak.severity == "error"
    assert list(leak.items) == ["0.txt (train) = 29.txt (valid)"]


def fail_on_seven(x):
    if x == 7:
        raise RuntimeError("seven is broken")
    return float(x)


def test_items_that_cannot_be_made_are_named_with_the_reason():
    dls = Datasets(range(20), [[fail_on_seven], [float]], splits=[range(16), range(16, 20)])
    found = examined(dls.dataloaders(bs=4, device="cpu"))
    assert list(found["unreadable"].items) == ["train[7]"]
    assert "seven is broken" in found["unreadable"].message
    assert list(found) == ["unreadable", "no batch"]  # the cause first
    assert found["no batch"].advice == "TfmdDL: stage 'create_item' failed on item 7 (7)"


class Broken(torch.utils.data.Dataset):
    """Fails on its third item, and skips the fourth."""

    def __len__(self):
        return 8

    def __getitem__(self, i):
        if i == 3:
            raise SkipItem("odd")
        if i == 2:
            raise KeyError("x")
        return {"x": torch.rand(3), "y": i % 2}


def test_items_of_a_plain_data_set_that_cannot_be_made_are_named():
    dls = DataLoaders.from_dsets(Broken(), [], bs=2, device="cpu")
    found = examined(dls, probes=["unreadable", "columns"])
    assert list(found) == ["unreadable"]
    assert list(found["unreadable"].items) == ["train[2]"]


def test_labels_that_are_only_counted_are_named_after_their_files(tmp_path):
    files = [tmp_path / f"{i}.txt" for i in range(20)]
    for file in files:
        file.write_text(file.name)
    block = DataBlock(
        (TransformBlock, CategoryBlock),
        get_y=lambda file: "rare" if file.stem == "19" else "common",
        splitter=IndexSplitter([17, 18, 19]),
    )
    dls = block.dataloaders(files, tmp_path, bs=4, device="cpu")
    found = examined(dls, n=1, probes=["labels"])
    assert list(found["label only in validation"].items) == ["19.txt"]


def skip_seven(x):
    if x == 7:
        raise SkipItem("odd")
    return float(x)


def test_skipped_items_are_no_problem():
    dls = Datasets(range(20), [[skip_seven], [float]], splits=[range(16), range(16, 20)])
    assert not examined(dls.dataloaders(bs=4, device="cpu"))


def test_gaps_and_constant_columns_of_arrays():
    x = torch.rand(20, 4)
    x[3, 1], x[5, 1], x[:, 2] = torch.nan, torch.inf, 7.0
    data = TensorDataset(x, torch.arange(20) % 2)
    dls = DataLoaders(TorchLoader(data, 20), TorchLoader(data, 5), device="cpu")
    found = examined(dls, skip=["duplicates"])
    assert list(found["missing numbers"].items) == ["element 0, column 1: 4"]
    assert list(found["constant column"].items) == ["element 0, column 2"]
    assert list(found["NaN in batch"].items) == ["train: Tensor", "valid: Tensor"]


def test_columns_of_a_frame_are_judged_over_all_splits():
    frame = pd.DataFrame(
        {"x": range(30), "y": list("ab") * 15, "same": 1, "gap": [None, *range(29)]}
    )
    frame["is_valid"] = frame["x"] > 20
    block = DataBlock(
        (TransformBlock, CategoryBlock),
        get_x=lambda row: float(row["x"]),
        get_y=lambda row: row["y"],
        splitter=IndexSplitter(range(21, 30)),
    )
    found = examined(block.dataloaders(frame, bs=4, device="cpu"))
    assert list(found["constant column"].items) == ["same"]
    assert list(found["missing numbers"].items) == ["gap: 1"]


def test_a_sample_still_counts_all_labels():
    report = labelled([*CLEAN, ("strange", "c")], 40).check(4, skip=["speed"], progress=False)
    assert report.looked_at == {"train": 4, "valid": 4}
    assert [p.kind for p in report.problems] == ["label only in validation"]


def test_a_list_of_batches_is_examined_as_far_as_it_goes():
    batches = [(torch.rand(8, 3), torch.arange(8))] * 2
    report = DataLoaders(batches, batches, device="cpu").check(seconds=0.05, progress=False)
    assert report.ok
    assert [table.title for table in report.tables] == ["First training batch", "Speed of training"]
    assert list(report.tables[0].rows[0])[:3] == ["Tensor", "8x3", "float32"]


class Slow(torch.utils.data.Dataset):
    """Gives an item every two milliseconds."""

    def __len__(self):
        return 32

    def __getitem__(self, i):
        np.linalg.inv(np.eye(150) * (i + 1))
        return torch.rand(3), i % 2


def test_the_slower_of_loader_and_model_is_named_and_neither_is_changed():
    dls = DataLoaders.from_dsets(Slow(), Slow(), bs=8, device="cpu", seed=3)
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout())
    before, state = dls.train.epoch, torch.get_rng_state()
    found = examined(dls, model=model, probes=["speed"])
    assert list(found) == ["slow loader"]
    assert "CPUs here" in found["slow loader"].advice
    assert before == dls.train.epoch
    assert state.equal(torch.get_rng_state())
    assert model[0].weight.grad is None
    assert not model[1].num_batches_tracked


def test_a_model_that_cannot_take_the_batch_is_an_error():
    batches = [(torch.rand(8, 3), torch.arange(8))]
    dls = DataLoaders(batches, batches, device="cpu")
    assert examined(dls, model=nn.Linear(4, 2))["model fails"].severity == "error"


def test_own_probes_run_with_the_others():
    @PROBES.register("first item")
    def find_first(subject):
        first = get_item(subject.dls.train_ds.items, 0)
        yield Problem("first", "note", f"It is {first}.")

    found = examined(labelled(CLEAN, 40), probes=["first item"])
    assert found["first"].message == "It is ['text 0', 'a']."
    PROBES._entries.pop("first item")


def test_wrong_arguments_are_refused():
    dls = labelled(CLEAN, 40)
    with pytest.raises(UnknownNameError, match=r"unknown probe 'label'\. Did you mean 'labels'\?"):
        dls.check(probes=["label"])
    with pytest.raises(UnknownNameError, match="unknown probe 'speeed'"):
        dls.check(skip=["speeed"])
    with pytest.raises(ContractError, match=r"n=0\. Give 1 or more"):
        dls.check(0)
