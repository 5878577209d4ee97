# ruff: noqa: F403, F405 - as in a notebook
"""A seed decides a training to the last bit: with any number of workers, in any process."""

import ast
import os
import subprocess
import sys

import pytest

from lamina.vision.all import *

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from lamina.vision.all import *

{body}
print(losses(int(sys.argv[1])))
"""


def losses(n_workers: int, seed: int = 7, *, search: bool = False) -> list[float]:
    """Train on some photographs, with augmentation and dropout; return all losses."""
    set_seed(seed)
    path = untar_data(URLs.PETS)
    dls = ImageDataLoaders.from_name_re(
        path,
        sorted(get_image_files(path / "images"))[:96:2],
        r"/([^/]+)_\d+.jpg$",
        bs=8,
        num_workers=n_workers,
        item_tfms=RandomResizedCrop(48, min_scale=0.5),
        batch_tfms=aug_transforms(size=32),
    )
    layers = [ConvLayer(3, 8, stride=2), nn.AdaptiveAvgPool2d(4), Flatten(), nn.Dropout(0.5)]
    learn = Learner(dls, nn.Sequential(*layers, nn.Linear(128, dls.c)), metrics=accuracy)
    if search:
        learn.lr_find(num_it=6, show_plot=False)
    learn.fit_one_cycle(2, 1e-2)
    return [*learn.recorder.losses, *(row[2] for row in learn.recorder.values)]


@pytest.fixture(scope="module")
def expected():
    return losses(0)


def test_the_same_bits_with_workers_and_without(expected):
    assert len(expected) == 8 + 2
    assert losses(2) == expected


def test_another_seed_gives_other_losses(expected):
    assert losses(0, seed=8) != expected


def test_a_search_for_the_learning_rate_changes_nothing(expected):
    assert losses(0, search=True) == expected


def test_the_same_bits_in_another_process(expected):
    import inspect

    script = SCRIPT.format(body=inspect.getsource(losses))
    env = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run(
        [sys.executable, "-c", script, "2"], capture_output=True, text=True, check=True, env=env
    )
    assert ast.literal_eval(done.stdout.splitlines()[-1]) == expected
