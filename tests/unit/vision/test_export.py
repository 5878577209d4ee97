"""An exported vision model is data: no pickle, nothing run, nothing unknown accepted."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lamina.train.persistence import load_learner
from lamina.vision.augmentation.resize import Resize
from lamina.vision.learner import vision_learner
from lamina.vision.loaders import ImageDataLoaders

MODULE = """
from dataclasses import dataclass

from lamina.data.transform import Transform
from lamina.foundation.registry import savable
from lamina.vision.images import PILImage


@savable
@dataclass
class Darken(Transform):
    factor: float = 0.5

    def encodes(self, x: PILImage) -> PILImage:
        return PILImage.create(x.point(lambda value: int(value * self.factor)))
"""

LOADING = """
import sys
from lamina.foundation.errors import UntrustedError
from lamina.vision.all import *

file, picture = sys.argv[1:]
try:
    load_learner(file)
except UntrustedError as error:
    print(error)
from darkening import Darken

print(load_learner(file, allow=[Darken]).predict(picture)[2].tolist())
"""


@pytest.fixture
def folder(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (8, 40, 40, 3), dtype=np.uint8)
    for i, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{'ab'[i % 2]}{i}.png")
    return tmp_path


@pytest.fixture
def darkening(tmp_path, monkeypatch):
    (tmp_path / "darkening.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import darkening

    yield darkening
    del sys.modules["darkening"]


def make_learner(folder, *tfms, **options):
    dls = ImageDataLoaders.from_name_func(
        folder,
        sorted(folder.glob("*.png")),
        lambda name: name[0],
        bs=4,
        seed=0,
        item_tfms=[*tfms, Resize(32)],
    )
    return vision_learner(dls, "resnet18", pretrained=False, default_cbs=False, **options)


def test_the_file_is_a_header_of_json_and_numbers_up_to_its_end(folder):
    data = make_learner(folder).export(folder / "model.lamina").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    manifest = json.loads(header.pop("__metadata__")["lamina"])
    spans = sorted(entry["data_offsets"] for entry in header.values())
    assert all(set(entry) == {"dtype", "shape", "data_offsets"} for entry in header.values())
    assert {entry["dtype"] for entry in header.values()} <= {"F32", "I64"}
    assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]
    assert spans[-1][1] == len(data) - 8 - size
    assert manifest["format"] == 1
    assert "Resize" in json.dumps(manifest)


@pytest.mark.slow
def test_a_transform_of_ones_own_is_named_and_loads_when_allowed(folder, darkening):
    learn = make_learner(folder, darkening.Darken(0.25))
    file, picture = learn.export(folder / "model.lamina"), folder / "a0.png"
    done = subprocess.run(
        [sys.executable, "-c", LOADING, str(file), str(picture)],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    refusal, *_, probabilities = done.stdout.splitlines()
    assert "'darkening:Darken'" in refusal
    assert "import Darken from darkening and pass allow=[Darken]" in refusal
    assert json.loads(probabilities) == pytest.approx(learn.predict(picture)[2].tolist(), abs=1e-6)


def test_how_weights_began_is_not_kept(folder):
    learn = make_learner(folder, init=nn.init.zeros_)
    *_, last = learn.model.head.parameters()
    again = load_learner(learn.export(folder / "model.lamina"))
    assert not learn.model.head[-1][-1].weight.any()
    torch.testing.assert_close([*again.model.head.parameters()][-1], last.cpu())


def test_a_model_of_another_application_says_what_to_import(folder):
    file = make_learner(folder).export(folder / "model.lamina")
    code = f"from lamina.train.persistence import load_learner; load_learner({str(file)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "import lamina.vision.all before loading" in done.stderr
