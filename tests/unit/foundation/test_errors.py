"""Errors say where, what was given, and what to do; they survive a pickle."""

import importlib
import pickle

import pytest

from lamina.foundation import errors
from lamina.foundation.errors import (
    ItemError,
    LaminaError,
    MissingExtraError,
    SkipItem,
    UnknownArgumentError,
    UnknownNameError,
    UntrustedError,
    closest,
    needs,
    refuse_unknown,
)


def test_unknown_name_suggests_the_closest():
    error = UnknownNameError("architecture", "resnet43", ["resnet34", "vgg"], where="learner")
    assert str(error) == "learner: unknown architecture 'resnet43'. Did you mean 'resnet34'?"
    assert (error.got, error.known) == ("resnet43", ("resnet34", "vgg"))
    assert isinstance(error, ValueError)


def test_unknown_name_lists_the_known_when_none_is_close():
    assert str(UnknownNameError("x", "q", "cba", where="f")) == "f: unknown x 'q'. Known: a, b, c"
    assert str(UnknownNameError("x", "q", "", where="f")).endswith("None are known.")
    many = [f"name{i:02}" for i in range(20)]
    assert str(UnknownNameError("x", "q", many, where="f")).endswith("name11, ...")


def test_all_unknown_arguments_are_named():
    message = r"^fit: unknown arguments. 'lrr': Did you mean 'lr'\?; 'wdd': Did you mean 'wd'\?$"
    with pytest.raises(UnknownArgumentError, match=message) as caught:
        refuse_unknown("fit", {"lrr": 1, "wdd": 2, "lr": 3}, ["lr", "wd"])
    assert caught.value.got == ("lrr", "wdd")
    assert isinstance(caught.value, TypeError)


def test_closest_ignores_case():
    assert closest("CROSSENTROPY", ["CrossEntropy", "Dice"]) == "CrossEntropy"
    assert closest("", ["a"]) is None


def test_missing_extra_names_the_command():
    error = MissingExtraError("timm", "vision-backbones")
    assert "pip install 'lamina[vision-backbones]'" in str(error)
    assert isinstance(error, ImportError)


def test_every_error_is_a_lamina_error():
    found = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    assert all(issubclass(cls, LaminaError) for cls in found)
    assert not issubclass(SkipItem, LaminaError)


@pytest.mark.parametrize(
    "error",
    [
        UnknownNameError("x", "q", ["a"], where="f"),
        UnknownArgumentError("f", ["q", "r"], ["a"]),
        MissingExtraError("timm", "all"),
        ItemError("cannot read", item=3, stage="Resize"),
        UntrustedError("not allowed", name="os:system"),
    ],
)
def test_errors_survive_a_pickle(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_a_missing_library_is_named_with_its_extra_and_a_broken_one_speaks_for_itself():
    with (
        pytest.raises(MissingExtraError, match=r"'imaginary', .* 'lamina\[all\]'"),
        needs("imaginary", "all"),
    ):
        importlib.import_module("imaginary")
    with pytest.raises(ImportError, match="wrong ABI") as raised, needs("broken", "all"):
        raise ImportError("wrong ABI")
    assert type(raised.value) is ImportError
