import copy
import operator
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.foundation import functional as F
from lamina.foundation.functional import (
    AttrDict,
    Self,
    arg0,
    arg1,
    basic_repr,
    bind,
    camel2snake,
    compose,
    nested_attr,
)

CURRIED = {
    "lt": operator.lt,
    "gt": operator.gt,
    "le": operator.le,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
}


def double(x):
    return 2 * x


def increase(x, by=1):
    return x + by


class TestCompose:
    @given(st.integers())
    def test_the_first_function_is_called_first(self, x):
        assert compose(double, increase)(x) == increase(double(x))

    @given(st.integers())
    def test_is_associative_with_unit_noop(self, x):
        left = compose(compose(double, increase), abs)
        right = compose(double, compose(increase, abs))
        assert left(x) == right(x)
        assert compose(F.noop, double, None)(x) == compose(double)(x) == double(x)
        assert compose()(x) == x

    def test_order_sorts_by_an_attribute(self):
        def late(x):
            return x + "late"

        def soon(x):
            return x + "soon"

        late.order = 5
        assert compose(late, soon, order="order")("") == "soonlate"

    def test_further_arguments_go_to_all(self):
        assert compose(increase, increase)(1, by=10) == 21

    def test_pickles_and_shows_its_parts(self):
        composed = pickle.loads(pickle.dumps(compose(double, increase)))
        assert composed(3) == 7
        assert repr(composed) == "compose(double, increase)"


class TestBind:
    def test_placeholders(self):
        assert bind(pow, 2)(3) == 8
        assert bind(pow, arg0, 2)(3) == 9
        assert bind(pow, arg1, arg0)(2, 3) == 9
        assert bind(max, arg0, 5)(1, 7, 3) == 7

    def test_keywords_may_be_placeholders_and_overridden(self):
        assert bind(increase, 1, by=arg0)(5) == 6
        assert bind(increase, by=2)(1, by=7) == 8

    def test_missing_arguments_are_named(self):
        with pytest.raises(
            TypeError, match=r"bind\(pow, arg1, arg0\): got 1 arguments, expected 2"
        ):
            bind(pow, arg1, arg0)(1)

    def test_pickles(self):
        assert pickle.loads(pickle.dumps(bind(pow, arg0, 2)))(3) == 9


class TestSelf:
    def test_calls_and_indices_end_the_record(self):
        assert Self.strip().upper()(" a ") == "A"
        assert Self[0]([5]) == 5
        assert Self["a"].bit_length()({"a": 4}) == 3

    def test_tilde_closes_an_attribute(self):
        assert (~Self.real.imag)(3) == 0
        assert (~Self.f)(SimpleNamespace(f="x")) == "x"

    def test_arguments_are_recorded(self):
        assert Self.split(",", maxsplit=1)("a,b,c") == ["a", "b,c"]

    def test_records_are_values(self):
        base = Self.strip()
        assert base.upper()(" a") == "A"
        assert base(" a") == "a"

    def test_pickles(self):
        assert pickle.loads(pickle.dumps(Self.strip().upper()))(" a") == "A"


class TestOperators:
    @pytest.mark.parametrize("name", CURRIED)
    @given(a=st.integers(), b=st.integers())
    def test_one_operand_waits_for_the_left_one(self, name, a, b):
        curried, op = getattr(F, name), CURRIED[name]
        assert curried(b)(a) == curried(a, b) == op(a, b)

    def test_division_identity_and_membership(self):
        assert F.truediv(2)(5) == 2.5
        assert F.mod(3)(5) == 2
        assert F.is_(None)(None)
        assert F.is_not(None)(0)
        assert F.in_("abc")("b")
        assert not F.in_(4, [1, 2])

    def test_predicates_pickle(self):
        assert pickle.loads(pickle.dumps(F.gt(4)))(5)


class TestSmallTools:
    def test_noop_and_ifnone(self):
        assert F.noop() is None
        assert F.noop(1, 2, a=3) == 1
        assert F.ifnone(None, 2) == 2
        assert F.ifnone(0, 2) == 0

    def test_truth_of_arrays_is_having_elements(self):
        assert F.true(np.array([0, 0]))
        assert not F.true(np.array([]))
        assert not F.true(np.array(0))

    def test_maps(self):
        assert F.mapt(abs, [-1, 2]) == (1, 2)
        assert list(F.maps(abs, str, [-1])) == ["1"]
        assert list(map(F.star(pow), [(2, 3)])) == [8]
        assert F.rstar(pow)((2, 3)) == 9
        assert F.not_(str.isdigit)("a")

    def test_as_function_refuses_what_is_none_of_its_kinds(self):
        with pytest.raises(TypeError, match="neither be called nor indexed"):
            F.as_function(3)


class Crop:
    __repr__ = basic_repr("size, mode.name")

    def __init__(self):
        self.size = 3
        self.mode = SimpleNamespace(name="center")


class TestNestedAttr:
    def test_follows_names_and_keys(self):
        assert nested_attr(Crop(), "mode.name") == "center"
        assert nested_attr({"a": SimpleNamespace(b=1)}, "a.b") == 1
        assert nested_attr(3, "") == 3

    def test_a_missing_name_is_an_error_or_the_default(self):
        with pytest.raises(
            AttributeError, match=r"a SimpleNamespace has no 'nmae' \(in 'mode.nmae'\)"
        ):
            nested_attr(Crop(), "mode.nmae")
        assert nested_attr(Crop(), "x.y", default=None) is None


class TestAttrDict:
    def test_items_are_attributes_both_ways(self):
        d = AttrDict(a=1)
        d.b = 2
        d["c"] = 3
        assert (d.a, d["b"], d.c) == (1, 2, 3)
        del d.a
        assert d == {"b": 2, "c": 3}
        with pytest.raises(AttributeError):
            _ = d.a

    @pytest.mark.parametrize(
        "twin", [copy.copy, copy.deepcopy, AttrDict.copy, lambda d: pickle.loads(pickle.dumps(d))]
    )
    def test_copies_are_independent(self, twin):
        d = AttrDict(a=1)
        other = twin(d)
        other.a = 2
        assert (d.a, d["a"], other["a"], type(other)) == (1, 1, 2, AttrDict)


def test_basic_repr_shows_named_or_public_attributes():
    class Point:
        __repr__ = basic_repr()

        def __init__(self):
            self.x = 1
            self._hidden = 2

    assert repr(Crop()) == "Crop(size=3, mode.name='center')"
    assert repr(Point()) == "Point(x=1)"


@pytest.mark.parametrize(
    ("camel", "snake"), [("Recorder", "recorder"), ("MixUp", "mix_up"), ("CSVLogger", "csv_logger")]
)
def test_camel2snake(camel, snake):
    assert camel2snake(camel) == snake
