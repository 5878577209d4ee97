from pathlib import Path

import numpy as np
import pytest

from lamina.data.pipeline import Pipeline
from lamina.foundation.errors import DataError
from lamina.tensor.types import TensorImage, TensorMask
from lamina.vision.images import PILImageBW, PILMask
from lamina.vision.opening import OpenImage, ToTensor


def test_a_path_becomes_a_tensor(photos: Path):
    x = Pipeline([ToTensor, OpenImage])(photos / "owl.jpg")
    assert (type(x), x.shape) == (TensorImage, (3, 320, 427))


def test_the_class_decides_the_tensor():
    pixels = np.zeros((4, 5), dtype=np.uint8)
    assert ToTensor()(OpenImage(PILImageBW)(pixels)).shape == (1, 4, 5)
    assert type(ToTensor()(OpenImage(PILMask)(pixels))) is TensorMask


def test_strangers_pass_untouched():
    assert ToTensor()(("cat", 3)) == ("cat", 3)


def test_an_unreadable_file_is_named_with_the_transform(tmp_path: Path):
    file = tmp_path / "empty.png"
    file.touch()
    with pytest.raises(DataError, match=r"empty\.png") as caught:
        OpenImage()(file)
    assert any("OpenImage" in note for note in caught.value.__notes__)
