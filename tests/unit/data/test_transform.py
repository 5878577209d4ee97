"""Transforms: dispatch on types, tuples, kept types, splits, state, extension, refusals."""

import copy
import pickle
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from lamina.data.kernels import describe
from lamina.data.transform import (
    InplaceTransform,
    ItemTransform,
    Transform,
    decodes,
    encodes,
    mk_transform,
    setups,
)
from lamina.foundation.dispatch import typedispatch
from lamina.foundation.errors import ContractError, SkipItem, UnknownNameError
from lamina.tensor.types import MaskMeta, TensorImage, TensorMask


class Pair(NamedTuple):
    x: Any
    y: Any


class AddOne(Transform):
    def encodes(self, x: int):
        return x + 1

    def decodes(self, x: int):
        return x - 1


@dataclass
class Scale(Transform):
    """Marked kernels in a dataclass."""

    by: int = 2

    @encodes
    def _image(self, x: TensorImage):
        return x * self.by

    @encodes
    def _words(self, x: str | bytes):
        return x * self.by

    @decodes
    def _back(self, x: TensorImage):
        return x // self.by


class ByDispatch(Transform):
    @typedispatch
    def encodes(self, x: int):
        return x + 1

    @typedispatch
    def encodes(self, x: str):  # noqa: F811 - accumulated by the decorator
        return x + "1"


def double(x: int):
    return 2 * x


def halve(x: int):
    return x // 2


class TestCall:
    def test_the_annotation_selects(self):
        assert AddOne()(1) == 2
        assert AddOne()("a") == "a"

    def test_marked_kernels_take_their_types(self):
        scale = Scale(by=3)
        assert scale("ab") == "ababab"
        assert scale(b"a") == b"aaa"
        assert scale(TensorImage([1])).tolist() == [3]
        assert scale(1.5) == 1.5

    def test_the_papers_spelling(self):
        assert ByDispatch()((1, "a", None)) == (2, "a1", None)

    def test_tuples_elementwise_and_nested(self):
        assert AddOne()((1, "a", (2, 3))) == (2, "a", (3, 4))

    def test_a_named_tuple_keeps_its_class(self):
        out = AddOne()(Pair(1, "a"))
        assert out == Pair(2, "a")
        assert type(out) is Pair

    @pytest.mark.parametrize("x", [[1], {"a": 1}, None])
    def test_lists_and_dicts_are_values(self, x: object):
        assert AddOne()(x) is x

    def test_decode_is_elementwise_too(self):
        assert AddOne().decode((2, "a")) == (1, "a")

    def test_subclasses_of_the_type_count(self):
        assert AddOne()(True) == 2

    def test_the_nearest_type_wins(self):
        class Near(Transform):
            @encodes
            def _any(self, x):
                return "any"

            @encodes
            def _tensor(self, x: Tensor):
                return "tensor"

            @encodes
            def _image(self, x: TensorImage):
                return "image"

        given = (1, torch.ones(1), TensorMask([1]), TensorImage([1]))
        assert Near()(given) == ("any", "tensor", "tensor", "image")


class TestTypes:
    def test_a_result_of_a_base_type_is_given_the_type_back(self):
        class Plain(Transform):
            def encodes(self, x: Tensor):
                return x.as_subclass(Tensor) + 1

        meta = MaskMeta(("sky",))
        out = Plain()(TensorMask([1], meta=meta))
        assert type(out) is TensorMask
        assert out.meta == meta
        assert type(Plain()(torch.ones(1))) is Tensor

    def test_a_return_annotation_casts(self):
        @Transform
        def to_mask(x: TensorImage) -> TensorMask:
            return x.long()

        assert type(to_mask(TensorImage([1.0]))) is TensorMask

    def test_a_return_annotation_of_a_base_keeps_the_given_type(self):
        @Transform
        def same(x: TensorImage) -> TensorImage:
            return x.as_subclass(Tensor)

        class Own(TensorImage):
            pass

        assert type(same(Own([1]))) is Own

    @pytest.mark.parametrize("declared", [None, Tensor])
    def test_none_and_plain_tensor_leave_the_result(self, declared: Any):
        def strip(x: TensorImage):
            return x.as_subclass(Tensor)

        strip.__annotations__["return"] = declared
        assert type(Transform(strip)(TensorImage([1]))) is Tensor

    def test_a_declared_number_is_one(self):
        @Transform
        def half(x: int) -> int:
            return x / 2

        assert (half(4), type(half(4)), half(True)) == (2, int, 0)

    def test_kinds_of_text_are_kept(self):
        class Title(str):
            pass

        assert type(Transform(str.lower)(Title("A"))) is Title

    def test_a_truth_value_does_not_swallow_numbers(self):
        assert Transform(lambda x: x + 1)(True) == 2


