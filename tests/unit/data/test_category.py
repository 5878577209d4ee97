"""Labels to indices and back, and the errors for labels that do not fit."""

import numpy as np
import pandas as pd
import pytest
import torch

from lamina.data.category import (
    Categorize,
    Category,
    CategoryMap,
    EncodedMultiCategorize,
    MultiCategorize,
    MultiCategory,
    OneHotEncode,
    RegressionSetup,
)
from lamina.data.pipeline import Pipeline
from lamina.data.task import MultiLabel, Regression, SingleLabel
from lamina.foundation.errors import ContractError, DataError, ItemError
from lamina.tensor.types import TensorCategory, TensorMultiCategory, TitledTensorScalar


class TestCategoryMap:
    def test_distinct_and_sorted(self):
        assert CategoryMap(["b", "a", "b"]) == ["a", "b"]

    def test_unsorted_keeps_the_first_occurrences(self):
        assert CategoryMap(["b", "a", "b"], sort=False) == ["b", "a"]

    def test_missing_labels_are_left_out(self):
        col = ["b", None, float("nan"), pd.NA, pd.NaT, "a"]
        assert CategoryMap(col) == ["a", "b"]

    def test_na_comes_first_and_takes_the_unknown(self):
        vocab = CategoryMap(["b", "a"], add_na=True)
        assert vocab == ["#na#", "a", "b"]
        assert vocab.map_objs(["b", "zebra", None]) == [2, 0, 0]

    def test_a_categorical_keeps_its_order(self):
        col = pd.Series(pd.Categorical(["M", "S"], categories=["S", "M", "L"], ordered=True))
        assert CategoryMap(col) == ["S", "M", "L"]
        assert CategoryMap(col, strict=True) == ["S", "M"]

    @pytest.mark.parametrize("col", [np.array([2, 1]), torch.tensor([2, 1]), pd.Series([2, 1])])
    def test_numbers_become_pythons(self, col):
        vocab = CategoryMap(col)
        assert vocab == [1, 2]
        assert {type(label) for label in vocab} == {int}
        assert vocab.index_of(col[0]) == 1

    def test_there_and_back(self):
        vocab = CategoryMap("cab")
        assert vocab.map_ids(vocab.map_objs("cab")) == list("cab")

    def test_state_rebuilds_it(self):
        for vocab in (CategoryMap("cab"), CategoryMap("ba", add_na=True, sort=False)):
            again = CategoryMap.from_state(vocab.to_state())
            assert again == vocab
            assert again.o2i == vocab.o2i

    def test_labels_that_cannot_be_sorted_together(self):
        with pytest.raises(DataError, match=r"types int, str cannot be sorted together. Make them"):
            CategoryMap([1, "a"])

    def test_a_list_is_no_label(self):
        with pytest.raises(DataError, match=r"list .* not hashable. For several labels"):
            CategoryMap([["a"], ["b"]])


class TestCategorize:
    def test_learns_its_vocabulary(self):
        tfm = Categorize()
        assert (tfm.c, tfm.task) == (None, None)
        tfm.setup(["dog", "cat", "dog"])
        assert tfm.vocab == ["cat", "dog"]
        assert tfm.task == SingleLabel(tfm.vocab)
        assert (tfm.c, tfm.task.n_out) == (2, 2)

    def test_encodes_and_decodes(self):
        tfm = Categorize(["cat", "dog"])
        x = tfm("dog")
        assert type(x) is TensorCategory
        assert x.dtype == torch.int64
        assert tfm.decode(x) == "dog"
        assert type(tfm.decode(x)) is Category

    def test_a_given_vocabulary_keeps_its_order(self):
        tfm = Categorize(["dog", "cat"])
        tfm.setup(["ant"])
        assert tfm.vocab == ["dog", "cat"]

    def test_labels_that_are_numbers_come_back_as_such(self):
        tfm = Categorize([3, 5])
        assert tfm.decode(tfm(5)) == 5

    def test_a_text_is_no_vocabulary(self):
        with pytest.raises(ContractError, match=r"Categorize: vocab='cat'\. Give a list"):
            Categorize("cat")

    def test_an_unknown_label_teaches(self):
        tfm = Categorize(["cat", "dog"])
        expected = (
            r"Categorize: label 'cats' is not in the vocabulary of 2 labels \('cat', 'dog'\), "
            r"closest is 'cat'. Perhaps only the validation set has it: split .* add_na=True"
        )
        with pytest.raises(ItemError, match=expected) as caught:
            tfm("cats")
        assert caught.value.stage == "encodes"

    def test_several_labels_are_refused_with_a_hint(self):
        with pytest.raises(ItemError, match=r"several labels where one .* Use MultiCategoryBlock"):
            Categorize(["a"])(["a"])

    def test_without_vocabulary(self):
        with pytest.raises(ContractError, match=r"no vocabulary yet. Call setup"):
            Categorize()("a")

    def test_shows_as_title(self):
        assert Pipeline(Categorize(["cat", "dog"])).show(TensorCategory(1)).get_title() == "dog"


