from typing import Any, TypeVar

import pytest

from lamina.foundation.annotations import typed

T = TypeVar("T")


class TestTyped:
    def test_refuses_another_type(self):
        @typed
        def f(x: int, names: list[str] | None = None, *rest: int):
            return x

        assert f(1, ["a"]) == f(1, None) == 1
        with pytest.raises(TypeError, match=r"f: x is 'a', a str\. Expected int"):
            f("a")
        with pytest.raises(TypeError, match="Expected list or None"):
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