class TestFunctions:
    def test_made_from_functions(self):
        tfm = Transform(double, halve, split_idx=1, order=3)
        assert (tfm(2, split_idx=1), tfm(2), tfm.decode(4, split_idx=1)) == (4, 2, 2)
        assert (tfm.name, tfm.order) == ("double", 3)
        assert repr(tfm) == "Transform(double, halve, split_idx=1, order=3)"

    def test_several_functions_by_type(self):
        def shout(x: str):
            return x.upper()

        assert Transform([double, shout])((2, "a", None)) == (4, "A", None)

    def test_as_a_decorator(self):
        @Transform
        def negate(x: int):
            return -x

        assert negate((1, "a")) == (-1, "a")

    def test_functions_add_to_the_kernels_of_a_class(self):
        assert AddOne(enc=str.upper)((1, "a")) == (2, "A")

    def test_builtin_types_and_functions(self):
        assert mk_transform(int)("3") == 3
        assert mk_transform(str.upper)("a") == "A"

    def test_a_function_gives_its_order(self):
        def late(x):
            return x

        late.order = 7
        assert mk_transform(late).order == 7

    def test_a_class_is_instantiated(self):
        assert isinstance(mk_transform(AddOne), AddOne)

    def test_what_is_not_callable_is_refused(self):
        with pytest.raises(ContractError, match="3 is neither a transform nor a function"):
            mk_transform(3)

    def test_setup_as_a_function(self):
        seen = []
        Transform(double, setup=seen.append).setup([1, 2])
        assert seen == [[1, 2]]


class TestSplits:
    def test_no_op_on_the_wrong_split(self):
        tfm = AddOne(split_idx=0)
        assert [tfm(1, split_idx=i) for i in (0, 1, None)] == [2, 1, 1]
        assert [tfm.decode(1, split_idx=i) for i in (0, 1)] == [0, 1]

    def test_without_a_split_it_always_works(self):
        assert [AddOne()(1, split_idx=i) for i in (0, 1, None)] == [2, 2, 2]


class TestSetup:
    def test_it_sees_the_training_items(self):
        class Mean(Transform):
            def setups(self, items: list):
                self.mean = sum(items) / len(items)

        tfm, items = Mean(), SimpleNamespace(train=[1, 3])
        tfm.setup(items)
        assert tfm.mean == 2

    def test_all_items_on_request(self):
        seen = []
        items = SimpleNamespace(train=[1, 3])
        Transform(double, setup=seen.append).setup(items, train_setup=False)
        assert seen == [items]

    def test_kernels_by_the_type_of_the_items(self):
        class ByItems(Transform):
            @setups
            def _words(self, items: str):
                self.kind = "words"

            @setups
            def _list(self, items: list):
                self.kind = "list"

        tfm = ByItems()
        tfm.setup([1])
        assert tfm.kind == "list"
        tfm.setup({1})
        assert tfm.kind == "list"

    def test_an_attribute_error_surfaces(self):
        class Broken(Transform):
            def setups(self, items):
                return items.nothing

        with pytest.raises(AttributeError, match="nothing") as caught:
            Broken().setup([1])
        assert "in setups of Broken()" in caught.value.__notes__[0]

    def test_an_attribute_error_inside_train_surfaces(self):
        class Items:
            @property
            def train(self):
                return self.missing

        with pytest.raises(AttributeError, match="missing"):
            AddOne().setup(Items())


class TestInheritance:
    def test_a_subclass_adds_and_inherits(self):
        class More(AddOne):
            @encodes
            def _text(self, x: str):
                return x + "!"

        assert More()((1, "a")) == (2, "a!")
        assert AddOne()("a") == "a"

    def test_an_override_replaces_the_kernel(self):
        class Other(AddOne):
            def encodes(self, x: int):
                return super().encodes(x) * 10

        assert Other()(1) == 20

    def test_an_override_of_a_marked_method_needs_no_mark(self):
        class Loud(Scale):
            def _words(self, x):
                return super()._words(x).upper()

        assert Loud()("a") == "AA"
        assert Loud()(3) == 3

    def test_two_bases(self):
        class Both(AddOne, Scale):
            pass

        assert Both()((1, "a")) == (2, "aa")


