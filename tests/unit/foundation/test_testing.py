import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from lamina.foundation.testing import (
    ExceptionExpected,
    is_close,
    test_close,
    test_eq,
    test_eq_type,
    test_fail,
    test_is,
    test_ne,
    test_shuffled,
    test_stdout,
    test_warns,
)


def divide():
    return 1 / 0


class TestWhatPasses:
    def test_equality(self):
        test_eq(torch.arange(2), [0, 1])
        test_eq({"a": np.arange(2)}, {"a": np.arange(2)})
        test_ne(torch.arange(2), torch.arange(3))
        test_eq_type([1, "a"], [1, "a"])
        test_is(None, None)
        test_shuffled([1, 2, 3], [2, 1, 3])

    @pytest.mark.parametrize(
        ("a", "b"),
        [
            (1.0, 1.000001),
            ([1.0], np.array([1.000001])),
            (torch.tensor([1.0]), torch.tensor([1.000001])),
            ({"a": [1.0]}, {"a": (1.000001,)}),
            (pd.Series([1.0]), pd.Series([1.000001])),
        ],
    )
    def test_closeness(self, a, b):
        test_close(a, b)
        assert not is_close(a, b, eps=1e-9)

    def test_effects(self):
        test_fail(divide, exception=ZeroDivisionError, contains="division")
        test_warns(
            lambda: warnings.warn("old", FutureWarning, stacklevel=1), category=FutureWarning
        )
        test_stdout(lambda: print("a\nb"), "a\nb")
        test_stdout(lambda: print("took 12 s"), r"\d+ s", regex=True)
        with ExceptionExpected(ZeroDivisionError, "by z?ero"):
            divide()


class TestWhatFails:
    @pytest.mark.parametrize(
        ("check", "message"),
        [
            (lambda: test_eq(1, 2), "not equal:\n1\n2"),
            (lambda: test_ne([1], (1,)), "equal"),
            (lambda: test_eq_type([1], (1,)), "of other types"),
            (lambda: test_eq_type([1], [1.0]), "of other types"),
            (lambda: test_close([1.0], [1.0, 2.0]), "not within 1e-05"),
            (lambda: test_close(torch.zeros(1), torch.tensor([float("nan")])), "not within"),
            (lambda: test_is([], []), "not the same object"),
            (lambda: test_shuffled([1, 2], [1, 2]), "equal"),
            (lambda: test_shuffled([1, 1, 2], [1, 2, 2]), "not the same items"),
            (lambda: test_fail(lambda: 1), "expected Exception, nothing was raised"),
            (lambda: test_fail(lambda: 1, message="must refuse"), "must refuse"),
            (lambda: test_fail(divide, contains="other"), "expected 'other' in the message"),
            (lambda: test_warns(lambda: 1), "expected a Warning"),
            (lambda: test_stdout(lambda: print("a"), "b"), "printed something else"),
        ],
    )
    def test_says_what(self, check, message):
        with pytest.raises(AssertionError, match=message):
            check()

    def test_other_exceptions_pass_through(self):
        with pytest.raises(ZeroDivisionError):
            test_fail(divide, exception=KeyError)
