"""The data block: a recipe from a source to loaders."""

from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

from lamina.data.block import (
    CategoryBlock,
    DataBlock,
    MultiCategoryBlock,
    RegressionBlock,
    TransformBlock,
    merge_tfms,
)
from lamina.data.loader import DataLoader
from lamina.data.normalize import IntToFloatTensor, Normalize
from lamina.data.pipeline import Pipeline
from lamina.data.split import IndexSplitter
from lamina.data.task import DenseLabels, MultiLabel, Regression
from lamina.data.tfmd_loader import TfmdDL
from lamina.data.transform import Transform
from lamina.foundation.errors import (
    CollateError,
    ContractError,
    DataError,
    UnknownArgumentError,
)
from lamina.tensor.types import TensorImage

SPLITTER = IndexSplitter([8, 9])


def image(i: int) -> TensorImage:
    return TensorImage(torch.full((3, 4, 4), i * 20, dtype=torch.uint8))


def ragged(i: int) -> TensorImage:
    return TensorImage(torch.zeros(3, 4, 4 + i))


def parity(i: int) -> str:
    return "odd" if i % 2 else "even"


def tags(i: int) -> list[str]:
    return [name for name, k in (("two", 2), ("three", 3)) if i % k == 0]


def image_block() -> TransformBlock:
    return TransformBlock(type_tfms=image, batch_tfms=IntToFloatTensor())


def recipe(**changes) -> DataBlock:
    arguments = {"blocks": (image_block, CategoryBlock), "splitter": SPLITTER, "get_y": parity}
    return DataBlock(**{**arguments, **changes})


OPTIONS = {"bs": 4, "device": "cpu", "seed": 1}


def test_items_become_batches():
    dls = recipe().dataloaders(range(10), **OPTIONS)
    x, y = dls.valid.one_batch()
    assert x[:, 0, 0, 0].tolist() == pytest.approx([160 / 255, 180 / 255])
    assert [dls.vocab[i] for i in y] == ["even", "odd"]
    assert [len(dl.dataset) for dl in dls] == [8, 2]


def test_items_are_got_from_the_source():
    block = recipe(get_items=range)
    assert len(block.datasets(10)) == 10


def test_a_source_without_items_says_so():
    block = recipe(get_items=lambda source: [])
    with pytest.raises(DataError, match=r"str 'nowhere' gave no items through <lambda>\. Check"):
        block.datasets("nowhere")


@pytest.mark.parametrize("verb", ["dataloaders", "databunch"])
def test_transforms_given_with_the_source_are_honoured(verb):
    make = getattr(recipe(), verb)
    dls = make(range(10), item_tfms=Transform(lambda x: x), batch_tfms=Normalize, **OPTIONS)
    assert [t.name for t in dls.train.after_batch] == ["IntToFloatTensor", "Normalize"]
    assert [t.name for t in dls.valid.after_item] == ["<lambda>"]
    assert abs(float(dls.train.one_batch()[0].mean())) < 1


def test_the_callers_transform_takes_the_place_of_the_blocks():
    dls = recipe().dataloaders(range(10), batch_tfms=IntToFloatTensor(div=1.0), **OPTIONS)
    assert [t.div for t in dls.train.after_batch] == [1.0]


def test_merging_keeps_two_of_a_class_that_come_together():
    a, b, c = IntToFloatTensor(1.0), IntToFloatTensor(2.0), IntToFloatTensor(3.0)
    assert merge_tfms(a, [b, c], None) == [b, c]
    assert merge_tfms([IntToFloatTensor, abs], a, abs) == [a, abs]


@pytest.mark.parametrize("name", ["batch_size", "item_tfm", "nonsense"])
def test_unknown_options_are_refused(name):
    with pytest.raises(UnknownArgumentError, match=f"DataBlock.dataloaders: .*'{name}'"):
        recipe().dataloaders(range(10), **{name: 3})
    with pytest.raises(UnknownArgumentError, match=f"DataBlock: unknown argument '{name}'"):
        recipe(**{name: 3})


