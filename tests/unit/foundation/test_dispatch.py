"""Dispatch chooses the nearest implementation by the types of two arguments."""

import collections.abc
import copy
import inspect
import numbers
import pickle
import re
from typing import Any, Protocol

import pytest

from lamina.foundation.annotations import annotated_types
from lamina.foundation.dispatch import Dispatch, TypeTable, dispatch, typedispatch
from lamina.foundation.errors import ContractError, DispatchError


class Animal: ...


class Dog(Animal): ...


class Puppy(Dog): ...


def table(**entries: type) -> TypeTable[str]:
    made = TypeTable[str]()
    for value, key in entries.items():
        made.add(key, value)
    return made


def chooser(*pairs: tuple[Any, Any]) -> Dispatch:
    made = Dispatch("f")
    for number, pair in enumerate(pairs):
        made.register(*pair)(lambda x, y=None, number=number: number)
    return made


@typedispatch
def twice(x: int):
    """Say it twice."""
    return x * 2


@typedispatch
def twice(x: str):  # noqa: F811 - they accumulate
    return f"{x} {x}"


class Sound:
    @typedispatch
    def of(self, x: Dog):
        return "woof"

    @typedispatch
    def of(self, x: Animal, loud: bool):  # noqa: F811 - they accumulate
        return "HUH" if loud else "huh"

    @classmethod
    @typedispatch
    def make(cls, x: int):
        return cls.__name__, x


# TypeTable


def test_nearest_base_wins_whatever_the_order():
    assert table(animal=Animal, dog=Dog).find(Puppy) == "dog"
    assert table(dog=Dog, animal=Animal).find(Puppy) == "dog"


def test_object_is_the_last_resort():
    made = table(anything=object, whole=numbers.Integral)
    assert made.find(bool) == "whole"
    assert made.find(str) == "anything"


def test_real_base_beats_abstract_class():
    assert table(real=int, abstract=numbers.Integral).find(bool) == "real"


def test_more_derived_abstract_class_wins():
    made = table(iterable=collections.abc.Iterable, sequence=collections.abc.Sequence)
    assert made.find(list) == "sequence"
    assert made.find(dict) == "iterable"


def test_abstract_class_of_the_nearer_base_wins():
    class Child(list): ...

    class Tag(collections.abc.Hashable): ...

    Tag.register(Child)
    assert table(sequence=collections.abc.MutableSequence, tag=Tag).find(Child) == "tag"


def test_unregistered_type_finds_nothing():
    assert table(dog=Dog).find(Animal) is None


def test_later_registration_replaces_and_clears_the_cache():
    made = table(animal=Animal)
    assert made.find(Dog) == "animal"
    made.add(Dog, "dog")
    assert made.find(Dog) == "dog"
    made.add(Dog, "another")
    assert made.find(Dog) == "another"
    assert made.types() == (Animal, Dog)


def test_equally_near_abstract_classes_resolve_to_the_later():
    sized, container = collections.abc.Sized, collections.abc.Container
    assert table(a=sized, b=container).find(list) == "b"
    assert table(b=container, a=sized).find(list) == "a"


def test_cache_dict_keeps_its_identity():
    made = table(dog=Dog)
    cache = made.cache
    made.find(Puppy)
    assert cache == {Puppy: "dog"}
    made.add(int, "int")
    assert cache == {}
    assert made.cache is cache


def test_copy_is_independent():
    made = table(dog=Dog)
    other = made.copy()
    other.add(int, "int")
    assert (made.find(int), other.find(int), other.find(Dog)) == (None, "int", "dog")
    assert repr(other) == "TypeTable(Dog, int)"


def test_protocol_with_data_members_is_refused():
    class HasName(Protocol):
        name: str

    with pytest.raises(ContractError, match=r"cannot be dispatched on. Use a class"):
        TypeTable[str]().add(HasName, "x")


# Dispatch


def test_first_parameter_decides_before_the_second():
    f = chooser((Animal, Dog), (Dog, Animal))
    assert f(Puppy(), Puppy()) == 1


def test_second_parameter_decides_between_equal_firsts():
    f = chooser((Dog, Animal), (Dog, Dog), (Dog, object))
    assert f(Puppy(), Puppy()) == 1
    assert f(Puppy(), 3) == 2


def test_unions_and_tuples_register_several():
    f = chooser((int | str, float), ((list, tuple), object))
    assert [f(1, 2.0), f("a", 2.0), f([], 0), f((), None)] == [0, 0, 1, 1]


