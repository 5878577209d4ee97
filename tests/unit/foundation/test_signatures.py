"""Visible signatures follow the functions that keywords go to."""

import inspect
import pickle
from dataclasses import dataclass
from typing import TypedDict, Unpack

import pytest

from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.foundation.signatures import (
    allowed_keywords,
    delegates,
    funcs_kwargs,
    method,
    signature_names,
    strict,
    use_kwargs_dict,
)


def base(x, lr: float = 0.1, *, wd, mom=0.9): ...


class Base:
    def __init__(self, size=1, *, name="base"):
        self.size, self.name = size, name


def shown(fn) -> str:
    return str(inspect.signature(fn))


# signature_names


def test_signature_names_are_what_a_keyword_may_be():
    def f(a, /, b, *args, c=1, **kwargs): ...

    assert signature_names(f) == ("b", "c")
    assert signature_names(Base) == ("size", "name")
    assert signature_names(Base(1).__init__) == ("size", "name")


# delegates


def test_delegates_replaces_kwargs_by_keywords_of_the_target():
    @delegates(base)
    def f(y, mom=0.5, **kwargs): ...

    assert shown(f) == "(y, mom=0.5, *, lr: float = 0.1, wd)"
    assert f.__delwrap__ is base


def test_delegates_leaves_out_and_keeps():
    @delegates(base, keep=True, but=["wd", "lr"])
    def f(y, **kwargs): ...

    assert shown(f) == "(y, *, mom=0.9, **kwargs)"


def test_delegates_can_be_chained():
    @delegates(Base, but="size")
    @delegates(base, keep=True)
    def f(**kwargs): ...

    assert shown(f) == "(*, lr: float = 0.1, wd, mom=0.9, name='base')"


def test_delegates_does_not_change_the_call():
    @delegates(Base)
    def make(**kwargs):
        return Base(**kwargs)

    assert make(size=3).size == 3
    with pytest.raises(TypeError, match="unexpected keyword argument 'siez'"):
        make(siez=3)


def test_class_delegates_to_its_base_or_to_a_target():
    @delegates()
    class Child(Base):
        def __init__(self, depth=2, **kwargs):
            super().__init__(**kwargs)

    @delegates(base)
    class Other:
        def __init__(self, **kwargs): ...

    assert shown(Child) == "(depth=2, *, size=1, name='base')"
    assert shown(Other) == "(*, lr: float = 0.1, wd, mom=0.9)"
    assert shown(Base) == "(size=1, *, name='base')"


def test_delegates_works_on_every_kind_of_method():
    class C:
        @delegates(base)
        def plain(self, **kwargs): ...

        @delegates(base)
        @classmethod
        def of_class(cls, **kwargs): ...

        @delegates(base)
        @staticmethod
        def static(**kwargs): ...

        @delegates(plain)
        def outer(self, a, **kwargs): ...

    expected = "(*, lr: float = 0.1, wd, mom=0.9)"
    assert shown(C().plain) == shown(C.of_class) == shown(C.static) == expected
    assert shown(C().outer) == "(a, *, lr: float = 0.1, wd, mom=0.9)"


def test_delegates_without_kwargs_is_refused():
    with pytest.raises(ContractError, match=r"f\(a\) has no \*\*kwargs to replace. Add it"):

        @delegates(base)
        def f(a): ...


def test_delegates_without_target_is_refused():
    with pytest.raises(ContractError, match=r"f needs a target. Say where"):

        @delegates()
        def f(**kwargs): ...


def test_delegates_on_a_class_without_constructor_is_refused():
    with pytest.raises(ContractError, match=r"C has no __init__ of its own .*. Define one"):

        @delegates()
        class C(Base): ...


# use_kwargs_dict


def test_use_kwargs_dict_shows_names_and_defaults():
    @use_kwargs_dict(keep=True, a=1, b=None)
    def f(b, **kwargs): ...

    assert shown(f) == "(b, *, a=1, **kwargs)"


# funcs_kwargs


@funcs_kwargs
class Loader:
    _methods = ("read", "join")

    def __init__(self, size=1, **kwargs):
        self.size, self.rest = size, kwargs

    def read(self, i):
        return i

    def join(self, items):
        return list(items)


@funcs_kwargs(as_method=True)
class Bound:
    _methods = ("value",)
    factor = 3

    def value(self, x):
        return x