def test_a_new_block_leaves_the_old_one_as_it_is():
    old = recipe()
    new = old.new(item_tfms=abs, get_y=lambda i: "same")
    assert (old.item_tfms, new.item_tfms) == ([], [abs])
    assert new.dataloaders(range(10), **OPTIONS).vocab == ["same"]
    assert old.dataloaders(range(10), **OPTIONS).vocab == ["even", "odd"]


def test_a_new_block_with_other_blocks_keeps_the_getters():
    new = recipe().new(blocks=(TransformBlock(item_tfms=abs), CategoryBlock(["odd", "even"])))
    assert new.dataloaders(range(10), **OPTIONS).vocab == ["odd", "even"]
    assert new.new(blocks=(TransformBlock, CategoryBlock)).item_tfms == []
    with pytest.raises(ContractError, match="getters has 2 functions for 3 blocks"):
        recipe().new(blocks=[TransformBlock] * 3)
    assert recipe().new(blocks=[TransformBlock] * 3, getters=[abs] * 3).n_inp == 2


def test_a_getter_may_be_a_pipeline():
    dls = recipe(get_y=Pipeline([str, len])).dataloaders(range(7, 17), **OPTIONS)
    assert dls.vocab == [1, 2]


@pytest.mark.parametrize("source", ["pictures", Path("pictures"), None])
def test_a_source_that_is_no_collection_of_items(source):
    with pytest.raises(DataError, match=r"is no collection of items\. Give .* get_items="):
        recipe().dataloaders(source)


@pytest.mark.parametrize("splitter", [0.2, lambda items: None])
def test_a_splitter_must_split(splitter):
    with pytest.raises(DataError, match=r"gave no splits\. Expected .* RandomSplitter\(0\.2\)"):
        recipe(splitter=splitter).datasets(range(10))


def test_the_task_is_that_of_the_target():
    block = DataBlock((CategoryBlock, RegressionBlock), get_x=str, get_y=abs)
    assert block.dataloaders(range(10), **OPTIONS).task == Regression(1)


def test_what_is_learnt_from_one_source_does_not_stay_for_the_next():
    block = recipe(get_y=str)
    assert len(block.dataloaders(range(10), **OPTIONS).vocab) == 8
    assert "15" in block.dataloaders(range(10, 20), **OPTIONS).vocab


def test_statistics_of_one_source_do_not_stay_for_the_next():
    block = recipe(batch_tfms=Normalize())
    dls, black = (block.dataloaders(items, **OPTIONS) for items in (range(10), [0] * 10))
    assert black.gather("mean").max() == 0 < dls.gather("mean").min()


def test_several_labels_per_item():
    block = recipe(blocks=(image_block, MultiCategoryBlock), get_y=tags)
    dls = block.dataloaders(range(10), **OPTIONS)
    assert dls.task == MultiLabel(["three", "two"])
    assert dls.valid.one_batch()[1].tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_labels_that_come_encoded():
    block = recipe(
        blocks=(image_block, MultiCategoryBlock(encoded=True, vocab=["a", "b"])),
        get_y=lambda i: [1, 0],
    )
    assert block.dataloaders(range(10), **OPTIONS).one_batch()[1][0].tolist() == [1.0, 0.0]
    with pytest.raises(ContractError, match=r"needs the labels in order\. Pass vocab"):
        MultiCategoryBlock(encoded=True)


def test_numbers_as_targets():
    block = recipe(blocks=(image_block, RegressionBlock), get_y=lambda i: (i, i + 0.5))
    dls = block.dataloaders(range(10), **OPTIONS)
    assert (dls.task, dls.c) == (Regression(2), 2)
    assert dls.valid.one_batch()[1].tolist() == [[8.0, 8.5], [9.0, 9.5]]


def test_a_block_may_declare_the_task():
    masks = TransformBlock(type_tfms=image, task=DenseLabels(["sky", "tree"]))
    dls = recipe(blocks=(image_block, masks), get_y=None).dataloaders(range(10), **OPTIONS)
    assert dls.task == DenseLabels(["sky", "tree"])


