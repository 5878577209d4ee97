"""What importing an application brings along, and what it leaves alone."""

import subprocess
import sys

import pytest

HEAVY = ("pandas", "matplotlib", "sklearn", "scipy", "spacy", "torchvision", "IPython", "rich")
SLOW = ("platformdirs",)


def _in_new_process(code: str) -> str:
    run = [sys.executable, "-c", code]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("module", ["lamina", "lamina.train.learner", "lamina.vision.all"])
def test_heavy_libraries_load_on_first_use_only(module):
    code = f"import {module}, sys; print([m for m in {HEAVY + SLOW!r} if m in sys.modules])"
    assert _in_new_process(code) == "[]"


def test_the_foundation_needs_no_torch_and_no_numpy():
    code = (
        "import sys, importlib, pkgutil, lamina.foundation as f;"
        "[importlib.import_module('lamina.foundation.' + m.name)"
        " for m in pkgutil.iter_modules(f.__path__)];"
        "print([m for m in ('torch', 'numpy') if m in sys.modules])"
    )
    assert _in_new_process(code) == "[]"


LOOK = """
import gc, logging, multiprocessing, pathlib, random, sys, warnings
import numpy, pandas, PIL.Image, torch, torch.utils.data

def look():
    patched = (torch.Tensor, torch.nn.Module, PIL.Image.Image, pandas.DataFrame, pathlib.Path)
    members = [{name: id(value) for name, value in vars(cls).items()} for cls in patched]
    draws = random.getstate(), str(numpy.random.get_state()), torch.get_rng_state().tolist()
    settings = (
        list(warnings.filters), torch.get_num_threads(), torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(), torch.is_grad_enabled(), gc.isenabled(),
        multiprocessing.get_start_method(allow_none=True), logging.getLogger().handlers[:],
        sys.excepthook, sys.path[:], pandas.get_option("display.max_rows"),
    )
    return members, draws, settings

before = look()
import lamina.vision.all
for old, new in zip(before, look()):
    assert old == new, (old, new)
print("unchanged")
"""


def test_importing_changes_nothing_global():
    pytest.importorskip("pandas")
    assert _in_new_process(LOOK) == "unchanged"