def test_same_signature_again_replaces():
    f = chooser((int, int), (int, int))
    assert f(1, 2) == 1
    assert f.types() == ((int, int),)


def test_late_registration_is_seen():
    f = chooser((Animal, object))
    assert f(Dog(), 1) == 0
    f.register(Dog)(lambda x, y: "late")
    assert f(Dog(), 1) == "late"


def test_ambiguity_is_settled_by_the_later_registration():
    sized, container = collections.abc.Sized, collections.abc.Container
    assert chooser((sized, object), (container, object))([], 1) == 1
    assert chooser((container, object), (sized, object))([], 1) == 1


def test_one_argument_prefers_an_implementation_without_a_second():
    f = chooser((int, object), (int, str))
    assert f(1) == 0
    assert chooser((int, str))(1) == 0


def test_subscript_and_invoke_give_the_implementation():
    f = Dispatch("f")

    @f.register
    def _number(x: numbers.Integral, y: float): ...

    assert f[int, float] is f.invoke(bool, float) is f[int] is _number
    assert f.find(str, float) is None
    with pytest.raises(DispatchError):
        f[str]


def test_failure_lists_the_three_nearest():
    f = chooser((str, str), (int, str), (int, list), (bytes, bytes))
    message = (
        "f: no implementation for (int, float). Nearest: (int, str); (int, list); (str, str). "
        "Add one with @f.register."
    )
    with pytest.raises(DispatchError, match=f"^{re.escape(message)}$"):
        f(1, 2.0)


def test_call_without_positional_argument_explains_itself():
    with pytest.raises(DispatchError, match="f: called without a positional argument"):
        chooser((int, int))(x=1)


def test_default_takes_what_nothing_fits():
    f = Dispatch("f", default=lambda x, *rest: x)
    f.register(int)(lambda x: -x)
    assert (f(3), f("a"), f("a", 1)) == (-3, "a", "a")


def test_further_arguments_pass_through():
    f = Dispatch("f")
    f.register(int)(lambda x, y, *rest, **kw: (x, y, rest, kw))
    assert f(1, 2, 3, z=4) == (1, 2, (3,), {"z": 4})


def test_methods_and_functions_do_not_mix():
    f = chooser((int, object))
    with pytest.raises(ContractError, match=r"not all methods or all functions. Give all"):
        f.register(lambda self, x: x)


def test_repr_is_a_table_of_signatures():
    f = Dispatch("f")
    f.register(int, str)(twice)
    f.register(object, object)(len)
    assert repr(f) == "f: 2 signatures\n  (int, str)        twice\n  (object, object)  len"


# decorators


def test_typedispatch_accumulates_by_name():
    assert (twice(4), twice("ha")) == (8, "ha ha")
    assert (twice.__name__, twice.__doc__) == ("twice", "Say it twice.")
    assert typedispatch is dispatch


def test_typedispatch_works_in_class_bodies():
    assert Sound().of(Puppy()) == "woof"
    assert Sound().of(Animal(), True) == "HUH"
    assert Sound.of(Sound(), Dog()) == "woof"
    assert Sound.make(3) == ("Sound", 3)


def test_decorated_function_pickles_and_copies_by_name():
    assert copy.deepcopy(twice) is twice
    assert twice.__reduce__() == "twice"


def test_registered_object_pickles_by_content():
    f = Dispatch("f")
    f.register(str, object)(len)
    assert pickle.loads(pickle.dumps(f))("abc") == 3


def test_signature_is_open():
    assert str(inspect.signature(twice)) == str(inspect.signature(Sound().of))
    assert str(inspect.signature(twice)) == "(*args, **kwargs)"


# annotations


def test_annotations_may_be_strings_and_generics():
    def f(a: "Dog | None", b: list[int], c: Any, d: type[int], *rest: int): ...

    found = [annotated_types(f, position) for position in range(5)]
    assert found == [(Dog, type(None)), (list,), (object,), (type,), (object,)]


def test_only_the_wanted_annotation_is_evaluated():
    def f(a: "Missing", b: "int"): ...  # noqa: F821

    assert annotated_types(f, 1) == (int,)
    with pytest.raises(ContractError, match=r"needs the name 'Missing'.* Import it for real"):
        annotated_types(f, 0)


def test_annotation_that_is_no_type_is_refused():
    def f(a: "(int, str)", b: 3): ...

    with pytest.raises(ContractError, match=r"is no type .* Use a class"):
        annotated_types(f, 0)
    with pytest.raises(ContractError, match=r"3 cannot be dispatched on. Use a class"):
        annotated_types(f, 1)