class TestMultiCategorize:
    def test_learns_encodes_decodes(self):
        tfm = MultiCategorize()
        tfm.setup([["b", "a"], [], ["c", "a"]])
        assert tfm.vocab == ["a", "b", "c"]
        assert tfm(["c", "a"]).tolist() == [2, 0]
        assert tfm.decode(TensorMultiCategory([2, 0])) == ["c", "a"]
        assert tfm.task == MultiLabel(tfm.vocab)

    def test_a_tuple_of_labels_is_one_target(self):
        assert MultiCategorize(["a", "b"])(("b", "a")).tolist() == [1, 0]

    def test_no_labels(self):
        out = MultiCategorize(["a"])([])
        assert (out.tolist(), out.dtype) == ([], torch.int64)

    def test_a_text_is_refused(self):
        with pytest.raises(ItemError, match=r"'a b' where a list of labels .* label_delim"):
            MultiCategorize(["a", "b"])("a b")

    def test_shows_joined(self):
        assert MultiCategory(["a", "b"]).show().get_title() == "a;b"


class TestOneHot:
    def test_there_and_back_through_a_pipeline(self):
        pipe = Pipeline([MultiCategorize(["a", "b", "c"]), OneHotEncode(3)])
        out = pipe(["c", "a"])
        assert type(out) is TensorMultiCategory
        assert out.tolist() == [1.0, 0.0, 1.0]
        assert pipe.decode(out) == ["a", "c"]

    def test_takes_the_size_of_the_vocabulary_before(self):
        class Items(list):
            def gather(self, name):
                return {"vocab": ["a", "b"]}[name]

        tfm = OneHotEncode()
        tfm.setup(Items())
        assert tfm(TensorMultiCategory([1])).tolist() == [0.0, 1.0]

    def test_without_size(self):
        with pytest.raises(ContractError, match=r"number of labels is not known. Put Multi"):
            OneHotEncode()(TensorMultiCategory([1]))

    def test_already_encoded(self):
        tfm = EncodedMultiCategorize(["a", "b"])
        assert tfm([0, 1]).tolist() == [0.0, 1.0]
        assert tfm.decode(tfm([0, 1])) == ["b"]
        assert tfm([0.25, 0.75]).tolist() == [0.25, 0.75]

    @pytest.mark.parametrize("given", [[0, 1, 1], [1, 5], [-1, 0], [0, float("nan")], [[0, 1]]])
    def test_what_is_not_encoded_is_refused(self, given):
        with pytest.raises(
            ItemError, match=r"got list .* for 2 labels\. Give one 0 or 1 per label"
        ):
            EncodedMultiCategorize(["a", "b"])(given)


class TestRegression:
    @pytest.mark.parametrize(
        ("first", "n"), [(1.5, 1), ((1, 2), 2), ([1, 2, 3], 3), (np.float64(2), 1)]
    )
    def test_counts_the_numbers(self, first, n):
        tfm = RegressionSetup()
        tfm.setup([first])
        assert tfm.task == Regression(n)
        assert tfm(first).numel() == n
        assert tfm(first).dtype == torch.float32

    def test_decodes_to_something_that_shows_itself(self):
        tfm = RegressionSetup(1)
        assert type(tfm.decode(torch.tensor(1.5))) is TitledTensorScalar
        assert tfm.decode(tfm(1.5)) == 1.5

    def test_every_item_has_as_many(self):
        tfm = RegressionSetup()
        tfm.setup([(1, 2)])
        with pytest.raises(ItemError, match=r"got tuple .* where 2 numbers were expected"):
            tfm((1, 2, 3))

    @pytest.mark.parametrize("gap", [float("nan"), (1.0, float("inf")), None])
    def test_gaps_are_refused(self, gap):
        with pytest.raises(ItemError, match=r"expected, all of them finite\. Leave out"):
            RegressionSetup()(gap)

    def test_labels_are_refused(self):
        with pytest.raises(ItemError, match=r"str 'cat' where a number .* use CategoryBlock"):
            RegressionSetup()("cat")