class TestExtension:
    def test_a_decorated_function_becomes_a_kernel(self):
        class Flip(Transform):
            def encodes(self, x: int):
                return -x

        class Sub(Flip):
            pass

        assert Sub()("ab") == "ab"  # remembered, and forgotten by the extension

        @Flip
        def encodes(self, x: str):
            return x[::-1]

        assert Flip()((1, "ab")) == (-1, "ba")
        assert Sub()("ab") == "ba"

    def test_extend_with_a_kind(self):
        class Flip(Transform):
            pass

        Flip.extend(lambda self, x: [x], kind="decodes")
        assert Flip().decode(1) == [1]

    def test_transform_itself_is_shared(self):
        with pytest.raises(ContractError, match="part of every transform"):

            @Transform
            def encodes(self, x: str):
                return x


class TestRefusals:
    @pytest.mark.parametrize("name", ["encode", "encods", "decode_", "setup_", "decodes_image"])
    def test_misspelt_kernels(self, name: str):
        with pytest.raises(UnknownNameError, match=f"unknown transform method '{name}'"):
            type("Bad", (Transform,), {name: lambda self, x: x})

    @pytest.mark.parametrize("verb", ["decode", "setup", "__call__"])
    def test_overridden_verbs(self, verb: str):
        with pytest.raises(UnknownNameError, match="class Bad: unknown transform method"):
            type("Bad", (Transform,), {verb: lambda self, x: x})

    def test_private_helpers_are_free(self):
        class Fine(Transform):
            def _encode_one(self, x):
                return x

        assert Fine()(1) == 1


class TestErrors:
    def test_the_note_names_transform_stage_and_value(self):
        @dataclass
        class Fails(Transform):
            size: int = 3

            def encodes(self, x: str):
                raise ValueError("no")

        with pytest.raises(ValueError, match="no") as caught:
            Fails()((1, "a.png"))
        element, whole = caught.value.__notes__
        assert element == "at element 1 of the tuple: str 'a.png'"
        assert "in encodes of TestErrors" in whole
        assert "Fails(size=3), given tuple (1, 'a.png')" in whole

    def test_tensors_are_described_by_their_shape(self):
        def fail(x: Tensor):
            raise ValueError("no")

        with pytest.raises(ValueError, match="no") as error:
            Transform(fail)((torch.zeros(2, 3), 1))
        given = "given tuple (Tensor of shape (2, 3), int 1)"
        assert given in " ".join(error.value.__notes__)

    def test_decode_is_named_as_such(self):
        with pytest.raises(ZeroDivisionError) as caught:
            Transform(double, lambda x: x / 0).decode(1)
        assert caught.value.__notes__ == ["in decodes of Transform(double, <lambda>), given int 1"]

    def test_skipping_is_no_error(self):
        def skip(x):
            raise SkipItem

        with pytest.raises(SkipItem) as caught:
            Transform(skip)(1)
        assert not hasattr(caught.value, "__notes__")

    def test_values_are_described_briefly(self):
        assert describe(TensorImage(torch.ones(3, 2, 2))) == "TensorImage of shape (3, 2, 2)"
        assert describe("a") == "str 'a'"
        assert len(describe("a" * 1000)) < 200

    def test_a_value_that_cannot_be_printed(self):
        class Odd:
            def __repr__(self):
                raise ValueError

        assert "Odd" in describe(Odd())


class TestKinds:
    def test_item_transform_sees_the_tuple(self):
        class Swap(ItemTransform):
            def encodes(self, xy):
                return xy[1], xy[0]

        assert Swap()((1, 2)) == (2, 1)

    def test_item_transform_keeps_the_types_of_elements(self):
        class Strip(ItemTransform):
            def encodes(self, xy):
                return tuple(x.as_subclass(Tensor) for x in xy)

        out = Strip()((TensorImage([1]), TensorMask([1])))
        assert [type(x) for x in out] == [TensorImage, TensorMask]

    def test_inplace_transform_returns_what_it_got(self):
        class Zero(InplaceTransform):
            def encodes(self, x: Tensor):
                x.zero_()

        x = torch.ones(2)
        assert Zero()(x) is x
        assert x.sum() == 0


@pytest.mark.parametrize("tfm", [AddOne(), Transform(double, halve), Scale(3), ByDispatch()])
def test_copies_work(tfm: Transform):
    x = (4, "a", TensorImage([2]))
    expected = tfm(x)
    for other in (pickle.loads(pickle.dumps(tfm)), copy.deepcopy(tfm)):
        out = other(x)
        assert out[:2] == expected[:2]
        assert torch.equal(out[2], expected[2])


def test_to_returns_the_transform():
    tfm = AddOne()
    assert tfm.to("cpu") is tfm
