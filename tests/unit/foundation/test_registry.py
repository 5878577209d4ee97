"""Only registered or explicitly allowed names can be resolved."""

from dataclasses import dataclass

import pytest

from lamina.foundation.errors import ContractError, UnknownNameError, UntrustedError
from lamina.foundation.registry import Registry, name_of, resolve, savable


@savable
@dataclass
class Point:
    x: int = 0


@savable("test:scale")
def scale(x):
    return 2 * x


class Stateful:
    def to_state(self):
        return {}

    @classmethod
    def from_state(cls, state):
        return cls()


def test_savable_registers_under_module_and_name():
    name = f"{__name__}:Point"
    assert name_of(Point) == name
    assert resolve(name) is Point


def test_savable_takes_a_stable_name():
    assert name_of(scale) == "test:scale"
    assert resolve("test:scale") is scale


def test_class_with_its_own_state_methods_is_savable():
    assert savable("test:stateful")(Stateful) is Stateful


def test_unknown_name_is_refused_and_says_how_to_allow_it():
    message = r"The file names 'os:system'.* import system from os and pass allow=\[system\]"
    with pytest.raises(UntrustedError, match=message) as caught:
        resolve("os:system")
    assert caught.value.name == "os:system"


def test_allow_admits_only_what_was_passed():
    def mine(): ...

    name = f"{mine.__module__}:{mine.__qualname__}"
    assert resolve(name, allow=[mine]) is mine
    with pytest.raises(UntrustedError):
        resolve("os:system", allow=[mine])


def test_allowed_object_does_not_replace_a_registered_one():
    def impostor(): ...

    impostor.__module__, impostor.__qualname__ = "test", "scale"
    assert resolve("test:scale", allow=[impostor]) is scale


def test_unregistered_and_unhashable_objects_have_no_name():
    assert name_of(int) is None
    assert name_of([]) is None


def test_class_without_state_is_refused():
    with pytest.raises(ContractError, match=r"Bare is no dataclass.* Add them, or put @savable"):

        @savable
        class Bare: ...


def test_taken_name_is_refused():
    with pytest.raises(ContractError, match=r"'test:scale' is taken by .* Choose another"):
        savable("test:scale")(lambda x: x)


def test_redefinition_replaces():
    def define():
        @savable("test:again")
        def again(): ...

        return again

    first, second = define(), define()
    assert resolve("test:again") is second
    assert (name_of(first), name_of(second)) == (None, "test:again")


def test_registry_finds_and_lists_names():
    models = Registry("architecture")
    models.register("xresnet34")(34)
    models.register("alexnet")(8)
    assert models["xresnet34"] == 34
    assert models.names() == ("alexnet", "xresnet34")
    assert "alexnet" in models
    assert repr(models) == "Registry(architecture: alexnet, xresnet34)"


def test_registry_suggests_a_name():
    models = Registry("architecture")
    models.register("xresnet34")(34)
    with pytest.raises(UnknownNameError, match=r"unknown architecture 'xresnet43'. Did you mean"):
        models["xresnet43"]


def test_registry_refuses_a_taken_name():
    models = Registry("architecture")
    models.register("a")(len)
    with pytest.raises(ContractError, match=r"the name 'a' is taken"):
        models.register("a")(max)
