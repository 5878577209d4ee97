"""Each law script accepts good code and refuses the bad snippet made for it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

GOOD = '''"""A module."""

__all__ = ["double"]


def double(x: int) -> int:
    """Return twice `x`.

    Example:
        >>> double(2)
        4
    """
    return 2 * x
'''


def run(script: str, folder: Path, *options: str) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "tools" / f"{script}.py"), str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert not done.stderr
    return done.returncode, done.stdout


def refuses(script: str, folder: Path, source: str, message: str) -> None:
    (folder / "bad.py").write_text(source, encoding="utf-8")
    code, out = run(script, folder)
    assert message in out
    assert code == 1


@pytest.mark.parametrize("script", ["budget", "laws", "ignores", "docs_law", "names"])
def test_good_code_passes(script: str, tmp_path: Path):
    (tmp_path / "good.py").write_text(GOOD, encoding="utf-8")
    code, out = run(script, tmp_path)
    assert code == 0, out


def lines(n: int, indent: str = "    ") -> str:
    return "".join(f"{indent}x = {i}\n" for i in range(n))


BUDGET = {
    "long function": ("def f():\n" + lines(41), "f: 41 lines (at most 40)"),
    "deep nesting": (
        "def f():\n if 1:\n  if 1:\n   if 1:\n    if 1:\n     pass\n",
        "nesting 4 (at most 3)",
    ),
    "long file": (lines(501, ""), "501 lines, at most 500"),
    "wide class": (
        "class A:\n" + "".join(f"    def m{i}(self): ...\n" for i in range(21)),
        "class A: over 20 public methods",
    ),
}


@pytest.mark.parametrize(("source", "message"), BUDGET.values(), ids=BUDGET)
def test_budget_refuses(source: str, message: str, tmp_path: Path):
    refuses("budget", tmp_path, source, message)


def test_budget_counts_neither_docstring_nor_comments(tmp_path: Path):
    text = 'def f():\n    """Say\n' + "    more\n" * 30 + '    """\n' + "    # why\n" * 30
    (tmp_path / "fine.py").write_text(text + lines(40), encoding="utf-8")
    code, out = run("budget", tmp_path)
    assert "budget: 41 code lines in 1 files" in out
    assert code == 0


def test_budget_takes_elif_for_one_level(tmp_path: Path):
    text = "def f(x):\n    if x:\n        pass\n" + "    elif x:\n        pass\n" * 5
    (tmp_path / "fine.py").write_text(text, encoding="utf-8")
    assert run("budget", tmp_path)[0] == 0


def test_budget_refuses_a_crowded_folder(tmp_path: Path):
    for i in range(17):
        (tmp_path / f"m{i}.py").write_text("", encoding="utf-8")
    code, out = run("budget", tmp_path)
    assert "17 files, at most 16" in out
    assert code == 1


LAWS = {
    "star": ("from os import *\n", "star import"),
    "facade": ("from lamina.vision.all import Resize\n", "imports no facade"),
    "setattr": ("setattr(Learner, 'fit', 1)\n", "setattr on a class"),
    "setattr cls": ("def f(cls):\n    setattr(cls, 'fit', 1)\n", "setattr on a class"),
    "getattr": ("class A:\n    def __getattr__(self, name): ...\n", "no __getattr__"),
    "metaclass": ("class A(metaclass=type): ...\n", "__init_subclass__"),
    "exec": ("exec('x = 1')\n", "exec: no code that writes code"),
    "frames": ("import sys\nsys._getframe(1)\n", "frame inspection"),
    "keywords": ("def f(**kwargs): ...\n", "f: bare **kwargs"),
    "picked": ("def f(**kwargs):\n    return g(kwargs.get('a'))\n", "f: bare **kwargs"),
    "method keywords": ("class A:\n    def m(self, **kw): ...\n", "A.m: bare **kw"),
}


@pytest.mark.parametrize(("source", "message"), LAWS.values(), ids=LAWS)
def test_laws_refuse(source: str, message: str, tmp_path: Path):
    refuses("laws", tmp_path, source, message)


@pytest.mark.parametrize(
    "source",
    [
        "def f(**kwargs: Unpack[Options]): ...\n",
        "def f(*args: P.args, **kwargs: P.kwargs): ...\n",
        "def f(**kwargs):\n    refuse_unknown('f', kwargs, ['a'])\n",
        "def f(\n    **kwargs,  # kwargs: become the items of the dictionary\n): ...\n",
        "def f(**kwargs):\n    return g(1, **kwargs)\n",
        "def _private(**kwargs): ...\n",
        "model.eval()\n",
        "setattr(learn, 'model', 1)\n",
    ],
)
def test_laws_allow(source: str, tmp_path: Path):
    (tmp_path / "good.py").write_text(source, encoding="utf-8")
    assert run("laws", tmp_path) == (0, "laws: no problems\n")


@pytest.mark.parametrize(
    "comment",
    ["# type: ignore", "# noqa", "# pyright: ignore[reportAny]", "# noqa: N802", "# noqa: E501  #"],
)
def test_an_ignore_without_code_or_reason_is_refused(comment: str, tmp_path: Path):
    refuses("ignores", tmp_path, f"x = 1  {comment}\n", "needs a rule code and a reason")


@pytest.mark.parametrize(
    "comment",
    ["# noqa: N802  # named like the layer it makes", "# type: ignore[arg-type]  # torch's stub"],
)
def test_an_ignore_with_code_and_reason_is_allowed(comment: str, tmp_path: Path):
    (tmp_path / "good.py").write_text(f"x = 1  {comment}\ny = '# noqa'\n", encoding="utf-8")
    assert run("ignores", tmp_path)[0] == 0


def test_a_function_without_docstring_is_refused(tmp_path: Path):
    refuses("docs_law", tmp_path, '"""M."""\n\ndef f(): ...\n', "f has no docstring")


def test_too_few_examples_are_refused(tmp_path: Path):
    source = '"""M."""\n\ndef f():\n    """Do it."""\n'
    refuses("docs_law", tmp_path, source, "only 0% have an example")


def test_an_unlisted_abbreviation_is_refused(tmp_path: Path):
    refuses("names", tmp_path, "def f(qx_size): ...\n", "f(qx_size): qx is not in docs/names.md")


def test_every_law_script_fits_on_two_screens():
    for script in ("budget", "laws", "ignores", "docs_law", "names", "facade"):
        assert len((ROOT / "tools" / f"{script}.py").read_text("utf-8").splitlines()) <= 85
