import copy
import pickle
from typing import Any, TypeVar

import pytest

from lamina.foundation.attributes import (
    NS,
    AttrDict,
    basic_repr,
    camel2snake,
    nested_attr,
    snake2camel,
    typed,
)

T = TypeVar("T")


class Crop:
    __repr__ = basic_repr("size, mode.name")

    def __init__(self):
        self.size = 3
        self.mode = NS(name="center")


class TestNestedAttr:
    def test_follows_names_and_keys(self):
        assert nested_attr(Crop(), "mode.name") == "center"
        assert nested_attr({"a": NS(b=1)}, "a.b") == 1
        assert nested_attr(3, "") == 3

    def test_a_missing_name_is_an_error_or_the_default(self):
        with pytest.raises(AttributeError, match=r"a NS has no 'nmae' \(in 'mode.nmae'\)"):
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


def test_namespace():
    ns = NS(a=1)
    ns["b"] = 2
    assert (ns.b, ns["a"], list(ns)) == (2, 1, ["a", "b"])


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
def test_camel_and_snake(camel, snake):
    assert camel2snake(camel) == snake
    assert snake2camel("mix_up") == "MixUp"


class TestTyped:
    def test_refuses_another_type(self):
        @typed
        def f(x: int, names: list[str] | None = None, *rest: int):
            return x

        assert f(1, ["a"]) == f(1, None) == 1
        with pytest.raises(TypeError, match=r"f: x is 'a', a str\. Expected int"):
            f("a")
        with pytest.raises(TypeError, match="Expected list or NoneType"):
            f(1, names="a")

    def test_cast_converts(self):
        @typed(cast=True)
        def f(x: float, y: "int | None" = None):
            return x, y

        assert f("1.5", "2") == (1.5, 2)
        assert f(1) == (1.0, None)
        with pytest.raises(TypeError, match="Expected float"):
            f("a")

    def test_what_cannot_be_checked_passes(self):

        @typed
        def f(a, b: Any, c: T) -> T:
            return c

        assert f(1, 2, 3) == 3
