"""Functions become methods of the classes that their first parameter names."""

import inspect
from pathlib import Path

import pytest

from lamina.foundation.errors import ContractError
from lamina.foundation.patching import patch, patch_to


class A:
    """Something to patch."""


class B:
    """Something else."""


def test_patch_adds_a_method_and_returns_the_function():
    @patch
    def add(self: A, n: int, *, scale: int = 2) -> int:
        """Add and scale."""
        return n * scale

    assert A().add(3) == add(A(), 3) == 6
    assert (A.add.__qualname__, A.add.__doc__) == ("A.add", "Add and scale.")
    assert str(inspect.signature(A().add)) == "(n: int, *, scale: int = 2) -> int"


@pytest.mark.parametrize("annotation", [A | B, (A, B), "A | B"])
def test_patch_takes_several_classes(annotation):
    def who(self):
        return type(self).__name__

    who.__annotations__["self"] = annotation
    patch(who)
    assert (A().who(), B().who()) == ("A", "B")
    assert B.who.__qualname__ == "B.who"


def test_patch_makes_properties_and_their_setters():
    @patch(as_prop=True)
    def size(self: A) -> int:
        return self._size

    @patch(set_prop=True, nm="size")
    def _set_size(self: A, value: int) -> None:
        self._size = value

    a = A()
    a.size = 3
    assert a.size == 3


def test_patch_makes_class_and_static_methods():
    @patch(cls_method=True, nm="build")
    def _build(cls: A):
        return cls()

    @patch_to(A, static_method=True)
    def half(x):
        return x / 2

    assert isinstance(A.build(), A)
    assert A.half(4) == A().half(4) == 2


def test_patch_to_takes_several_classes():
    @patch_to((A, B), nm="hello")
    def _hello(self):
        return "hello"

    assert A().hello() == B().hello() == "hello"


def test_closures_are_kept():
    word = "inner"

    @patch
    def closure(self: A):
        return word

    assert A().closure() == "inner"


def test_setter_without_property_is_refused():
    with pytest.raises(ContractError, match=r"A has no property 'nothing' to set. Patch it first"):

        @patch(set_prop=True)
        def nothing(self: A, value): ...


def test_missing_annotation_is_refused():
    with pytest.raises(ContractError, match=r"does not say which class it is for. Annotate"):

        @patch
        def f(self): ...


def test_builtin_class_is_refused():
    with pytest.raises(ContractError, match=r"int cannot be changed .* Patch a subclass"):

        @patch
        def f(self: int): ...


def test_two_kinds_are_refused():
    with pytest.raises(ContractError, match=r"cannot be property and classmethod. Ask for one"):
        patch(as_prop=True, cls_method=True)


def test_importing_lamina_patches_nothing():
    assert not hasattr(Path, "ls")
