"""The paper's examples of the low level, as printed there except for its misspellings."""

import inspect
import numbers
from pathlib import Path

import pytest

from lamina.foundation.dispatch import typedispatch
from lamina.foundation.patching import patch
from lamina.foundation.signatures import delegates


@typedispatch
def f_td_test(x: numbers.Integral, y):
    return x + 1


@typedispatch
def f_td_test(x: int, y: float):  # noqa: F811 - typedispatch accumulates
    return x + y


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(3, 2.0, 5.0), (3, 2, 4), (3, "a", 4), (True, 2.0, 3.0), (False, None, 1)],
)
def test_typedispatch_chooses_by_two_types(x, y, expected):
    assert f_td_test(x, y) == expected


def test_typedispatch_gives_its_implementations():
    assert f_td_test[int, float](3, 2.0) == 5.0
    assert f_td_test[bool, str](3, "a") == 4


def test_delegates_shows_the_keywords_of_the_learner():
    class Learner:
        def __init__(self, dls, model, loss_func=None, lr=1e-3, metrics=None): ...

    @delegates(Learner.__init__)
    def tabular_learner(dls, layers, emb_szs=None, config=None, **kwargs): ...

    shown = "(dls, layers, emb_szs=None, config=None, *, loss_func=None, lr=0.001, metrics=None)"
    assert str(inspect.signature(tabular_learner)) == shown


@pytest.mark.parametrize("name", ["write", "mk_write"])
def test_patch_adds_a_method_to_path(name, tmp_path):
    @patch(nm=name)
    def write(self: Path, txt, encoding="utf8"):
        self.parent.mkdir(parents=True, exist_ok=True)
        with self.open("w", encoding=encoding) as f:
            f.write(txt)

    try:
        target = tmp_path / "new" / "folder" / "note.txt"
        getattr(target, name)("grüß dich")
        assert target.read_text(encoding="utf8") == "grüß dich"
    finally:
        delattr(Path, name)
