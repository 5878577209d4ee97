"""Loaders that belong together."""

import pytest
import torch
from torch.utils.data import DataLoader as TorchLoader
from torch.utils.data import TensorDataset

from lamina.data.category import Categorize
from lamina.data.datasets import Datasets
from lamina.data.items import TfmdLists
from lamina.data.loader import DataLoader
from lamina.data.loaders import DataLoaders, PlainLoader, get_c
from lamina.data.normalize import Normalize
from lamina.data.task import SingleLabel
from lamina.foundation.errors import (
    ContractError,
    DataError,
    UnknownArgumentError,
    UnknownNameError,
)
from lamina.tensor.types import TensorImage

SPLITS = [list(range(10)), [10, 11, 12], [13]]


def parity(n: int) -> str:
    return "odd" if n % 2 else "even"


@pytest.fixture
def dsets() -> Datasets:
    return Datasets(list(range(14)), [[float], [parity, Categorize()]], splits=SPLITS)


@pytest.fixture
def dls(dsets: Datasets) -> DataLoaders:
    return dsets.dataloaders(bs=4, device="cpu", seed=1)


def test_training_is_shuffled_and_without_rest_the_others_not(dls):
    assert [len(dl) for dl in dls] == [2, 1, 1]
    assert (dls.train.shuffle, dls.valid.shuffle) == (True, False)
    assert (dls.train.drop_last, dls.valid.drop_last) == (True, False)
    assert dls.valid.one_batch()[0].tolist() == [10.0, 11.0, 12.0]


def test_options_for_validation_have_a_prefix(dsets):
    dls = dsets.dataloaders(bs=4, val_bs=2, val_num_workers=1, shuffle=False, device="cpu")
    assert [dl.bs for dl in dls] == [4, 2, 2]
    assert [dl.num_workers for dl in dls] == [0, 1, 1]
    assert dls.train.drop_last is False


@pytest.mark.parametrize("name", ["batch_size", "shufle", "val_shufle", "nonsense"])
def test_unknown_options_are_refused(dsets, name):
    with pytest.raises(UnknownArgumentError, match=f"from_dsets: unknown argument '{name}'"):
        dsets.dataloaders(**{name: 3})


def test_a_batch_size_beyond_the_training_set_trains_on_what_there_is(dsets):
    with pytest.warns(UserWarning, match=r"bs=64 is larger than the data set \(10 items\)"):
        dls = dsets.dataloaders(device="cpu")
    assert len(dls.train) == 1
    assert len(dls.one_batch()[0]) == 10


def test_facts_are_gathered_from_the_transforms(dls):
    assert dls.vocab == ["even", "odd"]
    assert dls.task == SingleLabel(dls.vocab)
    assert (dls.c, dls.n_inp) == (2, 1)
    assert len(dls.train_ds) == 10
    assert len(dls.valid_ds) == 3


def test_new_items_are_loaded_as_for_validation(dls):
    dl = dls.test_dl([100, 101])
    assert [b[0].tolist() for b in dl] == [[100.0, 101.0]]
    (_, y) = dls.test_dl([100, 101], with_labels=True, bs=2).one_batch()
    assert y.tolist() == [0, 1]


def test_new_items_are_loaded_through_a_single_pipeline():
    dls = TfmdLists([1, 2, 3, 4], [float], splits=[[0, 1], [2, 3]]).dataloaders(bs=2, device="cpu")
    assert dls.test_dl([9, 8, 7]).one_batch().tolist() == [9.0, 8.0]


def test_empty_loaders_still_decode(dls):
    empty = dls.new_empty()
    assert len(empty.train_ds) == 0
    assert empty.decode_batch(dls.valid.one_batch())[0] == (10.0, "even")


def test_transforms_can_be_added_later():
    images = [TensorImage(torch.full((1, 2, 2), float(i))) for i in range(8)]
    tl = TfmdLists(images, splits=[range(4), range(4, 8)])
    dls = tl.dataloaders(bs=4, device="cpu")
    dls.add_tfms(Normalize, "after_batch")
    assert float(dls.train.one_batch().mean()) == pytest.approx(0, abs=1e-6)
    assert dls.valid.after_batch[0] is dls.train.after_batch[0]
    dls.add_tfms([lambda x: x * 0], "after_item", loaders=[1])
    assert float(dls.train.one_batch().std()) > 0
    assert float(dls.valid.one_batch().std()) == 0


