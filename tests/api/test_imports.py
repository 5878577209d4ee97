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


def test_importing_changes_nothing_global():
    code = (
        "import random, warnings, torch, numpy as np, PIL.Image as I, multiprocessing as mp;"
        "before = (list(warnings.filters), random.getstate(), torch.get_rng_state().sum().item(),"
        " np.random.get_state()[2], dict(vars(I.Image)), mp.get_start_method(allow_none=True),"
        " torch.get_num_threads(), torch.get_default_dtype());"
        "import lamina.vision.all;"
        "after = (list(warnings.filters), random.getstate(), torch.get_rng_state().sum().item(),"
        " np.random.get_state()[2], dict(vars(I.Image)), mp.get_start_method(allow_none=True),"
        " torch.get_num_threads(), torch.get_default_dtype());"
        "print([i for i, (a, b) in enumerate(zip(before, after)) if a != b])"
    )
    assert _in_new_process(code) == "[]"