class Sub(Loader):
    def __init__(self, depth=0, **kwargs):
        super().__init__(**kwargs)


@funcs_kwargs
class Decorated(Loader):
    _methods = (*Loader._methods, "extra")

    def __init__(self, depth=0, **kwargs):
        super().__init__(**kwargs)

    def extra(self):
        return 0


def test_a_function_replaces_a_method_on_that_object_only():
    loader = Loader(size=2, read=lambda i: i * 10)
    assert (loader.read(4), loader.join("ab"), loader.size, loader.rest) == (40, ["a", "b"], 2, {})
    assert Loader().read(4) == 4


def test_none_leaves_the_method():
    assert Loader(read=None).read(4) == 4


def test_marked_function_receives_the_object():
    assert Loader(5, read=method(lambda self, i: self.size + i)).read(1) == 6


def test_as_method_binds_every_function():
    assert Bound(value=lambda self, x: self.factor * x).value(2) == 6
    assert shown(Bound) == "(*, value=None)"


def test_replaceable_methods_are_in_the_signature():
    assert shown(Loader) == "(size=1, *, read=None, join=None)"


def test_unknown_keywords_are_refused_with_a_suggestion():
    with pytest.raises(UnknownArgumentError, match=r"Loader: .* 'raed'. Did you mean 'read'\?"):
        Loader(raed=abs)
    with pytest.raises(UnknownArgumentError, match=r"Bound: unknown argument 'x'. Known: value"):
        Bound(x=1)


@pytest.mark.parametrize("cls", [Sub, Decorated])
def test_subclasses_pass_keywords_on(cls):
    made = cls(depth=1, size=2, read=lambda i: -i)
    assert (made.size, made.read(1)) == (2, -1)
    with pytest.raises(UnknownArgumentError, match=f"{cls.__name__}: unknown argument 'siez'"):
        cls(siez=1)


def test_decorated_subclass_adds_methods():
    assert Decorated(extra=lambda: 7).extra() == 7
    with pytest.raises(UnknownArgumentError):
        Sub(extra=lambda: 7)


def test_object_with_a_replaced_method_pickles():
    assert pickle.loads(pickle.dumps(Loader(read=len))).read("abc") == 3


def test_wrong_method_lists_are_refused():
    with pytest.raises(ContractError, match=r"Empty has no _methods. List"):

        @funcs_kwargs
        class Empty: ...

    with pytest.raises(ContractError, match=r"names \['b'\], which the class does not have. Def"):

        @funcs_kwargs
        class Wrong:
            _methods = ("b",)


# strict


class Options(TypedDict, total=False):
    wd: float


def test_strict_suggests_the_keyword_that_was_meant():
    @strict
    def fit(n, *, lr=0.1, **options: Unpack[Options]):
        return n, lr, options

    assert fit(1, lr=0.2, wd=0.3) == (1, 0.2, {"wd": 0.3})
    with pytest.raises(UnknownArgumentError, match=r"fit: unknown argument 'wdd'\. .* 'wd'\?"):
        fit(1, wdd=0.3)


def test_strict_names_the_class_of_a_constructor():
    class Model:
        @strict
        def __init__(self, size=1): ...

    with pytest.raises(
        UnknownArgumentError, match=r"^Model: unknown argument 'sise'\. .* 'size'\?"
    ):
        Model(sise=3)


def test_strict_classes_name_the_subclass_that_was_made():
    @strict
    @dataclass(frozen=True)
    class Split:
        seed: int = 0

    class HalfSplit(Split): ...

    assert HalfSplit(seed=2).seed == 2
    assert shown(Split) == "(seed: int = 0) -> None"
    with pytest.raises(UnknownArgumentError, match=r"^HalfSplit: .* Did you mean 'seed'\?"):
        HalfSplit(sed=1)


def test_strict_keeps_signature_and_needs_one_that_is_closed():
    def f(a, *, b=1): ...

    assert shown(strict(f)) == shown(f)
    with pytest.raises(ContractError, match=r"takes any keyword\. Declare them with Unpack"):
        strict(lambda **rest: rest)


def test_allowed_keywords():
    assert allowed_keywords(base) == {"x", "lr", "wd", "mom"}
    assert allowed_keywords(lambda **rest: rest) is None