def test_transforms_can_only_be_added_to_a_stage_of_them(dls):
    with pytest.raises(UnknownNameError, match=r"'after_btch'\. Did you mean 'after_batch'"):
        dls.add_tfms([], "after_btch")


def test_plain_pytorch_loaders_are_accepted():
    data = TensorDataset(torch.arange(6.0), torch.arange(6))
    loader = TorchLoader(data, batch_size=4)
    dls = DataLoaders(loader, loader, device="cpu")
    assert [b[0].tolist() for b in dls.train] == [[0, 1, 2, 3], [4, 5]]
    assert len(dls.train) == 2
    assert dls.train_ds is data
    assert (dls.vocab, dls.task, dls.c, dls.n_inp) == (None, None, None, None)


def test_batches_of_plain_loaders_are_listed():
    batch = (torch.tensor([0.5, 1.0]), torch.tensor([3, 4]))
    for loader in ([batch], DataLoader([(0.5, 3), (1.0, 4)], 2)):
        dls = DataLoaders(loader, device="cpu")
        assert dls.show_batch(max_n=1).rows == [["0.5", "3"]]
        assert dls.show_results(batch, torch.tensor([3, 5])).rows[1] == ["1", "4", "5"]
        assert dls.decode_batch(batch)[1] == (1.0, 4)
    dls = DataLoaders([{"x": torch.zeros(2), "y": torch.ones(2)}], device="cpu")
    assert len(dls.show_batch().rows) == 2


def test_lists_of_batches_are_accepted_and_moved():
    batches = [{"x": torch.zeros(2), "y": torch.ones(2)}]
    dls = DataLoaders(batches, batches, device="meta")
    assert dls.one_batch()["x"].device.type == "meta"
    assert dls.valid.dataset is batches


def test_a_generator_is_refused():
    with pytest.raises(ContractError, match=r"a generator cannot be gone through again.*list\(\)"):
        DataLoaders(batch for batch in [1])


def test_a_data_set_is_no_loader():
    with pytest.raises(ContractError, match=r"a Datasets cannot be .* from_dsets makes loaders"):
        DataLoaders(Datasets([1, 2], [[str]]))


def test_a_plain_loader_without_batches_says_so():
    with pytest.raises(DataError, match=r"gives no batch\. Check"):
        PlainLoader([]).one_batch()


def test_a_plain_loader_has_no_transforms_for_new_items():
    with pytest.raises(ContractError, match=r"no transforms to use on new items\. Give"):
        DataLoaders([(torch.zeros(1),)], device="cpu").test_dl([1])


def test_a_plain_loader_has_no_stages_for_transforms():
    with pytest.raises(ContractError, match=r"add_tfms: a plain loader has no stages\. Put"):
        DataLoaders([(torch.zeros(2),)], device="cpu").add_tfms(str, "after_item")


def test_plain_loaders_can_be_emptied():
    dls = DataLoaders([(torch.zeros(2),)], device="cpu").new_empty()
    assert list(dls.train) == []


def test_there_must_be_data_sets():
    with pytest.raises(ContractError, match=r"from_dsets: no data set given\. Give at least one"):
        DataLoaders.from_dsets()


def test_there_must_be_loaders():
    with pytest.raises(ContractError, match=r"no loader given\. Give"):
        DataLoaders()
    with pytest.raises(ContractError, match=r"no validation loader\. Give"):
        _ = DataLoaders(DataLoader([1]), device="cpu").valid


def test_loaders_move_together(dls):
    dls.to("meta")
    assert [dl.device.type for dl in dls] == ["meta"] * 3
    assert dls.valid.one_batch()[0].device.type == "meta"


def test_batches_move_to_the_cpu_and_to_a_gpu_that_is_there():
    dls = DataLoaders([(torch.zeros(2),)])
    assert dls.cpu().device == torch.device("cpu")
    if torch.cuda.is_available():
        assert dls.cuda().one_batch()[0].is_cuda


def test_the_number_of_outputs_must_be_known():
    with pytest.raises(ContractError, match=r"do not say what the target is\. Use a block"):
        get_c(DataLoaders([(torch.zeros(2, 3), torch.zeros(2))], device="cpu"))