def test_several_inputs_have_a_getter_each():
    block = DataBlock(
        blocks=(TransformBlock, TransformBlock, CategoryBlock),
        n_inp=2,
        get_x=[float, lambda i: i * 10.0],
        get_y=parity,
        splitter=SPLITTER,
    )
    dls = block.dataloaders(range(10), **OPTIONS)
    assert dls.n_inp == 2
    assert [part.tolist() for part in dls.valid.one_batch()][:2] == [[8.0, 9.0], [80.0, 90.0]]


def test_getters_may_be_given_for_all_blocks():
    block = recipe(getters=[lambda i: 0, parity], get_y=None)
    assert block.datasets(range(10))[3][0].sum() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"get_x": [abs, abs]}, r"get_x has 2 functions for 1 inputs\. Give a list.*Pipeline"),
        ({"getters": [abs], "get_y": None}, "getters has 1 functions for 2 blocks"),
        ({"getters": [abs, abs]}, "either getters, or get_x and get_y"),
        ({"blocks": (image_block, 3)}, r"3 is no block\. Give TransformBlocks"),
        ({"n_inp": 3}, "n_inp=3 does not fit 2 blocks"),
    ],
)
def test_parts_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ContractError, match=message):
        recipe(**arguments)


class OwnLoader(TfmdDL):
    pass


def test_a_block_may_need_its_own_loader_and_options():
    block = TransformBlock(dl_type=OwnLoader, dls_kwargs={"drop_last": False, "n": 4})
    dls = recipe(blocks=(block, CategoryBlock)).dataloaders(range(10), **OPTIONS)
    assert type(dls.train) is OwnLoader
    assert (dls.train.n, dls.train.drop_last) == (4, False)


def test_unequal_sizes_say_what_to_add():
    block = recipe(blocks=(TransformBlock(type_tfms=ragged), CategoryBlock))
    with pytest.raises(CollateError, match=r"field 0 \(TensorImage\).*item_tfms=Resize"):
        block.dataloaders(range(10), **OPTIONS).one_batch()


def test_the_summary_tells_every_step():
    report = str(recipe(item_tfms=Transform(lambda x: x)).summary(list(range(10)), bs=2))
    assert "Items: 10, split into 8, 2" in report
    assert "image: TensorImage of shape (3, 4, 4)" in report
    assert "Categorize: TensorCategory" in report
    assert "collated: (TensorImage of shape (2, 3, 4, 4), TensorCategory of shape (2,))" in report
    assert "IntToFloatTensor: (TensorImage" in report


def test_the_summary_sets_batch_transforms_up():
    report = recipe(batch_tfms=Normalize).summary(list(range(10)))
    assert abs(float(report.batch[0].mean())) < 1e-5


def test_the_summary_draws_a_batch_on_request():
    plt.close("all")
    recipe().summary(list(range(10)), bs=3, show_batch=True)
    assert sum(len(ax.images) for ax in plt.gcf().axes) == 3
    plt.close("all")


def test_a_failing_step_is_the_last_of_the_summary():
    def broken(i: int) -> str:
        raise KeyError(i)

    with pytest.raises(KeyError) as error:
        recipe(blocks=(image_block, TransformBlock), get_y=broken).summary(list(range(10)))
    assert error.value.__notes__[-1].endswith("broken: ...")


def test_a_data_block_makes_plain_lamina_loaders():
    assert isinstance(recipe().dataloaders(range(10), **OPTIONS).train, DataLoader)


def test_functions_see_an_item_that_is_a_pair_as_a_whole():
    block = recipe(get_x=lambda pair: pair[0], get_y=lambda pair: pair[1])
    pairs = [(i, parity(i)) for i in range(10)]
    x, y = block.dataloaders(pairs, shuffle=False, **OPTIONS).one_batch()
    assert x.shape == (4, 3, 4, 4)
    assert y.tolist() == [0, 1, 0, 1]


def test_a_splitter_may_make_several_validation_sets():
    block = recipe(splitter=lambda items: ([0, 1, 2, 3], [4, 5], [6, 7, 8]))
    assert [len(dl.dataset) for dl in block.dataloaders(range(10), **OPTIONS)] == [4, 2, 3]


def test_transforms_made_of_functions_do_not_replace_one_another():
    first, second = Transform(lambda x: x + 1), Transform(lambda x: x * 2)
    assert merge_tfms(first, second) == [first, second]
